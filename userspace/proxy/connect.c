// SPDX-License-Identifier: Apache-2.0
/* A session of mode tcp on its way to a backend: what its dial asks for, and what becomes of it. */
#include "proxy/tcp_session.h"

static struct tcp_session *session_of(struct dial *dial)
{
	return container_of(dial, struct tcp_session, dial);
}

/* With TLS a client's early FIN would be taken for a reset: it stays in its socket. */
static bool has_tls(const struct tcp_session *session)
{
	return session->base.listener->tls || pool_tls(pool_view_pool(session->dial.pool_view));
}

/* Where it fails, the connection will not be eligible, and says so then. */
static void prepare_splice(const struct tcp_session *session, int fd)
{
	struct splice *splice = session->base.worker->shared->splice;
	const struct config *config = session->base.view->snapshot->config;

	if (splice && !has_tls(session) && config->acceleration.mode == CONFIG_SPLICE)
		(void)splice_prepare_backend(splice, session->base.client.fd, fd);
}

static void on_backend_connect(struct io_stream *stream, int status)
{
	dial_on_connect(&container_of(stream, struct tcp_session, backend)->dial, status);
}

static void on_backend_sent(struct io_stream *stream, int status)
{
	(void)status;
	tunnel_on_sent(&container_of(stream, struct tcp_session, backend)->tunnel);
}

static void on_backend_closed(struct io_stream *stream)
{
	struct tcp_session *session = container_of(stream, struct tcp_session, backend);

	session->has_backend_stream = false;
	if (session->base.state == CONNECTION_CLOSING)
		session_free_if_over(&session->base);
	else
		dial_next(&session->dial);
}

static const struct io_stream_ops backend_ops = {
	.on_connect = on_backend_connect,
	.on_sent = on_backend_sent,
	.on_closed = on_backend_closed,
};

static void on_wait(struct dial *dial)
{
	struct tcp_session *session = session_of(dial);

	session->base.state = CONNECTION_QUEUED;
	intake_watch(&session->base);
}

static struct io_stream *on_socket(struct dial *dial, int fd)
{
	struct tcp_session *session = session_of(dial);

	session->base.state = CONNECTION_CONNECTING;
	prepare_splice(session, fd);
	io_stream_init(&session->backend, session->base.worker->loop, fd, &backend_ops);
	session->has_backend_stream = true;
	if (!has_tls(session))
		intake_watch(&session->base);
	return &session->backend;
}

static void on_handshake(struct io_stream *stream, const struct tls_result *result)
{
	dial_on_handshake(&container_of(stream, struct tcp_session, backend)->dial, result);
}

static void on_ready(struct dial *dial)
{
	relay_start(session_of(dial));
}

/* Goes on when it has closed: the next try uses the same stream. */
static void on_lost(struct dial *dial, enum io_close_how how)
{
	io_stream_close(&session_of(dial)->backend, how);
}

static void on_failed(struct dial *dial, enum dial_failure failure)
{
	static const enum connection_end ends[] = {
		[DIAL_NO_ENDPOINT] = CONNECTION_END_NO_ENDPOINT,
		[DIAL_CONNECT_FAILED] = CONNECTION_END_CONNECT_FAILED,
		[DIAL_TLS_FAILED] = CONNECTION_END_BACKEND_TLS_FAILED,
		[DIAL_QUEUE_FULL] = CONNECTION_END_QUEUE_FULL,
		[DIAL_QUEUE_TIMEOUT] = CONNECTION_END_QUEUE_TIMEOUT,
		[DIAL_NO_DESCRIPTORS] = CONNECTION_END_NO_DESCRIPTORS,
		[DIAL_NO_MEMORY] = CONNECTION_END_NO_MEMORY,
	};

	session_reset(&session_of(dial)->base, ends[failure]);
}

static void introduce(const struct dial *dial, struct proxy_header *header)
{
	session_introduce(&container_of(dial, struct tcp_session, dial)->base, header);
}

const struct dial_ops connect_dial_ops = {
	.introduce = introduce,
	.on_wait = on_wait,
	.on_socket = on_socket,
	.on_handshake = on_handshake,
	.on_ready = on_ready,
	.on_lost = on_lost,
	.on_failed = on_failed,
};
