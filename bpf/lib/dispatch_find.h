/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_FIND_H
#define SLUICE_BPF_DISPATCH_FIND_H

/* The endpoint that an ICMP error is for, whose service is known, in a function of its own: it is
 * called behind dispatch_icmp(), whose stack is used up. */
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

/* Verified by itself. ->real becomes the endpoint of the flow; where it has none, that which the
 * ring says: an error begins no flow. @packet: with the key that it quotes. Return: nothing of
 * interest. */
__noinline int real_find(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};

	if (!work_resume(ctx, packet, &work))
		return 0;
	work.protocol = key_of_quote(packet);
	packet->real = find_line(&work, packet) ? (__u16)known_real(&work) : 0;
	if (!packet->real)
		packet->real = (__u16)ring_real(&work, packet);
	return 0;
}

#endif
