// SPDX-License-Identifier: Apache-2.0
/* A tcp session's last state: a tunnel carries the bytes between its two sockets. */
#include "proxy/tcp_session.h"

/* A backend that resets before it has said anything is ill. */
static void on_end(struct tunnel *tunnel, enum connection_end end, enum io_close_how client,
		   enum io_close_how backend)
{
	struct tcp_session *session = container_of(tunnel, struct tcp_session, tunnel);

	if (end == CONNECTION_END_BACKEND_RESET && backend == IO_CLOSE_RESET &&
	    tunnel->down.first_byte_us == 0)
		pool_view_report_reset(session->dial.pool_view, session->dial.endpoint);
	session_end(&session->base, end, client, backend);
}

/* What intake has read goes to the backend before anything newer. */
void relay_start(struct tcp_session *session)
{
	struct session *base = &session->base;
	struct io_buf *intake = input_take(&base->intake);

	base->state = CONNECTION_RELAY;
	/* A client's socket that was handed over no longer knows. */
	if (base->worker->shared->splice)
		session_local(base, &base->local_address);
	session->tunnel = (struct tunnel){
		.client = &base->client,
		.backend = &session->backend,
		.config = base->view->snapshot->config,
		.counters = base->counters,
		.splice = base->worker->shared->splice,
		.sockmap = base->worker->shared->sockmap,
		.idle_timeout_ms = base->listener->config->idle_timeout_ms,
		.keepalive_ms = base->listener->config->keepalive_ms,
		.label = {.id = base->id,
			  .accepted_us = base->accepted_wall_us,
			  .listener_hash = handoff_hash(base->listener->config->name),
			  .pool_hash = handoff_hash(dial_pool(&session->dial)->name)},
		.is_ack_held = true,
		.on_end = on_end,
	};
	tunnel_start(&session->tunnel, intake, NULL);
}
