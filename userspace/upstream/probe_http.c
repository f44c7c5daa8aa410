// SPDX-License-Identifier: Apache-2.0
/*
 * GET over HTTP/1.1: up if the status is in the range, and the body has the text that is asked for.
 * Without such a text the verdict comes with the head; the body is not waited for.
 */
#include "upstream/probe.h"

#include "core/strbuf.h"
#include "http/h1_parse.h"
#include "upstream/http_body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct http_probe {
	struct strbuf head; /* until it is complete, with interim ones before it */
	size_t interim;     /* bytes of those */
	struct h1_parser parser;
	struct http_response response;
	struct arena arena;
	bool is_in_body;
	struct http_body body;
};

static const char *host_of(const struct probe *probe)
{
	if (probe->pool->health.http_host)
		return probe->pool->health.http_host;
	return address_is_ip(&probe->endpoint->address) ? probe->endpoint->name : "localhost";
}

static int send_request(struct probe *probe)
{
	struct strbuf request = {};
	int err = -ENOMEM;

	strbuf_printf(&request,
		      "GET %s HTTP/1.1\r\n"
		      "Host: %s\r\n"
		      "User-Agent: sluice-health\r\n"
		      "Accept: */*\r\n"
		      "Connection: close\r\n\r\n",
		      probe->pool->health.http_path, host_of(probe));
	if (!request.is_failed)
		err = probe_send(probe, slice_of(request.text, request.len));
	strbuf_done(&request);
	return err;
}

static void begin_head(struct http_probe *http)
{
	http->parser = (struct h1_parser){};
	http->response = (struct http_response){.fields.arena = &http->arena};
}

static int http_begin(struct probe *probe)
{
	struct http_probe *http = calloc(1, sizeof(*http));

	if (!http)
		return -ENOMEM;
	begin_head(http);
	probe->state = http;
	return send_request(probe);
}

static void feed_body(struct probe *probe, struct slice bytes)
{
	struct http_probe *http = probe->state;

	switch (http_body_feed(&http->body, bytes)) {
	case 0:
		probe_pass(probe, "body has the expected text");
		break;
	case -EAGAIN:
		break;
	case -ENOENT:
		probe_fail(probe, "body lacks the expected text");
		break;
	case -EPROTO:
		probe_fail(probe, "body is not HTTP");
		break;
	default:
		probe_fail_by(probe, "receive", -ENOMEM);
	}
}

static void on_head(struct probe *probe, struct slice rest)
{
	const struct config_health_check *health = &probe->pool->health;
	struct http_probe *http = probe->state;
	unsigned status = http->response.status;

	if (status < health->http_status_first || status > health->http_status_last) {
		probe_fail(probe, "status %u", status);
		return;
	}
	if (!health->http_body) {
		probe_pass(probe, "status %u", status);
		return;
	}
	http_body_init(&http->body, http->response.framing, &http->arena,
		       slice_from_str(health->http_body));
	http->is_in_body = true;
	feed_body(probe, rest);
}

/* Interim answers (100, 103) come before the one that counts. */
static void read_head(struct probe *probe)
{
	static const struct h1_asked asked = {.method = HTTP_METHOD_GET};
	struct http_probe *http = probe->state;
	struct slice bytes;
	size_t len;
	int err;

	for (;;) {
		bytes = slice_of(http->head.text + http->interim, http->head.len - http->interim);
		err = h1_parse_response(&http->parser, bytes, &asked, &http->response, &len);
		if (err || http->response.status >= 200)
			break;
		http->interim += len;
		begin_head(http);
	}
	if (err == -EPROTO && http->parser.defect == H1_DEFECT_NO_MEMORY)
		probe_fail_by(probe, "receive", -ENOMEM);
	else if (err == -EPROTO)
		probe_fail(probe, "bad answer: %s", h1_defect_text(http->parser.defect));
	else if (!err)
		on_head(probe, slice_skip(bytes, len));
	else if (http->head.len > h1_limits_default.head)
		probe_fail(probe, "head of the answer is too long");
}

static void http_on_bytes(struct probe *probe, struct slice bytes)
{
	struct http_probe *http = probe->state;

	if (http->is_in_body) {
		feed_body(probe, bytes);
		return;
	}
	strbuf_append(&http->head, bytes);
	if (http->head.is_failed)
		probe_fail_by(probe, "receive", -ENOMEM);
	else
		read_head(probe);
}

static void http_on_eof(struct probe *probe)
{
	const struct http_probe *http = probe->state;

	if (http->is_in_body)
		probe_fail(probe, "body lacks the expected text");
	else
		probe_fail(probe, "connection closed before an answer");
}

static void http_done(struct probe *probe)
{
	struct http_probe *http = probe->state;

	if (!http)
		return;
	strbuf_done(&http->head);
	http_body_done(&http->body);
	arena_done(&http->arena);
	free(http);
	probe->state = NULL;
}

const struct probe_kind probe_http = {
	.begin = http_begin,
	.on_bytes = http_on_bytes,
	.on_eof = http_on_eof,
	.done = http_done,
};
