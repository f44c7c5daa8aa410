/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_CHECK_TAKE_H
#define SLUICE_BPF_CHECK_TAKE_H

/* At ingress: answers to health checks, at TC; XDP leaves them to it. Whoever is not one pays for a
 * look at one bit. */
#if FRAME_CAN_COPY
#include "lib/check.h"

/* Verified by itself, for its stack. Return: whether the packet is the stack's now. */
__noinline int check_take(frame_context *ctx, struct packet *packet)
{
	const struct dispatch_check *check = packet ? check_at(packet->key.destination_port) : NULL;

	if (!check || packet->key.source_port != check->port ||
	    !check_address_is(packet->key.source, check->service.address))
		return 0;
	return !check_readdress(ctx, packet, check->endpoint, packet->key.destination);
}

/* @packet: as parse_frame() has left it. */
static __always_inline bool check_answers(frame_context *ctx, struct packet *packet)
{
	if (packet->protocol != IPPROTO_TCP || packet->is_fragment ||
	    !check_at(packet->key.destination_port))
		return false;
	return !frame_is_tagged(ctx, packet) && check_take(ctx, packet);
}

#else

static __always_inline bool check_answers(frame_context *ctx, struct packet *packet)
{
	(void)ctx;
	(void)packet;
	return false;
}

#endif

#endif
