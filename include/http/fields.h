/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_FIELDS_H
#define SLUICE_HTTP_FIELDS_H

#include "core/arena.h"
#include "core/compiler.h"
#include "core/slice.h"
#include "http/field_id.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The fields of a message in their order. Names and values are slices of bytes that somebody else
 * keeps: the head as received, an arena, or static text. What a list holds can be written as it
 * is: the parsers check what they put in, and so does every function here that adds, so no value
 * ever holds CR, LF or NUL. Source: RFC 9110 section 5.
 */
struct http_field {
	struct slice name;  /* as sent; lower case in HTTP/2; empty once removed */
	struct slice value; /* without blanks around it; may be empty */
	uint16_t id;        /* enum http_field_id */
};

/*
 * A zeroed list with @arena set is empty and ready; with @items and @cap set as well, the first
 * @cap fields need no memory at all. Walk it with http_fields_next(), which skips removed ones.
 */
struct http_fields {
	struct http_field *items;
	uint32_t count, cap;                             /* slots used, and in all */
	struct arena *arena;                             /* where the list grows; outlives it */
	uint64_t present[(HTTP_FIELD_COUNT + 63) / 64];  /* ids that may be in it; never too few */
	uint64_t repeated[(HTTP_FIELD_COUNT + 63) / 64]; /* ids that may be in it more than once */
};

/* Empties the list; its memory stays. */
void http_fields_clear(struct http_fields *fields);

/* The field after @field, the first one for NULL. Return: NULL at the end. */
const struct http_field *http_fields_next(const struct http_fields *fields,
					  const struct http_field *field);

/* The first field of that id. Return: NULL if there is none. @id is not HTTP_FIELD_OTHER. */
const struct http_field *http_fields_find(const struct http_fields *fields, enum http_field_id id);

/* The next field of the same name after @field, which is of this list. */
const struct http_field *http_fields_find_next(const struct http_fields *fields,
					       const struct http_field *field);

/* The same by name, known or not; case does not matter. */
const struct http_field *http_fields_find_name(const struct http_fields *fields, struct slice name);

/* The value of the first such field; the empty slice with NULL where there is none. */
struct slice http_fields_value(const struct http_fields *fields, enum http_field_id id);

static inline bool http_fields_has(const struct http_fields *fields, enum http_field_id id)
{
	return (fields->present[id / 64] >> (id % 64) & 1) && http_fields_find(fields, id);
}

/**
 * Appends a field. The bytes are borrowed for as long as the list lives.
 * @name:  a token, checked; @value: checked, blanks around it are cut off.
 * Return: 0; -EINVAL if the name is no token or the value holds control characters; -ENOMEM.
 */
int http_fields_add(struct http_fields *fields, struct slice name, struct slice value) WARN_UNUSED;

/* The same under the canonical name of @id, which is known to be good. */
int http_fields_add_id(struct http_fields *fields, enum http_field_id id,
		       struct slice value) WARN_UNUSED;

/**
 * Removes fields whose name is @name but for "_" where that has "-", or the other way: CGI and what
 * follows it (WSGI, FastCGI) make the same variable of both, so that one could stand in for the
 * other.
 */
void http_fields_remove_twins(struct http_fields *fields, struct slice name);

/* The same for all known fields that have one of @flags, of enum http_field_flag. */
void http_fields_remove_disguised(struct http_fields *fields, unsigned flags);

/* Replaces all fields of that name by one at the place of the first, or appends. Return: as above;
 * the list is unchanged on failure. */
int http_fields_set(struct http_fields *fields, struct slice name, struct slice value) WARN_UNUSED;
int http_fields_set_id(struct http_fields *fields, enum http_field_id id,
		       struct slice value) WARN_UNUSED;

/* Return: how many fields went. */
unsigned http_fields_remove(struct http_fields *fields, enum http_field_id id);
unsigned http_fields_remove_name(struct http_fields *fields, struct slice name);

/**
 * All values of one field as one comma-separated list (RFC 9110 section 5.2), in the list's arena
 * if there is more than one. Not for Set-Cookie.
 * Return: 0; -ENOENT if there is no such field; -ENOMEM.
 */
int http_fields_join(const struct http_fields *fields, enum http_field_id id,
		     struct slice *ret) WARN_UNUSED;

/* The bytes that the slices point at have moved from [@from, @from + @len) to @to. Slices of other
 * memory stay as they are. */
void http_fields_rebase(struct http_fields *fields, const char *from, size_t len, const char *to);

/* Whether @name is a token (RFC 9110 section 5.6.2), and not empty. */
bool http_is_token(struct slice name);

/* Whether @value may stand in a field: visible characters, blanks, bytes above 0x7f. */
bool http_is_field_value(struct slice value);

#endif
