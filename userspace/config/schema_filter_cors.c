// SPDX-License-Identifier: Apache-2.0
/* The options of the filter cors. */
#include "config/schema_filter.h"

static const struct option cors_options[] = {
	{.name = "origins",
	 .type = &type_origin,
	 LIST(config_cors, origins),
	 .example = "[\"https://app.example\", \"https://*.shop.example\"]",
	 .is_required = true,
	 .help = "Who may use answers: scheme, host and port as a browser's Origin field has them. "
		 "\"https://*.shop.example\" stands for any labels in front, \"*\" for any "
		 "origin, null for documents without one."},
	{.name = "methods",
	 .type = &type_method,
	 LIST(config_cors, methods),
	 .example = "[GET, HEAD, POST]",
	 .help = "Methods that they may use; without it those of the example."},
	{.name = "headers",
	 .type = &type_field_or_all,
	 LIST(config_cors, headers),
	 .example = "[Content-Type, X-Own]",
	 .help = "Fields that their requests may have beyond the harmless ones; \"*\" stands for "
		 "whatever is asked for."},
	{.name = "expose",
	 .type = &type_field_or_all,
	 LIST(config_cors, expose),
	 .example = "[X-Total]",
	 .help = "Fields of answers that their scripts may see beyond the harmless ones."},
	{.name = "credentials",
	 .type = &type_boolean,
	 FIELD(config_cors, has_credentials),
	 .default_text = "false",
	 .help = "Whether cookies and authorization come along. Not with the origin \"*\"."},
	{.name = "max_age",
	 .type = &type_duration,
	 FIELD(config_cors, max_age_ms),
	 RANGE(0, DAY),
	 .default_text = "10m",
	 .help = "How long a browser may remember what a preflight was answered."},
};

/* Any page could then act in the name of whoever looks at it. */
static void finish_cors(struct decoder *decoder, const struct node *node, void *base)
{
	const struct config_cors *cors = base;

	for (size_t i = 0; cors->has_credentials && i < cors->norigins; i++)
		if (strcmp(cors->origins[i], "*") == 0)
			diagnose(decoder->diagnostics, node_member_or_self(node, "credentials"),
				 "credentials are not for the origin \"*\"; expected origins by "
				 "name");
}

const struct schema schema_filter_cors = {SCHEMA("cors", cors_options), .finish = finish_cors};
