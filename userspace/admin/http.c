// SPDX-License-Identifier: Apache-2.0
/*
 * A small, strict HTTP/1.1 server for machines that scrape and probe: GET and HEAD, no bodies. A
 * request that is not wholly understood is answered 400 and ends the connection, since where the
 * next one begins is in doubt. Source: RFC 9110, RFC 9112.
 */
#include "admin/admin_internal.h"
#include "http/date.h"
#include "http/h1_parse.h"
#include "http/status.h"

#include <errno.h>
#include <time.h>

#define TEXT_PLAIN   "text/plain; charset=utf-8"
#define TEXT_METRICS "text/plain; version=0.0.4; charset=utf-8"

/* Generous for what scrapes and probes. */
static const struct h1_limits limits = {
	.line = 8192, .field = ADMIN_HTTP_INPUT_MAX, .head = ADMIN_HTTP_INPUT_MAX, .fields = 64};

struct http_answer {
	unsigned status;
	const char *type, *extra; /* @extra: whole header lines */
	struct strbuf body;
};

static void show_index(struct server *server, struct http_answer *answer)
{
	(void)server;
	strbuf_append_str(&answer->body, "sluiced " SLUICE_VERSION "\n"
					 "/metrics  Prometheus metrics\n"
					 "/healthz  200 while serving, 503 while draining\n");
}

static void show_health(struct server *server, struct http_answer *answer)
{
	if (server_is_draining(server))
		answer->status = 503;
	strbuf_append_str(&answer->body, answer->status == 200 ? "serving\n" : "draining\n");
}

static void show_metrics(struct server *server, struct http_answer *answer)
{
	answer->type = TEXT_METRICS;
	metrics_page(server, &answer->body);
}

static const struct {
	const char *path;
	void (*show)(struct server *server, struct http_answer *answer);
} pages[] = {
	{"/", show_index},
	{"/healthz", show_health},
	{"/metrics", show_metrics},
};

static void refuse(struct http_answer *answer, unsigned status)
{
	answer->status = status;
	strbuf_printf(&answer->body, "%u %.*s\n", status, SLICE_FMT(http_status_phrase(status)));
}

static bool has_body(const struct http_request *request)
{
	return request->framing.kind == HTTP_FRAMING_CHUNKED || request->framing.length > 0;
}

static void find_page(struct server *server, const struct http_request *request,
		      struct http_answer *answer)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(pages) && !slice_equal_str(request->target.path, pages[i].path))
		i++;
	if (i == ARRAY_SIZE(pages)) {
		refuse(answer, 404);
	} else if (request->method != HTTP_METHOD_GET && request->method != HTTP_METHOD_HEAD) {
		answer->extra = "Allow: GET, HEAD\r\n";
		refuse(answer, 405);
	} else if (has_body(request)) {
		refuse(answer, 400);
	} else {
		pages[i].show(server, answer);
	}
}

static void append_answer(struct strbuf *out, struct http_answer *answer, bool is_head,
			  bool is_last)
{
	char date[HTTP_DATE_LEN];

	strbuf_printf(
		out,
		"HTTP/1.1 %u %.*s\r\nDate: %.*s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		"Cache-Control: no-store\r\n%s%s\r\n",
		answer->status, SLICE_FMT(http_status_phrase(answer->status)), HTTP_DATE_LEN,
		http_date_format(time(NULL), date), answer->type, answer->body.len, answer->extra,
		is_last ? "Connection: close\r\n" : "");
	if (answer->body.is_failed)
		out->is_failed = true;
	else if (!is_head)
		strbuf_append(out, slice_of(answer->body.text, answer->body.len));
	strbuf_done(&answer->body);
}

size_t http_respond(struct server *server, struct slice bytes, struct strbuf *out,
		    bool *ret_is_last)
{
	struct http_answer answer = {.status = 200, .type = TEXT_PLAIN, .extra = ""};
	struct h1_parser parser = {.limits = &limits};
	struct http_field items[64];
	struct http_request request = {.fields = {.items = items, .cap = ARRAY_SIZE(items)}};
	size_t len = bytes.len;
	int r = h1_parse_request(&parser, bytes, &request, &len);

	if (r == -EAGAIN)
		return 0;
	if (r == 0)
		find_page(server, &request, &answer);
	else
		refuse(&answer, h1_defect_status(parser.defect));
	/* A body is not read, so nothing can follow it. */
	*ret_is_last = r < 0 || has_body(&request) || !request.is_persistent;
	append_answer(out, &answer, request.method == HTTP_METHOD_HEAD, *ret_is_last);
	return len;
}
