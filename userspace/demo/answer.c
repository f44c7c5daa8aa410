// SPDX-License-Identifier: Apache-2.0
// Request in, response out, for the demonstration's origins. Requests with a body are refused and
// the connection closed, so that no body has to be read. Source: RFC 9112.
#include "demo/demo_internal.h"
#include "net/http_head.h"

#include <errno.h>
#include <stdint.h>

static void append_response(struct strbuf *response, const char *status, struct slice body,
			    bool has_body, bool is_last)
{
	strbuf_printf(response,
		      "HTTP/1.1 %s\r\n"
		      "Content-Type: text/plain; charset=utf-8\r\n"
		      "Content-Length: %zu\r\n"
		      "%s\r\n",
		      status, body.len, is_last ? "Connection: close\r\n" : "");
	if (has_body)
		strbuf_append(response, body);
}

static int refuse(struct strbuf *response, const char *status, size_t len, size_t *ret_used,
		  bool *ret_is_last)
{
	append_response(response, status, slice_of(NULL, 0), false, true);
	*ret_used = len;
	*ret_is_last = true;
	return 0;
}

/* Whether @line is "Connection: close", in any case and spacing. */
static bool is_connection_close(struct slice line)
{
	static const char field[] = "connection:";
	size_t at = sizeof(field) - 1;

	if (line.len < at || strncasecmp(line.ptr, field, at) != 0)
		return false;
	while (at < line.len && (line.ptr[at] == ' ' || line.ptr[at] == '\t'))
		at++;
	return line.len - at >= 5 && strncasecmp(line.ptr + at, "close", 5) == 0;
}

/* HTTP/1.0 ends its connections; HTTP/1.1 when the client says so (RFC 9112 section 9.6). */
static bool asks_to_close(struct slice head)
{
	const char *end = head.ptr + head.len, *line = head.ptr, *newline;

	while (line < end && (newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
		struct slice text = slice_of(line, (size_t)(newline - line));

		if (line == head.ptr && memmem(text.ptr, text.len, " HTTP/1.0", 9))
			return true;
		if (is_connection_close(text))
			return true;
		line = newline + 1;
	}
	return false;
}

static void append_page(struct strbuf *page, struct slice target, const char *name,
			const char *peer)
{
	if (slice_equal_str(target, "/healthz")) {
		strbuf_append_str(page, "ok\n");
		return;
	}
	strbuf_printf(page, "hello from %s\nyour connection reached me from %s\n", name, peer);
}

int demo_answer(struct slice bytes, const char *name, const char *peer, struct strbuf *response,
		size_t *ret_used, bool *ret_is_last)
{
	struct slice method, target;
	struct strbuf page = {};
	size_t len;
	int r = http_request_parse(bytes, &method, &target, &len);
	bool is_head;

	if (r == -EAGAIN && bytes.len < DEMO_HEAD_MAX)
		return r;
	if (r == -EAGAIN)
		return refuse(response, "431 Request Header Fields Too Large", bytes.len, ret_used,
			      ret_is_last);
	if (r < 0)
		return refuse(response, "400 Bad Request", bytes.len, ret_used, ret_is_last);
	is_head = slice_equal_str(method, "HEAD");
	if (!is_head && !slice_equal_str(method, "GET"))
		return refuse(response, "405 Method Not Allowed\r\nAllow: GET, HEAD", bytes.len,
			      ret_used, ret_is_last);
	append_page(&page, target, name, peer);
	*ret_used = len;
	*ret_is_last = asks_to_close(slice_of(bytes.ptr, len));
	append_response(response, "200 OK", slice_of(page.text, page.len), !is_head, *ret_is_last);
	response->is_failed |= page.is_failed;
	strbuf_done(&page);
	return 0;
}
