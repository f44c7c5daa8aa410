/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_HTTP_INTERNAL_H
#define SLUICE_HTTP_HTTP_INTERNAL_H

#include "core/slice.h"
#include "http/fields.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

/* What a byte may be part of. Source: RFC 9110 section 5.6.2, RFC 3986 section 2. */
enum http_char {
	CHAR_TOKEN = 1 << 0,
	CHAR_VALUE = 1 << 1,  /* of a field: visible, blank, or above 0x7f */
	CHAR_PATH = 1 << 2,   /* of a path: also what browsers send as it is, such as "|" */
	CHAR_QUERY = 1 << 3,  /* of a query */
	CHAR_HOST = 1 << 4,   /* of a host name: unreserved characters */
	CHAR_HEX = 1 << 5,    /* hexadecimal digit */
	CHAR_COOKIE = 1 << 6, /* of a cookie's value (RFC 6265 section 4.1.1) */
};

extern const uint8_t http_chars[256];

static inline bool http_is(char c, enum http_char what)
{
	return http_chars[(unsigned char)c] & what;
}

static inline bool http_is_all(struct slice s, enum http_char what)
{
	for (size_t i = 0; i < s.len; i++)
		if (!http_is(s.ptr[i], what))
			return false;
	return true;
}

static inline bool http_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool http_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* @c is a hexadecimal digit. */
static inline unsigned http_hex_value(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

/* The memory of @slice moved with [@from, @from + @len) to @to, if it is of it. */
static inline void http_slice_rebase(struct slice *slice, const char *from, size_t len,
				     const char *to)
{
	/* An empty slice at the very end belongs to it too. */
	if (slice->ptr && (uintptr_t)slice->ptr - (uintptr_t)from <= len)
		slice->ptr = to + ((uintptr_t)slice->ptr - (uintptr_t)from);
}

/* Makes room for more. Return: 0; -ENOMEM, also for want of an arena. */
int http_fields_grow(struct http_fields *fields) WARN_UNUSED;

/* Appends a field whose name and value the caller has checked. Return: 0; -ENOMEM. */
static inline int http_fields_push(struct http_fields *fields, const struct http_field *field)
{
	uint64_t bit = UINT64_C(1) << (field->id % 64);
	unsigned word = field->id / 64;

	if (unlikely(fields->count == fields->cap) && http_fields_grow(fields))
		return -ENOMEM;
	fields->items[fields->count++] = *field;
	fields->repeated[word] |= fields->present[word] & bit;
	fields->present[word] |= bit;
	return 0;
}

#define HTTP_TEXT(literal) slice_of(literal, sizeof(literal) - 1)

/* The parts behind one another, in @arena. Return: 0; -ENOMEM. */
int http_concat(struct arena *arena, const struct slice *parts, size_t count,
		struct slice *ret) WARN_UNUSED;

/* Digits of @number at the end of @buf. */
struct slice http_decimal(uint64_t number, char buf[20]);

/* Reads digits alone. Return: 0; -EINVAL, also for more than nineteen digits or above INT64_MAX. */
int http_decimal_parse(struct slice text, uint64_t *ret) WARN_UNUSED;

#endif
