// SPDX-License-Identifier: Apache-2.0
// The demonstration's origins: sockets and connections. answer.c knows what to say.
//
// A connection:  READING ──last answer──► FINISHING (FIN sent, input ignored) ──FIN, idle──► closed
#include "demo/origin.h"
#include "demo/demo_internal.h"
#include "io/acceptor.h"
#include "io/stream.h"
#include "io/timer.h"
#include "net/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define IDLE_MS        60000
#define SENT_QUEUE_MAX 65536 /* a client that asks on without reading is cut off */
#define LISTEN_BACKLOG 512

/* One address. */
struct server {
	struct io_acceptor acceptor;
	struct demo_origin *origin;
	const char *name;
	int fd; /* -1: somebody else listens there */
};

struct demo_origin {
	struct io_loop *loop;
	struct list_node connections;
	size_t open; /* acceptors and connections that have not come to on_closed */
	void (*on_stopped)(void *context);
	void *context;
	struct io_task stopped; /* for a stop when nothing is open */
	size_t count;
	struct server servers[];
};

struct connection {
	struct io_stream stream;
	struct io_timer idle;
	struct list_node node;
	struct server *server;
	bool is_finishing;
	size_t len; /* bytes in @head */
	char peer[ADDRESS_TEXT_SIZE];
	char head[DEMO_HEAD_MAX];
};

const char *demo_origin_name(size_t index)
{
	static const char *const names[] = {
		"alpha", "beta",  "gamma",  "delta",   "epsilon", "zeta", "eta",     "theta",
		"iota",  "kappa", "lambda", "mu",      "nu",      "xi",   "omicron", "pi",
		"rho",   "sigma", "tau",    "upsilon", "phi",     "chi",  "psi",     "omega",
	};

	return names[index % ARRAY_SIZE(names)];
}

static void one_closed(struct demo_origin *origin)
{
	if (--origin->open == 0 && origin->on_stopped)
		origin->on_stopped(origin->context);
}

/* --- Connections --------------------------------------------------------------------------- */

static struct connection *connection_of(struct io_stream *stream)
{
	return container_of(stream, struct connection, stream);
}

/* Queues @response. Return: false if there is no memory for it. */
static bool send_text(struct connection *connection, const struct strbuf *response)
{
	struct io_loop *loop = connection->stream.loop;
	struct io_buf *buf;

	if (response->is_failed)
		return false;
	buf = io_buf_new(loop, (uint32_t)response->len);
	if (!buf)
		return false;
	memcpy(buf->base + buf->end, response->text, response->len);
	buf->end += (uint32_t)response->len;
	io_stream_send(&connection->stream, buf);
	return true;
}

/* Answers one request. Return: false if none is complete, or none will follow. */
static bool answer_one(struct connection *connection)
{
	struct strbuf response = {};
	struct slice bytes = slice_of(connection->head, connection->len);
	size_t used;
	bool is_sent;

	if (connection->is_finishing ||
	    demo_answer(bytes, connection->server->name, connection->peer, &response, &used,
			&connection->is_finishing) < 0)
		return false;
	connection->len -= used;
	memmove(connection->head, connection->head + used, connection->len);
	is_sent = send_text(connection, &response);
	strbuf_done(&response);
	if (!is_sent || connection->stream.queued > SENT_QUEUE_MAX) {
		io_stream_close(&connection->stream, IO_CLOSE_RESET);
		return false;
	}
	if (connection->is_finishing)
		io_stream_shutdown(&connection->stream);
	return true;
}

/* Takes @bytes in as far as the head has room, answering on the way. */
static void take(struct connection *connection, struct slice bytes)
{
	while (bytes.len > 0 && !connection->is_finishing &&
	       !io_stream_is_closing(&connection->stream)) {
		size_t room = DEMO_HEAD_MAX - connection->len;
		size_t n = bytes.len < room ? bytes.len : room;

		memcpy(connection->head + connection->len, bytes.ptr, n);
		connection->len += n;
		bytes = slice_of(bytes.ptr + n, bytes.len - n);
		while (answer_one(connection))
			;
	}
}

static void on_recv(struct io_stream *stream, struct io_buf *buf, int status)
{
	struct connection *connection = connection_of(stream);

	if (!buf) {
		io_stream_close(stream, status == 0 ? IO_CLOSE_FIN : IO_CLOSE_RESET);
		return;
	}
	io_timer_start(stream->loop, &connection->idle, IDLE_MS);
	take(connection, io_buf_bytes(buf));
	io_buf_release(stream->loop, buf);
}

static void on_sent(struct io_stream *stream, int status)
{
	if (status < 0)
		io_stream_close(stream, IO_CLOSE_RESET);
}

static void on_idle(struct io_timer *timer)
{
	struct connection *connection = container_of(timer, struct connection, idle);

	io_stream_close(&connection->stream, IO_CLOSE_FIN);
}

static void on_connection_closed(struct io_stream *stream)
{
	struct connection *connection = connection_of(stream);
	struct demo_origin *origin = connection->server->origin;

	io_timer_stop(stream->loop, &connection->idle);
	list_remove(&connection->node);
	free(connection);
	one_closed(origin);
}

static const struct io_stream_ops stream_ops = {
	.on_recv = on_recv,
	.on_sent = on_sent,
	.on_closed = on_connection_closed,
};

/* --- Listening ----------------------------------------------------------------------------- */

static struct server *server_of(struct io_acceptor *acceptor)
{
	return container_of(acceptor, struct server, acceptor);
}

static void on_accept(struct io_acceptor *acceptor, int fd)
{
	struct server *server = server_of(acceptor);
	struct connection *connection = calloc(1, sizeof(*connection));
	struct address peer = {};

	if (!connection || server->origin->on_stopped) {
		free(connection);
		close(fd);
		return;
	}
	if (socket_peer(fd, &peer) < 0)
		peer.len = 0;
	address_format(&peer, connection->peer);
	socket_tune(fd, peer.sa.sa_family, 0);
	connection->server = server;
	connection->idle.on_expire = on_idle;
	list_push_back(&server->origin->connections, &connection->node);
	server->origin->open++;
	io_stream_init(&connection->stream, acceptor->loop, fd, &stream_ops);
	io_timer_start(acceptor->loop, &connection->idle, IDLE_MS);
	io_stream_recv_start(&connection->stream);
}

static void on_exhausted(struct io_acceptor *acceptor, int error)
{
	(void)acceptor;
	(void)error;
}

static void on_acceptor_closed(struct io_acceptor *acceptor)
{
	struct server *server = server_of(acceptor);

	close(server->fd);
	server->fd = -1;
	one_closed(server->origin);
}

static const struct io_acceptor_ops acceptor_ops = {
	.on_accept = on_accept,
	.on_exhausted = on_exhausted,
	.on_closed = on_acceptor_closed,
};

/* --- The whole ----------------------------------------------------------------------------- */

static int open_servers(struct demo_origin *origin, const struct address *addresses)
{
	static const struct socket_listen_options options = {.backlog = LISTEN_BACKLOG};

	for (size_t i = 0; i < origin->count; i++) {
		int fd = socket_listen(&addresses[i], &options);

		if (fd < 0 && fd != -EADDRINUSE)
			return fd;
		origin->servers[i].fd = fd < 0 ? -1 : fd;
	}
	return 0;
}

int demo_origin_start(struct io_loop *loop, const struct address *addresses, size_t count,
		      struct demo_origin **ret)
{
	struct demo_origin *origin = calloc(1,
					    sizeof(*origin) + count * sizeof(origin->servers[0]));
	int r;

	if (!origin)
		return -ENOMEM;
	origin->loop = loop;
	origin->count = count;
	list_init(&origin->connections);
	for (size_t i = 0; i < count; i++)
		origin->servers[i] = (struct server){
			.origin = origin, .name = demo_origin_name(i), .fd = -1};
	r = open_servers(origin, addresses);
	if (r < 0) {
		demo_origin_free(origin);
		return r;
	}
	for (size_t i = 0; i < count; i++) {
		struct server *server = &origin->servers[i];

		if (server->fd < 0)
			continue;
		origin->open++;
		io_acceptor_start(&server->acceptor, loop, server->fd, &acceptor_ops);
	}
	*ret = origin;
	return 0;
}

static void on_stop_begun(struct io_task *task)
{
	struct demo_origin *origin = container_of(task, struct demo_origin, stopped);

	one_closed(origin);
}

void demo_origin_stop(struct demo_origin *origin, void (*on_stopped)(void *context), void *context)
{
	origin->on_stopped = on_stopped;
	origin->context = context;
	/* Counts as one more that is open, so that on_stopped comes even if nothing is. */
	origin->open++;
	origin->stopped.on_run = on_stop_begun;
	io_loop_defer(origin->loop, &origin->stopped);
	for (size_t i = 0; i < origin->count; i++)
		if (origin->servers[i].fd >= 0)
			io_acceptor_close(&origin->servers[i].acceptor);
	list_for_each (node, &origin->connections)
		io_stream_close(&list_entry(node, struct connection, node)->stream, IO_CLOSE_FIN);
}

void demo_origin_free(struct demo_origin *origin)
{
	if (!origin)
		return;
	for (size_t i = 0; i < origin->count; i++)
		if (origin->servers[i].fd >= 0)
			close(origin->servers[i].fd);
	free(origin);
}
