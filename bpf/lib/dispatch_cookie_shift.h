/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_COOKIE_SHIFT_H
#define SLUICE_BPF_DISPATCH_COOKIE_SHIFT_H

/* From then on: numbers, and windows where scales differ, are translated in each segment. */
#include "lib/dispatch_cookie_join.h"

/* A window that the endpoint does not scale is said to it in bytes. */
static __always_inline void cookie_translation_up(const struct dispatch_nat *nat,
						  struct flow_translation *out)
{
	__u8 scale = scale_or_0(nat->cookie_options & 15);

	out->source_port = nat->source_port;
	out->destination_port = nat->endpoint_port;
	out->ack_delta = nat->cookie_number;
	out->scale_in = scale;
	out->scale_out = nat->cookie_options >> 4 == DISPATCH_NO_SCALE ? 0 : scale;
}

static __always_inline void cookie_translation_down(const struct dispatch_nat *nat,
						    struct flow_translation *out)
{
	out->source_port = nat->service_port;
	out->destination_port = nat->client_port;
	out->seq_delta = -nat->cookie_number;
	out->scale_in = scale_or_0(nat->cookie_options >> 4);
	out->scale_out = (nat->cookie_options & 15) == DISPATCH_NO_SCALE ? 0 : COOKIE_SCALE;
}

static __always_inline enum dispatch_drop cookie_translate(frame_context *ctx,
							   struct packet *packet,
							   const struct cookie_way *way,
							   const struct flow_translation *out)
{
	struct checksum_differences differences = {};

	frame_judge_checksum(ctx, packet);
	if (!translate_l3(packet, way->source, way->destination, true, &differences))
		return DISPATCH_DROP_TTL_EXPIRED;
	differences.l4 = translate_tcp(packet, out, NULL);
	return frame_store(ctx, packet, __builtin_offsetof(struct tcphdr, check),
			   differences.pseudo, differences.l4, differences.l3)
		       ? DISPATCH_DROP_NO_HEADROOM
		       : DISPATCH_FINE;
}

static __always_inline enum dispatch_drop cookie_shift_up(frame_context *ctx, struct packet *packet,
							  struct dispatch_work *work,
							  struct dispatch_nat *nat)
{
	struct flow_translation out = {};
	enum dispatch_drop why;
	struct nat_way way;

	if (!nat_find_way(nat, &way))
		return DISPATCH_DROP_NEXTHOP_GONE;
	why = way_takes(ctx, packet, work, way.nexthop, 0);
	if (why != DISPATCH_FINE)
		return why;
	nat_note_way(ctx, nat);
	nat_note_up(nat, work, packet);
	cookie_translation_up(nat, &out);
	why = cookie_translate(ctx, packet,
			       &(struct cookie_way){way.run->source, way.real->address}, &out);
	if (why == DISPATCH_FINE)
		work->action = frame_forward(ctx, packet, way.nexthop);
	return why;
}

static __always_inline enum dispatch_drop cookie_shift_down(frame_context *ctx,
							    struct packet *packet,
							    struct dispatch_work *work,
							    struct dispatch_nat *nat)
{
	struct flow_translation out = {};
	enum dispatch_drop why;

	if (!frame_can_send(ctx, packet, work->settings->flags & DISPATCH_SENDS_XDP))
		return DISPATCH_LEFT_TO_TC;
	nat_note_down(nat, work, packet);
	cookie_translation_down(nat, &out);
	why = cookie_translate(ctx, packet,
			       &(struct cookie_way){work->service->address, nat->client}, &out);
	if (why == DISPATCH_FINE)
		work->action = frame_send_back(ctx, nat->ifindex, nat->macs);
	return why;
}

static __always_inline enum dispatch_drop cookie_judge_joined(frame_context *ctx,
							      struct packet *packet,
							      struct dispatch_work *work)
{
	struct dispatch_nat *nat = cookie_flow(packet, work);

	if (!nat)
		return DISPATCH_LEAVES;
	if (nat->cookie != DISPATCH_COOKIE_JOINED)
		return DISPATCH_TO_COOKIE;
	if (cookie_load(ctx, packet))
		return DISPATCH_DROP_MALFORMED;
	packet->timestamp_at = packet->sack_at = 0;
	if (packet->l4_len > sizeof(struct tcphdr) && find_options(packet))
		return DISPATCH_DROP_MALFORMED;
	if (!work->load.is_answer)
		return cookie_shift_up(ctx, packet, work, nat);
	if (cookie_is_answered(nat, packet_tcp(packet)))
		return cookie_answer_again(ctx, packet, work, nat);
	return cookie_shift_down(ctx, packet, work, nat);
}

/* Verified by itself, as dispatch_packet(). Return: the hook's action, PASSES, or COOKIE: the
 * endpoint has not answered yet. */
__noinline int cookie_shift(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};

	if (!packet || !cookie_begin(ctx, packet, &work))
		return DISPATCH_PASSES;
	return dispatch_end(&work, cookie_judge_joined(ctx, packet, &work));
}

#endif
