// SPDX-License-Identifier: Apache-2.0
/*
 * configs/reference.yaml: a file that loads, with every option at its default. Options without a
 * default, and mappings that would change what the file does, stand there as comments.
 */
#include "config/render.h"
#include "config/config_internal.h"

#include <ctype.h>

#define WIDTH 100

struct page {
	struct strbuf *out;
	int indent;
	bool is_commented;
	bool is_item; /* the next line begins a list's item */
};

static void render_members(struct page *page, const struct schema *schema);

static void begin_line(struct page *page)
{
	strbuf_printf(page->out, "%*s%s", page->indent, "", page->is_commented ? "# " : "");
}

/* @text as comment lines, broken between words. */
static void render_comment(struct page *page, struct slice text)
{
	size_t room = WIDTH - (size_t)page->indent - 3;

	while (text.len) {
		size_t len = text.len;

		if (len > room) {
			len = room;
			while (len > 0 && text.ptr[len] != ' ')
				len--;
		}
		strbuf_printf(page->out, "%*s## %.*s\n", page->indent, "",
			      SLICE_FMT(slice_of(text.ptr, len)));
		text = slice_skip(text, len);
		if (text.len)
			text = slice_skip(text, 1);
	}
}

static void render_help(struct page *page, const struct option *option)
{
	struct strbuf help = {};

	strbuf_append_str(&help, option->help);
	if (!option->members) {
		strbuf_append_str(&help, option->is_list ? " One or a list: " : " Takes ");
		option->type->expect(option, &help);
		strbuf_append_str(&help, ".");
	}
	strbuf_append(&help, (struct slice){});
	if (help.text)
		render_comment(page, slice_of(help.text, help.len));
	strbuf_done(&help);
}

/* Whether YAML of any version takes the text for what we do without quotes. */
static bool is_plain(const struct option *option, const char *text)
{
	if (option->type == &type_mode)
		return false;
	for (; *text; text++) {
		if (!isalnum((unsigned char)*text) && !strchr("_./-%", *text))
			return false;
	}
	return true;
}

static void render_value(struct page *page, const struct option *option)
{
	const char *text = option->default_text;

	if (!text)
		strbuf_printf(page->out, " %s\n", option->example);
	else if (is_plain(option, text))
		strbuf_printf(page->out, " %s\n", text);
	else
		strbuf_printf(page->out, " \"%s\"\n", text);
}

static bool is_comment(const struct option *option)
{
	if (option->is_required || option->is_shown)
		return false;
	if (option->members)
		return option->is_list || option->is_choice || schema_has_required(option->members);
	return !option->default_text;
}

/* "- " stands in the two columns before the first option of an item. */
static void render_key(struct page *page, const struct option *option)
{
	if (page->is_item) {
		page->indent -= 2;
		begin_line(page);
		strbuf_printf(page->out, "- %s:", option->name);
		page->indent += 2;
		page->is_item = false;
		return;
	}
	begin_line(page);
	strbuf_printf(page->out, "%s:", option->name);
}

static void render_nested(struct page *page, const struct option *option)
{
	int depth = option->is_list ? 4 : 2;

	if (option->members->count == 0) {
		strbuf_append_str(page->out, " {}\n");
		return;
	}
	if (option->same_as) {
		strbuf_printf(page->out, " [] ## as in %s\n", option->same_as);
		return;
	}
	strbuf_append_str(page->out, "\n");
	page->indent += depth;
	page->is_item = option->is_list;
	render_members(page, option->members);
	page->indent -= depth;
}

static void render_option(struct page *page, const struct option *option)
{
	bool was_commented = page->is_commented;

	page->is_commented |= is_comment(option);
	render_help(page, option);
	render_key(page, option);
	if (option->members)
		render_nested(page, option);
	else
		render_value(page, option);
	page->is_commented = was_commented;
}

static void render_members(struct page *page, const struct schema *schema)
{
	for (size_t i = 0; i < schema->count; i++) {
		if (page->indent == 0)
			strbuf_append_str(page->out, "\n");
		render_option(page, &schema->options[i]);
	}
}

void config_render_reference(struct strbuf *out)
{
	struct page page = {.out = out};

	strbuf_append_str(out,
			  "## Every option of Sluice at its default. Options without a default are "
			  "commented out;\n"
			  "## their values are examples. Generated from the schema: sluiced "
			  "--reference.\n");
	render_members(&page, &schema_config);
}
