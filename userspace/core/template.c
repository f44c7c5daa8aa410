// SPDX-License-Identifier: Apache-2.0
/* Text with variables: taken apart once, filled in often. */
#include "core/template.h"

#include <errno.h>

static uint32_t find_name(struct slice name, bool has_argument, const struct template_names *names)
{
	for (uint32_t i = 1; i < names->count; i++) {
		const struct template_name *known = &names->names[i];

		if (known->name && known->takes_argument == has_argument &&
		    slice_equal_str(name, known->name))
			return i;
	}
	return 0;
}

uint32_t template_variable(struct slice text, const struct template_names *names, size_t *ret_len,
			   struct slice *ret_argument)
{
	const char *end = text.len ? memchr(text.ptr, '}', text.len) : NULL;
	struct slice name, argument = {};
	const char *colon;
	uint32_t found;

	if (!end || end - text.ptr < 3)
		return 0;
	name = slice_of(text.ptr + 2, (size_t)(end - text.ptr) - 2);
	colon = memchr(name.ptr, ':', name.len);
	if (colon) {
		argument = slice_of(colon + 1, (size_t)(end - colon) - 1);
		name.len = (size_t)(colon - name.ptr);
		if (argument.len == 0 || argument.len > TEMPLATE_ARGUMENT_MAX)
			return 0;
	}
	found = find_name(name, colon != NULL, names);
	if (!found)
		return 0;
	*ret_len = (size_t)(end - text.ptr) + 1;
	if (ret_argument)
		*ret_argument = argument;
	return found;
}

/* Bytes of @text before its first "${". */
static size_t literal_length(struct slice text)
{
	const char *begin = text.len ? memmem(text.ptr, text.len, "${", 2) : NULL;

	return begin ? (size_t)(begin - text.ptr) : text.len;
}

/* Return: NULL; or what is wrong. */
static const char *take_part(struct slice *text, const struct template_names *names,
			     struct template_part *ret)
{
	size_t len = literal_length(*text);

	if (len) {
		*ret = (struct template_part){.text = slice_of(text->ptr, len)};
		*text = slice_skip(*text, len);
		return NULL;
	}
	if (!memchr(text->ptr, '}', text->len))
		return "has a variable without an end";
	ret->variable = template_variable(*text, names, &len, &ret->text);
	if (!ret->variable)
		return "has a variable that is not known";
	*text = slice_skip(*text, len);
	return NULL;
}

int template_compile(struct slice text, const struct template_names *names, struct arena *arena,
		     struct template *ret, const char **ret_problem)
{
	struct template_part parts[TEMPLATE_PARTS_MAX] = {}, *kept;
	char *copy = arena_strdup(arena, text);
	const char *problem = NULL;
	size_t count = 0;

	if (!copy)
		return -ENOMEM;
	text.ptr = copy;
	while (text.len && !problem && count < TEMPLATE_PARTS_MAX)
		problem = take_part(&text, names, &parts[count++]);
	if (text.len && !problem)
		problem = "has too many variables";
	if (problem) {
		*ret_problem = problem;
		return -EINVAL;
	}
	kept = arena_alloc_array(arena, count, sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	memcpy(kept, parts, count * sizeof(*kept));
	*ret = (struct template){.parts = kept, .count = count};
	return 0;
}

static struct slice value_of_part(const struct template_part *part, template_value *value_of,
				  void *context)
{
	return part->variable ? value_of(context, part->variable, part->text) : part->text;
}

int template_render(const struct template *template, struct arena *arena, template_value *value_of,
		    void *context, struct slice *ret)
{
	struct slice values[TEMPLATE_PARTS_MAX];
	size_t len = 0;
	char *text, *to;

	if (template->count == 1) {
		*ret = value_of_part(&template->parts[0], value_of, context);
		return 0;
	}
	for (size_t i = 0; i < template->count; i++) {
		values[i] = value_of_part(&template->parts[i], value_of, context);
		len += values[i].len;
	}
	text = to = arena_alloc(arena, len);
	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < template->count; i++)
		if (values[i].len)
			to = mempcpy(to, values[i].ptr, values[i].len);
	*ret = slice_of(text, len);
	return 0;
}

void template_append(const struct template *template, template_value *value_of, void *context,
		     struct strbuf *out)
{
	for (size_t i = 0; i < template->count; i++)
		strbuf_append(out, value_of_part(&template->parts[i], value_of, context));
}

bool template_equal(const struct template *a, const struct template *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->parts[i].variable != b->parts[i].variable ||
		    !slice_equal(a->parts[i].text, b->parts[i].text))
			return false;
	return true;
}

bool template_has(const struct template *template, uint32_t variable)
{
	for (size_t i = 0; i < template->count; i++)
		if (template->parts[i].variable == variable)
			return true;
	return false;
}
