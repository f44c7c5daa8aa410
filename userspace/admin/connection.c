// SPDX-License-Identifier: Apache-2.0
/*
 * Connections that ask and are answered in turn, for both the control protocol and HTTP: one answer
 * at a time, and while it is not sent nothing more is read, so that a peer that asks but does not
 * listen holds one answer and one request of memory.
 *
 *   WAITING ──request──► BUSY ──answer sent──► WAITING
 *      │ timeout, EOF,     │ last answer sent
 *      │ room for others   │
 *      ▼                   ▼
 *    closed ◄──EOF, 2 s── LINGERING: what still comes is dropped, since closing with unread bytes
 *                         sends a RST, which may overtake the answer (RFC 9112 section 9.6)
 */
#include "admin/admin_internal.h"
#include "core/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define LINGER_MS 2000

static void check_stopped(struct admin_port *port)
{
	if (port->is_stopping && !port->is_open && port->count == 0 && port->on_stopped)
		port->on_stopped(port);
}

static void free_connection(struct admin_connection *connection)
{
	struct admin_port *port = connection->port;

	list_remove(&connection->node);
	strbuf_done(&connection->input);
	free(connection);
	if (port->count-- == port->protocol->max_connections && !port->is_stopping)
		io_acceptor_resume(&port->acceptor);
	check_stopped(port);
}

static void close_connection(struct admin_connection *connection)
{
	io_timer_stop(connection->port->loop, &connection->timer);
	io_stream_close(&connection->stream, IO_CLOSE_FIN);
}

static bool is_idle(const struct admin_connection *connection)
{
	return !connection->is_busy && !connection->is_lingering;
}

/* The next one to come waits for no connection that asks nothing: where all places are taken, the
 * one that has been idle for longest goes. */
static void make_room(struct admin_port *port)
{
	if (port->count < port->protocol->max_connections || port->is_stopping)
		return;
	list_for_each (node, &port->connections) {
		struct admin_connection *connection = list_entry(node, struct admin_connection,
								 node);

		if (!is_idle(connection))
			continue;
		if (!io_stream_is_closing(&connection->stream))
			close_connection(connection);
		return;
	}
}

static void restart_timer(struct admin_connection *connection)
{
	io_timer_start(connection->port->loop, &connection->timer,
		       connection->port->protocol->timeout_ms);
}

static void drop_input(struct admin_connection *connection, size_t len)
{
	struct strbuf *input = &connection->input;

	input->len -= len;
	memmove(input->text, input->text + len, input->len);
}

/* Acts upon what has come, as far as it can be answered now. */
static void process(struct admin_connection *connection)
{
	const struct admin_protocol *protocol = connection->port->protocol;
	struct strbuf *input = &connection->input;

	while (!connection->is_busy && input->len > 0 &&
	       !io_stream_is_closing(&connection->stream)) {
		size_t len = protocol->on_bytes(connection, slice_of(input->text, input->len));

		if (len == 0)
			break;
		drop_input(connection, len);
	}
	if (connection->is_busy)
		return;
	if (connection->is_eof)
		close_connection(connection);
	else
		io_stream_recv_start(&connection->stream);
}

static void on_recv(struct io_stream *stream, struct io_buf *buf, int status)
{
	struct admin_connection *connection = container_of(stream, struct admin_connection, stream);
	struct strbuf *input = &connection->input;

	if (buf && !connection->is_lingering)
		strbuf_append(input, io_buf_bytes(buf));
	io_buf_release(stream->loop, buf);
	if (!buf)
		connection->is_eof = true;
	if (status < 0 || input->is_failed || (connection->is_eof && connection->is_lingering)) {
		close_connection(connection);
		return;
	}
	if (connection->is_busy && !connection->is_lingering &&
	    input->len >= connection->port->protocol->input_max)
		io_stream_recv_stop(stream);
	process(connection);
}

static void start_lingering(struct admin_connection *connection)
{
	connection->is_lingering = true;
	if (connection->is_eof) {
		close_connection(connection);
		return;
	}
	io_stream_shutdown(&connection->stream);
	io_stream_recv_start(&connection->stream);
	io_timer_start(connection->port->loop, &connection->timer, LINGER_MS);
}

static void on_sent(struct io_stream *stream, int status)
{
	struct admin_connection *connection = container_of(stream, struct admin_connection, stream);

	if (status < 0) {
		close_connection(connection);
		return;
	}
	if (connection->is_held || connection->is_lingering)
		return;
	if (connection->is_last) {
		start_lingering(connection);
		return;
	}
	connection->is_busy = false;
	list_remove(&connection->node);
	list_push_back(&connection->port->connections, &connection->node);
	restart_timer(connection);
	process(connection);
	make_room(connection->port);
}

static void on_stream_closed(struct io_stream *stream)
{
	struct admin_connection *connection = container_of(stream, struct admin_connection, stream);

	connection->is_stream_closed = true;
	if (!connection->is_held)
		free_connection(connection);
}

static const struct io_stream_ops stream_ops = {
	.on_recv = on_recv,
	.on_sent = on_sent,
	.on_closed = on_stream_closed,
};

static void on_timeout(struct io_timer *timer)
{
	close_connection(container_of(timer, struct admin_connection, timer));
}

void admin_connection_hold(struct admin_connection *connection)
{
	connection->is_busy = connection->is_held = true;
	io_timer_stop(connection->port->loop, &connection->timer);
}

void admin_connection_answer(struct admin_connection *connection, struct strbuf *text, bool is_last)
{
	struct io_loop *loop = connection->port->loop;
	struct io_buf *buf = NULL;

	connection->is_busy = true;
	connection->is_held = false;
	connection->is_last = is_last;
	if (!text->is_failed && text->len <= UINT32_MAX)
		buf = io_buf_new(loop, (uint32_t)text->len);
	if (buf) {
		memcpy(buf->base + buf->end, text->text, text->len);
		buf->end += (uint32_t)text->len;
	}
	strbuf_done(text);
	if (connection->is_stream_closed) {
		io_buf_release(loop, buf);
		free_connection(connection);
	} else if (!buf || io_stream_is_closing(&connection->stream)) {
		io_buf_release(loop, buf);
		close_connection(connection);
	} else {
		restart_timer(connection);
		io_stream_send(&connection->stream, buf);
	}
}

static void on_accept(struct io_acceptor *acceptor, int fd)
{
	struct admin_port *port = container_of(acceptor, struct admin_port, acceptor);
	struct admin_connection *connection = NULL;

	/* Some may come after the pause that the last allowed one caused. */
	if (!port->is_stopping && port->count < port->protocol->max_connections)
		connection = calloc(1, sizeof(*connection));
	if (!connection) {
		close(fd);
		return;
	}
	connection->port = port;
	connection->timer.on_expire = on_timeout;
	if (++port->count == port->protocol->max_connections) {
		io_acceptor_pause(acceptor);
		make_room(port);
	}
	list_push_back(&port->connections, &connection->node);
	io_stream_init(&connection->stream, port->loop, fd, &stream_ops);
	io_stream_recv_start(&connection->stream);
	restart_timer(connection);
}

static void on_exhausted(struct io_acceptor *acceptor, int error)
{
	const struct admin_port *port = container_of(acceptor, struct admin_port, acceptor);

	log_warn("admin: accepting on the %s paused: %s", port->protocol->name, strerror(-error));
}

static void on_acceptor_closed(struct io_acceptor *acceptor)
{
	struct admin_port *port = container_of(acceptor, struct admin_port, acceptor);

	close(port->fd);
	port->is_open = false;
	check_stopped(port);
}

static const struct io_acceptor_ops acceptor_ops = {
	.on_accept = on_accept,
	.on_exhausted = on_exhausted,
	.on_closed = on_acceptor_closed,
};

void admin_port_open(struct admin_port *port, struct admin *admin, struct io_loop *loop,
		     const struct admin_protocol *protocol)
{
	port->admin = admin;
	port->loop = loop;
	port->protocol = protocol;
	port->is_open = true;
	list_init(&port->connections);
	io_acceptor_start(&port->acceptor, loop, port->fd, &acceptor_ops);
	/* At the limit a client waits in the backlog; taken ahead, it would be closed. */
	io_acceptor_set_one_by_one(&port->acceptor, true);
}

void admin_port_close(struct admin_port *port, void (*on_stopped)(struct admin_port *port))
{
	port->is_stopping = true;
	port->on_stopped = on_stopped;
	if (!port->is_open) {
		check_stopped(port);
		return;
	}
	io_acceptor_close(&port->acceptor);
	list_for_each (node, &port->connections)
		close_connection(list_entry(node, struct admin_connection, node));
}
