// SPDX-License-Identifier: Apache-2.0
/*
 * The list of what is wrong with a file. It is gathered in any order while the file is read, and
 * comes out in the file's order.
 */
#include "config/config_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTED_MAX 64
#define TEXT_SIZE  1024

struct diagnostic {
	uint32_t line, column;
	size_t sequence;
	const char *text;
};

static void add(struct diagnostics *diagnostics, uint32_t line, uint32_t column, const char *text)
{
	struct diagnostic *diagnostic;
	const char *copy;

	if (diagnostics->count++ >= DIAGNOSTICS_MAX)
		return;
	copy = arena_strdup(&diagnostics->arena, slice_from_str(text));
	if (!diagnostics->all)
		diagnostics->all = arena_alloc_array(&diagnostics->arena, DIAGNOSTICS_MAX,
						     sizeof(*diagnostics->all));
	if (!copy || !diagnostics->all) {
		diagnostics->is_failed = true;
		return;
	}
	diagnostic = &diagnostics->all[diagnostics->kept++];
	diagnostic->line = line;
	diagnostic->column = column;
	diagnostic->sequence = diagnostics->count;
	diagnostic->text = copy;
}

void diagnose_at(struct diagnostics *diagnostics, uint32_t line, uint32_t column, const char *fmt,
		 ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	add(diagnostics, line, column, text);
}

void diagnose(struct diagnostics *diagnostics, const struct node *at, const char *fmt, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	add(diagnostics, at->line, at->column, text);
}

void warn(struct diagnostics *diagnostics, const struct node *at, const char *fmt, ...)
{
	char text[TEXT_SIZE] = "warning: ";
	size_t len = strlen(text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + len, sizeof(text) - len, fmt, args);
	va_end(args);
	diagnostics->nwarnings++;
	add(diagnostics, at->line, at->column, text);
}

static int compare(const void *left, const void *right)
{
	const struct diagnostic *a = left, *b = right;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return a->sequence < b->sequence ? -1 : 1;
}

static void render_one(const struct diagnostic *diagnostic, const char *name, struct strbuf *out)
{
	if (diagnostic->line == 0)
		strbuf_printf(out, "%s: %s\n", name, diagnostic->text);
	else
		strbuf_printf(out, "%s:%u:%u: %s\n", name, diagnostic->line, diagnostic->column,
			      diagnostic->text);
}

/* ":80" is a place of IPv4 and one of IPv6, and wrong as both. */
static bool is_repetition(const struct diagnostic *diagnostic, const struct diagnostic *before)
{
	return diagnostic->line == before->line && diagnostic->column == before->column &&
	       strcmp(diagnostic->text, before->text) == 0;
}

void diagnostics_render(struct diagnostics *diagnostics, const char *name, struct strbuf *out)
{
	if (diagnostics->kept)
		qsort(diagnostics->all, diagnostics->kept, sizeof(*diagnostics->all), compare);
	for (size_t i = 0; i < diagnostics->kept; i++)
		if (i == 0 || !is_repetition(&diagnostics->all[i], &diagnostics->all[i - 1]))
			render_one(&diagnostics->all[i], name, out);
	if (diagnostics->count > DIAGNOSTICS_MAX)
		strbuf_printf(out, "%s: %zu more errors are not shown\n", name,
			      diagnostics->count - DIAGNOSTICS_MAX);
}

void diagnostics_done(struct diagnostics *diagnostics)
{
	arena_done(&diagnostics->arena);
	*diagnostics = (struct diagnostics){};
}

/* How much of @text fits without cutting a UTF-8 sequence. */
static size_t shown_length(struct slice text)
{
	size_t len = text.len;

	if (len <= QUOTED_MAX)
		return len;
	len = QUOTED_MAX;
	while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
		len--;
	return len;
}

const char *quote(struct slice text, char ret[QUOTE_SIZE])
{
	size_t shown = shown_length(text), at = 0;

	ret[at++] = '"';
	for (size_t i = 0; i < shown; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < 0x20 || c == 0x7f)
			at += (size_t)snprintf(ret + at, QUOTE_SIZE - at, "\\x%02x", c);
		else
			ret[at++] = (char)c;
	}
	snprintf(ret + at, QUOTE_SIZE - at, "%s\"", shown < text.len ? "…" : "");
	return ret;
}

const char *node_quote(const struct node *node, char ret[QUOTE_SIZE])
{
	return quote(node->raw, ret);
}
