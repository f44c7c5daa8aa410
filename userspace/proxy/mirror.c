// SPDX-License-Identifier: Apache-2.0
/*
 * Mirrored requests:
 *
 *   mirror_begin ─► [COLLECTING the body] ─► CONNECTING, the copy queued ─► answered, or late ─►
 * closed
 */
#include "proxy/mirror.h"

#include "http/h1_write.h"
#include "net/socket.h"
#include "proxy/http_client.h"
#include "proxy/session.h"
#include "proxy/worker.h"

#include <stdlib.h>
#include <unistd.h>

/* Of a worker, with those that collect. */
#define MIRRORS_MAX 256

struct mirror {
	struct io_stream stream;
	struct io_timer timer;
	struct list_node node; /* the worker's, once it is sent */
	struct worker *worker;
	struct worker_view *view;
	struct pool_view *pool_view;
	struct endpoint *endpoint;
	struct io_buf *copy; /* head and body as far as they have come */
	size_t missing;      /* bytes of the body */
};

static void discard(struct mirror *mirror)
{
	io_buf_release(mirror->worker->loop, mirror->copy);
	if (mirror->endpoint)
		pool_view_release(mirror->pool_view, mirror->endpoint);
	mirror->worker->nmirrors--;
	worker_view_unref(mirror->view);
	free(mirror);
}

/* --- Under way ------------------------------------------------------------------ */

static void close_mirror(struct mirror *mirror, enum io_close_how how)
{
	io_timer_stop(mirror->worker->loop, &mirror->timer);
	io_stream_close(&mirror->stream, how);
}

static void on_connect(struct io_stream *stream, int status)
{
	struct mirror *mirror = container_of(stream, struct mirror, stream);

	pool_view_report_connect(mirror->pool_view, mirror->endpoint, status, 0);
	if (status < 0)
		close_mirror(mirror, IO_CLOSE_RESET);
	else
		io_stream_recv_start(stream);
}

/* What it answers is nobody's business; that it ends is ours. */
static void on_recv(struct io_stream *stream, struct io_buf *buf, int status)
{
	(void)status;
	io_buf_release(stream->loop, buf);
	if (!buf)
		close_mirror(container_of(stream, struct mirror, stream), IO_CLOSE_FIN);
}

static void on_sent(struct io_stream *stream, int status)
{
	if (status < 0)
		close_mirror(container_of(stream, struct mirror, stream), IO_CLOSE_RESET);
}

static void on_closed(struct io_stream *stream)
{
	struct mirror *mirror = container_of(stream, struct mirror, stream);

	list_remove(&mirror->node);
	atomic_fetch_sub(&mirror->worker->shared->backends, 1);
	discard(mirror);
}

static const struct io_stream_ops stream_ops = {
	.on_connect = on_connect,
	.on_recv = on_recv,
	.on_sent = on_sent,
	.on_closed = on_closed,
};

static void on_late(struct io_timer *timer)
{
	close_mirror(container_of(timer, struct mirror, timer), IO_CLOSE_RESET);
}

static int open_socket(const struct mirror *mirror, const struct config_pool *pool)
{
	struct socket_connect_options options = {};

	if (pool->source_address.len)
		options.source = &pool->source_address;
	return socket_for_connect(&mirror->endpoint->address, &options);
}

/* It is whole. */
static void launch(struct mirror *mirror, struct exchange *exchange)
{
	const struct config_pool *pool = pool_config(pool_view_pool(mirror->pool_view));
	const struct pool_request request = {
		.client = exchange_source(exchange),
		.place = exchange_place(exchange, pool),
	};
	struct worker *worker = mirror->worker;
	int fd = -1;

	if (pool_view_pick(mirror->pool_view, &request, &mirror->endpoint) == 0)
		fd = open_socket(mirror, pool);
	if (fd < 0) {
		discard(mirror);
		return;
	}
	atomic_fetch_add(&worker->shared->backends, 1);
	list_push_back(&worker->mirrors, &mirror->node);
	mirror->timer.on_expire = on_late;
	io_timer_start(worker->loop, &mirror->timer,
		       pool->connect_timeout_ms + pool->http.response_timeout_ms);
	io_stream_init(&mirror->stream, worker->loop, fd, &stream_ops);
	io_stream_connect(&mirror->stream, &mirror->endpoint->address);
	io_stream_send(&mirror->stream, mirror->copy);
	mirror->copy = NULL;
}

void mirrors_close(struct worker *worker)
{
	list_for_each (node, &worker->mirrors)
		close_mirror(list_entry(node, struct mirror, node), IO_CLOSE_RESET);
}

/* --- Copying -------------------------------------------------------------------- */

/* A body whose length nobody knows yet is not collected. */
static bool may_mirror(const struct exchange *exchange, const struct config_mirror *config)
{
	const struct http_request *request = &exchange->request;
	const struct worker *worker = exchange_worker(exchange);

	if (request->wants_upgrade || request->method == HTTP_METHOD_CONNECT ||
	    worker->is_draining || worker->nmirrors >= MIRRORS_MAX)
		return false;
	return request->framing.kind == HTTP_FRAMING_NONE ||
	       (request->framing.kind == HTTP_FRAMING_LENGTH &&
		request->framing.length <= config->max_body_bytes);
}

static struct io_buf *write_copy(struct exchange *exchange, size_t body)
{
	const struct http_request *request = &exchange->request;
	struct slice target = exchange_target(exchange);
	const struct h1_wire wire = {.framing = request->framing, .is_last = true};
	size_t bound = h1_write_bound(&request->fields, target.len + request->method_text.len);
	struct io_buf *buf = io_buf_new(exchange_worker(exchange)->loop, (uint32_t)(bound + body));
	size_t len;

	if (!buf)
		return NULL;
	if (h1_write_request(request, target, &wire, buf->base, buf->cap, &len) < 0) {
		io_buf_release(exchange_worker(exchange)->loop, buf);
		return NULL;
	}
	buf->end = (uint32_t)len;
	return buf;
}

static struct mirror *mirror_new(struct exchange *exchange, const struct config_mirror *config)
{
	const struct http_framing *framing = &exchange->request.framing;
	size_t body = framing->kind == HTTP_FRAMING_LENGTH ? (size_t)framing->length : 0;
	struct worker_view *view = exchange->client->session->view;
	struct mirror *mirror = calloc(1, sizeof(*mirror));

	if (!mirror)
		return NULL;
	mirror->copy = write_copy(exchange, body);
	if (!mirror->copy) {
		free(mirror);
		return NULL;
	}
	mirror->worker = exchange_worker(exchange);
	mirror->worker->nmirrors++;
	mirror->view = worker_view_ref(view);
	mirror->pool_view = view->pools[config->pool.index];
	mirror->missing = body;
	return mirror;
}

void mirror_begin(struct exchange *exchange)
{
	const struct config_mirror *config = &exchange->route->mirror;
	struct mirror *mirror;

	if (!config->pool.name ||
	    rng_below(&exchange_worker(exchange)->rng, 100) >= config->share_percent ||
	    !may_mirror(exchange, config))
		return;
	mirror = mirror_new(exchange, config);
	if (!mirror)
		return;
	if (mirror->missing)
		exchange->mirror = mirror;
	else
		launch(mirror, exchange);
}

void mirror_body(struct exchange *exchange, struct slice bytes)
{
	struct mirror *mirror = exchange->mirror;
	size_t len = bytes.len;

	if (!mirror || !len)
		return;
	len = len < mirror->missing ? len : mirror->missing;
	memcpy(mirror->copy->base + mirror->copy->end, bytes.ptr, len);
	mirror->copy->end += (uint32_t)len;
	mirror->missing -= len;
	if (mirror->missing)
		return;
	exchange->mirror = NULL;
	launch(mirror, exchange);
}

void mirror_end(struct exchange *exchange)
{
	if (exchange->mirror)
		discard(exchange->mirror);
	exchange->mirror = NULL;
}
