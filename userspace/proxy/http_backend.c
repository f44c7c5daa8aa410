// SPDX-License-Identifier: Apache-2.0
/* Connections to endpoints that outlive an exchange: opened, kept while they idle, taken again. */
#include "proxy/http_backend.h"

#include "config/config.h"
#include "proxy/worker.h"

#include <stdlib.h>
#include <unistd.h>

static struct list_node *bucket_of(struct worker *worker, const struct endpoint *endpoint)
{
	return &worker->backends.idle[endpoint->id % HTTP_BACKEND_BUCKETS];
}

void http_backends_init(struct http_backends *backends)
{
	for (size_t i = 0; i < HTTP_BACKEND_BUCKETS; i++)
		list_init(&backends->idle[i]);
}

void http_backends_close_idle(struct http_backends *backends)
{
	for (size_t i = 0; i < HTTP_BACKEND_BUCKETS; i++)
		list_for_each_safe (node, &backends->idle[i])
			http_backend_close(list_entry(node, struct http_backend, node),
					   IO_CLOSE_FIN);
}

bool http_backend_is_shared(const struct config_pool *pool)
{
	return !pool->is_transparent && pool->proxy_protocol == CONFIG_PROXY_OFF;
}

/* --- What the stream tells ------------------------------------------------------ */

static struct http_backend *backend_of(struct io_stream *stream)
{
	return container_of(stream, struct http_backend, stream);
}

static void on_connect(struct io_stream *stream, int status)
{
	struct http_backend *backend = backend_of(stream);

	if (backend->user)
		backend->user->ops->on_connect(backend->user, status);
}

static void on_recv(struct io_stream *stream, struct io_buf *buf, int status)
{
	struct http_backend *backend = backend_of(stream);

	if (backend->user) {
		backend->user->ops->on_answer(backend->user, buf, status);
		return;
	}
	io_buf_release(stream->loop, buf);
	http_backend_close(backend, IO_CLOSE_FIN);
}

static void on_sent(struct io_stream *stream, int status)
{
	struct http_backend *backend = backend_of(stream);

	if (backend->user)
		backend->user->ops->on_sent(backend->user, status);
}

static void on_closed(struct io_stream *stream)
{
	struct http_backend *backend = backend_of(stream);

	atomic_fetch_sub(&backend->worker->shared->backends, 1);
	endpoint_unref(backend->endpoint);
	worker_view_unref(backend->view);
	free(backend);
}

static const struct io_stream_ops stream_ops = {
	.on_connect = on_connect,
	.on_recv = on_recv,
	.on_sent = on_sent,
	.on_closed = on_closed,
};

static void on_idle_too_long(struct io_timer *timer)
{
	http_backend_close(container_of(timer, struct http_backend, timer), IO_CLOSE_FIN);
}

/* --- Life ----------------------------------------------------------------------- */

static void leave_idle(struct http_backend *backend)
{
	if (!list_is_linked(&backend->node))
		return;
	list_remove(&backend->node);
	backend->worker->backends.nidle--;
	io_timer_stop(backend->worker->loop, &backend->timer);
}

struct http_backend *http_backend_take(const struct worker_view *view,
				       const struct endpoint *endpoint,
				       struct http_backend_user *user)
{
	list_for_each (node, bucket_of(view->worker, endpoint)) {
		struct http_backend *backend = list_entry(node, struct http_backend, node);

		if (backend->endpoint != endpoint || backend->view != view)
			continue;
		leave_idle(backend);
		backend->user = user;
		return backend;
	}
	return NULL;
}

struct http_backend *http_backend_open(struct worker_view *view, struct endpoint *endpoint, int fd,
				       struct http_backend_user *user)
{
	struct http_backend *backend = calloc(1, sizeof(*backend));
	struct worker *worker = view->worker;

	if (!backend) {
		close(fd);
		return NULL;
	}
	backend->worker = worker;
	backend->view = worker_view_ref(view);
	backend->endpoint = endpoint_ref(endpoint);
	backend->user = user;
	backend->timer.on_expire = on_idle_too_long;
	atomic_fetch_add(&worker->shared->backends, 1);
	io_stream_init(&backend->stream, worker->loop, fd, &stream_ops);
	return backend;
}

void http_backend_ready(struct http_backend *backend)
{
	backend->is_connected = true;
	io_stream_recv_start(&backend->stream);
}

void http_backend_give(struct http_backend *backend, uint32_t idle_ms, uint32_t max_idle)
{
	struct worker *worker = backend->worker;

	backend->user = NULL;
	backend->served++;
	if (worker->is_draining || backend->view != worker->view ||
	    worker->backends.nidle >= max_idle) {
		http_backend_close(backend, IO_CLOSE_FIN);
		return;
	}
	list_push_front(bucket_of(worker, backend->endpoint), &backend->node);
	worker->backends.nidle++;
	io_timer_start(worker->loop, &backend->timer, idle_ms);
	/* Its reading may have been stopped for a slow client; now it must hear of the end. */
	io_stream_recv_start(&backend->stream);
}

void http_backend_close(struct http_backend *backend, enum io_close_how how)
{
	backend->user = NULL;
	leave_idle(backend);
	io_stream_close(&backend->stream, how);
}
