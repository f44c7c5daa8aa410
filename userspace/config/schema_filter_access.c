// SPDX-License-Identifier: Apache-2.0
/* The options of the filters access and limits. */
#include "config/schema_filter.h"

static const struct option access_options[] = {
	{.name = "allow",
	 .type = &type_network,
	 LIST(config_access, allow),
	 .example = "[10.0.0.0/8, \"2001:db8::/32\"]",
	 .help = "Networks of clients that may pass, after the PROXY protocol; with any, all "
		 "others "
		 "may not."},
	{.name = "deny",
	 .type = &type_network,
	 LIST(config_access, deny),
	 .example = "[10.66.0.0/16]",
	 .help = "Networks that may not. Where a client is in networks of both lists the longer "
		 "prefix decides; of two that are the same, deny."},
	{.name = "status",
	 .type = &type_count,
	 FIELD(config_access, status),
	 RANGE(400, 499),
	 .default_text = "403",
	 .help = "What the others are answered."},
};

const struct schema schema_filter_access = {SCHEMA("access", access_options)};

static const struct option limits_options[] = {
	{.name = "max_body",
	 .type = &type_size,
	 FIELD(config_filter_limits, max_body_bytes),
	 RANGE(0, UINT32_MAX),
	 .default_text = "0",
	 .help = "Bytes of a request's body; more is answered 413. The listener's http.max_body "
		 "holds too. 0: no limit."},
	{.name = "max_uri",
	 .type = &type_size,
	 FIELD(config_filter_limits, max_uri_bytes),
	 RANGE(0, MIB),
	 .default_text = "0",
	 .help = "Bytes of what is asked for, path and query; more is answered 414. 0: no limit."},
	{.name = "max_fields",
	 .type = &type_count,
	 FIELD(config_filter_limits, max_fields),
	 RANGE(0, 10000),
	 .default_text = "0",
	 .help = "Header fields of a request; more are answered 431. 0: no limit."},
	{.name = "max_field",
	 .type = &type_size,
	 FIELD(config_filter_limits, max_field_bytes),
	 RANGE(0, MIB),
	 .default_text = "0",
	 .help = "Bytes of one header field, name and value; more is answered 431. 0: no limit."},
	{.name = "methods",
	 .type = &type_method,
	 LIST(config_filter_limits, methods),
	 .example = "[GET, HEAD, POST]",
	 .help = "Methods that may be used; others are answered 405. All without it."},
};

const struct schema schema_filter_limits = {SCHEMA("limits", limits_options)};
