/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_H
#define SLUICE_BPF_DISPATCH_H

/* Mode dispatch at either hook, behind the guard: what is for a service of ours, or answers for
 * one, is sent on here; all else goes on its way. */
#include "lib/dispatch_answer.h"
#include "lib/dispatch_cookie.h"
#include "lib/dispatch_dnat.h"
#include "lib/dispatch_fragment.h"
#include "lib/dispatch_icmp.h"

static __always_inline enum dispatch_drop serve(frame_context *ctx, struct packet *packet,
						struct dispatch_work *work)
{
	__u8 form = work->service->form;

	if (!has_sender(packet) ||
	    load_headers(ctx, packet, form == DISPATCH_NAT || form == DISPATCH_DNAT))
		return DISPATCH_DROP_MALFORMED;
	if (!find_line(work, packet))
		return DISPATCH_DROP_NO_ENDPOINT;
	if (form == DISPATCH_NAT)
		return nat_forward(ctx, packet, work);
	direct_find(ctx, packet, work);
	return form == DISPATCH_DNAT ? dnat_send(ctx, packet, work)
				     : direct_send(ctx, packet, work);
}

/* A segment of TCP in pieces is lost, as on the way: stacks of today send none. */
static __always_inline enum dispatch_drop dispatch_judge(frame_context *ctx, struct packet *packet,
							 const struct dispatch_vip *vip,
							 struct dispatch_work *work)
{
	bool is_lost = packet->is_fragment && packet->protocol == IPPROTO_TCP;
	enum dispatch_drop why;

	if (vip->flags & DISPATCH_VIP_RETURNS && !is_lost) {
		why = nat_return(ctx, packet, work);
		if (why != DISPATCH_LEAVES)
			return why;
	}
	why = vip->flags & DISPATCH_VIP_SERVES ? find_service(work, vip, packet) : DISPATCH_LEAVES;
	if (why != DISPATCH_FINE)
		return why;
	return is_lost ? DISPATCH_DROP_FRAGMENT : serve(ctx, packet, work);
}

/* Verified by itself: together with the splice it would be too much for the verifier.
 * @packet: ->vip is set. Return: the hook's action, or PASSES. */
__noinline int dispatch_packet(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};
	const struct dispatch_vip *vip = dispatch_begin(ctx, packet, &work);
	enum dispatch_drop why;

	if (!vip)
		return DISPATCH_PASSES;
	why = dispatch_judge(ctx, packet, vip, &work);
	if (packet->is_fragment || why == DISPATCH_TO_COOKIE)
		set_found(packet, &work);
	return dispatch_end(&work, why);
}

static __always_inline int dispatch_icmp_served(frame_context *ctx, struct packet *packet)
{
	int action = dispatch_icmp(ctx, packet);

	if (action != DISPATCH_GO_ON)
		return action;
	real_find(ctx, packet);
	return error_forward(ctx, packet);
}

/* Whether or not XDP leaves the first one to TC, which then does the same again. @is_aimed: at one
 * of ours. */
static __always_inline int dispatch_pieces(frame_context *ctx, struct packet *packet, bool is_aimed)
{
	__u8 protocol = packet->protocol;
	int action = dispatch_fragment(ctx, packet);

	if (action == DISPATCH_FIRST) {
		action = is_aimed ? dispatch_packet(ctx, packet) : answer_packet(ctx, packet);
		if (packet->real)
			dispatch_leave_note(packet);
	} else if (action == DISPATCH_GO_ON) {
		action = packet->is_answer ? answer_piece(ctx, packet) : dnat_piece(ctx, packet);
	}
	packet->protocol = protocol;
	return action;
}

static __always_inline bool packet_is_fragment(const struct packet *packet)
{
	return packet->is_fragment || (packet->is_ipv6 && packet->protocol == IPV6_FRAGMENT);
}

/* Return: whether the destination is one of ours; ->vip says which. */
static __always_inline bool dispatch_aims(const struct dispatch_settings *settings,
					  struct packet *packet)
{
	int index = vip_find(settings, packet);

	packet->vip = (__u16)index;
	return index >= 0;
}

/* What is for others, and may come from an endpoint whose gateway we are. */
static __always_inline int dispatch_returned(frame_context *ctx,
					     const struct dispatch_settings *settings,
					     struct packet *packet)
{
	if (packet_is_fragment(packet))
		return dispatch_pieces(ctx, packet, false);
	if (packet_is_icmp(packet))
		return answer_error(ctx, packet); /* it may come from any router */
	return may_be_answer(settings, packet) ? answer_packet(ctx, packet) : DISPATCH_PASSES;
}

/* @packet: as parse_frame() has left it. Frames with a tag are left to the VLAN's own device. */
static __always_inline int dispatch_frame(frame_context *ctx, struct packet *packet)
{
	const struct dispatch_settings *settings = dispatch_settings_of();
	int action;

	if (!settings || !settings->is_on || frame_is_tagged(ctx, packet) || frame_is_loopback(ctx))
		return DISPATCH_PASSES;
	if (!dispatch_aims(settings, packet))
		return settings->halves[settings->half & 1].flags & DISPATCH_HALF_RETURNS
			       ? dispatch_returned(ctx, settings, packet)
			       : DISPATCH_PASSES;
	if (packet_is_fragment(packet))
		return dispatch_pieces(ctx, packet, true);
	if (packet_is_icmp(packet))
		return dispatch_icmp_served(ctx, packet);
	action = dispatch_packet(ctx, packet);
	return action == DISPATCH_COOKIE ? dispatch_cookie(ctx, packet) : action;
}

#endif
