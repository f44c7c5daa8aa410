// SPDX-License-Identifier: Apache-2.0
/*
 * GET over HTTP/1.1: up if the status is in the range, and the body has the text that is asked for.
 * Without such a text the verdict comes with the head; the body is not waited for.
 */
#include "upstream/probe.h"

#include "core/strbuf.h"
#include "net/http_head.h"
#include "upstream/http_body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct http_probe {
	struct strbuf head; /* until it is complete */
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

static int http_begin(struct probe *probe)
{
	probe->state = calloc(1, sizeof(struct http_probe));
	return probe->state ? send_request(probe) : -ENOMEM;
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
		probe_fail(probe, "out of memory");
	}
}

static void on_head(struct probe *probe, struct slice head, unsigned status, struct slice rest)
{
	const struct config_health_check *health = &probe->pool->health;
	struct http_probe *http = probe->state;

	if (status < health->http_status_first || status > health->http_status_last) {
		probe_fail(probe, "status %u", status);
		return;
	}
	if (!health->http_body) {
		probe_pass(probe, "status %u", status);
		return;
	}
	if (http_body_init(&http->body, head, status, slice_from_str(health->http_body))) {
		probe_fail(probe, "body of unknown length or coding");
		return;
	}
	http->is_in_body = true;
	feed_body(probe, rest);
}

/* Interim answers (100, 103) come before the one that counts. */
static void read_head(struct probe *probe)
{
	struct http_probe *http = probe->state;
	struct slice bytes = slice_of(http->head.text, http->head.len);
	unsigned status;
	size_t len;
	int err;

	for (;;) {
		err = http_status_parse(bytes, &status, &len);
		if (err || status >= 200 || status == 101)
			break;
		bytes = slice_skip(bytes, len);
	}
	if (err == -EPROTO)
		probe_fail(probe, "answer is not HTTP/1");
	else if (!err)
		on_head(probe, slice_of(bytes.ptr, len), status, slice_skip(bytes, len));
	else if (http->head.len > HTTP_HEAD_MAX)
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
		probe_fail(probe, "out of memory");
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
	free(http);
	probe->state = NULL;
}

const struct probe_kind probe_http = {
	.begin = http_begin,
	.on_bytes = http_on_bytes,
	.on_eof = http_on_eof,
	.done = http_done,
};
