// SPDX-License-Identifier: Apache-2.0
/* The life of a connection from accept to its line in the access log; what happens in between is in
 * intake.c, connect.c and tunnel.c. */
#include "proxy/session.h"
#include "core/clock.h"
#include "net/socket.h"
#include "proxy/access_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const end_names[] = {
#define X(name, text) [CONNECTION_END_##name] = text,
	CONNECTION_ENDS(X)
#undef X
};

static const char *const state_names[] = {
#define X(name, text) [CONNECTION_##name] = text,
	CONNECTION_STATES(X)
#undef X
};

const char *connection_end_name(enum connection_end end)
{
	return end_names[end];
}

const char *connection_state_name(enum connection_state state)
{
	return state_names[state];
}

const struct config_pool *session_pool_config(const struct session *session)
{
	return session->pool_view ? pool_config(pool_view_pool(session->pool_view)) : NULL;
}

void session_local(const struct session *session, struct address *ret)
{
	*ret = session->local_address;
	if (ret->len == 0 && !session->is_client_closed &&
	    socket_local(session->client.fd, ret) < 0)
		*ret = (struct address){};
}

/*
 * The backend has said something. As the answer to the first thing that the client said it tells
 * how fast the backend is, by which p2c goes; one that speaks first tells only that it works.
 */
static void report_first_byte(struct session *session)
{
	uint64_t asked_us = session->tunnel.up.first_byte_us,
		 answered_us = session->tunnel.down.first_byte_us;

	bool is_answer = asked_us && answered_us >= asked_us;

	if (session->is_first_byte_reported || !session->endpoint || answered_us == 0)
		return;
	session->is_first_byte_reported = true;
	pool_view_report_first_byte(session->pool_view, session->endpoint,
				    is_answer ? (uint32_t)(answered_us - asked_us) : 0);
}

/* Adds what has flowed since the last time to the counters. */
static void account(struct session *session)
{
	uint64_t in, out, new_in, new_out;

	handoff_account(&session->tunnel);
	in = tunnel_bytes_in(&session->tunnel);
	out = tunnel_bytes_out(&session->tunnel);
	new_in = in - session->counted_in;
	new_out = out - session->counted_out;

	if (new_in == 0 && new_out == 0)
		return;
	report_first_byte(session);
	counter_add(&session->counters->bytes_in, new_in);
	counter_add(&session->counters->bytes_out, new_out);
	if (session->endpoint) {
		counter_add_shared(&session->endpoint->load.bytes_in, new_in);
		counter_add_shared(&session->endpoint->load.bytes_out, new_out);
	}
	session->counted_in = in;
	session->counted_out = out;
}

/* Four system calls that a short connection does without: keep-alive has time until it is idle. */
static void keep_backend_alive(struct session *session)
{
	uint32_t keepalive_ms = session->listener->config->keepalive_ms;

	if (session->is_kept_alive || session->state != CONNECTION_RELAY ||
	    session->tunnel.handoff.state == HANDOFF_JOINED)
		return;
	session->is_kept_alive = true;
	socket_tune(session->backend.fd, session->endpoint->address.sa.sa_family, keepalive_ms);
}

void session_tend(struct session *session)
{
	account(session);
	keep_backend_alive(session);
}

static int64_t elapsed_us(uint64_t from, uint64_t to)
{
	return from == 0 || to < from ? -1 : (int64_t)(to - from);
}

/* The one that served, or else the one that failed last. */
static const struct endpoint *endpoint_to_tell(const struct session *session)
{
	if (session->endpoint || session->ntried == 0)
		return session->endpoint;
	return session->tried[session->ntried - 1];
}

static void write_access_log(struct session *session, struct strbuf *lines)
{
	const struct config_pool *pool = session_pool_config(session);
	const struct endpoint *endpoint = endpoint_to_tell(session);
	const struct address none = {};
	struct access_record record = {
		.started_wall_us = session->accepted_wall_us,
		.id = session->id,
		.worker = session->worker->index,
		.listener = session->listener->config->name,
		.pool = pool ? pool->name : NULL,
		.endpoint = endpoint ? endpoint->name : NULL,
		.sni = session->sni,
		.client_tls = session->client_tls,
		.backend_tls = session->backend_tls,
		.client = &session->client_address,
		.peer = &session->peer_address,
		.local = &session->local_address,
		.backend = endpoint ? &endpoint->address : &none,
		.bytes_in = tunnel_bytes_in(&session->tunnel),
		.bytes_out = tunnel_bytes_out(&session->tunnel),
		.queue_us = elapsed_us(session->pick_us, session->connect_us),
		.connect_us = elapsed_us(session->connect_us, session->connected_us),
		.first_byte_us = elapsed_us(session->connected_us,
					    session->tunnel.down.first_byte_us),
		.duration_us = session->ended_us - session->accepted_us,
		.tries = session->ntried,
		.end = session->end,
		.rung = handoff_rung(&session->tunnel),
		.reason = handoff_reason(&session->tunnel),
	};

	access_log_format(session->view->snapshot->access_log->format, &record, lines);
}

/* Gives back everything that was counted or borrowed. */
static void session_free(struct session *session)
{
	struct worker *worker = session->worker;

	if (session->endpoint)
		pool_view_release(session->pool_view, session->endpoint);
	for (uint32_t i = 0; i < session->ntried; i++)
		endpoint_unref(session->tried[i]);
	for (size_t i = 0; i < ARRAY_SIZE(session->sources); i++)
		source_table_give(worker->shared->sources, session->sources[i]);
	input_release(worker->loop, &session->intake);
	http_client_free(session->http);
	atomic_fetch_sub(&session->listener->stats->active, 1);
	atomic_fetch_sub(&worker->shared->active, 1);
	list_remove(&session->node);
	worker_view_unref(session->view);
	free(session->sni);
	free(session->tlvs);
	free(session);
	worker_on_session_end(worker);
}

static void finish_if_closed(struct session *session)
{
	struct strbuf *lines = NULL;

	if (!session->is_client_closed || session->has_backend_stream)
		return;
	account(session);
	counter_add(&session->counters->ends[session->end], 1);
	handoff_count(&session->tunnel);
	histogram_observe(&session->counters->session_time,
			  session->ended_us - session->accepted_us);
	/* What goes on is logged by who sees its end; mode http logs each request. */
	if (session->end != CONNECTION_END_LEFT && !session->http)
		lines = worker_view_log(session->view);
	if (lines)
		write_access_log(session, lines);
	session_free(session);
}

void session_end(struct session *session, enum connection_end end, enum io_close_how client,
		 enum io_close_how backend)
{
	struct io_loop *loop = session->worker->loop;

	if (session->state == CONNECTION_CLOSING)
		return;
	/* The log wants it, and a closed socket no longer knows. */
	if (session->view->snapshot->access_log)
		session_local(session, &session->local_address);
	tunnel_stop(&session->tunnel, client == IO_CLOSE_RESET);
	http_client_stop(session->http);
	session->state = CONNECTION_CLOSING;
	session->end = end;
	session->ended_us = io_loop_now_us(loop);
	io_timer_stop(loop, &session->timer);
	pool_view_cancel_wait(&session->waiter);
	io_stream_close(&session->client, client);
	if (session->has_backend_stream)
		io_stream_close(&session->backend, backend);
}

void session_leave(struct session *session)
{
	if (session->state == CONNECTION_RELAY && handoff_leave(&session->tunnel))
		session_end(session, CONNECTION_END_LEFT, IO_CLOSE_FIN, IO_CLOSE_FIN);
}

void session_reset(struct session *session, enum connection_end end)
{
	session_end(session, end, IO_CLOSE_RESET, IO_CLOSE_RESET);
}

static void on_client_recv(struct io_stream *stream, struct io_buf *buf, int status)
{
	struct session *session = container_of(stream, struct session, client);

	if (session->state == CONNECTION_HTTP)
		http_client_on_recv(session->http, buf, status);
	else
		intake_on_recv(session, buf, status);
}

static void on_client_closed(struct io_stream *stream)
{
	struct session *session = container_of(stream, struct session, client);

	session->is_client_closed = true;
	finish_if_closed(session);
}

static void on_backend_connect(struct io_stream *stream, int status)
{
	connect_on_connect(container_of(stream, struct session, backend), status);
}

static void on_backend_closed(struct io_stream *stream)
{
	struct session *session = container_of(stream, struct session, backend);

	session->has_backend_stream = false;
	if (session->state == CONNECTION_CLOSING)
		finish_if_closed(session);
	else
		connect_on_backend_closed(session);
}

static void on_client_sent(struct io_stream *stream, int status)
{
	struct session *session = container_of(stream, struct session, client);

	if (session->state == CONNECTION_HTTP)
		http_client_on_sent(session->http, status);
	else
		tunnel_on_sent(&session->tunnel);
}

static void on_backend_sent(struct io_stream *stream, int status)
{
	(void)status;
	tunnel_on_sent(&container_of(stream, struct session, backend)->tunnel);
}

static const struct io_stream_ops client_ops = {
	.on_recv = on_client_recv,
	.on_sent = on_client_sent,
	.on_closed = on_client_closed,
};

const struct io_stream_ops session_backend_ops = {
	.on_connect = on_backend_connect,
	.on_sent = on_backend_sent,
	.on_closed = on_backend_closed,
};

static void on_timer(struct io_timer *timer)
{
	struct session *session = container_of(timer, struct session, timer);

	switch (session->state) {
	case CONNECTION_PROXY_HEADER:
	case CONNECTION_CLIENT_HELLO:
		intake_on_timeout(session);
		break;
	case CONNECTION_QUEUED:
	case CONNECTION_CONNECTING:
		connect_on_timeout(session);
		break;
	case CONNECTION_TLS_HANDSHAKE:
	case CONNECTION_HTTP:
		http_client_on_timeout(session->http);
		break;
	case CONNECTION_RELAY:
	case CONNECTION_CLOSING:
		break;
	}
}

int session_start(struct worker_view *view, uint32_t listener, uint16_t port, int fd)
{
	struct session *session = calloc(1, sizeof(*session));
	struct worker *worker = view->worker;

	if (!session) {
		close(fd);
		return -ENOMEM;
	}
	session->worker = worker;
	session->view = worker_view_ref(view);
	session->listener = &view->snapshot->listeners[listener];
	session->counters = &session->listener->stats->by_worker[worker->index];
	session->port = port;
	session->timer.on_expire = on_timer;
	session->id = worker->next_id++ << 8 | (worker->index & 0xff);
	session->accepted_us = io_loop_now_us(worker->loop);
	if (view->snapshot->access_log)
		session->accepted_wall_us = clock_wall_us();
	list_push_back(&worker->sessions, &session->node);
	worker_on_session_start(worker);
	counter_add(&session->counters->accepted, 1);
	io_stream_init(&session->client, worker->loop, fd, &client_ops);
	intake_start(session);
	return 0;
}

void session_describe(struct session *session, struct connection_row *ret)
{
	const struct config_pool *pool = session_pool_config(session);
	uint64_t now_ms = io_loop_now_ms(session->worker->loop);
	uint64_t active_ms = tunnel_last_activity_ms(&session->tunnel);

	handoff_account(&session->tunnel);
	*ret = (struct connection_row){
		.id = session->id,
		.worker = session->worker->index,
		.client = session->client_address,
		.state = session->state,
		.rung = handoff_rung(&session->tunnel),
		.reason = handoff_reason(&session->tunnel),
		.bytes_in = tunnel_bytes_in(&session->tunnel),
		.bytes_out = tunnel_bytes_out(&session->tunnel),
		.tls_version = session->client_tls.version,
		.tls_cipher = session->client_tls.cipher,
		.is_tls_resumed = session->client_tls.is_resumed,
		.backend_tls_version = session->backend_tls.version,
		.age_ms = now_ms - session->accepted_us / 1000,
		.idle_ms = active_ms && now_ms > active_ms ? now_ms - active_ms : 0,
	};
	session_local(session, &ret->local);
	snprintf(ret->listener, sizeof(ret->listener), "%s", session->listener->config->name);
	snprintf(ret->pool, sizeof(ret->pool), "%s", pool ? pool->name : "");
	snprintf(ret->sni, sizeof(ret->sni), "%s", session->sni ? session->sni : "");
	if (!session->endpoint)
		return;
	snprintf(ret->endpoint, sizeof(ret->endpoint), "%s", session->endpoint->name);
	ret->backend = session->endpoint->address;
}
