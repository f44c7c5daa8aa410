// SPDX-License-Identifier: Apache-2.0
/* The options of the filter basic_auth. */
#include "config/schema_filter.h"

static const struct option basic_auth_options[] = {
	{.name = "file",
	 .type = &type_file,
	 FIELD(config_basic_auth, file),
	 .example = "htpasswd",
	 .is_required = true,
	 .help = "Users and hashes of their passwords, \"name:hash\" a line, as htpasswd -B or "
		 "mkpasswd write them; read anew by a reload."},
	{.name = "realm",
	 .type = &type_realm,
	 FIELD(config_basic_auth, realm),
	 .default_text = "restricted",
	 .help = "What the browser says the password is for."},
	{.name = "forward",
	 .type = &type_boolean,
	 FIELD(config_basic_auth, is_forwarded),
	 .default_text = "false",
	 .help = "Whether the pool gets the Authorization field too."},
};

const struct schema schema_filter_basic_auth = {SCHEMA("basic_auth", basic_auth_options)};
