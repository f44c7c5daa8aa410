// SPDX-License-Identifier: Apache-2.0
/*
 * Writes heads. Fields that lie behind one another in a received head, in the form that is written
 * anyway, are copied in one piece.
 */
#include "http/h1_write.h"

#include "http/h1_scan.h"
#include "http/http_internal.h"
#include "http/status.h"

#include <errno.h>

#define TEXT HTTP_TEXT

/* The end of what a caller gave. Once it is too small, nothing more is written. */
struct out {
	char *at, *end;
	bool is_full;
};

static void put(struct out *out, struct slice bytes)
{
	if (unlikely((size_t)(out->end - out->at) < bytes.len || out->is_full)) {
		out->is_full = true;
		return;
	}
	if (bytes.len)
		out->at = mempcpy(out->at, bytes.ptr, bytes.len);
}

static void put_field(struct out *out, struct slice name, struct slice value)
{
	put(out, name);
	put(out, TEXT(": "));
	put(out, value);
	put(out, TEXT("\r\n"));
}

/* --- Fields --------------------------------------------------------------------------- */

static bool is_wires(const struct http_field *field, const struct h1_wire *wire)
{
	if (field->id == HTTP_FIELD_CONTENT_LENGTH)
		return !(wire->keeps_length && wire->framing.kind == HTTP_FRAMING_NONE);
	return http_field_flags((enum http_field_id)field->id) & HTTP_FIELD_IS_OF_CONNECTION;
}

/* Whether @b lies two bytes behind the end of @a, and @between is what stands there. */
static bool is_joined(struct slice a, struct slice b, const char *between)
{
	return (uintptr_t)b.ptr == (uintptr_t)a.ptr + a.len + 2 &&
	       memcmp(a.ptr + a.len, between, 2) == 0;
}

static struct slice span_of(struct slice first, struct slice last)
{
	return slice_of(first.ptr, (size_t)(last.ptr + last.len - first.ptr));
}

static void end_run(struct out *out, struct slice *run)
{
	if (run->len == 0)
		return;
	put(out, *run);
	put(out, TEXT("\r\n"));
	*run = (struct slice){};
}

static void put_fields(struct out *out, const struct http_fields *fields,
		       const struct h1_wire *wire)
{
	const struct http_field *field = NULL;
	struct slice run = {};

	while ((field = http_fields_next(fields, field))) {
		if (is_wires(field, wire))
			continue;
		if (!is_joined(field->name, field->value, ": ")) {
			end_run(out, &run);
			put_field(out, field->name, field->value);
			continue;
		}
		if (run.len == 0 || !is_joined(run, field->name, "\r\n")) {
			end_run(out, &run);
			run = field->name;
		}
		run = span_of(run, field->value);
	}
	end_run(out, &run);
}

static void put_option(struct out *out, bool *has_one, struct slice option)
{
	put(out, *has_one ? TEXT(", ") : TEXT("connection: "));
	put(out, option);
	*has_one = true;
}

/* What is decided by the connection that the head goes out on. */
static void put_wire(struct out *out, const struct h1_wire *wire)
{
	bool has_option = false;
	char buf[20];

	if (wire->framing.kind == HTTP_FRAMING_LENGTH)
		put_field(out, TEXT("content-length"), http_decimal(wire->framing.length, buf));
	else if (wire->framing.kind == HTTP_FRAMING_CHUNKED)
		put(out, TEXT("transfer-encoding: chunked\r\n"));
	if (wire->accepts_trailers)
		put(out, TEXT("te: trailers\r\n"));
	if (wire->upgrade.len)
		put_field(out, TEXT("upgrade"), wire->upgrade);
	if (wire->is_last)
		put_option(out, &has_option, TEXT("close"));
	else if (wire->says_keep_alive)
		put_option(out, &has_option, TEXT("keep-alive"));
	if (wire->upgrade.len)
		put_option(out, &has_option, TEXT("upgrade"));
	if (wire->accepts_trailers)
		put_option(out, &has_option, TEXT("te"));
	if (has_option)
		put(out, TEXT("\r\n"));
}

/* --- Heads ---------------------------------------------------------------------------- */

static int finish(struct out *out, const char *buf, size_t *ret_len)
{
	if (out->is_full)
		return -ENOBUFS;
	*ret_len = (size_t)(out->at - buf);
	return 0;
}

static bool is_visible(struct slice text)
{
	const char *end = text.ptr + text.len;

	return text.len > 0 && scan_visible(text.ptr, end) == end;
}

int h1_write_request(const struct http_request *request, struct slice target,
		     const struct h1_wire *wire, char *buf, size_t cap, size_t *ret_len)
{
	struct out out = {.at = buf, .end = buf + cap};

	if (!is_visible(target) || !http_is_token(request->method_text) ||
	    !http_is_field_value(wire->upgrade))
		return -EINVAL;
	put(&out, request->method_text);
	put(&out, TEXT(" "));
	put(&out, target);
	put(&out, TEXT(" HTTP/1.1\r\n"));
	put_fields(&out, &request->fields, wire);
	put_wire(&out, wire);
	put(&out, TEXT("\r\n"));
	return finish(&out, buf, ret_len);
}

int h1_write_response(const struct http_response *response, const struct h1_wire *wire, char *buf,
		      size_t cap, size_t *ret_len)
{
	struct slice reason = response->reason;
	struct out out = {.at = buf, .end = buf + cap};
	char digits[20];

	if (reason.len == 0)
		reason = http_status_phrase(response->status);
	if (response->status < 100 || response->status > 599 || !http_is_field_value(reason) ||
	    !http_is_field_value(wire->upgrade))
		return -EINVAL;
	put(&out, TEXT("HTTP/1.1 "));
	put(&out, http_decimal(response->status, digits));
	put(&out, TEXT(" "));
	put(&out, reason);
	put(&out, TEXT("\r\n"));
	put_fields(&out, &response->fields, wire);
	put_wire(&out, wire);
	put(&out, TEXT("\r\n"));
	return finish(&out, buf, ret_len);
}

size_t h1_write_bound(const struct http_fields *fields, size_t first_line)
{
	/* All that put_wire() may write, and the empty line. */
	static const char most[] = "content-length: 18446744073709551615\r\nte: trailers\r\n"
				   "upgrade: \r\nconnection: keep-alive, upgrade, te\r\n\r\n";
	const struct http_field *field = NULL;
	size_t bound = first_line + 2 + sizeof(most);

	while ((field = http_fields_next(fields, field)))
		bound += field->name.len + field->value.len + 4;
	return bound;
}

/* --- Chunks --------------------------------------------------------------------------- */

size_t h1_write_chunk_open(uint64_t size, bool is_first, char *buf)
{
	unsigned digits = (67 - (unsigned)__builtin_clzll(size | 1)) / 4;
	char *at = buf;

	if (!is_first)
		at = mempcpy(at, "\r\n", 2);
	for (unsigned i = 0; i < digits; i++)
		*at++ = "0123456789abcdef"[size >> (4 * (digits - 1 - i)) & 15];
	at = mempcpy(at, "\r\n", 2);
	return (size_t)(at - buf);
}

int h1_write_trailer(const struct http_fields *trailers, char *buf, size_t cap, size_t *ret_len)
{
	static const struct h1_wire none;
	struct out out = {.at = buf, .end = buf + cap};

	put_fields(&out, trailers, &none);
	put(&out, TEXT("\r\n"));
	return finish(&out, buf, ret_len);
}

int h1_write_chunks_end(bool is_first, const struct http_fields *trailers, char *buf, size_t cap,
			size_t *ret_len)
{
	static const struct h1_wire none;
	struct out out = {.at = buf, .end = buf + cap};

	if (!is_first)
		put(&out, TEXT("\r\n"));
	put(&out, TEXT("0\r\n"));
	if (trailers)
		put_fields(&out, trailers, &none);
	put(&out, TEXT("\r\n"));
	return finish(&out, buf, ret_len);
}

struct slice h1_continue(void)
{
	return TEXT("HTTP/1.1 100 Continue\r\n\r\n");
}
