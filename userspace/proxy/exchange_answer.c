// SPDX-License-Identifier: Apache-2.0
/* The response's way to the client: interim ones, the head, the body in the framing that the client
 * understands, and the end of both messages. */
#include "config/variable.h"
#include "core/scarcity.h"
#include "http/connection.h"
#include "http/forwarded.h"
#include "http/h1_write.h"
#include "http/upgrade.h"
#include "net/socket.h"
#include "proxy/body_pass.h"
#include "proxy/exchange.h"
#include "proxy/http_backend.h"
#include "proxy/http_client.h"
#include "proxy/session.h"
#include "proxy/sticky.h"
#include "proxy/tunnel.h"

#include <errno.h>

static struct io_loop *loop_of(const struct exchange *exchange)
{
	return exchange_client(exchange)->loop;
}

static bool knows_chunks(const struct exchange *exchange)
{
	return exchange->request.version >= HTTP_VERSION_1_1;
}

/* --- Nothing to pass on --------------------------------------------------------- */

/* The backend is at fault; if another one was asked as well, that is waited for. Once the answer
 * has begun only its end can tell the client. */
static void fail(struct exchange_leg *leg, unsigned status, enum exchange_end end,
		 const char *detail)
{
	struct exchange *exchange = leg->exchange;

	if (exchange->is_answer_begun)
		exchange_abort(exchange, end, detail);
	else if (!exchange_give_way(leg))
		exchange_refuse(exchange, status, end, detail);
}

/* A connection that was kept may have been closed while the request was on its way: then another
 * one is tried. */
static void on_gone(struct exchange_leg *leg, int status)
{
	bool is_mute = !leg->answer.buf;

	if (is_scarcity(status)) {
		fail(leg, 503, EXCHANGE_END_NO_MEMORY, NULL);
		return;
	}
	if (!leg->is_reused && is_mute)
		pool_view_report_reset(leg->dial.pool_view, leg->dial.endpoint);
	if (is_mute && exchange_try_again(leg, leg->is_reused ? EXCHANGE_STALE : EXCHANGE_RESET))
		return;
	fail(leg, 502, EXCHANGE_END_BACKEND_RESET, NULL);
}

/* --- Heads ---------------------------------------------------------------------- */

/* Filters that make another body leave it without a length; those that look at chunks see what is
 * in them. */
static bool is_reframed(const struct exchange *exchange)
{
	const struct filter_exchange *filters = exchange->filters;

	if (!filters || exchange->response.framing.kind == HTTP_FRAMING_NONE)
		return false;
	return filters->replacers || (filters->response_watchers &&
				      exchange->response.framing.kind == HTTP_FRAMING_CHUNKED);
}

static enum body_form form_for(const struct exchange *exchange)
{
	if (is_reframed(exchange))
		return knows_chunks(exchange) ? BODY_CHUNKED : BODY_PLAIN;
	if (exchange->response.framing.kind == HTTP_FRAMING_CHUNKED)
		return knows_chunks(exchange) ? BODY_AS_IT_CAME : BODY_PLAIN;
	if (exchange->response.framing.kind == HTTP_FRAMING_UNTIL_CLOSE)
		return knows_chunks(exchange) ? BODY_CHUNKED : BODY_PLAIN;
	return BODY_AS_IT_CAME;
}

/* How the client is told where the body ends. */
static struct http_framing framing_for(const struct exchange *exchange)
{
	struct http_framing framing = exchange->response.framing;

	if (exchange->form == BODY_CHUNKED)
		framing.kind = HTTP_FRAMING_CHUNKED;
	else if (exchange->form == BODY_PLAIN)
		framing.kind = HTTP_FRAMING_UNTIL_CLOSE;
	return framing;
}

static struct h1_wire wire_for(const struct exchange *exchange)
{
	const struct http_request *request = &exchange->request;
	const struct http_response *response = &exchange->response;
	bool is_switch = response->framing.kind == HTTP_FRAMING_TUNNEL;

	return (struct h1_wire){
		.framing = framing_for(exchange),
		.is_last = exchange->is_last && !is_switch,
		.says_keep_alive = !knows_chunks(exchange) && !exchange->is_last,
		.keeps_length = response->framing.kind == HTTP_FRAMING_NONE &&
				(request->method == HTTP_METHOD_HEAD || response->status == 304),
		.upgrade = is_switch ? exchange->upgrade : (struct slice){},
	};
}

static struct io_buf *write_head(struct exchange *exchange)
{
	const struct http_response *response = &exchange->response;
	struct h1_wire wire = wire_for(exchange);
	size_t bound = h1_write_bound(&response->fields, response->reason.len + wire.upgrade.len);
	struct io_buf *buf = io_buf_new_brief(loop_of(exchange), (uint32_t)bound);
	size_t len;

	if (!buf)
		return NULL;
	if (h1_write_response(response, &wire, buf->base, buf->cap, &len) < 0) {
		io_buf_release(loop_of(exchange), buf);
		return NULL;
	}
	buf->end = (uint32_t)len;
	exchange->head_out += len;
	return buf;
}

static void forget_head(struct exchange_leg *leg)
{
	http_fields_clear(&leg->response->fields);
	*leg->response = (struct http_response){.fields = leg->response->fields};
	leg->parser = (struct h1_parser){.limits = leg->parser.limits};
}

/* What the client has not taken waits at the endpoint, until exchange_on_answer_sent(). */
static void wait_for_client(struct exchange *exchange)
{
	const struct io_stream *client = exchange_client(exchange);

	if (client->queued <= exchange_buffer_limit(exchange))
		return;
	io_stream_recv_stop(&exchange->leg->backend->stream);
	uptake_begin(&exchange->client->answers, client);
}

/* 1xx (RFC 9110 15.2): of no use to a client of HTTP/1.0. */
static int pass_interim(struct exchange *exchange)
{
	struct io_buf *buf;

	http_fields_strip_connection(&exchange->response.fields);
	if (knows_chunks(exchange)) {
		buf = write_head(exchange);
		if (!buf)
			return -ENOMEM;
		io_stream_send(exchange_client(exchange), buf);
		wait_for_client(exchange);
	}
	forget_head(exchange->leg);
	return 0;
}

/* --- The body ------------------------------------------------------------------- */

/* For more of a body to come behind a full buffer, before what a filter holds back goes on. */
#define FLUSH_MS 20

static void pass_body(struct exchange *exchange, struct io_buf *head, struct io_buf *buf);

static void on_flush_due(struct io_timer *timer)
{
	pass_body(container_of(timer, struct exchange, flush_due), NULL, NULL);
}

/* @may_hold: a filter has been told that more comes, which nobody knows. */
static void expect_more(struct exchange *exchange, bool may_hold)
{
	exchange->flush_due.on_expire = on_flush_due;
	if (may_hold && !exchange->down.is_done)
		io_timer_start(loop_of(exchange), &exchange->flush_due, FLUSH_MS);
	else
		io_timer_stop(loop_of(exchange), &exchange->flush_due);
}

static void pass_body(struct exchange *exchange, struct io_buf *head, struct io_buf *buf)
{
	struct body_sink sink = {.stream = exchange_client(exchange),
				 .head = head,
				 .form = exchange->form,
				 .has_chunks = exchange->has_chunks};
	bool is_full = buf && buf->end == buf->cap;
	struct body_tap tap;
	struct io_buf *rest;
	int err;

	/* Who has not asked for trailers may not look for them (RFC 9110 6.5.1). */
	sink.trailers = exchange->request.accepts_trailers ? &exchange->down_trailers : NULL;
	sink.judge = exchange_judge_answer_trailer;
	sink.context = exchange;
	sink.tap = exchange_filter_tap_down(exchange, &tap);
	err = body_pass(&sink, &exchange->down, buf, &rest);

	exchange->has_chunks = sink.has_chunks;
	if (err) {
		exchange_abort(exchange, EXCHANGE_END_BAD_ANSWER,
			       h1_defect_text(exchange->down.defect));
		return;
	}
	if (rest) {
		/* Nobody asked for it: such a connection is not used again. */
		io_buf_release(loop_of(exchange), rest);
		exchange->response.is_persistent = false;
	}
	http_client_allow(exchange->client, exchange_listener(exchange)->http.body_timeout_ms);
	expect_more(exchange, sink.tap && is_full);
	wait_for_client(exchange);
	exchange_finish_if_done(exchange);
}

static void on_answer_end(struct exchange *exchange)
{
	struct body_sink sink = {.stream = exchange_client(exchange),
				 .form = exchange->form,
				 .has_chunks = exchange->has_chunks};
	struct body_tap tap;

	sink.tap = exchange_filter_tap_down(exchange, &tap);
	if (h1_body_end(&exchange->down) < 0) {
		exchange_abort(exchange, EXCHANGE_END_ANSWER_CUT, NULL);
		return;
	}
	exchange->down.is_done = true;
	exchange->response.is_persistent = false;
	if (body_pass_end(&sink, &exchange->down) < 0)
		exchange_abort(exchange, EXCHANGE_END_NO_MEMORY, NULL);
	else
		exchange_finish_if_done(exchange);
}

/*
 * An answer may come before the request's end (an error, mostly): the rest of the request is then
 * not waited for, and the connection ends behind the answer.
 */
void exchange_finish_if_done(struct exchange *exchange)
{
	if (!exchange->is_answer_begun || !exchange->down.is_done)
		return;
	exchange_finish(exchange, EXCHANGE_END_DONE, exchange->up.is_done);
}

/* --- The final response --------------------------------------------------------- */

/* The buffer that the fields lie in goes on with the body; the log may want them at the end. */
static int keep_head(struct exchange *exchange, const struct io_buf *rest)
{
	const struct config *config = exchange->client->session->view->snapshot->config;
	size_t len = exchange->leg->answer_head;
	const char *head = rest->base + rest->start - len;
	char *copy;

	if (!template_has(&config->access_log.template, CONFIG_VARIABLE_RESPONSE_HEADER))
		return 0;
	copy = arena_strdup(&exchange->arena, slice_of(head, len));
	if (!copy)
		return -ENOMEM;
	http_response_rebase(&exchange->response, head, len, copy);
	return 0;
}

/* Return: 0; -ENOMEM. */
static int add_way_back(struct exchange *exchange)
{
	struct http_response *response = &exchange->response;
	int err = http_via_add(&response->fields, response->version,
			       slice_from_str(EXCHANGE_PSEUDONYM));

	return err ? err : exchange_add_date(exchange, &response->fields);
}

static void begin_answer(struct exchange *exchange, struct io_buf *rest)
{
	struct http_response *response = &exchange->response;
	struct io_buf *head;

	http_fields_strip_connection(&response->fields);
	if (keep_head(exchange, rest) < 0 || sticky_mark(exchange) < 0) {
		io_buf_release(loop_of(exchange), rest);
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
		return;
	}
	if (exchange->filters && !exchange_filter_answer(exchange)) {
		io_buf_release(loop_of(exchange), rest);
		return;
	}
	exchange->form = form_for(exchange);
	exchange->is_last = !exchange->request.is_persistent || !exchange->up.is_done ||
			    exchange->form == BODY_PLAIN || exchange_worker(exchange)->is_draining;
	head = add_way_back(exchange) == 0 ? write_head(exchange) : NULL;
	if (!head ||
	    h1_body_init(&exchange->down, response->framing, NULL, &exchange->down_trailers) < 0) {
		io_buf_release(loop_of(exchange), head);
		io_buf_release(loop_of(exchange), rest);
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
		return;
	}
	exchange->is_answer_begun = true;
	exchange->status = response->status;
	pass_body(exchange, head, rest);
}

/* --- Both have left HTTP -------------------------------------------------------- */

static void begin_tunnel(struct exchange *exchange, struct io_buf *rest)
{
	struct http_fields *fields = &exchange->response.fields;
	struct io_buf *head;

	/* The backend chooses among what the client offered. */
	exchange->upgrade = http_fields_value(fields, HTTP_FIELD_UPGRADE);
	http_fields_strip_connection(fields);
	head = write_head(exchange);
	if (!head) {
		io_buf_release(loop_of(exchange), rest);
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
		return;
	}
	exchange->is_answer_begun = true;
	exchange->status = exchange->response.status;
	io_stream_send(exchange_client(exchange), head);
	http_client_on_upgrade(exchange->client, rest);
}

/* --- From the backend ----------------------------------------------------------- */

/* Return: 0: a final response's head is whole; 1: more is needed; -1: it has been dealt with. */
static int read_head(struct exchange_leg *leg)
{
	struct exchange *exchange = leg->exchange;
	const struct h1_asked asked = {
		.method = exchange->request.method,
		.for_upgrade = exchange->request.wants_upgrade,
	};
	struct slice bytes;
	size_t len;
	int err;

	for (;;) {
		bytes = input_bytes(&leg->answer);
		err = h1_parse_response(&leg->parser, bytes, &asked, leg->response, &len);
		if (err == -EAGAIN)
			return 1;
		if (err) {
			fail(leg, 502, EXCHANGE_END_BAD_ANSWER, h1_defect_text(leg->parser.defect));
			return -1;
		}
		leg->answer_head = len;
		if (leg->response->status >= 200 || leg->response->status == 101)
			return 0;
		exchange_choose(leg);
		if (pass_interim(exchange) < 0) {
			fail(leg, 503, EXCHANGE_END_NO_MEMORY, NULL);
			return -1;
		}
		input_consume(loop_of(exchange), &leg->answer, len);
		if (!leg->answer.buf)
			return 1;
	}
}

/* Whether the answer's head is not for the client: another endpoint is asked. */
static bool is_worth_another(struct exchange_leg *leg)
{
	uint16_t status = leg->response->status;

	pool_view_report_answer(leg->dial.pool_view, leg->dial.endpoint, status >= 500);
	return status >= 502 && status <= 504 && exchange_try_again(leg, EXCHANGE_UNAVAILABLE);
}

/* Once the head has gone, nobody can be told any more that what came with it is no body. Return:
 * what is wrong; NULL: nothing so far. */
static const char *defect_behind_head(const struct exchange_leg *leg)
{
	struct http_fields trailers = {.arena = &leg->exchange->arena};
	struct slice bytes = slice_skip(input_bytes(&leg->answer), leg->answer_head);
	struct h1_body body;
	struct h1_span span;

	if (h1_body_init(&body, leg->response->framing, NULL, &trailers) < 0)
		return NULL;
	while (bytes.len && !body.is_done) {
		if (h1_body_pass(&body, bytes, &span) < 0)
			return h1_defect_text(body.defect);
		bytes = slice_skip(bytes, span.bytes.len);
	}
	return NULL;
}

/* Return: what is wrong with a final answer whose head can be read; NULL: nothing so far. */
static const char *defect_of(const struct exchange_leg *leg)
{
	if (leg->response->framing.kind != HTTP_FRAMING_TUNNEL)
		return defect_behind_head(leg);
	return leg->response->status != 101 || http_upgrade_was_offered(&leg->response->fields,
									leg->exchange->upgrade)
		       ? NULL
		       : "it switches to a protocol that was not offered";
}

static void keep_part_of_head(struct exchange_leg *leg)
{
	if (input_keep(loop_of(leg->exchange), &leg->answer) < 0)
		fail(leg, 503, EXCHANGE_END_NO_MEMORY, NULL);
	else if (leg->answer.buf)
		h1_response_moved(&leg->parser, input_bytes(&leg->answer).ptr, leg->response);
}

/* The head's fields are written before the buffer that they lie in goes on with the body. */
static void take_head(struct exchange_leg *leg)
{
	struct exchange *exchange = leg->exchange;
	const char *defect;
	struct io_buf *rest;

	switch (read_head(leg)) {
	case 0:
		break;
	case 1:
		keep_part_of_head(leg);
		return;
	default:
		return;
	}
	if (is_worth_another(leg))
		return;
	defect = defect_of(leg);
	if (defect) {
		fail(leg, 502, EXCHANGE_END_BAD_ANSWER, defect);
		return;
	}
	exchange_choose(leg);
	rest = input_take(&leg->answer);
	rest->start += (uint32_t)leg->answer_head;
	if (exchange->response.framing.kind == HTTP_FRAMING_TUNNEL)
		begin_tunnel(exchange, rest);
	else
		begin_answer(exchange, rest);
}

/* Whatever writes in two small pieces must not wait for our ACK. */
static void note_first_byte(struct exchange_leg *leg)
{
	uint64_t now_us = io_loop_now_us(loop_of(leg->exchange));

	if (leg->first_byte_us)
		return;
	leg->first_byte_us = now_us;
	if (!leg->is_reused)
		socket_release_ack(leg->backend->stream.fd);
	pool_view_report_first_byte(leg->dial.pool_view, leg->dial.endpoint, 0);
}

void exchange_on_answer(struct exchange_leg *leg, struct io_buf *buf, int status)
{
	struct exchange *exchange = leg->exchange;

	if (!buf) {
		if (!exchange->is_answer_begun)
			on_gone(leg, status);
		else if (status < 0)
			exchange_abort(exchange, EXCHANGE_END_ANSWER_CUT, NULL);
		else
			on_answer_end(exchange);
		return;
	}
	note_first_byte(leg);
	if (exchange->is_answer_begun) {
		pass_body(exchange, NULL, buf);
		return;
	}
	if (input_append(loop_of(exchange), &leg->answer, buf) < 0)
		fail(leg, 503, EXCHANGE_END_NO_MEMORY, NULL);
	else
		take_head(leg);
}

/* --- From the client's side ----------------------------------------------------- */

/* The backend, which may have been kept waiting, has its time from now on. */
static void hear_on(struct exchange *exchange)
{
	if (exchange->is_answer_begun)
		http_client_allow(exchange->client, exchange_patience(exchange));
	io_stream_recv_start(&exchange->leg->backend->stream);
}

void exchange_on_answer_sent(struct exchange *exchange)
{
	struct http_backend *backend = exchange->leg->backend;

	if (!exchange->is_over && exchange->source)
		exchange->source->on_room(exchange->source);
	else if (!exchange->is_over && backend && backend->is_connected && !exchange->down.is_done)
		hear_on(exchange);
}
