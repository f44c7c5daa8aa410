// SPDX-License-Identifier: Apache-2.0
/*
 * The option tables for people: Markdown for docs/configuration.md, troff for sluice.yaml(5). Both
 * walk the schema in one order: a table for the file and one for each kind of list item, with the
 * options of nested mappings under dotted names.
 */
#include "config/render.h"
#include "config/config_internal.h"

#include <stdio.h>

#define PATH_SIZE 128

struct format {
	void (*begin_table)(const char *path, struct strbuf *out);
	void (*row)(const char *name, const struct option *option, struct strbuf *out);
};

/* "queue" and "size" make "queue.size". Return: @ret. */
static const char *join(const char *path, const char *name, char ret[PATH_SIZE])
{
	snprintf(ret, PATH_SIZE, "%s%s%s", path, *path ? "." : "", name);
	return ret;
}

static void render_rows(const struct format *format, const struct schema *schema, const char *path,
			struct strbuf *out)
{
	char name[PATH_SIZE];

	for (size_t i = 0; i < schema->count; i++) {
		const struct option *option = &schema->options[i];

		join(path, option->name, name);
		if (!option->members || option->is_list || option->members->scalar ||
		    option->members->count == 0)
			format->row(name, option, out);
		if (option->members && !option->is_list)
			render_rows(format, option->members, name, out);
	}
}

static void render_table(const struct format *format, const struct schema *schema, const char *path,
			 struct strbuf *out)
{
	char name[PATH_SIZE], item[PATH_SIZE + 2];

	format->begin_table(path, out);
	render_rows(format, schema, "", out);
	for (size_t i = 0; i < schema->count; i++) {
		const struct option *option = &schema->options[i];

		if (!option->members || !option->is_list || option->same_as)
			continue;
		snprintf(item, sizeof(item), "%s[]", join(path, option->name, name));
		render_table(format, option->members, item, out);
	}
}

/* What a row says of values: "one or a list: …". */
static void append_values(const struct option *option, struct strbuf *out)
{
	const struct option *scalar = option->members ? option->members->scalar : option;

	if (option->members && option->is_list) {
		strbuf_printf(out, "a list, see %s", option->same_as ? option->same_as : "below");
		return;
	}
	if (!scalar) {
		strbuf_append_str(out, "a mapping without options");
		return;
	}
	if (option->is_list)
		strbuf_append_str(out, "one or a list: ");
	scalar->type->expect(scalar, out);
	if (option->members)
		strbuf_append_str(out, "; or a mapping");
}

static const char *default_of(const struct option *option)
{
	if (option->is_required)
		return "required";
	if (option->members && option->members->scalar)
		option = option->members->scalar;
	return option->default_text ? option->default_text : "none";
}

/* --- Markdown -------------------------------------------------------------------- */

static bool is_markup(char c)
{
	return c == '|' || c == '*' || c == '_' || c == '<' || c == '[';
}

/* "|" ends a cell, and "*" and "_" would begin an emphasis. */
static void append_cell(struct strbuf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (is_markup(text.ptr[i]))
			strbuf_append_str(out, "\\");
		strbuf_append(out, slice_of(text.ptr + i, 1));
	}
}

static void begin_markdown(const char *path, struct strbuf *out)
{
	if (*path)
		strbuf_printf(out, "\n### `%s`\n\n", path);
	else
		strbuf_append_str(out, "\n### Top level\n\n");
	strbuf_append_str(out, "| Option | Values | Default | Meaning |\n|---|---|---|---|\n");
}

static void row_markdown(const char *name, const struct option *option, struct strbuf *out)
{
	const char *fallback = default_of(option);
	struct strbuf values = {};

	append_values(option, &values);
	strbuf_printf(out, "| `%s` | ", name);
	append_cell(out, slice_of(values.text, values.len));
	strbuf_printf(out, " | %s | ", fallback);
	append_cell(out, slice_from_str(option->help));
	strbuf_append_str(out, " |\n");
	strbuf_done(&values);
}

void config_render_markdown(struct strbuf *out)
{
	static const struct format format = {.begin_table = begin_markdown, .row = row_markdown};

	render_table(&format, &schema_config, "", out);
}

/* --- troff ----------------------------------------------------------------------- */

/* "\" begins an escape, "-" a hyphen; "." and "'" are requests only where a line begins. */
static void append_troff(struct strbuf *out, struct slice text)
{
	if (text.len && (text.ptr[0] == '.' || text.ptr[0] == '\''))
		strbuf_append_str(out, "\\&");
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\\')
			strbuf_append_str(out, "\\e");
		else if (text.ptr[i] == '-')
			strbuf_append_str(out, "\\-");
		else
			strbuf_append(out, slice_of(text.ptr + i, 1));
	}
}

static void begin_man(const char *path, struct strbuf *out)
{
	strbuf_printf(out, ".SS %s\n", *path ? path : "Top level");
}

static void row_man(const char *name, const struct option *option, struct strbuf *out)
{
	struct strbuf values = {};

	append_values(option, &values);
	strbuf_append_str(out, ".TP\n.B ");
	append_troff(out, slice_from_str(name));
	strbuf_append_str(out, "\n");
	append_troff(out, slice_from_str(option->help));
	strbuf_append_str(out, "\nValues: ");
	append_troff(out, slice_of(values.text, values.len));
	strbuf_append_str(out, ".\nDefault: ");
	append_troff(out, slice_from_str(default_of(option)));
	strbuf_append_str(out, ".\n");
	strbuf_done(&values);
}

void config_render_man(struct strbuf *out)
{
	static const struct format format = {.begin_table = begin_man, .row = row_man};

	render_table(&format, &schema_config, "", out);
}
