// SPDX-License-Identifier: Apache-2.0
/*
 * "${NAME}" in scalars. What an environment variable holds may be a secret, so that messages only
 * ever show the scalar as the file has it. The variables of an exchange (config/variable.h) are
 * left to the templates that they stand in.
 */
#include "config/config_internal.h"
#include "config/variable.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define NAME_MAX_LEN 128

/* The name in "${NAME}" at the start of @text; empty if it is none. */
static struct slice variable_name(struct slice text)
{
	size_t at = 2;

	if (text.len < 4 || isdigit((unsigned char)text.ptr[2]))
		return (struct slice){};
	while (at < text.len && (isalnum((unsigned char)text.ptr[at]) || text.ptr[at] == '_'))
		at++;
	if (at == text.len || text.ptr[at] != '}' || at - 2 > NAME_MAX_LEN)
		return (struct slice){};
	return slice_of(text.ptr + 2, at - 2);
}

/* @text begins with "${". Return: how many bytes of it were consumed; 0 with a diagnostic. */
static size_t expand_one(struct node *node, struct slice text, struct strbuf *out,
			 struct diagnostics *diagnostics)
{
	struct slice name = variable_name(text);
	char variable[NAME_MAX_LEN + 1], quoted[QUOTE_SIZE];
	const char *value;
	size_t len;

	if (template_variable(text, &config_variables, &len, NULL)) {
		strbuf_append(out, slice_of(text.ptr, len));
		return len;
	}
	if (name.len == 0) {
		diagnose(diagnostics, node,
			 "%s has a \"${\" that names no variable; expected ${NAME}, or $${ for a "
			 "literal ${",
			 node_quote(node, quoted));
		return 0;
	}
	memcpy(variable, name.ptr, name.len);
	variable[name.len] = '\0';
	value = getenv(variable);
	if (!value) {
		diagnose(diagnostics, node,
			 "environment variable \"%s\" is not set; expected it in the environment",
			 variable);
		return 0;
	}
	node->is_from_environment = true;
	strbuf_append_str(out, value);
	return name.len + 3;
}

/* Return: false with a diagnostic. */
static bool expand(struct node *node, size_t allowance, struct strbuf *out,
		   struct diagnostics *diagnostics)
{
	struct slice rest = node->raw;

	while (rest.len) {
		size_t used = 1;

		if (slice_starts_with(rest, slice_of("$${", 3))) {
			strbuf_append(out, slice_of("${", 2));
			used = 3;
		} else if (slice_starts_with(rest, slice_of("${", 2))) {
			used = expand_one(node, rest, out, diagnostics);
			if (used == 0)
				return false;
		} else {
			strbuf_append(out, slice_of(rest.ptr, 1));
		}
		rest = slice_skip(rest, used);
		if (out->len > allowance) {
			diagnose(diagnostics, node,
				 "environment variables make the file too large; expected at most "
				 "16MiB in all");
			return false;
		}
	}
	return true;
}

int environment_expand(struct node *node, struct arena *arena, size_t *allowance,
		       struct diagnostics *diagnostics)
{
	struct strbuf text = {};
	char *copy = NULL;
	bool is_good;

	node->text = node->raw;
	if (!node->raw.len || !memmem(node->raw.ptr, node->raw.len, "${", 2))
		return 0;
	is_good = expand(node, *allowance, &text, diagnostics);
	if (is_good && !text.is_failed) {
		copy = arena_strdup(arena, slice_of(text.text, text.len));
		*allowance -= text.len;
		node->text = slice_of(copy, text.len);
	}
	strbuf_done(&text);
	if (!is_good)
		node->kind = NODE_BROKEN;
	return is_good && !copy ? -ENOMEM : 0;
}
