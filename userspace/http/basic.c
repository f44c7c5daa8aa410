// SPDX-License-Identifier: Apache-2.0
/* Credentials of the scheme Basic. */
#include "http/basic.h"

#include "core/base64.h"

#include <errno.h>

/* What stands behind the scheme; empty if it is another one. */
static struct slice take_scheme(struct slice value)
{
	static const struct slice scheme = {"basic ", 6};

	if (value.len < scheme.len || !slice_equal_nocase(slice_of(value.ptr, scheme.len), scheme))
		return (struct slice){};
	value = slice_skip(value, scheme.len);
	while (value.len && value.ptr[0] == ' ')
		value = slice_skip(value, 1);
	return value;
}

int http_basic_read(const struct http_fields *request, char buf[HTTP_BASIC_MAX + 1],
		    struct http_basic *ret)
{
	const struct http_field *field = http_fields_find(request, HTTP_FIELD_AUTHORIZATION);
	const char *colon;
	struct slice text;
	size_t len;

	if (!field)
		return -ENOENT;
	text = take_scheme(field->value);
	if (http_fields_find_next(request, field) || text.len == 0 ||
	    BASE64_DECODED_MAX(text.len) > HTTP_BASIC_MAX || base64_decode(text, buf, &len) < 0)
		return -EINVAL;
	buf[len] = '\0';
	colon = memchr(buf, ':', len);
	if (!colon || memchr(buf, '\0', len))
		return -EINVAL;
	ret->whole = slice_of(buf, len);
	ret->name = slice_of(buf, (size_t)(colon - buf));
	ret->password = slice_skip(ret->whole, ret->name.len + 1);
	return 0;
}
