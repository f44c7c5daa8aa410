// SPDX-License-Identifier: Apache-2.0
/* The part of the schema table that is about filters: which there are. Each has a table of its own
 * in a schema_filter_<name>.c. */
#include "config/schema_filter.h"

static const struct word kind_words[] = {
#define X(id, text, member) {text, CONFIG_FILTER_##id},
	CONFIG_FILTERS(X)
#undef X
		{},
};

/* "- compression" is the filter with its defaults. */
static const struct option kind_option = {
	.name = "filter",
	.type = &type_word,
	FIELD(config_filter, kind),
	.words = kind_words,
};

/* In the order of CONFIG_FILTERS. */
static const struct option filter_options[] = {
	{.name = "headers",
	 .type = &type_mapping,
	 .members = &schema_filter_headers,
	 .is_choice = true,
	 FIELD(config_filter, headers),
	 .help = "Sets, adds and removes header fields."},
	{.name = "compression",
	 .type = &type_mapping,
	 .members = &schema_filter_compression,
	 .is_choice = true,
	 FIELD(config_filter, compression),
	 .help = "Compresses answers that shrink, for clients that take it."},
	{.name = "access",
	 .type = &type_mapping,
	 .members = &schema_filter_access,
	 .is_choice = true,
	 FIELD(config_filter, access),
	 .help = "Lets clients in by their network."},
	{.name = "limits",
	 .type = &type_mapping,
	 .members = &schema_filter_limits,
	 .is_choice = true,
	 FIELD(config_filter, limits),
	 .help = "Refuses requests that are too large, or of other methods."},
	{.name = "cors",
	 .type = &type_mapping,
	 .members = &schema_filter_cors,
	 .is_choice = true,
	 FIELD(config_filter, cors),
	 .help = "Cross-origin resource sharing: answers preflights, marks answers."},
	{.name = "rate_limit",
	 .type = &type_mapping,
	 .members = &schema_filter_rate_limit,
	 .is_choice = true,
	 FIELD(config_filter, rate_limit),
	 .help = "So many requests of one client, or of another key, in a time."},
	{.name = "basic_auth",
	 .type = &type_mapping,
	 .members = &schema_filter_basic_auth,
	 .is_choice = true,
	 FIELD(config_filter, basic_auth),
	 .help = "Asks for a name and a password."},
};

/* A name alone is enough only where every option has a default. */
static void check_name(struct decoder *decoder, const struct node *node,
		       enum config_filter_kind kind)
{
	const struct schema *options = filter_options[kind].members;

	for (size_t i = 0; i < options->count; i++)
		if (options->options[i].is_required)
			diagnose(decoder->diagnostics, node,
				 "%s has no %s; expected \"%s: {%s: …}\"", options->name,
				 options->options[i].name, options->name, options->options[i].name);
}

static void finish_filter(struct decoder *decoder, const struct node *node, void *base)
{
	struct config_filter *filter = base;
	size_t found = 0;

	if (node->kind == NODE_SCALAR) {
		check_name(decoder, node, filter->kind);
		return;
	}
	for (const struct word *word = kind_words; word->name; word++) {
		if (!node_member(node, word->name))
			continue;
		filter->kind = (enum config_filter_kind)word->value;
		found++;
	}
	if (found > 1)
		diagnose(decoder->diagnostics, node,
			 "an item of filters names %zu filters; expected one, each is an item of "
			 "its own",
			 found);
	else if (!found && node->kind == NODE_NULL)
		diagnose(decoder->diagnostics, node,
			 "an item of filters is empty; expected the name of a filter");
}

const struct schema schema_filter = {
	SCHEMA("a filter", filter_options),
	.size = sizeof(struct config_filter),
	.line_offset = offsetof(struct config_filter, line),
	.scalar = &kind_option,
	.finish = finish_filter,
};

const char *config_filter_name(enum config_filter_kind kind)
{
	return kind_words[kind].name;
}
