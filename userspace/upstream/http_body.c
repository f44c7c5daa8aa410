// SPDX-License-Identifier: Apache-2.0
/*
 * Body framing and search for HTTP checks.
 *
 *   SIZE ──; or blank──► EXTENSION ──LF──┬► DATA ──all──► DATA_CR ──CR──► DATA_LF ──LF──► SIZE
 *     └─────────CR──► SIZE_LF ──LF───────┘ size 0: END
 *   LENGTH ──all──► END          CLOSE: as long as bytes come
 *
 * The trailer after the last chunk is of no interest.
 */
#include "upstream/http_body.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum {
	BODY_CLOSE,
	BODY_LENGTH,
	BODY_SIZE,
	BODY_EXTENSION,
	BODY_SIZE_LF,
	BODY_DATA,
	BODY_DATA_CR,
	BODY_DATA_LF,
	BODY_END,
};

/* More leading zeros than anybody writes, and no overflow. */
#define CHUNK_DIGITS_MAX 15

/* --- The head ------------------------------------------------------------------------ */

static struct slice trim(struct slice s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = slice_skip(s, 1);
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Takes one line, without its CR LF, off @rest. */
static struct slice next_line(struct slice *rest)
{
	const char *end = memmem(rest->ptr, rest->len, "\r\n", 2);
	size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
	struct slice line = slice_of(rest->ptr, len);

	*rest = slice_skip(*rest, end ? len + 2 : len);
	return line;
}

/* The last header called @name. Return: whether there is one. */
static bool find_header(struct slice head, const char *name, struct slice *ret)
{
	bool is_found = false;

	next_line(&head);
	while (head.len > 0) {
		struct slice line = next_line(&head);
		const char *colon = memchr(line.ptr, ':', line.len);
		size_t len = colon ? (size_t)(colon - line.ptr) : 0;

		if (!colon || !slice_equal_nocase(slice_of(line.ptr, len), slice_from_str(name)))
			continue;
		*ret = trim(slice_skip(line, len + 1));
		is_found = true;
	}
	return is_found;
}

static int parse_length(struct slice text, uint64_t *ret)
{
	uint64_t length = 0;

	if (text.len == 0 || text.len > 18)
		return -EPROTO;
	for (size_t i = 0; i < text.len; i++) {
		if (!isdigit((unsigned char)text.ptr[i]))
			return -EPROTO;
		length = length * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	*ret = length;
	return 0;
}

int http_body_init(struct http_body *body, struct slice head, unsigned status, struct slice wanted)
{
	struct slice value;

	*body = (struct http_body){.wanted = wanted, .state = BODY_CLOSE};
	if (status == 204 || status == 304) {
		body->state = BODY_END;
		return 0;
	}
	if (find_header(head, "transfer-encoding", &value)) {
		/* We asked for no other coding. */
		if (!slice_equal_nocase(value, slice_from_str("chunked")))
			return -EPROTO;
		body->state = BODY_SIZE;
		return 0;
	}
	if (!find_header(head, "content-length", &value))
		return 0;
	if (parse_length(value, &body->remaining))
		return -EPROTO;
	body->state = body->remaining > 0 ? BODY_LENGTH : BODY_END;
	return 0;
}

/* --- The search ----------------------------------------------------------------------- */

static bool is_full(const struct http_body *body)
{
	return body->text.len >= HTTP_BODY_SEARCHED;
}

/* Looks at the new bytes, and at as many before them as a text across the seam needs. */
static int search(struct http_body *body, struct slice bytes)
{
	size_t room = HTTP_BODY_SEARCHED - body->text.len, from = 0;

	if (body->text.len >= body->wanted.len)
		from = body->text.len - body->wanted.len + (body->wanted.len > 0);
	strbuf_append(&body->text, slice_of(bytes.ptr, bytes.len < room ? bytes.len : room));
	if (body->text.is_failed)
		return -ENOMEM;
	if (body->text.len == 0)
		return -EAGAIN;
	if (memmem(body->text.text + from, body->text.len - from, body->wanted.ptr,
		   body->wanted.len))
		return 0;
	return is_full(body) ? -ENOENT : -EAGAIN;
}

/* --- The framing ---------------------------------------------------------------------- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_size_digit(struct http_body *body, char c)
{
	int value = hex_value(c);

	if (value >= 0) {
		if (++body->digits > CHUNK_DIGITS_MAX)
			return -EPROTO;
		body->remaining = body->remaining * 16 + (uint64_t)value;
		return 0;
	}
	if (body->digits == 0)
		return -EPROTO;
	if (c == '\r')
		body->state = BODY_SIZE_LF;
	else if (c == ';' || c == ' ' || c == '\t')
		body->state = BODY_EXTENSION;
	else
		return -EPROTO;
	return 0;
}

static void begin_chunk(struct http_body *body)
{
	body->state = body->remaining > 0 ? BODY_DATA : BODY_END;
}

/* One byte between the data of two chunks. Return: 0; -EPROTO. */
static int take_framing(struct http_body *body, char c)
{
	switch (body->state) {
	case BODY_SIZE:
		return take_size_digit(body, c);
	case BODY_EXTENSION:
		if (c == '\n')
			begin_chunk(body);
		return 0;
	case BODY_SIZE_LF:
		begin_chunk(body);
		return c == '\n' ? 0 : -EPROTO;
	case BODY_DATA_CR:
		body->state = BODY_DATA_LF;
		return c == '\r' ? 0 : -EPROTO;
	default:
		body->state = BODY_SIZE;
		body->digits = 0;
		return c == '\n' ? 0 : -EPROTO;
	}
}

static bool is_data(const struct http_body *body)
{
	return body->state == BODY_CLOSE || body->state == BODY_LENGTH || body->state == BODY_DATA;
}

/* Takes what is data off @bytes. */
static struct slice take_data(struct http_body *body, struct slice *bytes)
{
	struct slice taken = *bytes;

	if (body->state != BODY_CLOSE) {
		if (taken.len > body->remaining)
			taken.len = (size_t)body->remaining;
		body->remaining -= taken.len;
		if (body->remaining == 0)
			body->state = body->state == BODY_LENGTH ? BODY_END : BODY_DATA_CR;
	}
	*bytes = slice_skip(*bytes, taken.len);
	return taken;
}

int http_body_feed(struct http_body *body, struct slice bytes)
{
	int result = -EAGAIN;

	while (bytes.len > 0 && body->state != BODY_END && result == -EAGAIN) {
		if (is_data(body)) {
			result = search(body, take_data(body, &bytes));
			continue;
		}
		if (take_framing(body, bytes.ptr[0]))
			return -EPROTO;
		bytes = slice_skip(bytes, 1);
	}
	return result == -EAGAIN && body->state == BODY_END ? -ENOENT : result;
}

void http_body_done(struct http_body *body)
{
	strbuf_done(&body->text);
}
