/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_CHECK_SEND_H
#define SLUICE_BPF_CHECK_SEND_H

/* At egress: what a health check's socket sends. */
#include "lib/check.h"
#include "lib/tunnel.h"

/* Return: not 0: it is not what a check sends, or cannot be changed. */
static __always_inline long check_wrap(frame_context *ctx, struct packet *packet)
{
	const struct dispatch_check *check = check_at(packet->key.source_port);

	if (!check || packet->key.destination_port != check->port ||
	    !check_address_is(packet->key.destination, check->endpoint) ||
	    frame_is_tagged(ctx, packet) ||
	    check_readdress(ctx, packet, packet->key.source, check->service.address))
		return -1;
	return tunnel_wrap(ctx, packet, &check->service, check->endpoint,
			   (__u64)packet->key.source_port << 32);
}

/*
 * Verified by itself, for its stack. The device is that of the way to the endpoint already, and so
 * is the link layer's address. A packet that would go as it is would find out about something else:
 * it is dropped, and the check fails.
 */
__noinline int check_send(frame_context *ctx)
{
	struct packet packet = {};

	frame_pull_headers(ctx);
	if (parse_frame((void *)(long)ctx->data, (void *)(long)ctx->data_end, frame_len(ctx),
			frame_is_gso(ctx), &packet) != UNDECIDED ||
	    packet.protocol != IPPROTO_TCP || check_wrap(ctx, &packet))
		return FRAME_DROP;
	ctx->mark &= ~FLOW_MARK_CHECK; /* it may pass through one more device */
	return FRAME_PASS;
}

#endif
