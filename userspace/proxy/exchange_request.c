// SPDX-License-Identifier: Apache-2.0
/* The request's way to the backend: its head, written anew, and its body as it comes. */
#include "http/h1_write.h"
#include "proxy/body_pass.h"
#include "proxy/exchange.h"
#include "proxy/http_backend.h"
#include "proxy/http_client.h"
#include "proxy/http_tunnel.h"
#include "proxy/mirror.h"

#include <errno.h>

/*
 * A server is asked in origin form, whatever the client wrote (RFC 9112 3.2). The path stands
 * before the query in the text, unless it was left out: then it is a "/" of the parser's. Return:
 * empty: no memory.
 */
struct slice exchange_target(struct exchange *exchange)
{
	const struct http_target *target = &exchange->request.target;
	struct slice path = exchange->new_path.len ? exchange->new_path : target->path;
	char *text;

	if (target->form != HTTP_TARGET_ABSOLUTE && !exchange->new_path.len)
		return target->text;
	if (target->has_query) {
		text = arena_printf(&exchange->arena, "%.*s?%.*s", SLICE_FMT(path),
				    SLICE_FMT(target->query));
		return text ? slice_from_str(text) : (struct slice){};
	}
	return path;
}

static struct io_buf *write_head(struct exchange *exchange)
{
	const struct http_request *request = &exchange->request;
	struct slice target = exchange_target(exchange);
	const struct h1_wire wire = {
		.framing = request->framing,
		.accepts_trailers = request->accepts_trailers,
		.upgrade = exchange->upgrade,
	};
	size_t bound = h1_write_bound(&request->fields,
				      target.len + request->method_text.len + wire.upgrade.len);
	struct io_buf *buf = io_buf_new_brief(exchange_client(exchange)->loop, (uint32_t)bound);
	size_t len;

	if (!buf)
		return NULL;
	if (h1_write_request(request, target, &wire, buf->base, buf->cap, &len) < 0) {
		io_buf_release(exchange_client(exchange)->loop, buf);
		return NULL;
	}
	buf->end = (uint32_t)len;
	return buf;
}

void exchange_refuse_body(struct exchange *exchange, int err)
{
	if (exchange->is_answer_begun)
		exchange_abort(exchange, EXCHANGE_END_BAD_REQUEST,
			       h1_defect_text(exchange->up.defect));
	else if (err == -EFBIG)
		exchange_refuse(exchange, 413, EXCHANGE_END_TOO_LARGE, NULL);
	else if (err == -EPROTO)
		exchange_refuse(exchange, h1_defect_status(exchange->up.defect),
				EXCHANGE_END_BAD_REQUEST, h1_defect_text(exchange->up.defect));
	else
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
}

uint32_t exchange_patience(const struct exchange *exchange)
{
	return exchange->up.is_done && !exchange->is_answer_begun
		       ? exchange_pool(exchange)->http.response_timeout_ms
		       : exchange_listener(exchange)->http.body_timeout_ms;
}

static void pass_on(struct exchange *exchange, struct io_buf *head)
{
	struct http_client *client = exchange->client;
	struct io_stream *backend = &exchange->leg->backend->stream;
	struct body_sink sink = {.stream = backend,
				 .head = head,
				 .trailers = &exchange->up_trailers,
				 .judge = exchange_judge_request_trailer,
				 .context = exchange,
				 .has_chunks = exchange->has_up_chunks};
	struct body_tap tap;
	struct io_buf *rest;
	int err;

	sink.tap = exchange_filter_tap_up(exchange, &tap);
	if (sink.tap && exchange->request.framing.kind == HTTP_FRAMING_CHUNKED)
		sink.form = BODY_CHUNKED;
	mirror_body(exchange, input_bytes(&client->input));
	err = body_pass(&sink, &exchange->up, input_take(&client->input), &rest);
	exchange->has_up_chunks = sink.has_chunks;
	if (err == -ECANCELED) {
		exchange_filter_refuse(exchange);
		return;
	}
	if (err) {
		exchange_refuse_body(exchange, err);
		return;
	}
	client->input.buf = rest;
	http_client_allow(client, exchange_patience(exchange));
	if (backend->queued > exchange_buffer_limit(exchange)) {
		http_client_hold_back(client);
		uptake_begin(&exchange->leg->requests, backend);
	}
}

/* What HTTP/1.0 may leave out, 1.1 may not (RFC 9112 3.2). */
static int name_host(struct exchange_leg *leg)
{
	struct http_fields *fields = &leg->exchange->request.fields;

	if (http_fields_has(fields, HTTP_FIELD_HOST))
		return 0;
	return http_fields_add_id(fields, HTTP_FIELD_HOST,
				  slice_from_str(leg->dial.endpoint->name));
}

void exchange_send_request(struct exchange_leg *leg)
{
	struct exchange *exchange = leg->exchange;
	struct io_buf *head = name_host(leg) == 0 ? write_head(exchange) : NULL;

	if (!head) {
		if (!exchange_give_way(leg))
			exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
		return;
	}
	leg->is_head_sent = true;
	uptake_begin_idle(&leg->requests, &leg->backend->stream);
	leg->parser = (struct h1_parser){.limits = exchange->parser.limits};
	if (exchange->up.is_done) {
		io_stream_send(&leg->backend->stream, head);
		http_client_allow(exchange->client, exchange_patience(exchange));
		return;
	}
	pass_on(exchange, head);
	if (exchange->is_over || exchange->up.is_done)
		return;
	if (exchange->client->has_ended)
		exchange_on_client_end(exchange);
	else
		io_stream_recv_start(exchange_client(exchange));
}

void exchange_on_request(struct exchange *exchange)
{
	if (!exchange->is_over && exchange->gather.limit) {
		exchange_gather_more(exchange);
		return;
	}
	if (!exchange->is_over && exchange->leg->is_head_sent && !exchange->up.is_done) {
		pass_on(exchange, NULL);
		if (!exchange->is_over)
			exchange_finish_if_done(exchange);
	}
}

/* The backend's queue is empty again. */
void exchange_on_request_sent(struct exchange_leg *leg, int status)
{
	struct exchange *exchange = leg->exchange;

	if (exchange->client->phase == HTTP_CLIENT_TUNNEL) {
		http_tunnel_on_sent(exchange->client->tunnel);
		return;
	}
	/* What the backend answered before it closed is still to be read. */
	if (status < 0)
		return;
	if (exchange->is_over || exchange->up.is_done)
		return;
	http_client_allow(exchange->client,
			  exchange_patience(exchange)); /* not for the backend's time */
	io_stream_recv_start(exchange_client(exchange));
}

void exchange_on_client_end(struct exchange *exchange)
{
	/* What it said before is looked at once the backend can take it. */
	bool is_looked_at = exchange->leg->is_head_sent || exchange->gather.limit;

	if (exchange->is_over || exchange->up.is_done || !is_looked_at)
		return;
	/* An answer that came early may be why: who sees that its body is not wanted ceases to send
	 * and ends its side (RFC 9112 9.5). */
	if (!exchange->is_answer_begun)
		http_client_end_in_request(exchange->client);
}

bool exchange_awaits_client(const struct exchange *exchange)
{
	return !exchange->is_over && !exchange->up.is_done &&
	       (exchange->gather.limit || exchange->leg->is_head_sent);
}

void exchange_on_slow_client(struct exchange *exchange)
{
	if (exchange->is_answer_begun)
		exchange_abort(exchange, EXCHANGE_END_CLIENT_STALLED, "min_rate");
	else
		exchange_refuse(exchange, 408, EXCHANGE_END_REQUEST_TIMEOUT, "min_rate");
}
