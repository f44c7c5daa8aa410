// SPDX-License-Identifier: Apache-2.0
/* A client's connection in mode http: reads heads, starts exchanges, waits between them, ends. */
#include "proxy/http_client.h"

#include "proxy/http_tunnel.h"
#include "proxy/session.h"

#include <errno.h>
#include <stdio.h>

/* So much of what a client sends ahead is read; the rest waits in its socket. */
#define INPUT_ENOUGH 16384
/* For a client to take the last answer's end before the connection goes (RFC 9112 9.6). */
#define LINGER_MS 2000

static struct io_stream *stream_of(const struct http_client *client)
{
	return &client->session->client;
}

static struct io_loop *loop_of(const struct http_client *client)
{
	return client->worker->loop;
}

static const struct config_http *config_of(const struct http_client *client)
{
	return &client->session->listener->config->http;
}

/* Answers of requests that were sent ahead wait for the client, and no more than so many bytes. */
static bool is_behind(const struct http_client *client)
{
	return stream_of(client)->queued >
	       client->session->view->snapshot->config->limits.relay_buffer_bytes;
}

static void close_client(struct http_client *client, enum connection_end end)
{
	session_end(client->session, end, IO_CLOSE_FIN, IO_CLOSE_FIN);
}

/* The timer is mostly left to run: when it fires, it looks whether the deadline has moved. */
void http_client_allow(struct http_client *client, uint32_t ms)
{
	struct io_timer *timer = &client->session->timer;

	client->deadline_ms = ms ? io_loop_now_ms(loop_of(client)) + ms : UINT64_MAX;
	if (!ms)
		io_timer_stop(loop_of(client), timer);
	else if (!io_timer_is_pending(timer) || timer->expires_ms > client->deadline_ms)
		io_timer_start(loop_of(client), timer, ms);
}

void http_client_hold_back(struct http_client *client)
{
	io_stream_recv_stop(stream_of(client));
	client->sending = (struct pace){};
}

/* --- The end -------------------------------------------------------------------- */

static void end_if_taken(struct http_client *client)
{
	if (client->has_ended && !stream_of(client)->queued)
		close_client(client, CONNECTION_END_DONE);
}

/* Closing at once would reset a client that still sends, and its kernel would throw our answer
 * away. */
static void linger(struct http_client *client)
{
	bool is_taken = !stream_of(client)->queued;

	client->phase = HTTP_CLIENT_LINGER;
	input_release(loop_of(client), &client->input);
	io_stream_shutdown(stream_of(client));
	io_stream_recv_start(stream_of(client));
	if (!is_taken)
		uptake_begin(&client->answers, stream_of(client));
	http_client_allow(client, is_taken ? LINGER_MS : config_of(client)->body_timeout_ms);
	end_if_taken(client);
}

/* It is asked no more, but may still have to take what we have said. */
static void end_behind_answer(struct http_client *client)
{
	if (stream_of(client)->queued)
		linger(client);
	else
		close_client(client, CONNECTION_END_DONE);
}

void http_client_end_in_request(struct http_client *client)
{
	if (!stream_of(client)->queued) {
		close_client(client, CONNECTION_END_CLIENT_GONE);
		return;
	}
	exchange_stop(client->exchange, EXCHANGE_END_CLIENT_GONE);
	linger(client);
}

/* --- Requests ------------------------------------------------------------------- */

/* The head outlives the buffer that it came in. */
static int keep_head(struct exchange *exchange, struct slice head)
{
	char *copy = arena_strdup(&exchange->arena, head);

	if (!copy)
		return -ENOMEM;
	http_request_rebase(&exchange->request, head.ptr, head.len, copy);
	return 0;
}

static enum exchange_end end_of(unsigned status)
{
	switch (status) {
	case 414:
	case 431:
		return EXCHANGE_END_TOO_LARGE;
	case 503:
		return EXCHANGE_END_NO_MEMORY;
	default:
		return EXCHANGE_END_BAD_REQUEST;
	}
}

static void refuse_defect(struct exchange *exchange)
{
	enum h1_defect defect = exchange->parser.defect;
	unsigned status = h1_defect_status(defect);

	exchange_refuse(exchange, status, end_of(status), h1_defect_text(defect));
}

static void on_part_of_head(struct http_client *client)
{
	if (client->has_ended) {
		http_client_end_in_request(client);
		return;
	}
	if (client->phase == HTTP_CLIENT_IDLE)
		http_client_allow(client, config_of(client)->request_timeout_ms);
	client->phase = HTTP_CLIENT_HEAD;
	/* As much of it as is read ahead may have stopped the reading. */
	io_stream_recv_start(stream_of(client));
}

static void read_request(struct http_client *client)
{
	struct slice bytes = input_bytes(&client->input);
	struct exchange *exchange = client->exchange;
	size_t len;
	int err;

	if (!exchange)
		exchange = client->exchange = exchange_new(client);
	if (!exchange) {
		session_reset(client->session, CONNECTION_END_NO_MEMORY);
		return;
	}
	err = h1_parse_request(&exchange->parser, bytes, &exchange->request, &len);
	if (err == -EAGAIN) {
		on_part_of_head(client);
		return;
	}
	client->phase = HTTP_CLIENT_EXCHANGE;
	if (err) {
		refuse_defect(exchange);
		return;
	}
	exchange->head_in = len;
	if (keep_head(exchange, slice_of(bytes.ptr, len)) < 0) {
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
		return;
	}
	input_consume(loop_of(client), &client->input, len);
	exchange_begin(exchange);
}

/* What is left waits on the heap. A head may become as long as its parser allows. */
static void keep_rest(struct http_client *client)
{
	bool is_wanted = client->phase == HTTP_CLIENT_HEAD ||
			 (client->exchange && client->exchange->gather.limit);

	if (!is_wanted && input_bytes(&client->input).len >= INPUT_ENOUGH)
		http_client_hold_back(client);
	(void)input_keep(loop_of(client), &client->input);
	if (client->phase == HTTP_CLIENT_HEAD && client->input.buf)
		h1_request_moved(&client->exchange->parser, input_bytes(&client->input).ptr,
				 &client->exchange->request);
}

static void use_input(struct http_client *client)
{
	if (client->phase == HTTP_CLIENT_EXCHANGE)
		exchange_on_request(client->exchange);
	else if (client->phase == HTTP_CLIENT_IDLE && is_behind(client))
		http_client_hold_back(client); /* until http_client_on_sent() */
	else if (input_bytes(&client->input).len)
		read_request(client);
	keep_rest(client);
}

/* --- Between exchanges ---------------------------------------------------------- */

static void release(struct http_client *client)
{
	if (client->exchange)
		exchange_free(client->exchange);
	http_tunnel_free(client->tunnel);
	free_list_give(&client->worker->http_clients, client);
}

static bool may_go_on(const struct http_client *client)
{
	return !client->exchange->is_last && !client->worker->is_draining;
}

static void await_request(struct http_client *client)
{
	client->phase = HTTP_CLIENT_IDLE;
	if (stream_of(client)->queued)
		uptake_begin(&client->answers, stream_of(client));
	http_client_allow(client, config_of(client)->keepalive_timeout_ms);
	if (input_bytes(&client->input).len < INPUT_ENOUGH)
		io_stream_recv_start(stream_of(client));
	if (input_bytes(&client->input).len)
		use_input(client);
	else if (client->has_ended)
		end_behind_answer(client);
}

/* At the round's end, so that a row of requests in one buffer is no recursion. */
static void on_next(struct io_task *task)
{
	struct http_client *client = container_of(task, struct http_client, next);
	bool is_last;

	if (client->is_freed) {
		release(client);
		return;
	}
	is_last = !may_go_on(client);
	client->served++;
	client->bytes_in += exchange_bytes_in(client->exchange);
	client->bytes_out += exchange_bytes_out(client->exchange);
	exchange_free(client->exchange);
	client->exchange = NULL;
	if (client->session->state == CONNECTION_CLOSING)
		return;
	if (is_last)
		linger(client);
	else
		await_request(client);
}

void http_client_on_exchange_over(struct http_client *client, bool may_stay)
{
	client->exchange->is_last |= !may_stay;
	io_loop_defer(loop_of(client), &client->next);
}

/* --- Tunnels -------------------------------------------------------------------- */

void http_client_on_upgrade(struct http_client *client, struct io_buf *from_backend)
{
	io_timer_stop(loop_of(client), &client->session->timer);
	if (http_tunnel_start(client, from_backend) < 0)
		exchange_abort(client->exchange, EXCHANGE_END_NO_MEMORY, NULL);
	else
		client->phase = HTTP_CLIENT_TUNNEL;
}

/* --- From the session ----------------------------------------------------------- */

void http_client_on_recv(struct http_client *client, struct io_buf *buf, int status)
{
	if (!buf) {
		if (status < 0) {
			session_reset(client->session, CONNECTION_END_CLIENT_RESET);
			return;
		}
		client->has_ended = true;
		if (client->phase == HTTP_CLIENT_EXCHANGE)
			exchange_on_client_end(client->exchange);
		else if (client->phase == HTTP_CLIENT_LINGER)
			end_if_taken(client);
		else if (client->phase == HTTP_CLIENT_HEAD)
			http_client_end_in_request(client);
		else if (client->phase == HTTP_CLIENT_IDLE && !input_bytes(&client->input).len)
			end_behind_answer(client);
		return;
	}
	if (client->phase == HTTP_CLIENT_LINGER)
		io_buf_release(loop_of(client), buf);
	else if (input_append(loop_of(client), &client->input, buf) < 0)
		session_reset(client->session, CONNECTION_END_NO_MEMORY);
	else
		use_input(client);
}

void http_client_on_sent(struct http_client *client, int status)
{
	if (client->phase == HTTP_CLIENT_TUNNEL)
		http_tunnel_on_sent(client->tunnel);
	else if (status < 0)
		session_reset(client->session, CONNECTION_END_CLIENT_RESET);
	else if (client->phase == HTTP_CLIENT_EXCHANGE)
		exchange_on_answer_sent(client->exchange);
	else if (client->phase == HTTP_CLIENT_IDLE && input_bytes(&client->input).len)
		await_request(client);
	else if (client->phase == HTTP_CLIENT_IDLE)
		http_client_allow(client, config_of(client)->keepalive_timeout_ms);
	else if (client->phase == HTTP_CLIENT_LINGER) {
		http_client_allow(client, LINGER_MS);
		end_if_taken(client);
	}
}

/* Its last answer waits for it: a slow client is not cut off from the rest of it, and one that
 * takes none must not believe that this was all. */
static void end_or_wait(struct http_client *client, enum connection_end end)
{
	struct io_stream *stream = stream_of(client);

	if (!stream->queued)
		close_client(client, end);
	else if (uptake_goes_on(&client->answers, stream))
		http_client_allow(client, config_of(client)->body_timeout_ms);
	else
		session_reset(client->session, CONNECTION_END_IDLE_TIMEOUT);
}

void http_client_on_timeout(struct http_client *client)
{
	uint64_t now_ms = io_loop_now_ms(loop_of(client));

	if (client->deadline_ms == UINT64_MAX)
		return;
	if (now_ms < client->deadline_ms) {
		io_timer_start(loop_of(client), &client->session->timer,
			       client->deadline_ms - now_ms);
		return;
	}
	switch (client->phase) {
	case HTTP_CLIENT_IDLE:
		end_or_wait(client, CONNECTION_END_IDLE_TIMEOUT);
		break;
	case HTTP_CLIENT_HEAD:
		client->phase = HTTP_CLIENT_EXCHANGE;
		exchange_refuse(client->exchange, 408, EXCHANGE_END_REQUEST_TIMEOUT, NULL);
		break;
	case HTTP_CLIENT_EXCHANGE:
		exchange_on_timeout(client->exchange);
		break;
	case HTTP_CLIENT_LINGER:
		end_or_wait(client, CONNECTION_END_DONE);
		break;
	case HTTP_CLIENT_TUNNEL:
		break;
	}
}

/* --- Slow ones ------------------------------------------------------------------ */

static bool is_slow_to_send(struct http_client *client, const struct pace_limit *limit)
{
	bool is_due = client->phase == HTTP_CLIENT_HEAD ||
		      (client->phase == HTTP_CLIENT_EXCHANGE &&
		       exchange_awaits_client(client->exchange));
	bool is_awaited = is_due && io_stream_is_receiving(stream_of(client));

	return pace_is_too_slow(&client->sending, limit, is_awaited, stream_of(client)->bytes_in,
				io_loop_now_ms(loop_of(client)));
}

static bool is_slow_to_take(struct http_client *client, const struct pace_limit *limit)
{
	bool is_awaited = client->phase != HTTP_CLIENT_TUNNEL && stream_of(client)->queued;

	return pace_is_too_slow(&client->taking, limit, is_awaited, stream_of(client)->bytes_out,
				io_loop_now_ms(loop_of(client)));
}

void http_client_tend(struct http_client *client)
{
	const struct pace_limit limit = {.rate = config_of(client)->min_rate,
					 .window_ms = config_of(client)->min_rate_window_ms};

	if (is_slow_to_take(client, &limit)) {
		if (client->phase == HTTP_CLIENT_EXCHANGE && !client->exchange->is_over)
			exchange_abort(client->exchange, EXCHANGE_END_CLIENT_STALLED, "min_rate");
		else
			session_reset(client->session, CONNECTION_END_IDLE_TIMEOUT);
	} else if (is_slow_to_send(client, &limit)) {
		client->phase = HTTP_CLIENT_EXCHANGE;
		exchange_on_slow_client(client->exchange);
	}
}

void http_client_describe(const struct http_client *client, struct connection_row *ret)
{
	const struct exchange *exchange = client->exchange;
	const struct config_pool *pool = exchange ? dial_pool(&exchange->leg->dial) : NULL;
	const struct endpoint *endpoint = exchange ? exchange->leg->dial.endpoint : NULL;

	if (client->phase == HTTP_CLIENT_TUNNEL)
		http_tunnel_describe(client->tunnel, ret);
	ret->bytes_in = client->bytes_in + (exchange ? exchange_bytes_in(exchange) : 0);
	ret->bytes_out = client->bytes_out + (exchange ? exchange_bytes_out(exchange) : 0);
	snprintf(ret->pool, sizeof(ret->pool), "%s", pool ? pool->name : "");
	if (!endpoint)
		return;
	snprintf(ret->endpoint, sizeof(ret->endpoint), "%s", endpoint->name);
	ret->backend = endpoint->address;
	ret->backend_tls_version = exchange->leg->dial.tls.version;
}

void http_client_drain(struct http_client *client)
{
	if (client->phase == HTTP_CLIENT_IDLE)
		end_behind_answer(client);
}

void http_client_leave(struct http_client *client)
{
	if (client->phase == HTTP_CLIENT_TUNNEL)
		http_tunnel_leave(client->tunnel);
}

/* --- Life ----------------------------------------------------------------------- */

int http_client_start(struct session *session)
{
	struct http_client *client = free_list_take(&session->worker->http_clients);

	if (!client)
		return -ENOMEM;
	client->session = session;
	client->worker = session->worker;
	client->next.on_run = on_next;
	address_format_ip(&session->client_address, client->address);
	session->http = client;
	session->state = CONNECTION_HTTP;
	client->input.buf = input_take(&session->intake);
	http_client_allow(client, config_of(client)->request_timeout_ms);
	io_stream_recv_start(&session->client);
	if (input_bytes(&client->input).len)
		use_input(client);
	return 0;
}

void http_client_stop(struct http_client *client)
{
	if (!client)
		return;
	if (client->phase == HTTP_CLIENT_TUNNEL)
		http_tunnel_stop(client->tunnel);
	if (client->exchange && !client->exchange->is_over)
		exchange_stop(client->exchange, client->worker->is_reset
							? EXCHANGE_END_SHUTDOWN
							: EXCHANGE_END_CLIENT_GONE);
	input_release(loop_of(client), &client->input);
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	client->is_freed = true;
	if (!list_is_linked(&client->next.node))
		release(client);
}
