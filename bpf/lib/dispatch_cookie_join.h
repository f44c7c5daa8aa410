/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_COOKIE_JOIN_H
#define SLUICE_BPF_DISPATCH_COOKIE_JOIN_H

/* The endpoint answers the SYN that it got in the client's name: it and the client are joined, each
 * at the number that it knows. */
#include "lib/dispatch_cookie_number.h"
#include "lib/dispatch_cookie_packet.h"

static __always_inline bool cookie_is_answered(const struct dispatch_nat *nat,
					       const struct tcphdr *tcp)
{
	return tcp->syn && tcp->ack && (__u16)(bpf_ntohl(tcp->ack_seq) - 1) == nat->cookie_seq;
}

/* --- Scales of a joined flow ------------------------------------------------------------------ */

_Static_assert(SYN_NO_SCALE == DISPATCH_NO_SCALE, "as a SYN's options say it");

/* Scales as nat->cookie_options has them from here on. */
static __always_inline __u8 cookie_scales(const struct packet *packet, __u8 options)
{
	if (!dispatch_cookie_has_scale(options))
		return DISPATCH_NO_SCALE << 4 | DISPATCH_NO_SCALE;
	return (__u8)(packet->syn_scale << 4 | dispatch_cookie_scale(options));
}

static __always_inline __u8 scale_or_0(__u8 scale)
{
	return scale == DISPATCH_NO_SCALE ? 0 : scale;
}

/* --- To the client ---------------------------------------------------------------------------- */

static __always_inline long cookie_load_checksum(frame_context *ctx, struct packet *packet)
{
	struct tcphdr *tcp = packet_tcp(packet);
	__u32 l3_len = packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);

	return frame_load(ctx,
			  packet->l3_offset + l3_len + __builtin_offsetof(struct tcphdr, check),
			  &tcp->check, sizeof(tcp->check));
}

/* To the client, its window; a copy, for the packet goes to the endpoint. That it is lost is no
 * harm: the client will ask. */
static __always_inline enum dispatch_drop cookie_open_window(frame_context *ctx,
							     struct packet *packet,
							     const struct dispatch_work *work,
							     const struct dispatch_nat *nat,
							     __u32 cookie)
{
	const struct tcphdr *tcp = packet_tcp(packet);
	__u32 scale = dispatch_cookie_has_scale(nat->cookie_options) ? COOKIE_SCALE : 0;
	const struct handshake_segment segment = {
		.source = nat->service_port,
		.destination = nat->client_port,
		.seq = cookie + 1,
		.ack = bpf_ntohl(tcp->ack_seq),
		.window = cookie_window(bpf_ntohs(tcp->window), scale),
		.flags = TCP_FLAG_ACK,
	};

	if (cookie_store(ctx, packet, &(struct cookie_way){work->service->address, nat->client},
			 &segment, 0) != DISPATCH_FINE)
		return DISPATCH_DROP_NO_HEADROOM;
	(void)frame_copy_back(ctx, nat->ifindex, nat->macs);
	/* The kernel has mended it in the frame alone. */
	return cookie_load_checksum(ctx, packet) ? DISPATCH_DROP_NO_HEADROOM : DISPATCH_FINE;
}

/* The client hears of it under the number that it waits for. */
static __always_inline enum dispatch_drop cookie_reset_client(frame_context *ctx,
							      struct packet *packet,
							      struct dispatch_work *work,
							      struct dispatch_nat *nat)
{
	const struct handshake_segment segment = {
		.source = nat->service_port,
		.destination = nat->client_port,
		.seq = nat->cookie_number + 1,
		.ack = bpf_ntohl(packet_tcp(packet)->ack_seq),
		.flags = TCP_FLAG_RST | TCP_FLAG_ACK,
	};
	enum dispatch_drop why;

	if (!frame_can_send(ctx, packet, work->settings->flags & DISPATCH_SENDS_XDP))
		return DISPATCH_LEFT_TO_TC;
	nat_note_down(nat, work, packet);
	why = cookie_store(ctx, packet, &(struct cookie_way){work->service->address, nat->client},
			   &segment, 0);
	if (why == DISPATCH_FINE)
		work->action = frame_send_back(ctx, nat->ifindex, nat->macs);
	return why;
}

/* --- To the endpoint -------------------------------------------------------------------------- */

/* To the endpoint, whatever the packet is by now. */
static __always_inline enum dispatch_drop cookie_answer_endpoint(
	frame_context *ctx, struct packet *packet, struct dispatch_work *work,
	const struct dispatch_nat *nat, const struct handshake_segment *segment)
{
	enum dispatch_drop why;
	struct nat_way way;

	if (!nat_find_way(nat, &way))
		return DISPATCH_DROP_NEXTHOP_GONE;
	if (!frame_can_forward(ctx, packet, way.nexthop, 0))
		return DISPATCH_LEFT_TO_TC;
	why = cookie_store(ctx, packet, &(struct cookie_way){way.run->source, way.real->address},
			   segment, 0);
	if (why == DISPATCH_FINE)
		work->action = frame_forward(ctx, packet, way.nexthop);
	return why;
}

/* As the client would, of whom the endpoint has an older connection with this port (RFC 9293
 * section 3.10.7.3). */
static __always_inline enum dispatch_drop cookie_refuse(frame_context *ctx, struct packet *packet,
							struct dispatch_work *work,
							const struct dispatch_nat *nat)
{
	const struct handshake_segment segment = {
		.source = nat->source_port,
		.destination = nat->endpoint_port,
		.seq = bpf_ntohl(packet_tcp(packet)->ack_seq),
		.flags = TCP_FLAG_RST,
	};

	return cookie_answer_endpoint(ctx, packet, work, nat, &segment);
}

/* The endpoint has not had our ACK: it gets another, with the window that the client had then. */
static __always_inline enum dispatch_drop cookie_answer_again(frame_context *ctx,
							      struct packet *packet,
							      struct dispatch_work *work,
							      const struct dispatch_nat *nat)
{
	const struct tcphdr *tcp = packet_tcp(packet);
	__u8 scale = scale_or_0(nat->cookie_options & 15);
	const struct handshake_segment segment = {
		.source = nat->source_port,
		.destination = nat->endpoint_port,
		.seq = bpf_ntohl(tcp->ack_seq),
		.ack = bpf_ntohl(tcp->seq) + 1,
		.window = cookie_window((__u32)bpf_ntohs(nat->cookie_window) << scale,
					nat->cookie_options >> 4 == DISPATCH_NO_SCALE ? 0 : scale),
		.flags = TCP_FLAG_ACK,
	};

	return cookie_answer_endpoint(ctx, packet, work, nat, &segment);
}

/* --- Its answer ------------------------------------------------------------------------------- */

static __always_inline enum dispatch_drop cookie_join_flow(frame_context *ctx,
							   struct packet *packet,
							   struct dispatch_work *work,
							   struct dispatch_nat *nat)
{
	const struct tcphdr *tcp = packet_tcp(packet);
	__u32 seq = bpf_ntohl(tcp->seq), cookie = nat->cookie_number;
	__u8 scale = dispatch_cookie_scale(nat->cookie_options);
	__u8 scales = cookie_scales(packet, nat->cookie_options);
	bool is_scaled = scales >> 4 != DISPATCH_NO_SCALE;
	const struct handshake_segment segment = {
		.source = nat->source_port,
		.destination = nat->endpoint_port,
		.seq = bpf_ntohl(tcp->ack_seq),
		.ack = seq + 1,
		.window = cookie_window((__u32)bpf_ntohs(nat->cookie_window) << scale,
					is_scaled ? scale : 0),
		.flags = TCP_FLAG_ACK,
	};
	enum dispatch_drop why;

	if (!FRAME_CAN_COPY)
		return DISPATCH_LEFT_TO_TC;
	nat_note_down(nat, work, packet);
	why = cookie_open_window(ctx, packet, work, nat, cookie);
	if (why != DISPATCH_FINE)
		return why;
	nat->cookie_number = seq - cookie;
	nat->cookie_options = scales;
	nat->cookie = DISPATCH_COOKIE_JOINED;
	return cookie_answer_endpoint(ctx, packet, work, nat, &segment);
}

static __always_inline enum dispatch_drop cookie_judge_answer(frame_context *ctx,
							      struct packet *packet,
							      struct dispatch_work *work)
{
	struct dispatch_nat *nat = cookie_flow(packet, work);
	const struct tcphdr *tcp = packet_tcp(packet);

	if (!nat)
		return DISPATCH_LEAVES;
	if (cookie_load(ctx, packet) || (tcp->syn && read_syn_options(packet)))
		return DISPATCH_DROP_MALFORMED;
	if (cookie_is_answered(nat, tcp))
		return cookie_join_flow(ctx, packet, work, nat);
	if (!tcp->ack)
		return DISPATCH_DROP_NO_FLOW;
	if (tcp->rst)
		return (__u16)(bpf_ntohl(tcp->ack_seq) - 1) == nat->cookie_seq
			       ? cookie_reset_client(ctx, packet, work, nat)
			       : DISPATCH_DROP_NO_FLOW;
	return cookie_refuse(ctx, packet, work, nat);
}

/* Verified by itself, as dispatch_packet(). */
__noinline int cookie_join(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};

	if (!packet || !cookie_begin(ctx, packet, &work))
		return DISPATCH_PASSES;
	return dispatch_end(&work, cookie_judge_answer(ctx, packet, &work));
}

#endif
