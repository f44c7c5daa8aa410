// SPDX-License-Identifier: Apache-2.0
/* From a pool to a connected backend: picks, waits in the queue, connects, tries another endpoint.
 * No byte of the client has been sent before the connection stands, so a retry is always safe. */
#include "core/log.h"
#include "net/proxy_protocol.h"
#include "net/socket.h"
#include "proxy/session.h"

#include <errno.h>
#include <string.h>

#define RESOURCES_WAIT_MS 50

static struct pool_counters *pool_counters(const struct session *session)
{
	return &session->view->snapshot->pools[session->pool]->by_worker[session->worker->index];
}

static void pick(struct session *session);

static void on_turn(struct pool_waiter *waiter, int status)
{
	struct session *session = container_of(waiter, struct session, waiter);

	if (status < 0)
		session_reset(session, CONNECTION_END_QUEUE_TIMEOUT);
	else
		pick(session);
}

static void wait_for_turn(struct session *session)
{
	session->state = CONNECTION_QUEUED;
	session->waiter.on_turn = on_turn;
	if (pool_view_wait(session->pool_view, &session->waiter) < 0)
		session_reset(session, CONNECTION_END_QUEUE_FULL);
	else
		intake_watch(session);
}

static bool will_pass(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

/* No descriptor or memory for a socket. */
static void wait_for_resources(struct session *session)
{
	const struct config_pool *pool = session_pool_config(session);
	uint64_t waited_us = io_loop_now_us(session->worker->loop) - session->pick_us;

	endpoint_unref(session->tried[--session->ntried]);
	pool_view_release(session->pool_view, session->endpoint);
	session->endpoint = NULL;
	session->state = CONNECTION_QUEUED;
	if (waited_us / 1000 >= pool->queue_timeout_ms)
		session_reset(session, CONNECTION_END_QUEUE_TIMEOUT);
	else
		io_timer_start(session->worker->loop, &session->timer, RESOURCES_WAIT_MS);
}

/* The socket of one try. Return: the descriptor; -errno. */
static int open_socket(const struct session *session)
{
	const struct config_pool *pool = session_pool_config(session);
	struct address client = session->client_address;
	struct socket_connect_options options = {};

	if (pool->is_transparent) {
		options.source = &client;
		options.is_transparent = true;
	} else if (pool->source_address.len) {
		options.source = &pool->source_address;
	}
	return socket_for_connect(&session->endpoint->address, &options);
}

static void fail(struct session *session, int error)
{
	pool_view_report_connect(session->pool_view, session->endpoint, error, 0);
	counter_add(&pool_counters(session)->connect_failures, 1);
}

/* Another endpoint, or the end. */
static void try_next(struct session *session)
{
	const struct config_pool *pool = session_pool_config(session);

	pool_view_release(session->pool_view, session->endpoint);
	session->endpoint = NULL;
	if (session->ntried > pool->connect_retries || session->ntried == POOL_TRIES_MAX) {
		session_reset(session, session->backend_tls.failure
					       ? CONNECTION_END_BACKEND_TLS_FAILED
					       : CONNECTION_END_CONNECT_FAILED);
		return;
	}
	session->backend_tls.failure = TLS_FAILURE_NONE;
	counter_add(&pool_counters(session)->retries, 1);
	pick(session);
}

/* Ours to answer for, so it is not held against the endpoint. */
static void on_no_socket(struct session *session, int error)
{
	log_warn("pool %s: endpoint %s: no socket to connect with: %s",
		 session_pool_config(session)->name, session->endpoint->name, strerror(-error));
	if (will_pass(error)) {
		wait_for_resources(session);
		return;
	}
	counter_add(&pool_counters(session)->connect_failures, 1);
	try_next(session);
}

/* Where it fails, the connection will not be eligible, and says so then. */
static void prepare_splice(const struct session *session, int fd)
{
	struct splice *splice = session->worker->shared->splice;
	bool has_tls = session->listener->tls || pool_tls(pool_view_pool(session->pool_view));

	if (splice && !has_tls &&
	    session->view->snapshot->config->acceleration.mode == CONFIG_SPLICE)
		(void)splice_prepare_backend(splice, session->client.fd, fd);
}

static void connect_endpoint(struct session *session)
{
	const struct config_pool *pool = session_pool_config(session);
	int fd;

	session->state = CONNECTION_CONNECTING;
	session->tried[session->ntried++] = endpoint_ref(session->endpoint);
	session->connect_us = io_loop_now_us(session->worker->loop);
	fd = open_socket(session);
	if (fd < 0) {
		on_no_socket(session, fd);
		return;
	}
	prepare_splice(session, fd);
	socket_hold_ack(fd);
	io_stream_init(&session->backend, session->worker->loop, fd, &session_backend_ops);
	session->has_backend_stream = true;
	io_timer_start(session->worker->loop, &session->timer, pool->connect_timeout_ms);
	io_stream_connect(&session->backend, &session->endpoint->address);
	/* With TLS a client's early FIN would be taken for a reset: it stays in its socket. */
	if (!session->listener->tls && !pool_tls(pool_view_pool(session->pool_view)))
		intake_watch(session);
}

static void pick(struct session *session)
{
	const struct pool_request request = {
		.client = &session->client_address,
		.tried = session->tried,
		.ntried = session->ntried,
	};
	int err = pool_view_pick(session->pool_view, &request, &session->endpoint);

	if (err == -EBUSY)
		wait_for_turn(session);
	else if (err)
		session_reset(session, session->ntried ? CONNECTION_END_CONNECT_FAILED
						       : CONNECTION_END_NO_ENDPOINT);
	else
		connect_endpoint(session);
}

void connect_start(struct session *session)
{
	session->pick_us = io_loop_now_us(session->worker->loop);
	pick(session);
}

/* The PROXY header that goes first. Return: 0; -ENOMEM. */
static int send_proxy_header(struct session *session)
{
	const struct config_pool *pool = session_pool_config(session);
	struct proxy_header header = {
		.version = pool->proxy_protocol == CONFIG_PROXY_V1 ? 1 : 2,
		.source = session->client_address,
		.tlvs = slice_of(session->tlvs, session->ntlvs),
	};
	struct io_buf *buf;
	ssize_t len;

	if (pool->proxy_protocol == CONFIG_PROXY_OFF)
		return 0;
	session_local(session, &header.destination);
	address_unmap(&header.destination);
	buf = io_buf_new(session->worker->loop, PROXY_HEADER_MAX);
	if (!buf)
		return -ENOMEM;
	len = proxy_header_write(&header, buf->base, buf->cap);
	if (len < 0) {
		/* Too many TLVs to pass on: the addresses matter more. */
		header.tlvs = (struct slice){};
		len = proxy_header_write(&header, buf->base, buf->cap);
	}
	if (len < 0) {
		io_buf_release(session->worker->loop, buf);
		return (int)len;
	}
	buf->end = (uint32_t)len;
	io_stream_send(&session->backend, buf);
	return 0;
}

void connect_on_secured(struct session *session)
{
	uint64_t now_us = io_loop_now_us(session->worker->loop);
	uint64_t took_us = now_us - session->connect_us;

	io_timer_stop(session->worker->loop, &session->timer);
	session->connected_us = now_us;
	pool_view_report_connect(session->pool_view, session->endpoint, 0, (uint32_t)took_us);
	histogram_observe(&pool_counters(session)->connect_time, took_us);
	relay_start(session);
}

void connect_on_connect(struct session *session, int status)
{
	if (session->state != CONNECTION_CONNECTING)
		return;
	if (status == 0 && send_proxy_header(session) < 0)
		session_reset(session, CONNECTION_END_NO_MEMORY);
	else if (status == 0)
		secure_backend(session);
	if (status == 0)
		return;
	io_timer_stop(session->worker->loop, &session->timer);
	fail(session, status);
	io_stream_close(&session->backend, IO_CLOSE_RESET); /* goes on when it has closed */
}

void connect_on_insecure(struct session *session)
{
	io_timer_stop(session->worker->loop, &session->timer);
	fail(session, -EPROTO);
	io_stream_close(&session->backend, IO_CLOSE_FIN);
}

void connect_on_timeout(struct session *session)
{
	if (session->state == CONNECTION_QUEUED) {
		pick(session);
		return;
	}
	if (session->backend.layer)
		session->backend_tls.failure = TLS_FAILURE_TIMEOUT;
	fail(session, -ETIMEDOUT);
	io_stream_close(&session->backend, IO_CLOSE_RESET);
}

void connect_on_backend_closed(struct session *session)
{
	try_next(session);
}
