// SPDX-License-Identifier: Apache-2.0
// Request in, response out, for the demonstration's origins. Requests with a body are refused and
// the connection closed, so that no body has to be read. Source: RFC 9112.
#include "demo/demo_internal.h"
#include "http/h1_parse.h"
#include "http/status.h"

#include <errno.h>
#include <stdint.h>

static void append_response(struct strbuf *response, unsigned status, const char *extra,
			    struct slice body, bool has_body, bool is_last)
{
	strbuf_printf(response,
		      "HTTP/1.1 %u %.*s\r\n"
		      "Content-Type: text/plain; charset=utf-8\r\n"
		      "Content-Length: %zu\r\n"
		      "%s%s\r\n",
		      status, SLICE_FMT(http_status_phrase(status)), body.len, extra,
		      is_last ? "Connection: close\r\n" : "");
	if (has_body)
		strbuf_append(response, body);
}

static int refuse(struct strbuf *response, unsigned status, const char *extra, size_t len,
		  size_t *ret_used, bool *ret_is_last)
{
	append_response(response, status, extra, slice_of(NULL, 0), false, true);
	*ret_used = len;
	*ret_is_last = true;
	return 0;
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
	static const struct h1_limits limits = {
		.line = DEMO_HEAD_MAX, .field = DEMO_HEAD_MAX, .head = DEMO_HEAD_MAX, .fields = 64};
	struct h1_parser parser = {.limits = &limits};
	struct http_field items[64];
	struct http_request request = {.fields = {.items = items, .cap = ARRAY_SIZE(items)}};
	struct strbuf page = {};
	size_t len;
	int r = h1_parse_request(&parser, bytes, &request, &len);
	bool is_head = request.method == HTTP_METHOD_HEAD;

	if (r == -EAGAIN)
		return r;
	if (r < 0)
		return refuse(response, h1_defect_status(parser.defect), "", bytes.len, ret_used,
			      ret_is_last);
	if (!is_head && request.method != HTTP_METHOD_GET)
		return refuse(response, 405, "Allow: GET, HEAD\r\n", bytes.len, ret_used,
			      ret_is_last);
	if (request.framing.kind == HTTP_FRAMING_CHUNKED || request.framing.length > 0)
		return refuse(response, 400, "", bytes.len, ret_used, ret_is_last);
	append_page(&page, request.target.path, name, peer);
	*ret_used = len;
	*ret_is_last = !request.is_persistent;
	append_response(response, 200, "", slice_of(page.text, page.len), !is_head, *ret_is_last);
	response->is_failed |= page.is_failed;
	strbuf_done(&page);
	return 0;
}
