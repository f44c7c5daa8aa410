// SPDX-License-Identifier: Apache-2.0
/* From a pool to a connection that takes the request: an idle one, or a new one by a dial, as far
 * as the pool's breaker lets it. */
#include "proxy/exchange.h"
#include "proxy/http_backend.h"
#include "proxy/http_client.h"
#include "proxy/mirror.h"
#include "proxy/session.h"
#include "proxy/sticky.h"

#include <errno.h>

static struct exchange_leg *leg_of(struct dial *dial)
{
	return container_of(dial, struct exchange_leg, dial);
}

/* --- What the connection tells -------------------------------------------------- */

static struct exchange_leg *leg_of_user(struct http_backend_user *user)
{
	return container_of(user, struct exchange_leg, user);
}

static void on_connect(struct http_backend_user *user, int status)
{
	dial_on_connect(&leg_of_user(user)->dial, status);
}

static void on_answer(struct http_backend_user *user, struct io_buf *buf, int status)
{
	exchange_on_answer(leg_of_user(user), buf, status);
}

static void on_sent(struct http_backend_user *user, int status)
{
	exchange_on_request_sent(leg_of_user(user), status);
}

static struct http_backend_user *user_of(struct exchange_leg *leg)
{
	static const struct http_backend_ops ops = {
		.on_connect = on_connect,
		.on_answer = on_answer,
		.on_sent = on_sent,
	};

	leg->user.ops = &ops;
	return &leg->user;
}

/* --- What the dial asks --------------------------------------------------------- */

static struct breaker *breaker_of(const struct exchange_leg *leg)
{
	return &leg->dial.view->snapshot->pools[leg->dial.pool]->breaker;
}

bool exchange_enter(struct exchange_leg *leg, enum breaker_gauge gauge)
{
	return breaker_enter(breaker_of(leg), &dial_pool(&leg->dial)->breaker, gauge, &leg->places);
}

static bool enter_or_refuse(struct exchange_leg *leg, enum breaker_gauge gauge)
{
	bool has_place = exchange_enter(leg, gauge);

	if (!has_place)
		exchange_refuse(leg->exchange, 503, EXCHANGE_END_CIRCUIT_OPEN,
				breaker_gauge_name(gauge));
	return has_place;
}

static void send_request(struct exchange_leg *leg)
{
	breaker_leave(breaker_of(leg), BREAKER_PENDING, &leg->places);
	exchange_send_request(leg);
}

/* A new connection makes the request wait, which the breaker may forbid. */
static bool has_connection(struct dial *dial)
{
	struct exchange_leg *leg = leg_of(dial);

	if (!leg->wants_fresh && http_backend_is_shared(dial_pool(dial)))
		leg->backend = http_backend_take(dial->view, dial->endpoint, user_of(leg));
	leg->is_reused = leg->backend != NULL;
	exchange_expect(leg);
	if (!leg->is_reused)
		return !enter_or_refuse(leg, BREAKER_PENDING);
	send_request(leg);
	return true;
}

static void on_wait(struct dial *dial)
{
	(void)enter_or_refuse(leg_of(dial), BREAKER_PENDING);
}

static struct io_stream *on_socket(struct dial *dial, int fd)
{
	struct exchange_leg *leg = leg_of(dial);

	leg->backend = http_backend_open(dial->view, dial->endpoint, fd, user_of(leg));
	return leg->backend ? &leg->backend->stream : NULL;
}

static void on_handshake(struct io_stream *stream, const struct tls_result *result)
{
	struct http_backend *backend = container_of(stream, struct http_backend, stream);

	dial_on_handshake(&leg_of_user(backend->user)->dial, result);
}

static void on_ready(struct dial *dial)
{
	struct exchange_leg *leg = leg_of(dial);

	http_backend_ready(leg->backend);
	send_request(leg);
}

static void on_lost(struct dial *dial, enum io_close_how how)
{
	struct exchange_leg *leg = leg_of(dial);

	http_backend_close(leg->backend, how);
	leg->backend = NULL;
	if (!exchange_give_way(leg))
		dial_next(dial);
}

static void on_failed(struct dial *dial, enum dial_failure failure)
{
	static const struct {
		uint16_t status;
		enum exchange_end end;
	} answers[] = {
		[DIAL_NO_ENDPOINT] = {503, EXCHANGE_END_NO_ENDPOINT},
		[DIAL_CONNECT_FAILED] = {502, EXCHANGE_END_CONNECT_FAILED},
		[DIAL_TLS_FAILED] = {502, EXCHANGE_END_CONNECT_FAILED},
		[DIAL_QUEUE_FULL] = {503, EXCHANGE_END_QUEUE_FULL},
		[DIAL_QUEUE_TIMEOUT] = {503, EXCHANGE_END_QUEUE_TIMEOUT},
		[DIAL_NO_DESCRIPTORS] = {503, EXCHANGE_END_NO_DESCRIPTORS},
		[DIAL_NO_MEMORY] = {503, EXCHANGE_END_NO_MEMORY},
	};
	bool is_late = failure == DIAL_CONNECT_FAILED && dial->error == -ETIMEDOUT;

	if (exchange_give_way(leg_of(dial)))
		return;
	exchange_refuse(leg_of(dial)->exchange, is_late ? 504 : answers[failure].status,
			answers[failure].end, NULL);
}

static void introduce(const struct dial *dial, struct proxy_header *header)
{
	const struct exchange_leg *leg = container_of(dial, struct exchange_leg, dial);

	session_introduce(leg->exchange->client->session, header);
}

static const struct dial_ops dial_ops = {
	.introduce = introduce,
	.has_connection = has_connection,
	.on_wait = on_wait,
	.on_socket = on_socket,
	.on_handshake = on_handshake,
	.on_ready = on_ready,
	.on_lost = on_lost,
	.on_failed = on_failed,
};

void exchange_pick_now(struct exchange *exchange)
{
	struct dial *dial = &exchange->leg->dial;

	if (!enter_or_refuse(exchange->leg, BREAKER_REQUESTS))
		return;
	exchange_limit_tries(exchange);
	dial->client = exchange_source(exchange);
	dial->place = exchange_place(exchange, exchange_pool(exchange));
	if (sticky_read(exchange) < 0) {
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
		return;
	}
	mirror_begin(exchange);
	dial_start(dial, dial->pool);
}

void exchange_pick(struct exchange *exchange, size_t pool)
{
	const struct session *session = exchange->client->session;
	struct dial *dial = &exchange->leg->dial;

	dial->ops = &dial_ops;
	dial->view = session->view;
	dial->source = &session->client_address;
	dial->pool = pool;
	dial->pool_view = session->view->pools[pool];
	exchange_limit_time(exchange);
	if (!exchange_gather(exchange))
		exchange_pick_now(exchange);
}

/* --- The connection is done with ------------------------------------------------ */

/* Both messages have ended, and the backend has taken the request: one that has answered before may
 * never take the rest, and whoever comes next would wait behind it. */
static bool is_at_rest(const struct exchange *exchange, const struct http_backend *backend)
{
	return exchange->response.is_persistent && exchange->up.is_done && exchange->down.is_done &&
	       !backend->stream.queued;
}

void exchange_release_backend(struct exchange_leg *leg, bool may_stay)
{
	const struct exchange *exchange = leg->exchange;
	const struct config_pool_http *config;
	struct http_backend *backend = leg->backend;

	leg->backend = NULL;
	if (!backend)
		return;
	config = &exchange_pool(exchange)->http;
	if (may_stay && is_at_rest(exchange, backend) &&
	    http_backend_is_shared(exchange_pool(exchange)))
		http_backend_give(backend, config->idle_timeout_ms, config->idle_connections);
	else
		http_backend_close(backend, exchange->down.is_done ? IO_CLOSE_FIN : IO_CLOSE_RESET);
}

void exchange_leave_pool(struct exchange_leg *leg)
{
	if (!leg->dial.pool_view)
		return;
	input_release(exchange_worker(leg->exchange)->loop, &leg->answer);
	breaker_leave_all(breaker_of(leg), &leg->places);
	dial_done(&leg->dial);
}
