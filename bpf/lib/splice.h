/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_SPLICE_H
#define SLUICE_BPF_SPLICE_H

/* A TCP segment of a joined flow: to the gate, and translated to where its other end is. */
#include "lib/flow.h"
#include "lib/headers.h"
#include "lib/tail.h"
#include "lib/translate.h"

/* RFC 1191, RFC 8201: the daemon answers in our name, for the program has no second packet to send.
 * One that may be fragmented (IPv4 without DF, which no stack of today sends) is lost all the same.
 */
static __always_inline enum flow_verdict refuse_too_big(struct packet *packet,
							const struct flow *flow, __u32 mtu)
{
	struct flow_event *event = event_reserve(FLOW_EVENT_TOO_BIG, sizeof(*event));

	if (!event)
		return FLOW_VERDICT_TOO_BIG;
	*event = (struct flow_event){
		.id = flow->pair->id,
		.pair = flow->index,
		.kind = FLOW_EVENT_TOO_BIG,
		.direction = (__u16)flow->direction,
		.mtu = mtu,
		.seq = bpf_ntohl(packet_tcp(packet)->seq),
	};
	event_submit(event);
	return FLOW_VERDICT_TOO_BIG;
}

static __always_inline enum flow_verdict splice_translate(frame_context *ctx, struct packet *packet,
							  const struct flow *flow,
							  const struct flow_nexthop **ret_nexthop)
{
	const struct flow_translation *out = &flow->pair->out[flow->direction];
	const struct flow_nexthop *nexthop = flow_nexthop(out);
	struct checksum_differences differences = {};
	__u32 line = flow->has_tail ? line_of(flow) : 0;

	if (!nexthop || !nexthop->ifindex)
		return FLOW_VERDICT_NEXTHOP_GONE;
	if (!frame_can_forward(ctx, packet, nexthop, 0))
		return FLOW_VERDICT_LEFT_TO_TC;
	if (frame_exceeds(ctx, packet, nexthop->mtu))
		return refuse_too_big(packet, flow, nexthop->mtu);
	frame_judge_checksum(ctx, packet);
	if (!translate_l3(packet, out->source, out->destination, out->flags & FLOW_HAS_ECN,
			  &differences))
		return FLOW_VERDICT_TTL_EXPIRED;
	record_spliced(packet, flow, frame_segments(ctx));
	differences.l4 = translate_tcp(packet, out, flow->has_tail ? &line : NULL);
	if (frame_untag(ctx, packet) ||
	    frame_store(ctx, packet, __builtin_offsetof(struct tcphdr, check), differences.pseudo,
			differences.l4, differences.l3))
		return FLOW_VERDICT_NO_HEADROOM;
	*ret_nexthop = nexthop;
	return FLOW_VERDICT_SPLICED;
}

/* A segment whose options run over may still be taken by a socket, so the gate counts it too. */
static __always_inline enum flow_verdict splice_tcp(frame_context *ctx, struct packet *packet,
						    const struct flow_nexthop **ret_nexthop)
{
	enum flow_verdict verdict;
	struct flow flow = {};
	bool are_options_good;

	if (!flow_find(&packet->key, &flow))
		return FLOW_VERDICT_NO_FLOW;
	if (load_tcp_headers(ctx, packet))
		return FLOW_VERDICT_MALFORMED;
	are_options_good = !find_options(packet);
	verdict = flow_gate(packet, &flow);
	if (verdict != FLOW_VERDICT_SPLICED)
		return verdict;
	if (!are_options_good)
		return FLOW_VERDICT_MALFORMED;
	if (flow.has_tail)
		verdict = pass_tail(ctx, packet, &flow);
	if (verdict != FLOW_VERDICT_SPLICED)
		return verdict;
	return splice_translate(ctx, packet, &flow, ret_nexthop);
}

#endif
