// SPDX-License-Identifier: Apache-2.0
/*
 * A small, strict HTTP/1.1 server for machines that scrape and probe: GET and HEAD, no bodies. A
 * request that is not wholly understood is answered 400 and ends the connection, since where the
 * next one begins is in doubt. Source: RFC 9110, RFC 9112.
 */
#include "admin/admin_internal.h"
#include "net/http_head.h"

#include <errno.h>
#include <time.h>

#define TEXT_PLAIN   "text/plain; charset=utf-8"
#define TEXT_METRICS "text/plain; version=0.0.4; charset=utf-8"

struct http_request {
	struct slice method, target;
	size_t hosts; /* Host fields */
	bool is_http10;
	bool has_body;
	bool wants_close;
};

struct http_answer {
	unsigned status;
	const char *phrase, *type, *extra; /* @extra: whole header lines */
	struct strbuf body;
};

static const struct slice empty;

/* Cuts the first line off @rest; every line of a checked head ends with CR LF. */
static struct slice next_line(struct slice *rest)
{
	const char *end = memchr(rest->ptr, '\r', rest->len);
	struct slice line = end ? slice_of(rest->ptr, (size_t)(end - rest->ptr)) : *rest;

	*rest = end ? slice_skip(*rest, line.len + 2) : empty;
	return line;
}

static struct slice trim(struct slice s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = slice_skip(s, 1);
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Whether @token is a member of the comma-separated @list (RFC 9110 section 5.6.1). */
static bool list_has(struct slice list, const char *token)
{
	while (list.len > 0) {
		const char *comma = memchr(list.ptr, ',', list.len);
		size_t len = comma ? (size_t)(comma - list.ptr) : list.len;

		if (slice_equal_nocase(trim(slice_of(list.ptr, len)), slice_from_str(token)))
			return true;
		list = slice_skip(list, comma ? len + 1 : len);
	}
	return false;
}

static void on_field(struct http_request *request, struct slice name, struct slice value)
{
	if (slice_equal_nocase(name, slice_from_str("host")))
		request->hosts++;
	else if (slice_equal_nocase(name, slice_from_str("connection")))
		request->wants_close |= list_has(value, "close");
	else if (slice_equal_nocase(name, slice_from_str("transfer-encoding")))
		request->has_body = true;
	else if (slice_equal_nocase(name, slice_from_str("content-length")))
		request->has_body |= !slice_equal_str(value, "0");
}

static void read_fields(struct slice head, struct http_request *request)
{
	struct slice line = next_line(&head);

	request->is_http10 = line.len > 0 && line.ptr[line.len - 1] == '0';
	for (line = next_line(&head); line.len > 0; line = next_line(&head)) {
		const char *colon = memchr(line.ptr, ':', line.len);
		size_t len = colon ? (size_t)(colon - line.ptr) : line.len;

		if (colon)
			on_field(request, slice_of(line.ptr, len), trim(slice_skip(line, len + 1)));
	}
}

/* The path alone: without scheme and authority (RFC 9112 section 3.2.2) and without query. */
static struct slice path_of(struct slice target)
{
	static const struct slice scheme = {"http://", 7};
	const char *end;

	if (slice_starts_with(target, scheme)) {
		end = memchr(target.ptr + scheme.len, '/', target.len - scheme.len);
		target = end ? slice_skip(target, (size_t)(end - target.ptr)) : slice_of("/", 1);
	}
	end = memchr(target.ptr, '?', target.len);
	return end ? slice_of(target.ptr, (size_t)(end - target.ptr)) : target;
}

static void show_index(struct server *server, struct http_answer *answer)
{
	(void)server;
	strbuf_append_str(&answer->body, "sluiced " SLUICE_VERSION "\n"
					 "/metrics  Prometheus metrics\n"
					 "/healthz  200 while serving, 503 while draining\n");
}

static void show_health(struct server *server, struct http_answer *answer)
{
	if (server_is_draining(server)) {
		answer->status = 503;
		answer->phrase = "Service Unavailable";
	}
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

static void refuse(struct http_answer *answer, unsigned status, const char *phrase)
{
	answer->status = status;
	answer->phrase = phrase;
	strbuf_printf(&answer->body, "%u %s\n", status, phrase);
}

static void find_page(struct server *server, const struct http_request *request,
		      struct http_answer *answer)
{
	struct slice path = path_of(request->target);
	size_t i = 0;

	while (i < ARRAY_SIZE(pages) && !slice_equal_str(path, pages[i].path))
		i++;
	if (i == ARRAY_SIZE(pages)) {
		refuse(answer, 404, "Not Found");
	} else if (!slice_equal_str(request->method, "GET") &&
		   !slice_equal_str(request->method, "HEAD")) {
		answer->extra = "Allow: GET, HEAD\r\n";
		refuse(answer, 405, "Method Not Allowed");
	} else if (request->has_body) {
		refuse(answer, 400, "Bad Request");
	} else {
		pages[i].show(server, answer);
	}
}

static void append_answer(struct strbuf *out, struct http_answer *answer, bool has_body,
			  bool is_last)
{
	time_t now = time(NULL);
	struct tm tm;
	char date[64];

	/* The daemon never calls setlocale(), so these are the English names that HTTP wants. */
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	strbuf_printf(out,
		      "HTTP/1.1 %u %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		      "Cache-Control: no-store\r\n%s%s\r\n",
		      answer->status, answer->phrase, date, answer->type, answer->body.len,
		      answer->extra, is_last ? "Connection: close\r\n" : "");
	if (answer->body.is_failed)
		out->is_failed = true;
	else if (has_body)
		strbuf_append(out, slice_of(answer->body.text, answer->body.len));
	strbuf_done(&answer->body);
}

size_t http_respond(struct server *server, struct slice bytes, struct strbuf *out,
		    bool *ret_is_last)
{
	struct http_answer answer = {
		.status = 200, .phrase = "OK", .type = TEXT_PLAIN, .extra = ""};
	struct http_request request = {0};
	size_t len = bytes.len;
	int r = http_request_parse(bytes, &request.method, &request.target, &len);
	bool is_good;

	if (r == -EAGAIN)
		return 0;
	if (r == 0)
		read_fields(slice_of(bytes.ptr, len), &request);
	/* RFC 9112 section 3.2: exactly one Host, which HTTP/1.0 may leave out. */
	is_good = r == 0 && request.hosts <= 1 && (request.hosts == 1 || request.is_http10);
	if (is_good)
		find_page(server, &request, &answer);
	else
		refuse(&answer, 400, "Bad Request");
	/* A body is not read, so nothing can follow it. */
	*ret_is_last = !is_good || request.has_body || request.is_http10 || request.wants_close;
	append_answer(out, &answer, !slice_equal_str(request.method, "HEAD"), *ret_is_last);
	return len;
}
