// SPDX-License-Identifier: Apache-2.0
/*
 * TLS with the client: after the handshake its stream carries plain bytes, and nobody behind this
 * file can tell. It comes before a backend is looked for; the backend's own is dial_open.c's.
 */
#include "core/log.h"
#include "proxy/session.h"
#include "tls/session.h"

#include <errno.h>
#include <string.h>

void secure_keep_facts(struct secure_leg *leg, const struct tls_facts *facts)
{
	*leg = (struct secure_leg){
		.version = facts->version,
		.cipher = facts->cipher,
		.is_resumed = facts->is_resumed,
	};
}

static void on_client_secured(struct session *session)
{
	struct tls_facts facts;

	tls_session_facts(session->client_session, &facts);
	secure_keep_facts(&session->client_tls, &facts);
	/* Only shown: a lack of memory here costs a name in the log, nothing else. */
	if (!session->sni && facts.sni)
		session->sni = strdup(facts.sni);
	session->mode->start(session);
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

static void on_client_kernel(struct io_stream *stream)
{
	counter_add(&container_of(stream, struct session, client)->counters->tls.kernel, 1);
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
		.on_kernel = on_client_kernel,
	};

	if (!session->listener->tls) {
		session->mode->start(session);
		return;
	}
	session->state = CONNECTION_TLS_HANDSHAKE;
	io_stream_recv_stop(&session->client);
	give_back_intake(session);
	if (tls_accept(session->listener->tls, &session->client, &start, &session->client_session) <
	    0)
		session_reset(session, CONNECTION_END_NO_MEMORY);
}
