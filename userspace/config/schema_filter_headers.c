// SPDX-License-Identifier: Apache-2.0
/* The options of the filter headers. */
#include "config/schema_filter.h"

static const struct option field_options[] = {
	{.name = "name",
	 .type = &type_field,
	 FIELD(config_field, name),
	 .example = "X-Request-ID",
	 .is_required = true,
	 .help = "The field. Those that belong to a connection or to the framing of a body are not "
		 "for filters."},
	{.name = "value",
	 .type = &type_template,
	 FIELD(config_field, value),
	 .example = "\"${request_id}\"",
	 .is_required = true,
	 .help = "Its value; variables are filled in for each request. An empty one leaves the "
		 "field out."},
};

static const struct schema schema_field = {
	SCHEMA("a field", field_options),
	.size = sizeof(struct config_field),
};

static const struct option changes_options[] = {
	{.name = "remove",
	 .type = &type_field,
	 LIST(config_field_changes, remove),
	 .example = "[X-Powered-By]",
	 .help = "Fields that go, all of that name. remove comes first, then set, then add."},
	{.name = "set",
	 .type = &type_mapping,
	 .members = &schema_field,
	 LIST(config_field_changes, set),
	 .help = "Fields that take the place of those of the same name."},
	{.name = "add",
	 .type = &type_mapping,
	 .members = &schema_field,
	 LIST(config_field_changes, add),
	 .help = "Fields that stand beside those of the same name."},
};

static const struct schema schema_request = {SCHEMA("request", changes_options)};
static const struct schema schema_response = {SCHEMA("response", changes_options)};

static const struct option headers_options[] = {
	{.name = "request",
	 .type = &type_mapping,
	 .members = &schema_request,
	 FIELD(config_headers, request),
	 .help = "What is done to the request before it goes to the pool."},
	{.name = "response",
	 .type = &type_mapping,
	 .members = &schema_response,
	 FIELD(config_headers, response),
	 .help = "What is done to the answer, one of our own too, before it goes to the client."},
};

const struct schema schema_filter_headers = {SCHEMA("headers", headers_options)};
