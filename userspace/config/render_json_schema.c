// SPDX-License-Identifier: Apache-2.0
/*
 * The schema table as JSON Schema, for editors. It knows shapes and ranges; what holds between
 * options (names, clashes) only the daemon checks.
 */
#include "config/render.h"
#include "config/config_internal.h"
#include "core/json.h"

#include <ctype.h>

static void render_object(const struct schema *schema, int depth, struct strbuf *out);

static void new_line(struct strbuf *out, int depth)
{
	strbuf_printf(out, "\n%*s", depth * 2, "");
}

/* Any scalar may come from the environment; text types allow that as they stand. */
static void render_value(const struct option *option, struct strbuf *out)
{
	if (option->type->is_text) {
		strbuf_append_str(out, "{");
		option->type->schema(option, out);
		strbuf_append_str(out, "}");
		if (!option->zero_word)
			return;
		/* YAML 1.1 editors take an unquoted off for false. */
		strbuf_append_str(out, ", {\"const\": false}");
		return;
	}
	strbuf_append_str(out, "{");
	option->type->schema(option, out);
	strbuf_append_str(out, "}");
	if (option->zero_word) {
		strbuf_append_str(out, ", {\"const\": ");
		json_append_string(out, slice_from_str(option->zero_word));
		strbuf_append_str(out, "}");
	}
	strbuf_append_str(out, ", {\"$ref\": \"#/$defs/environment\"}");
}

static bool is_number(const char *text)
{
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
	}
	return true;
}

static void render_default(const struct option *option, struct strbuf *out)
{
	const char *text = option->default_text;

	strbuf_append_str(out, ", \"default\": ");
	if (option->type == &type_boolean || (option->type == &type_count && is_number(text)))
		strbuf_append_str(out, text);
	else
		json_append_string(out, slice_from_str(text));
}

static void render_scalar(const struct option *option, struct strbuf *out)
{
	strbuf_append_str(out, ", \"anyOf\": [");
	render_value(option, out);
	if (option->is_list) {
		strbuf_printf(out, ", {\"type\": \"array\"%s, \"items\": {\"anyOf\": [",
			      option->is_required ? ", \"minItems\": 1" : "");
		render_value(option, out);
		strbuf_append_str(out, "]}}");
	}
	strbuf_append_str(out, "]");
	if (option->default_text)
		render_default(option, out);
}

static void render_mapping(const struct schema *schema, int depth, struct strbuf *out)
{
	if (!schema->scalar) {
		render_object(schema, depth, out);
		return;
	}
	strbuf_append_str(out, "\"anyOf\": [");
	render_value(schema->scalar, out);
	strbuf_append_str(out, ", {");
	render_object(schema, depth, out);
	strbuf_append_str(out, "}]");
}

static void render_option(const struct option *option, int depth, struct strbuf *out)
{
	new_line(out, depth);
	json_append_string(out, slice_from_str(option->name));
	strbuf_append_str(out, ": {\"description\": ");
	json_append_string(out, slice_from_str(option->help));
	if (!option->members) {
		render_scalar(option, out);
	} else if (option->is_list) {
		strbuf_printf(out, ", \"type\": \"array\"%s, \"items\": {",
			      option->is_required ? ", \"minItems\": 1" : "");
		render_mapping(option->members, depth + 1, out);
		strbuf_append_str(out, "}");
	} else {
		strbuf_append_str(out, ", ");
		render_mapping(option->members, depth + 1, out);
	}
	strbuf_append_str(out, "}");
}

static void render_required(const struct schema *schema, struct strbuf *out)
{
	const char *separator = "";

	if (!schema_has_required(schema))
		return;
	strbuf_append_str(out, ", \"required\": [");
	for (size_t i = 0; i < schema->count; i++) {
		if (!schema->options[i].is_required)
			continue;
		strbuf_printf(out, "%s\"%s\"", separator, schema->options[i].name);
		separator = ", ";
	}
	strbuf_append_str(out, "]");
}

/* Without its braces. "key:" with nothing below it is an empty mapping, if it may be empty. */
static void render_object(const struct schema *schema, int depth, struct strbuf *out)
{
	strbuf_append_str(out, schema_has_required(schema) ? "\"type\": \"object\""
							   : "\"type\": [\"object\", \"null\"]");
	render_required(schema, out);
	strbuf_append_str(out, ", \"additionalProperties\": false, \"properties\": {");
	for (size_t i = 0; i < schema->count; i++) {
		if (i)
			strbuf_append_str(out, ",");
		render_option(&schema->options[i], depth + 1, out);
	}
	strbuf_append_str(out, "}");
}

void config_render_json_schema(struct strbuf *out)
{
	strbuf_append_str(out, "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
			       "\"title\": \"Sluice configuration\",\n"
			       "\"$defs\": {\"environment\": {\"type\": \"string\", "
			       "\"pattern\": \"[$][{][A-Za-z_][A-Za-z0-9_]*[}]\"}},\n");
	render_object(&schema_config, 0, out);
	strbuf_append_str(out, "}\n");
}
