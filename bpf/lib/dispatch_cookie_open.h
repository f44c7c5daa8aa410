/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_COOKIE_OPEN_H
#define SLUICE_BPF_DISPATCH_COOKIE_OPEN_H

/* An ACK that brings a cookie begins a flow, and becomes the client's SYN to the endpoint; so does
 * what the client says until that has answered. */
#include "lib/dispatch_cookie_number.h"
#include "lib/dispatch_cookie_packet.h"
#include "lib/dispatch_fragment.h"

/* --- The flow begins -------------------------------------------------------------------------- */

/* For the daemon, if the endpoint does not answer. @nat: the flow's index. */
static __always_inline void cookie_note_asked(__u32 nat, __u32 seq)
{
	__u32 place = nat % DISPATCH_ASKED_PLACES;
	__u64 *asked = bpf_map_lookup_elem(&dispatch_asked, &place);

	if (asked)
		*asked = dispatch_asked_word(nat, seq);
}

/* Return: GOES_ON: it is there, and ->real and ->nat are its; or why not. */
static __always_inline enum dispatch_drop cookie_new_flow(frame_context *ctx, struct packet *packet,
							  struct dispatch_work *work)
{
	const struct tcphdr *tcp = packet_tcp(packet);
	enum dispatch_drop why;
	struct dispatch_nat *nat;
	int options = cookie_read(packet, dispatch_cookie_epoch(work->now_ns));
	__u32 seq = bpf_ntohl(tcp->seq) - !(options & COOKIE_REPEATED);

	if (options < 0)
		return DISPATCH_DROP_NO_COOKIE;
	if (!FRAME_CAN_COPY)
		return DISPATCH_LEFT_TO_TC;
	if (!find_line(work, packet))
		return DISPATCH_DROP_NO_ENDPOINT;
	work->real_index = choose_real(ctx, work, packet, true);
	nat = nat_enter(work, packet, &why);
	if (!nat)
		return why;
	nat->cookie = DISPATCH_COOKIE_ASKED;
	nat->cookie_options = (__u8)(options & COOKIE_OPTIONS_MASK);
	nat->cookie_number = bpf_ntohl(tcp->ack_seq) - 1;
	nat->cookie_seq = (__u16)seq;
	nat->cookie_window = tcp->window;
	work->nat = nat;
	count_cookie(work->service_index, true);
	set_found(packet, work);
	cookie_note_asked(packet->nat, seq);
	return DISPATCH_GOES_ON;
}

static __always_inline enum dispatch_drop cookie_judge_new(frame_context *ctx,
							   struct packet *packet,
							   struct dispatch_work *work)
{
	if (cookie_load(ctx, packet))
		return DISPATCH_DROP_MALFORMED;
	return frame_is_gso(ctx) ? DISPATCH_DROP_NO_COOKIE : cookie_new_flow(ctx, packet, work);
}

/* Verified by itself, as dispatch_packet(), and with a stack of its own. Return: the hook's action,
 * PASSES, or GO_ON with the flow in @packet. */
__noinline int cookie_enter(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};
	enum dispatch_drop why;

	if (!packet || !cookie_begin(ctx, packet, &work))
		return DISPATCH_PASSES;
	why = cookie_judge_new(ctx, packet, &work);
	if (why == DISPATCH_DROP_NO_COOKIE)
		tell_lost(packet, &work);
	return dispatch_end(&work, why);
}

/* --- The endpoint is asked -------------------------------------------------------------------- */

/* Of a flow that the endpoint has not answered yet. Return: LEFT_TO_TC, NO_COOKIE, or FINE. */
static __always_inline enum dispatch_drop cookie_may_ask(const struct dispatch_nat *nat,
							 const struct tcphdr *tcp)
{
	if (!FRAME_CAN_COPY)
		return DISPATCH_LEFT_TO_TC;
	if (tcp->syn || tcp->rst || !tcp->ack || bpf_ntohl(tcp->ack_seq) != nat->cookie_number + 1)
		return DISPATCH_DROP_NO_COOKIE;
	return (__u16)(bpf_ntohl(tcp->seq) - nat->cookie_seq) <= 1 ? DISPATCH_FINE
								   : DISPATCH_DROP_NO_COOKIE;
}

/* Room for options; where there are data, it is what there is. Return: the difference that this
 * makes to sums. */
static __always_inline __u32 cookie_lengthen(struct packet *packet)
{
	const __u32 wanted = sizeof(struct tcphdr) + SYN_OPTIONS_LEN;
	struct ipv6hdr *ipv6 = packet_ipv6(packet);
	struct iphdr *ipv4 = packet_ipv4(packet);
	__be16 before = packet->is_ipv6 ? ipv6->payload_len : ipv4->tot_len, after;

	if (packet->payload || packet->l4_len >= wanted)
		return 0;
	after = bpf_htons((__u16)(bpf_ntohs(before) + wanted - packet->l4_len));
	packet->l4_len = wanted;
	if (packet->is_ipv6) {
		ipv6->payload_len = after;
	} else {
		ipv4->tot_len = after;
		ipv4->check = checksum_change(ipv4->check, sum_difference(before, after));
	}
	return sum_difference(before, after);
}

/* The client's SYN, made of its ACK. */
static __always_inline enum dispatch_drop cookie_send_syn(frame_context *ctx, struct packet *packet,
							  struct dispatch_work *work,
							  const struct dispatch_nat *nat)
{
	__u8 options = nat->cookie_options, scale = dispatch_cookie_scale(options);
	__u32 seq = bpf_ntohl(packet_tcp(packet)->seq), longer;
	const struct handshake_segment segment = {
		.source = nat->source_port,
		.destination = nat->endpoint_port,
		.seq = (__u16)seq == nat->cookie_seq ? seq : seq - 1,
		.window = cookie_window((__u32)bpf_ntohs(nat->cookie_window) << scale, 0),
		.flags = TCP_FLAG_SYN,
		.options = cookie_syn_options(packet->is_ipv6, options, scale),
	};
	enum dispatch_drop why;
	struct nat_way way;

	if (!nat_find_way(nat, &way))
		return DISPATCH_DROP_NEXTHOP_GONE;
	longer = cookie_lengthen(packet);
	if (frame_reach(ctx,
			packet->l3_offset +
				(packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)) +
				packet->l4_len))
		return DISPATCH_DROP_NO_HEADROOM;
	why = cookie_store(ctx, packet, &(struct cookie_way){way.run->source, way.real->address},
			   &segment, longer);
	if (why == DISPATCH_FINE)
		work->action = frame_forward(ctx, packet, way.nexthop);
	return why;
}

static __always_inline enum dispatch_drop cookie_judge_ack(frame_context *ctx,
							   struct packet *packet,
							   struct dispatch_work *work)
{
	struct dispatch_nat *nat = cookie_flow(packet, work);
	union dispatch_claim claim;
	enum dispatch_drop why;

	if (!nat)
		return DISPATCH_DROP_NO_FLOW;
	if (cookie_load(ctx, packet))
		return DISPATCH_DROP_MALFORMED;
	if (frame_is_gso(ctx))
		return DISPATCH_DROP_NO_COOKIE;
	why = cookie_may_ask(nat, packet_tcp(packet));
	if (why != DISPATCH_FINE)
		return why;
	nat_note_way(ctx, nat);
	claim = nat_claim_of(nat);
	nat_note(nat, claim, work->now_s, claim.timeout_s, claim.flags);
	return cookie_send_syn(ctx, packet, work, nat);
}

/* Verified by itself, as dispatch_packet(). */
__noinline int cookie_ask(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};

	if (!packet || !cookie_begin(ctx, packet, &work))
		return DISPATCH_PASSES;
	return dispatch_end(&work, cookie_judge_ack(ctx, packet, &work));
}

static __always_inline int cookie_take(frame_context *ctx, struct packet *packet)
{
	int action = packet->real ? DISPATCH_GO_ON : cookie_enter(ctx, packet);

	return action == DISPATCH_GO_ON ? cookie_ask(ctx, packet) : action;
}

#endif
