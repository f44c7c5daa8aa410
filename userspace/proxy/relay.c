// SPDX-License-Identifier: Apache-2.0
/* The session's last state: a tunnel carries the bytes between its two sockets. */
#include "proxy/session.h"

/* A backend that resets before it has said anything is ill. */
static void on_end(struct tunnel *tunnel, enum connection_end end, enum io_close_how client,
		   enum io_close_how backend)
{
	struct session *session = container_of(tunnel, struct session, tunnel);

	if (end == CONNECTION_END_BACKEND_RESET && backend == IO_CLOSE_RESET &&
	    tunnel->down.first_byte_us == 0)
		pool_view_report_reset(session->pool_view, session->endpoint);
	session_end(session, end, client, backend);
}

/* What intake has read goes to the backend before anything newer. */
void relay_start(struct session *session)
{
	struct io_buf *intake = input_take(&session->intake);

	session->state = CONNECTION_RELAY;
	/* A client's socket that was handed over no longer knows. */
	if (session->worker->shared->splice)
		session_local(session, &session->local_address);
	session->tunnel = (struct tunnel){
		.client = &session->client,
		.backend = &session->backend,
		.config = session->view->snapshot->config,
		.counters = session->counters,
		.splice = session->worker->shared->splice,
		.sockmap = session->worker->shared->sockmap,
		.idle_timeout_ms = session->listener->config->idle_timeout_ms,
		.keepalive_ms = session->listener->config->keepalive_ms,
		.label = {.id = session->id,
			  .accepted_us = session->accepted_wall_us,
			  .listener_hash = handoff_hash(session->listener->config->name),
			  .pool_hash = handoff_hash(session_pool_config(session)->name)},
		.is_ack_held = true,
		.on_end = on_end,
	};
	tunnel_start(&session->tunnel, intake, NULL);
}
