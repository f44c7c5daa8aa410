// SPDX-License-Identifier: Apache-2.0
/* Cookies of requests, and those that are to be set. */
#include "http/cookie.h"

#include "http/http_internal.h"
#include "http/list.h"

#include <errno.h>

/* Cuts the next "name=value" off, blanks around it taken away. */
static struct slice take_pair(struct slice *cookies)
{
	const char *end = memchr(cookies->ptr, ';', cookies->len);
	size_t len = end ? (size_t)(end - cookies->ptr) : cookies->len;
	struct slice pair = slice_of(cookies->ptr, len);

	*cookies = slice_skip(*cookies, end ? len + 1 : len);
	return http_trim(pair);
}

static struct slice unquoted(struct slice value)
{
	if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
		return slice_of(value.ptr + 1, value.len - 2);
	return value;
}

bool http_cookie_next(struct slice *cookies, struct slice *ret_name, struct slice *ret_value)
{
	while (cookies->len > 0) {
		struct slice pair = take_pair(cookies);
		const char *equals = pair.len ? memchr(pair.ptr, '=', pair.len) : NULL;

		if (!equals || equals == pair.ptr)
			continue;
		*ret_name = http_trim(slice_of(pair.ptr, (size_t)(equals - pair.ptr)));
		*ret_value = unquoted(http_trim(slice_skip(pair, (size_t)(equals - pair.ptr) + 1)));
		return true;
	}
	return false;
}

static bool find_in(struct slice cookies, struct slice name, struct slice *ret)
{
	struct slice found, value;

	while (http_cookie_next(&cookies, &found, &value)) {
		if (!slice_equal(found, name))
			continue;
		*ret = value;
		return true;
	}
	return false;
}

int http_cookie_find(const struct http_fields *request, struct slice name, struct slice *ret)
{
	const struct http_field *field = http_fields_find(request, HTTP_FIELD_COOKIE);

	for (; field; field = http_fields_find_next(request, field))
		if (find_in(field->value, name, ret))
			return 0;
	return -ENOENT;
}

/* --- Removal -------------------------------------------------------------------------- */

static bool is_named(struct slice pair, struct slice name)
{
	struct slice ignored;

	return find_in(pair, name, &ignored);
}

/* @cookies without those of that name, in @buf of the same size. */
static struct slice without(struct slice cookies, struct slice name, char *buf)
{
	char *to = buf;

	while (cookies.len > 0) {
		struct slice pair = take_pair(&cookies);

		if (pair.len == 0 || is_named(pair, name))
			continue;
		if (to != buf)
			to = mempcpy(to, "; ", 2);
		to = mempcpy(to, pair.ptr, pair.len);
	}
	return slice_of(buf, (size_t)(to - buf));
}

int http_cookie_remove(struct http_fields *request, struct slice name)
{
	const struct http_field *field = http_fields_find(request, HTTP_FIELD_COOKIE);

	for (; field; field = http_fields_find_next(request, field)) {
		struct http_field *changed = &request->items[field - request->items];
		struct slice ignored;
		char *buf;

		if (!find_in(field->value, name, &ignored))
			continue;
		/* "a;b" becomes "a; b". */
		buf = request->arena ? arena_alloc(request->arena, 2 * field->value.len) : NULL;
		if (!buf)
			return -ENOMEM;
		changed->value = without(field->value, name, buf);
		if (changed->value.len == 0)
			changed->name.len = 0;
	}
	return 0;
}

/* --- Setting -------------------------------------------------------------------------- */

/* Attributes end at ";" (RFC 6265 section 4.1.1). */
static bool is_attribute(struct slice value)
{
	return http_is_field_value(value) && !(value.len && memchr(value.ptr, ';', value.len));
}

static struct slice same_site_text(enum http_same_site same_site)
{
	static const char *const texts[] = {
		[HTTP_SAME_SITE_UNSAID] = "",
		[HTTP_SAME_SITE_LAX] = "; SameSite=Lax",
		[HTTP_SAME_SITE_STRICT] = "; SameSite=Strict",
		[HTTP_SAME_SITE_NONE] = "; SameSite=None",
	};

	return slice_from_str(texts[same_site]);
}

int http_set_cookie_format(const struct http_set_cookie *cookie, struct arena *arena,
			   struct slice *ret)
{
	const struct slice none = {};
	bool has_age = cookie->max_age >= 0;
	char digits[20];
	const struct slice parts[] = {
		cookie->name,
		HTTP_TEXT("="),
		cookie->value,
		cookie->path.len ? HTTP_TEXT("; Path=") : none,
		cookie->path,
		cookie->domain.len ? HTTP_TEXT("; Domain=") : none,
		cookie->domain,
		has_age ? HTTP_TEXT("; Max-Age=") : none,
		has_age ? http_decimal((uint64_t)cookie->max_age, digits) : none,
		cookie->is_secure ? HTTP_TEXT("; Secure") : none,
		cookie->is_http_only ? HTTP_TEXT("; HttpOnly") : none,
		same_site_text(cookie->same_site),
	};

	if (!http_is_token(cookie->name) || !http_is_all(cookie->value, CHAR_COOKIE) ||
	    !is_attribute(cookie->path) || !is_attribute(cookie->domain))
		return -EINVAL;
	return http_concat(arena, parts, ARRAY_SIZE(parts), ret);
}
