// SPDX-License-Identifier: Apache-2.0
/* From a pool to a connection that takes the request: an idle one, or a new one; waits in the
 * pool's queue, tries another endpoint. */
#include "core/log.h"
#include "net/socket.h"
#include "proxy/exchange.h"
#include "proxy/http_backend.h"
#include "proxy/http_client.h"
#include "proxy/session.h"
#include "tls/session.h"

#include <errno.h>

static struct pool_counters *pool_counters(const struct exchange *exchange)
{
	const struct session *session = exchange->client->session;

	return &session->view->snapshot->pools[exchange->pool]->by_worker[session->worker->index];
}

static void on_turn(struct pool_waiter *waiter, int status)
{
	struct exchange *exchange = container_of(waiter, struct exchange, waiter);

	if (status < 0)
		exchange_refuse(exchange, 503, EXCHANGE_END_QUEUE_TIMEOUT, NULL);
	else
		exchange_pick(exchange);
}

static void wait_for_turn(struct exchange *exchange)
{
	exchange->waiter.on_turn = on_turn;
	if (pool_view_wait(exchange->pool_view, &exchange->waiter) < 0)
		exchange_refuse(exchange, 503, EXCHANGE_END_QUEUE_FULL, NULL);
}

/* --- A connection of its own ---------------------------------------------------- */

/* Such a pool's connections are a single client's. */
static bool is_shared(const struct config_pool *pool)
{
	return !pool->is_transparent && pool->proxy_protocol == CONFIG_PROXY_OFF;
}

static void on_connect_timeout(struct io_timer *timer)
{
	exchange_on_connect(container_of(timer, struct exchange, timer), -ETIMEDOUT);
}

static int open_socket(const struct exchange *exchange)
{
	const struct config_pool *pool = exchange_pool(exchange);
	struct address client = exchange->client->session->client_address;
	struct socket_connect_options options = {};
	int fd;

	if (pool->is_transparent) {
		options.source = &client;
		options.is_transparent = true;
	} else if (pool->source_address.len) {
		options.source = &pool->source_address;
	}
	fd = socket_for_connect(&exchange->endpoint->address, &options);
	if (fd >= 0)
		socket_hold_ack(fd);
	return fd;
}

static void open_backend(struct exchange *exchange)
{
	struct worker *worker = exchange_worker(exchange);
	int fd = open_socket(exchange);

	exchange->connect_us = io_loop_now_us(worker->loop);
	if (fd >= 0)
		exchange->backend = http_backend_open(exchange->client->session->view,
						      exchange->endpoint, fd, exchange);
	if (!exchange->backend) {
		log_warn("pool %s: endpoint %s: no socket to connect with: %s",
			 exchange_pool(exchange)->name, exchange->endpoint->name,
			 strerror(fd < 0 ? -fd : ENOMEM));
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
		return;
	}
	exchange->is_reused = false;
	exchange->timer.on_expire = on_connect_timeout;
	io_timer_start(worker->loop, &exchange->timer, exchange_pool(exchange)->connect_timeout_ms);
}

static bool take_idle(struct exchange *exchange)
{
	if (exchange->wants_fresh || !is_shared(exchange_pool(exchange)))
		return false;
	exchange->backend = http_backend_take(exchange->client->session->view, exchange->endpoint,
					      exchange);
	exchange->is_reused = exchange->backend != NULL;
	return exchange->is_reused;
}

void exchange_pick(struct exchange *exchange)
{
	const struct pool_request request = {
		.client = &exchange->client->session->client_address,
		.tried = exchange->tried,
		.ntried = exchange->ntried,
	};
	int err;

	if (!exchange->pick_us)
		exchange->pick_us = io_loop_now_us(exchange_worker(exchange)->loop);
	err = pool_view_pick(exchange->pool_view, &request, &exchange->endpoint);
	if (err == -EBUSY) {
		wait_for_turn(exchange);
	} else if (err && exchange->ntried) {
		exchange_refuse(exchange, 502, EXCHANGE_END_CONNECT_FAILED, NULL);
	} else if (err) {
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_ENDPOINT, NULL);
	} else {
		exchange->tried[exchange->ntried++] = endpoint_ref(exchange->endpoint);
		if (take_idle(exchange))
			exchange_send_request(exchange);
		else
			open_backend(exchange);
	}
}

/* --- Another try ---------------------------------------------------------------- */

static bool has_tries_left(const struct exchange *exchange)
{
	return exchange->ntried <= exchange_pool(exchange)->connect_retries &&
	       exchange->ntried < POOL_TRIES_MAX;
}

/*
 * Once a backend may have seen the request, only one that does no harm when it is done twice may be
 * sent again (RFC 9110 9.2.2), and only if none of its body has been passed on.
 */
bool exchange_may_retry(const struct exchange *exchange)
{
	return http_method_is_idempotent(exchange->request.method) && exchange->up.is_done &&
	       exchange->up.payload == 0 && !exchange->is_answer_begun && !exchange->answer.buf &&
	       has_tries_left(exchange);
}

void exchange_retry(struct exchange *exchange)
{
	exchange_release_backend(exchange, false);
	pool_view_release(exchange->pool_view, exchange->endpoint);
	exchange->endpoint = NULL;
	exchange->is_head_sent = false;
	exchange->wants_fresh = true;
	counter_add(&pool_counters(exchange)->retries, 1);
	exchange_pick(exchange);
}

static void on_failure(struct exchange *exchange, int error)
{
	pool_view_report_connect(exchange->pool_view, exchange->endpoint, error, 0);
	counter_add(&pool_counters(exchange)->connect_failures, 1);
	if (has_tries_left(exchange))
		exchange_retry(exchange);
	else
		exchange_refuse(exchange, error == -ETIMEDOUT ? 504 : 502,
				EXCHANGE_END_CONNECT_FAILED, NULL);
}

/* --- The connection stands ------------------------------------------------------ */

static void on_ready(struct exchange *exchange)
{
	uint64_t now_us = io_loop_now_us(exchange_worker(exchange)->loop);
	uint64_t took_us = now_us - exchange->connect_us;

	io_timer_stop(exchange_worker(exchange)->loop, &exchange->timer);
	pool_view_report_connect(exchange->pool_view, exchange->endpoint, 0, (uint32_t)took_us);
	histogram_observe(&pool_counters(exchange)->connect_time, took_us);
	exchange->connected_us = now_us;
	http_backend_ready(exchange->backend);
	exchange_send_request(exchange);
}

static void on_handshake(struct io_stream *stream, const struct tls_result *result)
{
	struct http_backend *backend = container_of(stream, struct http_backend, stream);
	struct exchange *exchange = backend->exchange;

	if (result->failure == TLS_FAILURE_NONE) {
		on_ready(exchange);
		return;
	}
	log_warn("pool %s: endpoint %s: TLS handshake: %s", exchange_pool(exchange)->name,
		 exchange->endpoint->name, result->reason);
	io_timer_stop(exchange_worker(exchange)->loop, &exchange->timer);
	on_failure(exchange, -ECONNREFUSED);
}

/* The connect's timer goes on; the handshake's own only stands behind it. */
static int secure(struct exchange *exchange, const struct tls_client_context *context)
{
	const struct worker_view *view = exchange->client->session->view;
	const struct tls_start start = {
		.pacer = exchange_worker(exchange)->tls_pacer,
		.timeout_ms = exchange_pool(exchange)->connect_timeout_ms * 2,
		.on_ready = on_handshake,
	};
	char host[ENDPOINT_HOST_SIZE];
	const struct tls_target target = {
		.server = endpoint_host(exchange->endpoint, host),
		.cache = view->tls_caches[exchange->pool],
		.id = exchange->endpoint->id,
	};

	return tls_connect(context, &target, &exchange->backend->stream, &start,
			   &exchange->backend->tls);
}

void exchange_on_connect(struct exchange *exchange, int status)
{
	const struct tls_client_context *context = pool_tls(pool_view_pool(exchange->pool_view));

	if (status == 0 && context)
		status = secure(exchange, context);
	else if (status == 0)
		on_ready(exchange);
	if (status == 0)
		return;
	io_timer_stop(exchange_worker(exchange)->loop, &exchange->timer);
	on_failure(exchange, status);
}

void exchange_release_backend(struct exchange *exchange, bool may_stay)
{
	const struct config_pool_http *config;
	struct http_backend *backend = exchange->backend;

	exchange->backend = NULL;
	if (!backend)
		return;
	config = &exchange_pool(exchange)->http;
	if (may_stay && exchange->response.is_persistent && exchange->up.is_done &&
	    exchange->down.is_done && is_shared(exchange_pool(exchange)))
		http_backend_give(backend, config->idle_timeout_ms, config->idle_connections);
	else
		http_backend_close(backend, exchange->down.is_done ? IO_CLOSE_FIN : IO_CLOSE_RESET);
}
