/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_HANDSHAKE_H
#define SLUICE_BPF_HANDSHAKE_H

/* Makes a segment of a handshake, or around one, of a segment that has arrived: SYN cookies of
 * either kind, in the copy of a packet's headers. At either hook: lib/frame_tc.h or
 * lib/frame_xdp.h comes first. */
#include "lib/checksum.h"
#include "lib/syn_options.h"
#include "lib/translate.h"

#define TCP_FLAGS_AT 13
#define FOUR_NOPS    0x01010101

struct handshake_segment {
	__be16 source, destination;
	__u32 seq, ack;
	__be16 window;
	__u8 flags;
	struct syn_options options;
};

/* What the segment's header has behind the options is NOPs. Return: the difference of the header.
 */
static __always_inline __u32 make_segment(struct packet *packet,
					  const struct handshake_segment *segment)
{
	__u8 *l4 = packet_l4(packet);
	struct tcphdr *tcp = packet_tcp(packet);
	__u64 before = sum_words((const __u32 *)l4, L4_WORDS);

	tcp->source = segment->source;
	tcp->dest = segment->destination;
	tcp->seq = bpf_htonl(segment->seq);
	tcp->ack_seq = bpf_htonl(segment->ack);
	l4[TCP_FLAGS_AT - 1] = (__u8)(packet->l4_len / 4 << 4);
	l4[TCP_FLAGS_AT] = segment->flags;
	tcp->window = segment->window;
	tcp->urg_ptr = 0;
#pragma unroll
	for (__u32 i = sizeof(*tcp); i < L4_MAX; i += 4)
		if (i < packet->l4_len)
			*(__u32 *)(l4 + i) = FOUR_NOPS;
	put_syn_options(l4, packet->l4_len, &segment->options);
	return sum_difference(before, sum_words((const __u32 *)l4, L4_WORDS));
}

/* Makes of a SYN its answer, where it is; addresses and ports only change places. Return: not 0 if
 * it cannot be written. */
static __always_inline long answer_syn(frame_context *ctx, struct packet *packet, __u32 seq,
				       __be16 window, struct syn_options options)
{
	const struct tcphdr *tcp = packet_tcp(packet);
	const struct handshake_segment segment = {
		.source = tcp->dest,
		.destination = tcp->source,
		.seq = seq,
		.ack = bpf_ntohl(tcp->seq) + 1,
		.window = window,
		.flags = TCP_FLAG_SYN | TCP_FLAG_ACK,
		.options = options,
	};
	__u32 l3 = answer_ip(packet), l4 = make_segment(packet, &segment);

	return frame_store(ctx, packet, __builtin_offsetof(struct tcphdr, check), 0, l4, l3);
}

#endif
