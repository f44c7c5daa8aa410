// SPDX-License-Identifier: Apache-2.0
/*
 * The list of a message's fields. A removed field leaves an empty name in its place, so that
 * pointers into the list stay good while filters walk it.
 */
#include "http/fields.h"

#include "http/http_internal.h"
#include "http/list.h"

#include <errno.h>

/* A list without room of its own begins with so many. */
#define FIRST_CAP 32

void http_fields_clear(struct http_fields *fields)
{
	fields->count = 0;
	memset(fields->present, 0, sizeof(fields->present));
	memset(fields->repeated, 0, sizeof(fields->repeated));
}

int http_fields_grow(struct http_fields *fields)
{
	uint32_t cap = fields->cap ? fields->cap * 2 : FIRST_CAP;
	struct http_field *items;

	if (!fields->arena)
		return -ENOMEM;
	items = arena_alloc_array(fields->arena, cap, sizeof(*items));
	if (!items)
		return -ENOMEM;
	if (fields->count)
		memcpy(items, fields->items, fields->count * sizeof(*items));
	fields->items = items;
	fields->cap = cap;
	return 0;
}

/* --- Look-up -------------------------------------------------------------------------- */

static bool is_removed(const struct http_field *field)
{
	return field->name.len == 0;
}

const struct http_field *http_fields_next(const struct http_fields *fields,
					  const struct http_field *field)
{
	const struct http_field *end = fields->items + fields->count;

	for (field = field ? field + 1 : fields->items; field < end; field++)
		if (!is_removed(field))
			return field;
	return NULL;
}

static bool has_bit(const uint64_t *bits, enum http_field_id id)
{
	return bits[id / 64] >> (id % 64) & 1;
}

/* The first field of the name from index @from on. */
static struct http_field *find_from(const struct http_fields *fields, uint32_t from,
				    enum http_field_id id, struct slice name)
{
	if (!has_bit(fields->present, id))
		return NULL;
	for (uint32_t i = from; i < fields->count; i++) {
		struct http_field *field = &fields->items[i];

		if (field->id != id || is_removed(field))
			continue;
		if (id != HTTP_FIELD_OTHER || slice_equal_nocase(field->name, name))
			return field;
	}
	return NULL;
}

const struct http_field *http_fields_find(const struct http_fields *fields, enum http_field_id id)
{
	return find_from(fields, 0, id, http_field_name(id));
}

const struct http_field *http_fields_find_next(const struct http_fields *fields,
					       const struct http_field *field)
{
	if (!has_bit(fields->repeated, (enum http_field_id)field->id))
		return NULL;
	return find_from(fields, (uint32_t)(field - fields->items) + 1,
			 (enum http_field_id)field->id, field->name);
}

const struct http_field *http_fields_find_name(const struct http_fields *fields, struct slice name)
{
	return find_from(fields, 0, http_field_id(name), name);
}

struct slice http_fields_value(const struct http_fields *fields, enum http_field_id id)
{
	const struct http_field *field = http_fields_find(fields, id);

	return field ? field->value : (struct slice){};
}

/* --- Changes -------------------------------------------------------------------------- */

bool http_is_token(struct slice name)
{
	return name.len > 0 && http_is_all(name, CHAR_TOKEN);
}

bool http_is_field_value(struct slice value)
{
	return http_is_all(value, CHAR_VALUE);
}

static int make_field(struct slice name, struct slice value, struct http_field *ret)
{
	if (!http_is_token(name) || !http_is_field_value(value))
		return -EINVAL;
	*ret = (struct http_field){
		.name = name, .value = http_trim(value), .id = (uint16_t)http_field_id(name)};
	return 0;
}

int http_fields_add(struct http_fields *fields, struct slice name, struct slice value)
{
	struct http_field field;
	int err = make_field(name, value, &field);

	return err ? err : http_fields_push(fields, &field);
}

int http_fields_add_id(struct http_fields *fields, enum http_field_id id, struct slice value)
{
	return http_fields_add(fields, http_field_name(id), value);
}

/* Empties the names of all such fields from @first on. */
static unsigned remove_from(struct http_fields *fields, struct http_field *first)
{
	struct slice name = first ? first->name : (struct slice){};
	unsigned count = 0;

	while (first) {
		enum http_field_id id = (enum http_field_id)first->id;

		first->name.len = 0;
		count++;
		first = find_from(fields, (uint32_t)(first - fields->items) + 1, id, name);
	}
	return count;
}

int http_fields_set(struct http_fields *fields, struct slice name, struct slice value)
{
	struct http_field field, *first;
	int err = make_field(name, value, &field);

	if (err)
		return err;
	first = find_from(fields, 0, (enum http_field_id)field.id, name);
	if (!first)
		return http_fields_push(fields, &field);
	remove_from(fields, first);
	*first = field;
	return 0;
}

int http_fields_set_id(struct http_fields *fields, enum http_field_id id, struct slice value)
{
	return http_fields_set(fields, http_field_name(id), value);
}

unsigned http_fields_remove(struct http_fields *fields, enum http_field_id id)
{
	return remove_from(fields, find_from(fields, 0, id, http_field_name(id)));
}

unsigned http_fields_remove_name(struct http_fields *fields, struct slice name)
{
	return remove_from(fields, find_from(fields, 0, http_field_id(name), name));
}

static char folded(char c)
{
	if (c == '_')
		return '-';
	return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Whether the names differ in "_" and "-" alone, and do. */
static bool are_twins(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (folded(a.ptr[i]) != folded(b.ptr[i]))
			return false;
	return !slice_equal_nocase(a, b);
}

void http_fields_remove_twins(struct http_fields *fields, struct slice name)
{
	const struct http_field *field = NULL;

	while ((field = http_fields_next(fields, field)))
		if (are_twins(field->name, name))
			http_fields_remove_name(fields, field->name);
}

/* Of the known field that CGI would take @name for. */
static unsigned flags_behind(struct slice name)
{
	char plain[32];

	if (name.len > sizeof(plain) || !memchr(name.ptr, '_', name.len))
		return 0;
	for (size_t i = 0; i < name.len; i++)
		plain[i] = name.ptr[i] == '_' ? '-' : name.ptr[i];
	return http_field_flags(http_field_id(slice_of(plain, name.len)));
}

void http_fields_remove_disguised(struct http_fields *fields, unsigned flags)
{
	const struct http_field *field = NULL;

	while ((field = http_fields_next(fields, field)))
		if (field->id == HTTP_FIELD_OTHER && flags_behind(field->name) & flags)
			http_fields_remove_name(fields, field->name);
}

/* --- Several fields of one name ----------------------------------------------------------- */

static char *append(char *to, struct slice bytes)
{
	return (char *)mempcpy(to, bytes.ptr, bytes.len);
}

int http_fields_join(const struct http_fields *fields, enum http_field_id id, struct slice *ret)
{
	const struct http_field *first = http_fields_find(fields, id), *field;
	size_t len = 0;
	char *text, *to;

	if (!first)
		return -ENOENT;
	if (!http_fields_find_next(fields, first)) {
		*ret = first->value;
		return 0;
	}
	for (field = first; field; field = http_fields_find_next(fields, field))
		len += field->value.len + 2;
	text = to = fields->arena ? arena_alloc(fields->arena, len) : NULL;
	if (!text)
		return -ENOMEM;
	for (field = first; field; field = http_fields_find_next(fields, field)) {
		if (field != first)
			to = append(to, slice_of(", ", 2));
		if (field->value.len)
			to = append(to, field->value);
	}
	*ret = slice_of(text, (size_t)(to - text));
	return 0;
}

void http_fields_rebase(struct http_fields *fields, const char *from, size_t len, const char *to)
{
	for (uint32_t i = 0; i < fields->count; i++) {
		http_slice_rebase(&fields->items[i].name, from, len, to);
		http_slice_rebase(&fields->items[i].value, from, len, to);
	}
}
