/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_HEADERS_H
#define SLUICE_BPF_HEADERS_H

/* Fills the copy of a packet's headers, at either hook: lib/frame_tc.h or lib/frame_xdp.h comes
 * first. */
#include "lib/parse.h"

/* Return: not 0 if the TCP packet is shorter than it said. */
static __always_inline long load_tcp_headers(frame_context *ctx, struct packet *packet)
{
	__u32 l4_len = packet->l4_len;

	/* Apart from each other: clang makes one comparison of a difference of the two, which tells
	 * the verifier of 6.1 nothing ("invalid zero-sized read"). */
	if (l4_len < sizeof(struct tcphdr))
		return -1;
	barrier_var(l4_len);
	if (l4_len > L4_MAX)
		return -1;
	if (packet->is_ipv6)
		return frame_load(ctx, packet->l3_offset, packet->headers, L3_MAX + l4_len);
	return frame_load(ctx, packet->l3_offset, packet_ipv4(packet),
			  sizeof(struct iphdr) + l4_len);
}

#endif
