// SPDX-License-Identifier: Apache-2.0
/* Paths and queries: decoding, and the one spelling that rules are compared with. */
#include "http/path.h"

#include "http/http_internal.h"

#include <errno.h>

/* The byte that "%XX" at the start of @text stands for. Return: 0..255; -EINVAL. */
static int decode_one(struct slice text)
{
	if (text.len < 3 || !http_is(text.ptr[1], CHAR_HEX) || !http_is(text.ptr[2], CHAR_HEX))
		return -EINVAL;
	return (int)(http_hex_value(text.ptr[1]) << 4 | http_hex_value(text.ptr[2]));
}

long http_percent_decode(struct slice text, char *buf)
{
	char *to = buf;

	while (text.len > 0) {
		int c = text.ptr[0] == '%' ? decode_one(text) : (unsigned char)text.ptr[0];

		if (c < 0)
			return c;
		text = slice_skip(text, text.ptr[0] == '%' ? 3 : 1);
		*to++ = (char)c;
	}
	return to - buf;
}

/* --- The one spelling ----------------------------------------------------------------- */

/* Whether there is anything that normalize() would change or refuse. */
static bool is_normal(struct slice path)
{
	for (size_t i = 0; i < path.len; i++) {
		char c = path.ptr[i];

		if (c == '%' || c == '\\')
			return false;
		if (c == '/' && i + 1 < path.len && path.ptr[i + 1] == '.')
			return false;
	}
	return true;
}

/* Decodes all but slashes and percent signs. Return: length; -EINVAL. */
static long decode_harmless(struct slice path, char *buf)
{
	char *to = buf;

	while (path.len > 0) {
		bool is_encoded = path.ptr[0] == '%';
		int c = is_encoded ? decode_one(path) : (unsigned char)path.ptr[0];

		if (c < ' ' || c == 0x7f || c == '\\')
			return -EINVAL;
		path = slice_skip(path, is_encoded ? 3 : 1);
		if (is_encoded && (c == '/' || c == '%'))
			to = mempcpy(to, c == '/' ? "%2F" : "%25", 3);
		else
			*to++ = (char)c;
	}
	return to - buf;
}

enum segment { SEGMENT_PLAIN, SEGMENT_DOT, SEGMENT_DOT_DOT, SEGMENT_BAD };

static enum segment part_kind(struct slice part)
{
	size_t dots = 0;

	while (dots < part.len && part.ptr[dots] == '.')
		dots++;
	if (dots == 0 || dots > 2)
		return SEGMENT_PLAIN;
	if (dots == part.len)
		return dots == 1 ? SEGMENT_DOT : SEGMENT_DOT_DOT;
	/* "..;x" is ".." to back ends that cut parameters off. */
	return part.ptr[dots] == ';' ? SEGMENT_BAD : SEGMENT_PLAIN;
}

/* Takes what stands before "%2F" off @rest. */
static struct slice take_part(struct slice *rest)
{
	const char *slash = memmem(rest->ptr, rest->len, "%2F", 3);
	struct slice part = slice_of(rest->ptr, slash ? (size_t)(slash - rest->ptr) : rest->len);

	*rest = slice_skip(*rest, slash ? part.len + 3 : part.len);
	return part;
}

/* To back ends that decode "%2F" as all else, "x%2F.." climbs. */
static enum segment segment_kind(struct slice segment)
{
	struct slice rest = segment;

	if (segment.len == 0 || !memmem(segment.ptr, segment.len, "%2F", 3))
		return part_kind(segment);
	while (rest.len > 0)
		if (part_kind(take_part(&rest)) != SEGMENT_PLAIN)
			return SEGMENT_BAD;
	return SEGMENT_PLAIN;
}

/* Takes "/segment" off @rest. */
static struct slice take_segment(struct slice *rest)
{
	struct slice inner = slice_skip(*rest, 1), segment;
	const char *slash = inner.len ? memchr(inner.ptr, '/', inner.len) : NULL;

	segment = slice_of(inner.ptr, slash ? (size_t)(slash - inner.ptr) : inner.len);
	*rest = slice_skip(inner, segment.len);
	return segment;
}

/* Goes up from @buf[0..@out). Return: length; -EINVAL. */
static long remove_last(const char *buf, size_t out)
{
	if (out == 0 || buf[out - 1] == '/')
		return -EINVAL;
	return (const char *)memrchr(buf, '/', out) - buf;
}

/* Removes dot segments within @buf (RFC 3986 section 5.2.4). Return: length; -EINVAL. */
static long remove_dots(char *buf, size_t len)
{
	struct slice rest = slice_of(buf, len);
	long out = 0;

	while (rest.len > 0 && out >= 0) {
		struct slice segment = take_segment(&rest);
		enum segment kind = segment_kind(segment);

		if (kind == SEGMENT_BAD)
			return -EINVAL;
		if (kind == SEGMENT_DOT_DOT)
			out = remove_last(buf, (size_t)out);
		if (out >= 0 && (kind == SEGMENT_PLAIN || rest.len == 0))
			buf[out++] = '/';
		if (kind == SEGMENT_PLAIN) {
			memmove(buf + out, segment.ptr, segment.len);
			out += (long)segment.len;
		}
	}
	return out;
}

int http_path_normalize(struct slice path, char *buf, struct slice *ret)
{
	long len;

	if (path.len == 0 || path.ptr[0] != '/')
		return -EINVAL;
	if (is_normal(path)) {
		*ret = path;
		return 0;
	}
	len = decode_harmless(path, buf);
	if (len > 0)
		len = remove_dots(buf, (size_t)len);
	if (len < 0)
		return -EINVAL;
	*ret = slice_of(buf, (size_t)len);
	return 0;
}

struct slice http_path_merge(struct slice normal, char *buf)
{
	char *to = buf;

	if (!normal.len || !memmem(normal.ptr, normal.len, "//", 2))
		return normal;
	for (size_t i = 0; i < normal.len; i++)
		if (normal.ptr[i] != '/' || i == 0 || normal.ptr[i - 1] != '/')
			*to++ = normal.ptr[i];
	return slice_of(buf, (size_t)(to - buf));
}

/* Of pchar and "/" (RFC 3986 section 3.3), and "%" of encodings. */
static bool may_stand(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~!$&'()*+,;=:@/%", c));
}

size_t http_path_encode(struct slice normal, char *buf)
{
	char *to = buf;

	for (size_t i = 0; i < normal.len; i++) {
		unsigned char c = (unsigned char)normal.ptr[i];

		if (may_stand((char)c)) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '%';
		*to++ = "0123456789ABCDEF"[c >> 4];
		*to++ = "0123456789ABCDEF"[c & 15];
	}
	return (size_t)(to - buf);
}

bool http_query_next(struct slice *query, struct slice *ret_name, struct slice *ret_value)
{
	while (query->len > 0) {
		const char *end = memchr(query->ptr, '&', query->len);
		struct slice pair = slice_of(query->ptr,
					     end ? (size_t)(end - query->ptr) : query->len);
		const char *equals = pair.len ? memchr(pair.ptr, '=', pair.len) : NULL;

		*query = slice_skip(*query, end ? pair.len + 1 : pair.len);
		if (pair.len == 0)
			continue;
		*ret_name = slice_of(pair.ptr, equals ? (size_t)(equals - pair.ptr) : pair.len);
		*ret_value = slice_skip(pair, equals ? ret_name->len + 1 : pair.len);
		return true;
	}
	return false;
}

int http_query_decode(struct slice text, char *buf, struct slice *ret)
{
	long len;

	for (size_t i = 0; i < text.len; i++)
		buf[i] = text.ptr[i] == '+' ? ' ' : text.ptr[i];
	len = http_percent_decode(slice_of(buf, text.len), buf);
	if (len < 0)
		return -EINVAL;
	*ret = slice_of(buf, (size_t)len);
	return 0;
}
