// SPDX-License-Identifier: Apache-2.0
/* From a pool to a connection that takes the request: an idle one, or a new one by a dial; and when
 * a request may be sent another time. */
#include "proxy/exchange.h"
#include "proxy/http_backend.h"
#include "proxy/http_client.h"
#include "proxy/session.h"

#include <errno.h>

static struct exchange *exchange_of(struct dial *dial)
{
	return container_of(dial, struct exchange, dial);
}

/* Such a pool's connections are a single client's. */
static bool is_shared(const struct config_pool *pool)
{
	return !pool->is_transparent && pool->proxy_protocol == CONFIG_PROXY_OFF;
}

/* --- What the dial asks --------------------------------------------------------- */

static bool has_connection(struct dial *dial)
{
	struct exchange *exchange = exchange_of(dial);

	if (exchange->wants_fresh || !is_shared(dial_pool(dial)))
		return false;
	exchange->backend = http_backend_take(dial->session->view, dial->endpoint, exchange);
	exchange->is_reused = exchange->backend != NULL;
	if (exchange->is_reused)
		exchange_send_request(exchange);
	return exchange->is_reused;
}

static struct io_stream *on_socket(struct dial *dial, int fd)
{
	struct exchange *exchange = exchange_of(dial);

	exchange->is_reused = false;
	exchange->backend = http_backend_open(dial->session->view, dial->endpoint, fd, exchange);
	return exchange->backend ? &exchange->backend->stream : NULL;
}

static void on_handshake(struct io_stream *stream, const struct tls_result *result)
{
	struct http_backend *backend = container_of(stream, struct http_backend, stream);

	dial_on_handshake(&backend->exchange->dial, result);
}

static void on_ready(struct dial *dial)
{
	struct exchange *exchange = exchange_of(dial);

	http_backend_ready(exchange->backend);
	exchange_send_request(exchange);
}

static void on_lost(struct dial *dial, enum io_close_how how)
{
	struct exchange *exchange = exchange_of(dial);

	http_backend_close(exchange->backend, how);
	exchange->backend = NULL;
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
		[DIAL_NO_MEMORY] = {503, EXCHANGE_END_NO_MEMORY},
	};
	bool is_late = failure == DIAL_CONNECT_FAILED && dial->error == -ETIMEDOUT;

	exchange_refuse(exchange_of(dial), is_late ? 504 : answers[failure].status,
			answers[failure].end, NULL);
}

static const struct dial_ops dial_ops = {
	.has_connection = has_connection,
	.on_socket = on_socket,
	.on_handshake = on_handshake,
	.on_ready = on_ready,
	.on_lost = on_lost,
	.on_failed = on_failed,
};

void exchange_pick(struct exchange *exchange, size_t pool)
{
	exchange->dial.ops = &dial_ops;
	exchange->dial.session = exchange->client->session;
	dial_start(&exchange->dial, pool);
}

/* --- Another try ---------------------------------------------------------------- */

/*
 * Once a backend may have seen the request, only one that does no harm when it is done twice may be
 * sent again (RFC 9110 9.2.2), and only if none of its body has been passed on.
 */
bool exchange_may_retry(const struct exchange *exchange)
{
	return http_method_is_idempotent(exchange->request.method) && exchange->up.is_done &&
	       exchange->up.payload == 0 && !exchange->is_answer_begun && !exchange->answer.buf &&
	       dial_has_tries_left(&exchange->dial);
}

void exchange_retry(struct exchange *exchange)
{
	exchange_release_backend(exchange, false);
	exchange->is_head_sent = false;
	exchange->wants_fresh = true;
	dial_next(&exchange->dial);
}

/* --- The connection is done with ------------------------------------------------ */

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
