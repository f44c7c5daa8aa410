// SPDX-License-Identifier: Apache-2.0
/*
 * The ACK that ends the handshake with a backend waits for the client's first bytes and goes with
 * them, which saves a short connection a segment and the backend a wake-up. Linux then holds the
 * ACK of the answer likewise (RFC 1122 4.2.3.2), and a backend that writes in small pieces without
 * TCP_NODELAY waits for it: so it goes in the round of the answer's first bytes. Only if the FIN
 * came with them it waits a moment for ours, but not until the backend would send its FIN again.
 */
#include "net/socket.h"
#include "proxy/tunnel.h"

/* A tail loss probe comes after two ticks of the kernel at the earliest (RFC 8985 7.2). */
#define AWAIT_FIN_MS 1

static void release(struct tunnel *tunnel)
{
	if (tunnel->is_ack_held)
		socket_release_ack(tunnel->backend->fd);
	tunnel->is_ack_held = false;
}

static void on_first_answer(struct io_pump *down)
{
	release(container_of(down, struct tunnel, down));
}

static void on_timer(struct io_timer *timer)
{
	release(container_of(timer, struct tunnel, ack_timer));
}

void held_ack_start(struct tunnel *tunnel, const struct io_buf *from_client)
{
	tunnel->down.on_first = on_first_answer;
	tunnel->ack_timer.on_expire = on_timer;
	/* Held still: what the client says later makes the kernel hold the next one. */
	if (!from_client && !tunnel->backend->queued)
		socket_release_ack(tunnel->backend->fd);
}

void held_ack_await_fin(struct tunnel *tunnel)
{
	if (tunnel->is_ack_held)
		io_timer_start(tunnel->backend->loop, &tunnel->ack_timer, AWAIT_FIN_MS);
}
