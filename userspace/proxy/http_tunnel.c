// SPDX-License-Identifier: Apache-2.0
/* Tunnels that begin as an exchange. */
#include "proxy/http_tunnel.h"

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

int http_tunnel_start(struct http_client *client, struct io_buf *from_backend)
{
	struct http_tunnel *tunnel = calloc(1, sizeof(*tunnel));
	struct session *session = client->session;

	if (!tunnel) {
		io_buf_release(client->worker->loop, from_backend);
		return -ENOMEM;
	}
	client->tunnel = tunnel;
	tunnel->client = client;
	tunnel->tunnel = (struct tunnel){
		.client = &session->client,
		.backend = &client->exchange->leg->backend->stream,
		.config = session->view->snapshot->config,
		.counters = session->counters,
		.splice = session->worker->shared->splice,
		.idle_timeout_ms = session->listener->config->idle_timeout_ms,
		.label = {.id = session->id, .accepted_us = session->accepted_wall_us},
		.on_end = on_end,
	};
	tunnel_start(&tunnel->tunnel, input_take(&client->input), from_backend);
	return 0;
}

void http_tunnel_on_sent(struct http_tunnel *tunnel)
{
	tunnel_on_sent(&tunnel->tunnel);
}

void http_tunnel_stop(struct http_tunnel *tunnel)
{
	tunnel_stop(&tunnel->tunnel, true);
	take_counts(tunnel);
}

void http_tunnel_free(struct http_tunnel *tunnel)
{
	free(tunnel);
}
