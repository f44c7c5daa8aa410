// SPDX-License-Identifier: Apache-2.0
/* Making and reading the small pieces of text that field values consist of. */
#include "http/http_internal.h"

#include <errno.h>

int http_concat(struct arena *arena, const struct slice *parts, size_t count, struct slice *ret)
{
	size_t len = 0;
	char *text, *at;

	for (size_t i = 0; i < count; i++)
		len += parts[i].len;
	text = at = arena ? arena_alloc(arena, len) : NULL;
	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (parts[i].len)
			at = mempcpy(at, parts[i].ptr, parts[i].len);
	*ret = slice_of(text, len);
	return 0;
}

struct slice http_decimal(uint64_t number, char buf[20])
{
	size_t at = 20;

	do {
		buf[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	return slice_of(buf + at, 20 - at);
}

int http_decimal_parse(struct slice text, uint64_t *ret)
{
	uint64_t number = 0;

	/* Nineteen digits fit into 64 bits. */
	if (text.len == 0 || text.len > 19)
		return -EINVAL;
	for (size_t i = 0; i < text.len; i++) {
		if (!http_is_digit(text.ptr[i]))
			return -EINVAL;
		number = number * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	if (number > INT64_MAX)
		return -EINVAL;
	*ret = number;
	return 0;
}
