// SPDX-License-Identifier: Apache-2.0
/*
 * TLS on the legs of a session: after the handshakes the streams carry plain bytes, and nobody
 * behind this file can tell. The client's comes before a backend is looked for, the backend's is
 * part of connecting to it.
 */
#include "core/log.h"
#include "proxy/session.h"
#include "tls/session.h"

#include <errno.h>
#include <string.h>

static void keep_facts(struct secure_leg *leg, const struct tls_facts *facts)
{
	*leg = (struct secure_leg){
		.version = facts->version,
		.cipher = facts->cipher,
		.is_resumed = facts->is_resumed,
	};
}

/* Bytes of the client can be read as plain text from here on. */
static void go_on(struct session *session)
{
	if (session->listener->config->mode != CONFIG_MODE_HTTP)
		connect_start(session);
	else if (http_client_start(session) < 0)
		session_reset(session, CONNECTION_END_NO_MEMORY);
}

/* --- The client -------------------------------------------------------------------- */

static void on_client_secured(struct session *session)
{
	struct tls_facts facts;

	tls_session_facts(session->client_session, &facts);
	keep_facts(&session->client_tls, &facts);
	/* Only shown: a lack of memory here costs a name in the log, nothing else. */
	if (!session->sni && facts.sni)
		session->sni = strdup(facts.sni);
	go_on(session);
}

static void on_client_ready(struct io_stream *stream, const struct tls_result *result)
{
	struct session *session = container_of(stream, struct session, client);

	session->client_tls.failure = result->failure;
	tls_counters_add(&session->counters->tls, result);
	if (result->failure == TLS_FAILURE_NONE) {
		on_client_secured(session);
		return;
	}
	log_debug("connection %llu: TLS handshake: %s", (unsigned long long)session->id,
		  result->reason);
	session_end(session, CONNECTION_END_CLIENT_TLS_FAILED, IO_CLOSE_FIN, IO_CLOSE_FIN);
}

/* What was looked at to find the route is the beginning of the handshake. */
static void give_back_intake(struct session *session)
{
	if (session->intake.buf)
		io_stream_unread(&session->client, input_take(&session->intake));
}

void secure_client(struct session *session)
{
	const struct tls_start start = {
		.pacer = session->worker->tls_pacer,
		.timeout_ms = session->listener->config->tls.handshake_timeout_ms,
		.on_ready = on_client_ready,
	};

	if (!session->listener->tls) {
		go_on(session);
		return;
	}
	session->state = CONNECTION_TLS_HANDSHAKE;
	io_stream_recv_stop(&session->client);
	give_back_intake(session);
	if (tls_accept(session->listener->tls, &session->client, &start, &session->client_session) <
	    0)
		session_reset(session, CONNECTION_END_NO_MEMORY);
}

/* --- The backend ------------------------------------------------------------------- */

static void on_backend_ready(struct io_stream *stream, const struct tls_result *result)
{
	struct session *session = container_of(stream, struct session, backend);
	const struct snapshot *snapshot = session->view->snapshot;
	struct tls_facts facts;

	session->backend_tls.failure = result->failure;
	tls_counters_add(&snapshot->pools[session->pool]->by_worker[session->worker->index].tls,
			 result);
	if (result->failure == TLS_FAILURE_NONE) {
		tls_session_facts(session->backend_session, &facts);
		keep_facts(&session->backend_tls, &facts);
		connect_on_secured(session);
		return;
	}
	log_warn("pool %s: endpoint %s: TLS handshake: %s", session_pool_config(session)->name,
		 session->endpoint->name, result->reason);
	connect_on_insecure(session);
}

/* The timer of the connect goes on; the handshake's own only stands behind it. */
void secure_backend(struct session *session)
{
	const struct tls_client_context *context = pool_tls(pool_view_pool(session->pool_view));
	const struct tls_start start = {
		.pacer = session->worker->tls_pacer,
		.timeout_ms = session_pool_config(session)->connect_timeout_ms * 2,
		.on_ready = on_backend_ready,
	};
	char host[ENDPOINT_HOST_SIZE];
	const struct tls_target target = {
		.server = endpoint_host(session->endpoint, host),
		.cache = session->view->tls_caches[session->pool],
		.id = session->endpoint->id,
	};
	int err;

	if (!context) {
		connect_on_secured(session);
		return;
	}
	err = tls_connect(context, &target, &session->backend, &start, &session->backend_session);
	if (err == -ENOMEM)
		session_reset(session, CONNECTION_END_NO_MEMORY);
	else if (err)
		connect_on_insecure(session);
}
