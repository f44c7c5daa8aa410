/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_HTTP_BACKEND_H
#define SLUICE_PROXY_HTTP_BACKEND_H

#include "core/compiler.h"
#include "core/list.h"
#include "io/stream.h"
#include "io/timer.h"
#include "upstream/endpoint.h"

#include <stdbool.h>
#include <stdint.h>

struct config_pool;
struct http_backend_user;
struct worker;
struct worker_view;

/*
 * A connection to an endpoint that carries one exchange after another. Between two it idles with
 * its worker; the last one given back is the first one taken, so that few stay warm. A backend that
 * says anything while it idles, or closes, is closed: what it sent could only be taken for the
 * answer to somebody else's request.
 *
 *   open ─► http_backend_ready ─► in use ─► give ─► idle ─► take ─► in use …
 *                                    └──────── close ────────► freed when the stream has closed
 *
 * Thread: its worker's.
 */
struct http_backend {
	struct io_stream stream;
	struct worker *worker;
	struct worker_view *view; /* it was opened under these rules, and serves no others */
	struct endpoint *endpoint;
	struct http_backend_user *user; /* NULL while it idles or closes */
	struct list_node node;          /* among its worker's idle ones */
	struct io_timer timer;          /* while it idles */
	uint32_t served;                /* exchanges that it has ended */
	bool is_connected;
};

/* What the connection tells whose request it carries: as struct io_stream_ops has it. */
struct http_backend_ops {
	void (*on_connect)(struct http_backend_user *user, int status);
	void (*on_answer)(struct http_backend_user *user, struct io_buf *buf, int status);
	void (*on_sent)(struct http_backend_user *user, int status);
};

struct http_backend_user {
	const struct http_backend_ops *ops;
};

/* Whether @pool's connections may carry exchanges of several clients. */
bool http_backend_is_shared(const struct config_pool *pool);

/* A worker's idle ones, by endpoint; zeroed and then initialised. */
#define HTTP_BACKEND_BUCKETS 64

struct http_backends {
	struct list_node idle[HTTP_BACKEND_BUCKETS]; /* the latest first */
	uint32_t nidle;
};

void http_backends_init(struct http_backends *backends);

/* Closes the idle ones. */
void http_backends_close_idle(struct http_backends *backends);

/* An idle connection to @endpoint that was opened under @view, now @user's. NULL: none. */
struct http_backend *http_backend_take(const struct worker_view *view,
				       const struct endpoint *endpoint,
				       struct http_backend_user *user);

/**
 * One that @user's dial connects.
 * @fd: from socket_for_connect(); taken over, closed on failure. Return: NULL: out of memory.
 */
struct http_backend *http_backend_open(struct worker_view *view, struct endpoint *endpoint, int fd,
				       struct http_backend_user *user) WARN_UNUSED;

/* Connected, and secured where that is asked for: its answers may come. */
void http_backend_ready(struct http_backend *backend);

/* The exchange is over and the connection may carry another one within @idle_ms. It is closed if
 * @max_idle of the worker's connections idle already. */
void http_backend_give(struct http_backend *backend, uint32_t idle_ms, uint32_t max_idle);

/* No callback comes any more. */
void http_backend_close(struct http_backend *backend, enum io_close_how how);

#endif
