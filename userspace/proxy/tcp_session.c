// SPDX-License-Identifier: Apache-2.0
/* Mode tcp: what is counted, logged and told of a connection that has one backend. */
#include "proxy/tcp_session.h"
#include "net/socket.h"
#include "proxy/access_log.h"

#include <stdio.h>

/* --- Counting ------------------------------------------------------------------- */

/*
 * The backend has said something. As the answer to the first thing that the client said it tells
 * how fast the backend is, by which p2c goes; one that speaks first tells only that it works.
 */
static void report_first_byte(struct tcp_session *session)
{
	uint64_t asked_us = session->tunnel.up.first_byte_us,
		 answered_us = session->tunnel.down.first_byte_us;
	bool is_answer = asked_us && answered_us >= asked_us;
	struct dial *dial = &session->dial;

	if (session->is_first_byte_reported || !dial->endpoint || answered_us == 0)
		return;
	session->is_first_byte_reported = true;
	pool_view_report_first_byte(dial->pool_view, dial->endpoint,
				    is_answer ? (uint32_t)(answered_us - asked_us) : 0);
}

/* Adds what has flowed since the last time to the counters. */
static void account(struct tcp_session *session)
{
	struct listener_counters *counters = session->base.counters;
	struct endpoint *endpoint = session->dial.endpoint;
	uint64_t in, out, new_in, new_out;

	handoff_account(&session->tunnel);
	in = tunnel_bytes_in(&session->tunnel);
	out = tunnel_bytes_out(&session->tunnel);
	new_in = in - session->counted_in;
	new_out = out - session->counted_out;

	if (new_in == 0 && new_out == 0)
		return;
	report_first_byte(session);
	counter_add(&counters->bytes_in, new_in);
	counter_add(&counters->bytes_out, new_out);
	if (endpoint) {
		counter_add_shared(&endpoint->load.bytes_in, new_in);
		counter_add_shared(&endpoint->load.bytes_out, new_out);
	}
	session->counted_in = in;
	session->counted_out = out;
}

/* Four system calls that a short connection does without: keep-alive has time until it is idle. */
static void keep_backend_alive(struct tcp_session *session)
{
	uint32_t keepalive_ms = session->base.listener->config->keepalive_ms;

	if (session->is_kept_alive || session->base.state != CONNECTION_RELAY ||
	    session->tunnel.handoff.state == HANDOFF_JOINED)
		return;
	session->is_kept_alive = true;
	socket_tune(session->backend.fd, session->dial.endpoint->address.sa.sa_family,
		    keepalive_ms);
}

static void tend(struct session *base)
{
	account(tcp_session_of(base));
	keep_backend_alive(tcp_session_of(base));
}

/* --- The log -------------------------------------------------------------------- */

static int64_t elapsed_us(uint64_t from, uint64_t to)
{
	return from == 0 || to < from ? -1 : (int64_t)(to - from);
}

static void write_access_log(const struct tcp_session *session, struct strbuf *lines)
{
	const struct session *base = &session->base;
	const struct dial *dial = &session->dial;
	const struct config_pool *pool = dial_pool(dial);
	const struct endpoint *endpoint = dial_endpoint_to_tell(dial);
	const struct address none = {};
	struct access_record record = {
		.started_wall_us = base->accepted_wall_us,
		.id = base->id,
		.worker = base->worker->index,
		.listener = base->listener->config->name,
		.pool = pool ? pool->name : NULL,
		.endpoint = endpoint ? endpoint->name : NULL,
		.sni = base->sni,
		.client_tls = base->client_tls,
		.backend_tls = dial->tls,
		.client = &base->client_address,
		.peer = &base->peer_address,
		.local = &base->local_address,
		.backend = endpoint ? &endpoint->address : &none,
		.bytes_in = tunnel_bytes_in(&session->tunnel),
		.bytes_out = tunnel_bytes_out(&session->tunnel),
		.queue_us = elapsed_us(dial->pick_us, dial->connect_us),
		.connect_us = elapsed_us(dial->connect_us, dial->connected_us),
		.first_byte_us = elapsed_us(dial->connected_us, session->tunnel.down.first_byte_us),
		.duration_us = base->ended_us - base->accepted_us,
		.tries = dial->ntried,
		.end = base->end,
		.rung = handoff_rung(&session->tunnel),
		.reason = handoff_reason(&session->tunnel),
	};

	access_log_format(base->view->snapshot->access_log->format, &record, lines);
}

/* --- Life ------------------------------------------------------------------------ */

static void init(struct session *base)
{
	struct tcp_session *session = tcp_session_of(base);

	session->dial.ops = &connect_dial_ops;
	session->dial.view = base->view;
	session->dial.source = &base->client_address;
}

static void find_place(struct tcp_session *session)
{
	const struct session *base = &session->base;
	struct geo_facts facts;

	worker_view_look(base->view, &base->client_address, &facts);
	session->place = facts.point;
	session->dial.place = facts.has_point ? &session->place : NULL;
}

static void start(struct session *base)
{
	struct tcp_session *session = tcp_session_of(base);
	struct pool_view *pool = base->view->pools[session->dial.pool];

	if (pool_config(pool_view_pool(pool))->is_nearest)
		find_place(session);
	dial_start(&session->dial, session->dial.pool);
}

static void on_sent(struct session *base, int status)
{
	(void)status;
	tunnel_on_sent(&tcp_session_of(base)->tunnel);
}

static void stop(struct session *base, enum io_close_how client, enum io_close_how backend)
{
	struct tcp_session *session = tcp_session_of(base);

	tunnel_stop(&session->tunnel, client == IO_CLOSE_RESET);
	dial_stop(&session->dial);
	if (session->has_backend_stream)
		io_stream_close(&session->backend, backend);
}

static bool is_stopped(const struct session *base)
{
	return !tcp_session_of_const(base)->has_backend_stream;
}

static void on_end(struct session *base)
{
	struct tcp_session *session = tcp_session_of(base);
	struct strbuf *lines = NULL;

	account(session);
	handoff_count(&session->tunnel);
	/* What goes on is logged by who sees its end. */
	if (base->end != CONNECTION_END_LEFT)
		lines = worker_view_log(base->view);
	if (lines)
		write_access_log(session, lines);
	dial_done(&session->dial);
}

static void leave(struct session *base)
{
	if (base->state == CONNECTION_RELAY && handoff_leave(&tcp_session_of(base)->tunnel))
		session_end(base, CONNECTION_END_LEFT, IO_CLOSE_FIN, IO_CLOSE_FIN);
}

static void describe(struct session *base, struct connection_row *ret)
{
	struct tcp_session *session = tcp_session_of(base);
	const struct config_pool *pool = dial_pool(&session->dial);
	const struct endpoint *endpoint = session->dial.endpoint;

	tunnel_describe(&session->tunnel, ret);
	ret->backend_tls_version = session->dial.tls.version;
	snprintf(ret->pool, sizeof(ret->pool), "%s", pool ? pool->name : "");
	if (!endpoint)
		return;
	snprintf(ret->endpoint, sizeof(ret->endpoint), "%s", endpoint->name);
	ret->backend = endpoint->address;
}

const struct session_mode tcp_session_mode = {
	.init = init,
	.start = start,
	.on_recv = intake_on_recv,
	.on_sent = on_sent,
	.tend = tend,
	.leave = leave,
	.stop = stop,
	.is_stopped = is_stopped,
	.on_end = on_end,
	.describe = describe,
};
