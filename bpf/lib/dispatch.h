/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_H
#define SLUICE_BPF_DISPATCH_H

/* Mode dispatch at either hook, behind the guard: what is for a service of ours, or answers for
 * one, is sent on here; all else goes on its way. */
#include "lib/dispatch_direct.h"
#include "lib/dispatch_nat.h"

/* Said where the packet is not dispatch's: no action of either hook. */
#define DISPATCH_PASSES (-2)

/* --- To a service ----------------------------------------------------------------------------- */

/* A service of this packet, or LEAVES. */
static __always_inline enum dispatch_drop find_service(struct dispatch_work *work,
						       const struct dispatch_vip *vip,
						       struct packet *packet)
{
	const struct dispatch_range *range;

	if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP)
		return DISPATCH_LEAVES;
	range = range_find(vip, work->half, packet->protocol,
			   bpf_ntohs(packet->key.destination_port));
	if (!range)
		return DISPATCH_LEAVES;
	work->service_index = range->service;
	work->service = service_at(work->half, range->service);
	return work->service ? DISPATCH_FINE : DISPATCH_LEAVES;
}

static __always_inline enum dispatch_drop serve(frame_context *ctx, struct packet *packet,
						struct dispatch_work *work)
{
	if (load_headers(ctx, packet))
		return DISPATCH_DROP_MALFORMED;
	work->hash = dispatch_hash_flow(&packet->key, packet->protocol, &work->settings->secret);
	work->line = line_of_hash(work->settings, work->hash);
	if (!work->line)
		return DISPATCH_DROP_NO_ENDPOINT;
	if (work->service->form == DISPATCH_NAT)
		return nat_forward(ctx, packet, work);
	return direct_forward(ctx, packet, work);
}

static __always_inline enum dispatch_drop dispatch_judge(frame_context *ctx, struct packet *packet,
							 const struct dispatch_vip *vip,
							 struct dispatch_work *work)
{
	enum dispatch_drop why;

	if (vip->flags & DISPATCH_VIP_RETURNS) {
		why = nat_return(ctx, packet, work);
		if (why != DISPATCH_LEAVES)
			return why;
	}
	why = vip->flags & DISPATCH_VIP_SERVES ? find_service(work, vip, packet) : DISPATCH_LEAVES;
	return why == DISPATCH_FINE ? serve(ctx, packet, work) : why;
}

/* Verified by itself: together with the splice it would be too much for the verifier.
 * @packet: ->vip is set. Return: the hook's action, or PASSES. */
__noinline int dispatch_packet(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {.settings = dispatch_settings_of()};
	const struct dispatch_vip *vip;
	enum dispatch_drop why;
	__u32 index;

	if (!packet || !work.settings)
		return DISPATCH_PASSES;
	index = packet->vip;
	vip = bpf_map_lookup_elem(&dispatch_vips, &index);
	if (!vip)
		return DISPATCH_PASSES;
	work.half = index / DISPATCH_VIP_PLACES;
	work.now_ns = bpf_ktime_get_coarse_ns();
	work.now_s = dispatch_seconds(work.now_ns);
	work.load.packets = frame_segments(ctx);
	work.load.bytes = frame_len(ctx);
	why = dispatch_judge(ctx, packet, vip, &work);
	if (why == DISPATCH_LEAVES)
		return DISPATCH_PASSES;
	if (why == DISPATCH_LEFT_TO_TC)
		return FRAME_PASS;
	if (why != DISPATCH_FINE) {
		count_dropped(work.service_index, why, work.load.packets);
		return FRAME_DROP;
	}
	count_forwarded(work.service_index, work.real_index, &work.load);
	return work.action;
}

/* @packet: as parse_frame() has left it. Frames with a tag are left to the VLAN's own device. */
static __always_inline int dispatch_frame(frame_context *ctx, struct packet *packet)
{
	const struct dispatch_settings *settings = dispatch_settings_of();
	__u32 index;

	if (!settings || !settings->is_on || frame_is_tagged(ctx, packet) || frame_is_loopback(ctx))
		return DISPATCH_PASSES;
	if (!vip_find(settings, settings->half, packet->key.destination, &index))
		return DISPATCH_PASSES;
	packet->vip = (__u16)index;
	return dispatch_packet(ctx, packet);
}

#endif
