/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_FIND_H
#define SLUICE_BPF_DISPATCH_FIND_H

/*
 * The endpoint that an ICMP error is for, whose service is known, in functions of their own: they
 * are called behind dispatch_icmp(), whose stack is used up, and the verifier follows each part
 * once.
 */
#include "lib/dispatch_direct.h"
#include "lib/icmp_error.h"

/* @packet: ->service is set. */
static __always_inline bool work_resume(frame_context *ctx, const struct packet *packet,
					struct dispatch_work *work)
{
	if (!work_begin(ctx, packet, work))
		return false;
	work->half = packet->vip / DISPATCH_VIP_PLACES;
	work->service_index = packet->service;
	work->service = service_at(work->half, packet->service);
	return work->service;
}

/* Verified by itself, as the next: one of the two searches of a line for each way through the other
 * would be too much. Sets ->real, 0 where the flow has none. @packet: where it is an error, with
 * the key that it quotes. Return: nothing of interest. */
__noinline int real_find_known(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};

	if (!work_resume(ctx, packet, &work))
		return 0;
	packet->real = 0;
	if (packet_is_icmp(packet))
		work.protocol = key_of_quote(packet);
	if (find_line(&work, packet))
		packet->real = (__u16)known_real(&work);
	return 0;
}

/* The endpoint of a new flow becomes ->real. One whose headers do not fit, with ->l4_len 0, begins
 * none; nor does an error. */
__noinline int real_choose(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};

	if (!work_resume(ctx, packet, &work) || !packet->l4_len)
		return 0;
	if (packet_is_icmp(packet)) {
		work.protocol = key_of_quote(packet);
		packet->real = (__u16)ring_real(&work, packet);
	} else if (find_line(&work, packet)) {
		packet->real = (__u16)new_real(ctx, &work, packet);
	}
	return 0;
}

static __always_inline void real_find(frame_context *ctx, struct packet *packet)
{
	real_find_known(ctx, packet);
	if (!packet->real)
		real_choose(ctx, packet);
}

#endif
