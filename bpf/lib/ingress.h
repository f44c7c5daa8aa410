/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_INGRESS_H
#define SLUICE_BPF_INGRESS_H

/* The worker of both ingress hooks, from an arriving frame to its action: guard, parse, dispatch,
 * answers to health checks, splice. */
#include "lib/check_take.h"
#include "lib/dispatch.h"
#include "lib/guard.h"
#include "lib/guard_stamp.h"
#include "lib/icmp_error.h"
#include "lib/refuse.h"
#include "lib/splice.h"
#include "lib/verdict.h"

static __always_inline void parse_packet(frame_context *ctx, struct packet *packet)
{
	__u32 len = frame_len(ctx); /* a helper's call at XDP, before anything has to outlast it */

	packet->verdict = parse_frame((void *)(long)ctx->data, (void *)(long)ctx->data_end, len,
				      frame_is_gso(ctx), packet);
}

/* Verified by itself, for its stack. Return: the hook's action. */
__noinline int reply_packet(frame_context *ctx)
{
	return frame_reply(ctx);
}

/* What the splice makes of a packet that is nobody else's. Verified by itself, as
 * dispatch_packet(), and with a stack of its own. Return: the hook's action. */
__noinline int splice_packet(frame_context *ctx, struct packet *packet)
{
	const struct flow_nexthop *nexthop = NULL;
	enum flow_verdict verdict;

	if (!packet)
		return FRAME_PASS;
	verdict = packet->verdict;
	if (verdict == UNDECIDED && packet->protocol == IPPROTO_TCP)
		verdict = splice_tcp(ctx, packet, &nexthop);
	else if (verdict == UNDECIDED)
		verdict = splice_icmp_error(ctx, packet, &nexthop);
	else if (verdict == FLOW_VERDICT_NOT_TCP)
		verdict = refuse_untranslatable(ctx, packet);
	count_verdict(verdict);
	if (nexthop)
		return frame_forward(ctx, packet, nexthop);
	return verdict_drops(verdict) ? FRAME_DROP : FRAME_PASS;
}

/* What the guard has let in. Return: the hook's action. */
static __always_inline int forward_frame(frame_context *ctx, enum guard_action guard)
{
	struct packet packet = {};
	int action;

	parse_packet(ctx, &packet);
	if (guard == GUARD_ANSWERS && guard_answer(ctx, &packet))
		return reply_packet(ctx);
	packet.wants_cookie = guard == GUARD_ASKS;
	action = dispatch_frame(ctx, &packet);
	if (action != DISPATCH_PASSES)
		return action;
	if (packet.verdict == FLOW_VERDICT_NOT_TCP && !may_have_tcp(&packet)) {
		count_verdict(FLOW_VERDICT_NOT_TCP);
		return FRAME_PASS;
	}
	if (check_answers(ctx, &packet))
		return FRAME_PASS;
	return splice_packet(ctx, &packet);
}

/* Return: the hook's action. */
static __always_inline int ingress_frame(frame_context *ctx)
{
	enum guard_action guard;
	int action;

	if (frame_is_copy(ctx))
		return FRAME_PASS;
	guard = guard_stamped(ctx); /* which may be lost as headers are pulled */
	frame_pull_headers(ctx);
	if (guard == GUARD_ABSTAINS)
		guard = guard_frame(ctx);
	if (guard == GUARD_DROPS)
		return FRAME_DROP;
	action = forward_frame(ctx, guard);
	if (action == FRAME_PASS)
		guard_stamp(ctx, guard);
	return action;
}

#endif
