// SPDX-License-Identifier: Apache-2.0
/* Parts of a representation: Range and Content-Range. */
#include "http/range.h"

#include "http/http_internal.h"
#include "http/list.h"

#include <errno.h>
#include <stdio.h>

/* Cuts "unit" and @separator off @value; the unit must be "bytes". */
static int take_unit(struct slice *value, char separator)
{
	const char *end = value->len ? memchr(value->ptr, separator, value->len) : NULL;
	struct slice unit;

	if (!end)
		return -EINVAL;
	unit = slice_of(value->ptr, (size_t)(end - value->ptr));
	if (!slice_equal_nocase(unit, HTTP_TEXT("bytes")))
		return -EINVAL;
	*value = slice_skip(*value, unit.len + 1);
	return 0;
}

/* "first-last" cut at the dash. */
static int split(struct slice text, struct slice *ret_first, struct slice *ret_last)
{
	const char *dash = text.len ? memchr(text.ptr, '-', text.len) : NULL;

	if (!dash)
		return -EINVAL;
	*ret_first = slice_of(text.ptr, (size_t)(dash - text.ptr));
	*ret_last = slice_skip(text, ret_first->len + 1);
	return 0;
}

/* "-500": the last bytes. Return: 0; -EINVAL; -ERANGE. */
static int suffix_range(struct slice text, uint64_t size, struct http_range *ret)
{
	uint64_t length;

	if (http_decimal_parse(text, &length))
		return -EINVAL;
	if (length == 0 || size == 0)
		return -ERANGE;
	*ret = (struct http_range){.first = length < size ? size - length : 0, .last = size - 1};
	return 0;
}

/* One member of the field. Return: 0; -EINVAL; -ERANGE if it is behind the end. */
static int one_range(struct slice member, uint64_t size, struct http_range *ret)
{
	struct slice first, last;
	struct http_range range = {.last = UINT64_MAX};

	if (split(member, &first, &last))
		return -EINVAL;
	if (first.len == 0)
		return suffix_range(last, size, ret);
	if (http_decimal_parse(first, &range.first) ||
	    (last.len && http_decimal_parse(last, &range.last)) || range.last < range.first)
		return -EINVAL;
	if (range.first >= size)
		return -ERANGE;
	if (range.last >= size)
		range.last = size - 1;
	*ret = range;
	return 0;
}

int http_range_parse(struct slice value, uint64_t size, struct http_range *ret, size_t max)
{
	size_t count = 0;
	uint64_t sum = 0;
	struct slice member;
	bool has_members = false;

	if (take_unit(&value, '='))
		return 0;
	while (http_list_next(&value, &member)) {
		struct http_range range;
		int err = one_range(member, size, &range);

		has_members = true;
		if (err == -EINVAL)
			return 0;
		if (err)
			continue;
		sum += range.last - range.first + 1;
		if (count == max || sum > size)
			return 0;
		ret[count++] = range;
	}
	return count || !has_members ? (int)count : -ERANGE;
}

int http_content_range_parse(struct slice value, struct http_content_range *ret)
{
	struct http_content_range range = {};
	struct slice text, first, last, size;
	const char *slash;

	if (take_unit(&value, ' '))
		return -EINVAL;
	slash = value.len ? memchr(value.ptr, '/', value.len) : NULL;
	if (!slash)
		return -EINVAL;
	text = slice_of(value.ptr, (size_t)(slash - value.ptr));
	size = slice_skip(value, text.len + 1);
	range.has_size = !slice_equal_str(size, "*");
	if (range.has_size && http_decimal_parse(size, &range.size))
		return -EINVAL;
	range.is_unsatisfied = slice_equal_str(text, "*");
	if (range.is_unsatisfied && !range.has_size)
		return -EINVAL;
	if (!range.is_unsatisfied &&
	    (split(text, &first, &last) || http_decimal_parse(first, &range.first) ||
	     http_decimal_parse(last, &range.last) || range.last < range.first ||
	     (range.has_size && range.last >= range.size)))
		return -EINVAL;
	*ret = range;
	return 0;
}

size_t http_content_range_format(const struct http_range *range, uint64_t size,
				 char ret[HTTP_CONTENT_RANGE_SIZE])
{
	int len;

	if (range)
		len = snprintf(ret, HTTP_CONTENT_RANGE_SIZE, "bytes %llu-%llu/%llu",
			       (unsigned long long)range->first, (unsigned long long)range->last,
			       (unsigned long long)size);
	else
		len = snprintf(ret, HTTP_CONTENT_RANGE_SIZE, "bytes */%llu",
			       (unsigned long long)size);
	return (size_t)len;
}
