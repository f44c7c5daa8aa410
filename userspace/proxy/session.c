// SPDX-License-Identifier: Apache-2.0
/* The life of a connection from accept to its line in the access log; what happens in between is in
 * intake.c, secure.c and the mode's own files. */
#include "proxy/session.h"
#include "core/clock.h"
#include "net/proxy_protocol.h"
#include "net/socket.h"
#include "proxy/http_session.h"
#include "proxy/tcp_session.h"

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

void session_local(const struct session *session, struct address *ret)
{
	*ret = session->local_address;
	if (ret->len == 0 && !session->is_client_closed &&
	    socket_local(session->client.fd, ret) < 0)
		*ret = (struct address){};
}

void session_introduce(const struct session *session, struct proxy_header *header)
{
	session_local(session, &header->destination);
	address_unmap(&header->destination);
	header->tlvs = slice_of(session->tlvs, session->ntlvs);
}

static struct free_list *memory_of(struct worker *worker, const struct session_mode *mode)
{
	return mode == &tcp_session_mode ? &worker->tcp_sessions : &worker->http_sessions;
}

/* Gives back everything that was counted or borrowed. */
static void session_free(struct session *session)
{
	struct worker *worker = session->worker;

	for (size_t i = 0; i < ARRAY_SIZE(session->sources); i++)
		source_table_give(worker->shared->sources, session->sources[i]);
	input_release(worker->loop, &session->intake);
	atomic_fetch_sub(&session->listener->stats->active, 1);
	atomic_fetch_sub(&worker->shared->active, 1);
	list_remove(&session->node);
	worker_view_unref(session->view);
	free(session->sni);
	free(session->tlvs);
	free_list_give(memory_of(worker, session->mode), session);
	worker_on_session_end(worker);
}

void session_free_if_over(struct session *session)
{
	const struct session_mode *mode = session->mode;

	if (!session->is_client_closed || (mode->is_stopped && !mode->is_stopped(session)))
		return;
	counter_add(&session->counters->ends[session->end], 1);
	histogram_observe(&session->counters->session_time,
			  session->ended_us - session->accepted_us);
	mode->on_end(session);
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
	session->mode->stop(session, client, backend);
	session->state = CONNECTION_CLOSING;
	session->end = end;
	session->ended_us = io_loop_now_us(loop);
	io_timer_stop(loop, &session->timer);
	io_stream_close(&session->client, client);
}

void session_reset(struct session *session, enum connection_end end)
{
	session_end(session, end, IO_CLOSE_RESET, IO_CLOSE_RESET);
}

/* Before its mode has begun, what comes is intake.c's. */
static bool is_begun(const struct session *session)
{
	return session->state > CONNECTION_TLS_HANDSHAKE;
}

static void on_client_recv(struct io_stream *stream, struct io_buf *buf, int status)
{
	struct session *session = container_of(stream, struct session, client);

	if (is_begun(session))
		session->mode->on_recv(session, buf, status);
	else
		intake_on_recv(session, buf, status);
}

static void on_client_sent(struct io_stream *stream, int status)
{
	struct session *session = container_of(stream, struct session, client);

	session->mode->on_sent(session, status);
}

static void on_client_closed(struct io_stream *stream)
{
	struct session *session = container_of(stream, struct session, client);

	session->is_client_closed = true;
	session->client_session = NULL; /* it went with the stream */
	session_free_if_over(session);
}

static const struct io_stream_ops client_ops = {
	.on_recv = on_client_recv,
	.on_sent = on_client_sent,
	.on_closed = on_client_closed,
};

static void on_timer(struct io_timer *timer)
{
	struct session *session = container_of(timer, struct session, timer);

	if (is_begun(session))
		session->mode->on_timeout(session);
	else
		intake_on_timeout(session);
}

static const struct session_mode *mode_of(const struct snapshot_listener *listener)
{
	return listener->config->mode == CONFIG_MODE_HTTP ? &http_session_mode : &tcp_session_mode;
}

int session_start(struct worker_view *view, uint32_t listener, uint16_t port, int fd)
{
	const struct snapshot_listener *served = &view->snapshot->listeners[listener];
	const struct session_mode *mode = mode_of(served);
	struct worker *worker = view->worker;
	struct session *session = free_list_take(memory_of(worker, mode));

	if (!session) {
		close(fd);
		return -ENOMEM;
	}
	session->worker = worker;
	session->view = worker_view_ref(view);
	session->listener = served;
	session->mode = mode;
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
	if (mode->init)
		mode->init(session);
	intake_start(session);
	return 0;
}

static void describe_certificate(struct session *session, struct connection_row *ret)
{
	const struct tls_peer *peer = session->client_session
					      ? tls_session_peer(session->client_session)
					      : NULL;

	if (peer)
		snprintf(ret->tls_client, sizeof(ret->tls_client), "%.*s",
			 SLICE_FMT(peer->subject));
}

void session_describe(struct session *session, struct connection_row *ret)
{
	uint64_t now_ms = io_loop_now_ms(session->worker->loop);

	*ret = (struct connection_row){
		.id = session->id,
		.worker = session->worker->index,
		.client = session->client_address,
		.state = session->state,
		.tls_version = session->client_tls.version,
		.tls_cipher = session->client_tls.cipher,
		.is_tls_resumed = session->client_tls.is_resumed,
		.is_tls_kernels = session->client_session &&
				  tls_session_is_kernels(session->client_session),
		.age_ms = now_ms - session->accepted_us / 1000,
	};
	session_local(session, &ret->local);
	snprintf(ret->listener, sizeof(ret->listener), "%s", session->listener->config->name);
	snprintf(ret->sni, sizeof(ret->sni), "%s", session->sni ? session->sni : "");
	describe_certificate(session, ret);
	session->mode->describe(session, ret);
}
