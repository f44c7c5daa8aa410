// SPDX-License-Identifier: Apache-2.0
/* What is read before a backend is chosen: the PROXY header of a trusted source, then the
 * ClientHello where routing asks for it. Neither is consumed from the relay's point of view, except
 * for the PROXY header. */
#include "net/proxy_protocol.h"
#include "net/socket.h"
#include "proxy/tcp_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* So much of a client waits here for a backend; what comes next stays in its socket. */
#define INTAKE_ENOUGH CLIENT_HELLO_MAX

static bool is_trusted_source(const struct session *session)
{
	const struct config_listener *config = session->listener->config;

	for (size_t i = 0; i < config->nproxy_accept; i++)
		if (prefix_contains(&config->proxy_accept[i], &session->peer_address))
			return true;
	return false;
}

static void route(struct session *session, const struct client_hello *hello)
{
	const struct tcp_route_table *routes = session->listener->routes;
	struct geo_facts facts = {};
	const struct tcp_route_request request = {
		.hello = hello,
		.source = &session->client_address,
		.facts = &facts,
		.port = session->port,
	};
	int pool;

	if (tcp_route_table_needs_facts(routes))
		worker_view_look(session->view, &session->client_address, &facts);
	pool = tcp_route_match(routes, &request);
	io_timer_stop(session->worker->loop, &session->timer);
	if (pool < 0) {
		session_reset(session, CONNECTION_END_NO_ROUTE);
		return;
	}
	tcp_session_of(session)->dial.pool = (size_t)pool;
	secure_client(session);
}

static void keep_sni(struct session *session, const struct client_hello *hello)
{
	/* Only shown: a lack of memory here costs a name in the log, nothing else. */
	if (hello->sni[0])
		session->sni = strdup(hello->sni);
}

/* Looks at what has come so far; @is_last: nothing more will. */
static void try_hello(struct session *session, bool is_last)
{
	struct client_hello *hello = &session->worker->hello;
	int err = client_hello_parse(input_bytes(&session->intake), hello);

	if (err == -EAGAIN && !is_last)
		return;
	if (err == -EMSGSIZE) {
		session_reset(session, CONNECTION_END_CLIENT_HELLO_TOO_LARGE);
		return;
	}
	if (err == 0)
		keep_sni(session, hello);
	route(session, err == 0 ? hello : NULL);
}

static int take_source(struct session *session, size_t slot, const void *scope, uint32_t limit)
{
	const struct config_limits *limits = &session->view->snapshot->config->limits;
	bool is_v4 = session->client_address.sa.sa_family == AF_INET;
	struct prefix network;

	if (limit == 0 ||
	    !prefix_of(&session->client_address,
		       (uint8_t)(is_v4 ? limits->source_prefix_v4 : limits->source_prefix_v6),
		       &network))
		return 0;
	return source_table_take(session->worker->shared->sources, scope, &network, limit,
				 &session->sources[slot]);
}

/* The client's address is known: limits for it hold from here. */
static void on_client_known(struct session *session)
{
	const struct config *config = session->view->snapshot->config;
	const struct config_listener *listener = session->listener->config;
	int err;

	err = take_source(session, 0, NULL, config->limits.max_connections_per_source);
	if (!err)
		err = take_source(session, 1, session->listener->stats,
				  listener->max_connections_per_source);
	if (err) {
		counter_add(&session->counters->refused, 1);
		session_reset(session,
			      err == -EUSERS ? CONNECTION_END_LIMIT : CONNECTION_END_NO_MEMORY);
		return;
	}
	if (listener->mode == CONFIG_MODE_HTTP) {
		io_timer_stop(session->worker->loop, &session->timer);
		secure_client(session);
		return;
	}
	if (!tcp_route_table_needs_hello(session->listener->routes)) {
		route(session, NULL);
		return;
	}
	session->state = CONNECTION_CLIENT_HELLO;
	io_timer_start(session->worker->loop, &session->timer, listener->client_hello_timeout_ms);
	io_stream_recv_start(&session->client);
	if (session->intake.buf)
		try_hello(session, false);
}

static int keep_header(struct session *session, const struct proxy_header *header)
{
	if (header->is_local || header->source.len == 0)
		return 0;
	session->client_address = header->source;
	session->local_address = header->destination;
	address_unmap(&session->client_address);
	if (address_is_ip(&header->destination))
		session->port = address_port(&header->destination);
	if (header->tlvs.len == 0)
		return 0;
	session->tlvs = malloc(header->tlvs.len);
	if (!session->tlvs)
		return -ENOMEM;
	memcpy(session->tlvs, header->tlvs.ptr, header->tlvs.len);
	session->ntlvs = header->tlvs.len;
	return 0;
}

static void try_proxy_header(struct session *session)
{
	struct proxy_header header;
	const char *reason;
	size_t len;
	int err = proxy_header_parse(input_bytes(&session->intake), &header, &len, &reason);

	if (err == -EAGAIN)
		return;
	if (err) {
		session_reset(session, CONNECTION_END_PROXY_HEADER_INVALID);
		return;
	}
	if (keep_header(session, &header) < 0) {
		session_reset(session, CONNECTION_END_NO_MEMORY);
		return;
	}
	input_consume(session->worker->loop, &session->intake, len);
	io_timer_stop(session->worker->loop, &session->timer);
	on_client_known(session);
}

/* FIN or an error came before a backend was chosen. */
static void on_input_ended(struct session *session, int status)
{
	if (status < 0) {
		session_reset(session, CONNECTION_END_CLIENT_RESET);
	} else if (!session->intake.buf && session->state <= CONNECTION_QUEUED) {
		session_end(session, CONNECTION_END_CLIENT_GONE, IO_CLOSE_FIN, IO_CLOSE_RESET);
	} else if (session->state == CONNECTION_PROXY_HEADER) {
		session_reset(session, CONNECTION_END_PROXY_HEADER_INVALID);
	} else if (session->state == CONNECTION_CLIENT_HELLO) {
		try_hello(session, true);
	}
	/* Later on the FIN is left for the relay, which reads it again. */
}

void intake_on_recv(struct session *session, struct io_buf *buf, int status)
{
	struct io_loop *loop = session->worker->loop;

	if (!buf) {
		on_input_ended(session, status);
		return;
	}
	if (input_append(loop, &session->intake, buf) < 0) {
		session_reset(session, CONNECTION_END_NO_MEMORY);
		return;
	}
	if (session->state == CONNECTION_PROXY_HEADER)
		try_proxy_header(session);
	else if (session->state == CONNECTION_CLIENT_HELLO)
		try_hello(session, false);
	else if (input_bytes(&session->intake).len >= INTAKE_ENOUGH)
		io_stream_recv_stop(&session->client);
	if (input_keep(loop, &session->intake) < 0)
		session_reset(session, CONNECTION_END_NO_MEMORY);
}

void intake_watch(struct session *session)
{
	if (input_bytes(&session->intake).len < INTAKE_ENOUGH)
		io_stream_recv_start(&session->client);
}

void intake_on_timeout(struct session *session)
{
	if (session->state == CONNECTION_PROXY_HEADER)
		session_reset(session, CONNECTION_END_PROXY_HEADER_TIMEOUT);
	else
		try_hello(session, true);
}

void intake_start(struct session *session)
{
	const struct config_listener *config = session->listener->config;

	if (socket_peer(session->client.fd, &session->peer_address) < 0) {
		session_end(session, CONNECTION_END_CLIENT_GONE, IO_CLOSE_FIN, IO_CLOSE_FIN);
		return;
	}
	session->client_address = session->peer_address;
	address_unmap(&session->client_address);
	if (!is_trusted_source(session)) {
		on_client_known(session);
		return;
	}
	session->state = CONNECTION_PROXY_HEADER;
	io_timer_start(session->worker->loop, &session->timer, config->proxy_timeout_ms);
	io_stream_recv_start(&session->client);
}
