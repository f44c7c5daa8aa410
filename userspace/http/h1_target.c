// SPDX-License-Identifier: Apache-2.0
/* A request's target in its four forms. Source: RFC 9112 section 3.2, RFC 3986 section 3. */
#include "http/h1_internal.h"

#include "http/http_internal.h"

static bool is_encoded(struct slice text)
{
	return text.len >= 3 && http_is(text.ptr[1], CHAR_HEX) && http_is(text.ptr[2], CHAR_HEX);
}

/* What is wrong where a run of good characters ended. */
static enum h1_defect stop_defect(struct slice rest, bool is_lax, size_t *ret_skip)
{
	if (rest.ptr[0] == '#')
		return H1_DEFECT_FRAGMENT;
	if (rest.ptr[0] != '%')
		return H1_DEFECT_TARGET_INVALID;
	*ret_skip = is_encoded(rest) ? 3 : 1;
	return *ret_skip == 3 || is_lax ? H1_DEFECT_NONE : H1_DEFECT_PERCENT_INVALID;
}

/* Characters of one class and percent-encodings, up to the end of @text or the first "?". */
static enum h1_defect take_part(struct slice *text, enum http_char what, bool is_lax,
				struct slice *ret)
{
	struct slice rest = *text;

	while (rest.len > 0 && !(rest.ptr[0] == '?' && what == CHAR_PATH)) {
		size_t skip = 1;
		enum h1_defect defect = H1_DEFECT_NONE;

		if (!http_is(rest.ptr[0], what))
			defect = stop_defect(rest, is_lax, &skip);
		if (defect)
			return defect;
		rest = slice_skip(rest, skip);
	}
	*ret = slice_of(text->ptr, text->len - rest.len);
	*text = rest;
	return H1_DEFECT_NONE;
}

static enum h1_defect read_path_and_query(struct slice text, bool is_query_lax,
					  struct http_target *target)
{
	enum h1_defect defect = take_part(&text, CHAR_PATH, false, &target->path);

	if (defect || text.len == 0)
		return defect;
	target->has_query = true;
	text = slice_skip(text, 1);
	return take_part(&text, CHAR_QUERY, is_query_lax, &target->query);
}

/* Where the authority of an absolute form ends. */
static size_t authority_len(struct slice text)
{
	size_t len = 0;

	while (len < text.len && text.ptr[len] != '/' && text.ptr[len] != '?' &&
	       text.ptr[len] != '#')
		len++;
	return len;
}

static enum h1_defect read_absolute(struct slice text, bool is_query_lax,
				    struct http_target *target)
{
	const char *colon = memchr(text.ptr, ':', text.len);
	struct slice authority;

	if (!colon || text.len - (size_t)(colon - text.ptr) < 3 || colon[1] != '/' ||
	    colon[2] != '/')
		return H1_DEFECT_TARGET_FORM;
	target->form = HTTP_TARGET_ABSOLUTE;
	target->scheme = slice_of(text.ptr, (size_t)(colon - text.ptr));
	if (!slice_equal_nocase(target->scheme, slice_of("http", 4)) &&
	    !slice_equal_nocase(target->scheme, slice_of("https", 5)))
		return H1_DEFECT_SCHEME_INVALID;
	text = slice_skip(text, target->scheme.len + 3);
	authority = slice_of(text.ptr, authority_len(text));
	if (http_authority_parse(authority, &target->authority))
		return H1_DEFECT_AUTHORITY_INVALID;
	text = slice_skip(text, authority.len);
	if (text.len > 0 && text.ptr[0] == '/')
		return read_path_and_query(text, is_query_lax, target);
	/* An empty path is "/" (RFC 9110 section 4.2.3). */
	if (text.len > 0) {
		enum h1_defect defect = read_path_and_query(text, is_query_lax, target);

		if (defect)
			return defect;
	}
	target->path = slice_of("/", 1);
	return H1_DEFECT_NONE;
}

static enum h1_defect read_authority(struct slice text, struct http_target *target)
{
	target->form = HTTP_TARGET_AUTHORITY;
	if (http_authority_parse(text, &target->authority) || target->authority.port == 0)
		return H1_DEFECT_AUTHORITY_INVALID;
	return H1_DEFECT_NONE;
}

enum h1_defect h1_target_parse(struct slice text, enum http_method method, bool is_query_lax,
			       struct http_target *ret)
{
	*ret = (struct http_target){.text = text};
	if (method == HTTP_METHOD_CONNECT)
		return read_authority(text, ret);
	if (text.ptr[0] == '/')
		return read_path_and_query(text, is_query_lax, ret);
	if (!slice_equal_str(text, "*"))
		return read_absolute(text, is_query_lax, ret);
	if (method != HTTP_METHOD_OPTIONS)
		return H1_DEFECT_TARGET_FORM;
	ret->form = HTTP_TARGET_ASTERISK;
	ret->path = text;
	return H1_DEFECT_NONE;
}
