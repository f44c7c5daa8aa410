// SPDX-License-Identifier: Apache-2.0
/* Tunnels that begin as an exchange. */
#include "proxy/http_tunnel.h"

#include "net/socket.h"
#include "proxy/http_backend.h"
#include "proxy/http_client.h"
#include "proxy/session.h"
#include "proxy/tunnel.h"

#include <errno.h>
#include <stdlib.h>

struct http_tunnel {
	struct tunnel tunnel;
	struct http_client *client;
};

/* The exchange's line tells what has flowed. */
static void take_counts(struct http_tunnel *tunnel)
{
	struct exchange *exchange = tunnel->client->exchange;

	exchange->up.payload = tunnel_bytes_in(&tunnel->tunnel);
	exchange->down.payload = tunnel_bytes_out(&tunnel->tunnel);
}

static void on_end(struct tunnel *base, enum connection_end end, enum io_close_how client,
		   enum io_close_how backend)
{
	struct http_tunnel *tunnel = container_of(base, struct http_tunnel, tunnel);
	struct exchange *exchange = tunnel->client->exchange;

	take_counts(tunnel);
	http_backend_close(exchange->leg->backend, backend);
	exchange->leg->backend = NULL;
	exchange_stop(exchange, EXCHANGE_END_UPGRADED);
	session_end(tunnel->client->session, end, client, backend);
}

static struct tunnel tunnel_of(struct http_client *client)
{
	const struct session *session = client->session;
	const struct config_listener *listener = session->listener->config;
	const struct worker_shared *shared = client->worker->shared;

	return (struct tunnel){
		.client = &client->session->client,
		.backend = &client->exchange->leg->backend->stream,
		.config = session->view->snapshot->config,
		.counters = session->counters,
		.splice = shared->splice,
		.sockmap = shared->sockmap,
		.idle_timeout_ms = listener->idle_timeout_ms,
		.keepalive_ms = listener->keepalive_ms,
		.label = {.id = session->id,
			  .accepted_us = session->accepted_wall_us,
			  .listener_hash = handoff_hash(listener->name),
			  .pool_hash = handoff_hash(exchange_pool(client->exchange)->name)},
		.on_end = on_end,
	};
}

int http_tunnel_start(struct http_client *client, struct io_buf *from_backend)
{
	const struct exchange_leg *leg = client->exchange->leg;
	struct session *session = client->session;
	struct http_tunnel *tunnel = calloc(1, sizeof(*tunnel));

	if (!tunnel) {
		io_buf_release(client->worker->loop, from_backend);
		return -ENOMEM;
	}
	client->tunnel = tunnel;
	tunnel->client = client;
	tunnel->tunnel = tunnel_of(client);
	/* A client's socket that was handed over no longer knows. */
	if (tunnel->tunnel.splice)
		session_local(session, &session->local_address);
	socket_tune(tunnel->tunnel.backend->fd, leg->dial.endpoint->address.sa.sa_family,
		    tunnel->tunnel.keepalive_ms);
	tunnel_start(&tunnel->tunnel, input_take(&client->input), from_backend);
	return 0;
}

void http_tunnel_on_sent(struct http_tunnel *tunnel)
{
	tunnel_on_sent(&tunnel->tunnel);
}

void http_tunnel_leave(struct http_tunnel *tunnel)
{
	if (!handoff_leave(&tunnel->tunnel))
		return;
	tunnel_stop(&tunnel->tunnel, false);
	on_end(&tunnel->tunnel, CONNECTION_END_LEFT, IO_CLOSE_FIN, IO_CLOSE_FIN);
}

void http_tunnel_describe(struct http_tunnel *tunnel, struct connection_row *ret)
{
	tunnel_describe(&tunnel->tunnel, ret);
	take_counts(tunnel);
}

void http_tunnel_stop(struct http_tunnel *tunnel)
{
	tunnel_stop(&tunnel->tunnel, true);
	handoff_count(&tunnel->tunnel);
	take_counts(tunnel);
}

void http_tunnel_free(struct http_tunnel *tunnel)
{
	free(tunnel);
}
