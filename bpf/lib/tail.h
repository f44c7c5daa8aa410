/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_TAIL_H
#define SLUICE_BPF_TAIL_H

/*
 * Packets of a pair whose sockets still deliver what they had taken when it was joined: its tail.
 * On either leg the numbers below a line are our socket's to deliver and to send again, those above
 * it are the other end's. What arrives speaks to both:
 *
 *   ack below the line, nothing else    to the socket
 *   ack below the line, with payload    to the socket, and on with the line for its ack, which
 *                                       is what the other end has been told already
 *   ack at the line or above            to the socket with the line for its ack, for it knows of
 *                                       nothing beyond; and on
 *
 * A socket is told of acknowledgements by copies that bring it nothing new: of data that it has
 * had already (it answers with a duplicate, harmless), or without any.
 */
#include "lib/checksum.h"
#include "lib/flow.h"

/* The first number of the other end's, as acks of @flow's direction say it. */
static __always_inline __u32 line_of(const struct flow *flow)
{
	__u32 other = flow->direction ^ 1;

	return flow->pair->joined_seq[other] + flow->pair->out[other].seq_delta;
}

/* Writes the numbers into the packet itself; the copy of its headers goes along. */
static __always_inline long renumber(frame_context *ctx, struct packet *packet, __u32 seq,
				     __u32 ack, bool fin)
{
	struct tcphdr *tcp = packet_tcp(packet);
	__u64 before = sum_words((const __u32 *)tcp, L4_WORDS);

	tcp->seq = bpf_htonl(seq);
	tcp->ack_seq = bpf_htonl(ack);
	tcp->fin = fin;
	return frame_store(ctx, packet, __builtin_offsetof(struct tcphdr, check), 0,
			   sum_difference(before, sum_words((const __u32 *)tcp, L4_WORDS)), 0);
}

static __always_inline long tell_socket(frame_context *ctx, struct packet *packet,
					const struct flow *flow, __u32 ack)
{
	__u32 known = flow->pair->joined_seq[flow->direction];

	flow->pair->seen[flow->direction].told = ack;
	return renumber(ctx, packet, known - packet->payload, ack, false);
}

/*
 * @packet is neither SYN nor RST. Return: SPLICED: it goes on; TAIL: it is the socket's alone;
 * otherwise why it is dropped.
 */
static __always_inline enum flow_verdict tail_acknowledged(frame_context *ctx,
							   struct packet *packet,
							   const struct flow *flow)
{
	struct tcphdr *tcp = packet_tcp(packet);
	__u32 line = line_of(flow), ack = bpf_ntohl(tcp->ack_seq), seq = bpf_ntohl(tcp->seq);
	bool is_below = is_after(line, ack), fin = tcp->fin, is_bare = !packet->payload && !fin;
	__u32 for_socket = is_below ? ack : line;

	if (is_bare && is_below) {
		record_spliced(packet, flow, 0);
		frame_mark_copy(ctx);
		return tell_socket(ctx, packet, flow, ack) ? FLOW_VERDICT_NO_HEADROOM
							   : FLOW_VERDICT_TAIL;
	}
	if (!is_bare && !is_after(for_socket, flow->pair->seen[flow->direction].told))
		return FLOW_VERDICT_SPLICED;
	if (tell_socket(ctx, packet, flow, for_socket) || frame_copy_to_stack(ctx) ||
	    renumber(ctx, packet, seq, ack, fin))
		return FLOW_VERDICT_NO_HEADROOM;
	return FLOW_VERDICT_SPLICED;
}

static __always_inline enum flow_verdict pass_tail(frame_context *ctx, struct packet *packet,
						   const struct flow *flow)
{
	const struct tcphdr *tcp = packet_tcp(packet);

	if (!FRAME_CAN_COPY)
		return FLOW_VERDICT_LEFT_TO_TC;
	if (tcp->syn || tcp->rst || !tcp->ack)
		return FLOW_VERDICT_SPLICED;
	return tail_acknowledged(ctx, packet, flow);
}

#endif
