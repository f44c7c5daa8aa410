// SPDX-License-Identifier: Apache-2.0
/*
 * Document → plain structs, driven by the schema table. A wrong value is reported and its default
 * stays, so that one mistake gives one message and the rest is still checked.
 */
#include "config/config_internal.h"

#include <stdio.h>

/* "; expected …": what the option's type wants. Return: @ret, cut at its size. */
#define EXPECTED_SIZE 400

static const char *expected(const struct option *option, char ret[EXPECTED_SIZE])
{
	struct strbuf text = {};

	option->type->expect(option, &text);
	snprintf(ret, EXPECTED_SIZE, "%s", text.text ? text.text : "");
	strbuf_done(&text);
	return ret;
}

/* A misspelt word has a nearest one; what the environment gave is not even hinted at. */
static void suggest_word(const struct option *option, const struct node *node,
			 char ret[SUGGESTION_SIZE])
{
	struct suggestion suggestion = {.word = node->text};
	bool is_open = !option->problem && !node->is_from_environment;

	if (is_open && option->zero_word)
		suggestion_offer(&suggestion, option->zero_word);
	for (const struct word *word = option->words; is_open && word && word->name; word++)
		suggestion_offer(&suggestion, word->name);
	suggestion_format(&suggestion, ret);
}

static void report_value(struct decoder *decoder, const struct option *option,
			 const struct node *node, const char *problem)
{
	char quoted[QUOTE_SIZE], wanted[EXPECTED_SIZE], nearest[SUGGESTION_SIZE];

	suggest_word(option, node, nearest);
	diagnose(decoder->diagnostics, node, "%s: %s %s; expected %s%s", option->name,
		 node_quote(node, quoted), option->problem ? option->problem : problem,
		 expected(option, wanted), nearest);
}

static const char *kind_name(const struct node *node)
{
	switch (node->kind) {
	case NODE_LIST:
		return "is a list";
	case NODE_MAPPING:
		return "is a mapping";
	case NODE_SCALAR:
		return "is a single value";
	default:
		return "has no value";
	}
}

static void report_kind(struct decoder *decoder, const struct option *option,
			const struct node *node, const char *wanted)
{
	if (node->kind != NODE_BROKEN)
		diagnose(decoder->diagnostics, node, "%s %s; expected %s", option->name,
			 kind_name(node), wanted);
}

/* --- Scalars --------------------------------------------------------------------- */

/* Return: elements written to @field; 0 with a diagnostic. */
static size_t decode_scalar(struct decoder *decoder, const struct option *option,
			    const struct node *node, void *field)
{
	struct reading reading = {
		.arena = decoder->arena, .option = option, .node = node, .count = 1};
	char wanted[EXPECTED_SIZE];
	const char *problem;

	if (node->kind != NODE_SCALAR) {
		report_kind(decoder, option, node, expected(option, wanted));
		return 0;
	}
	if (option->zero_word && !option->is_list &&
	    slice_equal_str(node->text, option->zero_word)) {
		memset(field, 0, option->type->size);
		return 1;
	}
	problem = option->type->read(&reading, node->text, field);
	decoder->is_out_of_memory |= reading.is_out_of_memory;
	if (!problem)
		return reading.count;
	report_value(decoder, option, node, problem);
	return 0;
}

/* Defaults stand in our own table: they are read, never reported. */
static void decode_default(struct decoder *decoder, const struct option *option, void *field)
{
	struct reading reading = {.arena = decoder->arena, .option = option, .count = 1};
	struct slice text = slice_from_str(option->default_text);

	if (option->zero_word && slice_equal_str(text, option->zero_word))
		return;
	option->type->read(&reading, text, field);
	decoder->is_out_of_memory |= reading.is_out_of_memory;
}

/* --- Lists ------------------------------------------------------------------------- */

static void store_list(const struct option *option, void *base, void *array, size_t count)
{
	memcpy((char *)base + option->offset, &array, sizeof(array));
	memcpy((char *)base + option->count_offset, &count, sizeof(count));
}

static void *alloc_list(struct decoder *decoder, size_t count, size_t size)
{
	void *array = arena_alloc_array(decoder->arena, count, size);

	if (!array)
		decoder->is_out_of_memory = true;
	return array;
}

/* A single scalar counts as a list of one, but for the word that stands for an empty one. */
static void decode_scalar_list(struct decoder *decoder, const struct option *option,
			       const struct node *node, void *base)
{
	const struct option_type *type = option->type;
	size_t each = type->elements ? type->elements : 1, count = 0;
	const struct node *first = node->kind == NODE_LIST ? node->first : node;
	char *array;

	if (node->kind != NODE_LIST && node->kind != NODE_SCALAR) {
		report_kind(decoder, option, node, "a list");
		return;
	}
	if (node->kind == NODE_SCALAR && option->zero_word &&
	    slice_equal_str(node->text, option->zero_word)) {
		store_list(option, base, NULL, 0);
		return;
	}
	if (!first && option->is_required)
		diagnose(decoder->diagnostics, node, "%s is an empty list; expected at least one",
			 option->name);
	array = alloc_list(decoder, node->kind == NODE_LIST ? node->count * each : each,
			   type->size);
	if (!array)
		return;
	for (const struct node *item = first; item; item = node == first ? NULL : item->next)
		count += decode_scalar(decoder, option, item, array + count * type->size);
	store_list(option, base, array, count);
}

/* Every item gets its struct, wrong ones too: checks walk both in parallel. */
static void decode_mapping_list(struct decoder *decoder, const struct option *option,
				const struct node *node, void *base)
{
	const struct schema *members = option->members;
	size_t count = 0;
	char *array;

	if (node->kind != NODE_LIST) {
		report_kind(decoder, option, node, "a list");
		return;
	}
	if (!node->first && option->is_required)
		diagnose(decoder->diagnostics, node, "%s is an empty list; expected at least one",
			 option->name);
	array = alloc_list(decoder, node->count, members->size);
	if (!array)
		return;
	node_for_each (item, node)
		decode_mapping(decoder, members, item, array + count++ * members->size);
	store_list(option, base, array, count);
}

/* One element is all that a default has. */
static void decode_default_list(struct decoder *decoder, const struct option *option, void *base)
{
	void *array;

	if (option->zero_word &&
	    slice_equal_str(slice_from_str(option->default_text), option->zero_word))
		return;
	array = alloc_list(decoder, 1, option->type->size);
	if (!array)
		return;
	decode_default(decoder, option, array);
	store_list(option, base, array, 1);
}

/* --- Mappings ------------------------------------------------------------------------ */

static void apply_defaults(struct decoder *decoder, const struct schema *schema, void *base)
{
	for (size_t i = 0; i < schema->count; i++) {
		const struct option *option = &schema->options[i];
		char *field = (char *)base + option->offset;

		if (option->members && !option->is_list)
			apply_defaults(decoder, option->members, field);
		else if (option->default_text && option->is_list)
			decode_default_list(decoder, option, base);
		else if (option->default_text)
			decode_default(decoder, option, field);
	}
}

static const struct option *find_option(const struct schema *schema, struct slice name)
{
	for (size_t i = 0; i < schema->count; i++) {
		if (slice_equal_str(name, schema->options[i].name))
			return &schema->options[i];
	}
	return NULL;
}

static void append_names(const struct schema *schema, struct strbuf *out)
{
	if (schema->count == 0)
		strbuf_append_str(out, "no option");
	else if (schema->count > 1)
		strbuf_append_str(out, "one of ");
	for (size_t i = 0; i < schema->count; i++)
		strbuf_printf(out, "%s%s", i ? ", " : "", schema->options[i].name);
}

static void report_unknown(struct decoder *decoder, const struct schema *schema,
			   const struct node *key)
{
	struct suggestion suggestion = {.word = key->raw};
	char quoted[QUOTE_SIZE], nearest[SUGGESTION_SIZE];
	struct strbuf names = {};

	for (size_t i = 0; i < schema->count; i++)
		suggestion_offer(&suggestion, schema->options[i].name);
	append_names(schema, &names);
	diagnose(decoder->diagnostics, key, "unknown option %s in %s; expected %s%s",
		 node_quote(key, quoted), schema->name, names.text ? names.text : "",
		 suggestion_format(&suggestion, nearest));
	strbuf_done(&names);
}

static void decode_members(struct decoder *decoder, const struct schema *schema,
			   const struct node *node, void *base);

static void decode_option(struct decoder *decoder, const struct option *option,
			  const struct node *node, void *base)
{
	char *field = (char *)base + option->offset;

	if (option->members && option->is_list)
		decode_mapping_list(decoder, option, node, base);
	else if (option->members)
		decode_members(decoder, option->members, node, field);
	else if (option->is_list)
		decode_scalar_list(decoder, option, node, base);
	else
		decode_scalar(decoder, option, node, field);
}

static void report_missing(struct decoder *decoder, const struct schema *schema,
			   const struct node *node)
{
	char wanted[EXPECTED_SIZE];

	for (size_t i = 0; i < schema->count; i++) {
		const struct option *option = &schema->options[i];

		if (option->is_required && !node_member(node, option->name))
			diagnose(decoder->diagnostics, node, "%s has no %s; expected %s",
				 schema->name, option->name,
				 option->members ? "a list" : expected(option, wanted));
	}
}

/* "key:" with every option below it commented out is an empty mapping, not an error. */
static void decode_members(struct decoder *decoder, const struct schema *schema,
			   const struct node *node, void *base)
{
	const struct option *scalar = schema->scalar;

	if (node->kind == NODE_SCALAR && scalar) {
		decode_scalar(decoder, scalar, node, (char *)base + scalar->offset);
	} else if (node->kind == NODE_MAPPING || node->kind == NODE_NULL) {
		node_for_each (member, node) {
			const struct option *option = find_option(schema, member->key->raw);

			if (option)
				decode_option(decoder, option, member, base);
			else
				report_unknown(decoder, schema, member->key);
		}
		report_missing(decoder, schema, node);
	} else {
		if (node->kind != NODE_BROKEN)
			diagnose(decoder->diagnostics, node,
				 "%s %s; expected \"name: value\" pairs", schema->name,
				 kind_name(node));
		return;
	}
	if (schema->finish)
		schema->finish(decoder, node, base);
}

void decode_mapping(struct decoder *decoder, const struct schema *schema, const struct node *node,
		    void *base)
{
	apply_defaults(decoder, schema, base);
	if (schema->line_offset)
		memcpy((char *)base + schema->line_offset, &node->line, sizeof(node->line));
	decode_members(decoder, schema, node, base);
}

bool schema_has_required(const struct schema *schema)
{
	for (size_t i = 0; i < schema->count; i++) {
		if (schema->options[i].is_required)
			return true;
	}
	return false;
}
