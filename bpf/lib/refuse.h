/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_REFUSE_H
#define SLUICE_BPF_REFUSE_H

/*
 * Segments that are not translated: with options in the IPv4 header, and in fragments. Of a joined
 * flow they are lost, as on the way: the stack has no socket for them and would answer with a
 * reset. Later fragments have no ports; without the first the stack drops them without a word.
 */
#include "lib/flow.h"

#define IPV4_IHL_MASK        0x0f
#define IPV4_FRAGMENT_OFFSET 0x1f
#define IPV6_FRAGMENT_OFFSET 0xf8 /* of its lower byte */

static __always_inline bool may_have_tcp(const struct packet *packet)
{
	return packet->protocol == (packet->is_ipv6 ? IPV6_FRAGMENT : IPPROTO_TCP);
}

/* Return: where the TCP header is, from the frame's start; 0: there is none. */
static __always_inline __u32 find_tcp(frame_context *ctx, const struct packet *packet)
{
	__u32 at = packet->l3_offset + (packet->is_ipv6 ? sizeof(struct ipv6hdr) : 0);
	__u8 header[8];

	if (!may_have_tcp(packet) || frame_load(ctx, at, header, sizeof(header)))
		return 0;
	if (packet->is_ipv6)
		return header[0] == IPPROTO_TCP && !header[2] && !(header[3] & IPV6_FRAGMENT_OFFSET)
			       ? at + sizeof(header)
			       : 0;
	return header[6] & IPV4_FRAGMENT_OFFSET || header[7] ? 0
							     : at + (header[0] & IPV4_IHL_MASK) * 4;
}

/* @packet: one that parse_frame() found not to be plain TCP. */
static __always_inline enum flow_verdict refuse_untranslatable(frame_context *ctx,
							       struct packet *packet)
{
	__u32 at = find_tcp(ctx, packet);
	enum gate_state state;
	struct flow flow = {};

	if (!at || frame_load(ctx, at, &packet->key.source_port, 2 * sizeof(__be16)) ||
	    !flow_find(&packet->key, &flow))
		return FLOW_VERDICT_NOT_TCP;
	state = gate_state_of(*(volatile __u64 *)&flow.pair->gate);
	return state == GATE_SPLICED || state == GATE_TAIL ? FLOW_VERDICT_NO_HEADROOM
							   : FLOW_VERDICT_NOT_TCP;
}

#endif
