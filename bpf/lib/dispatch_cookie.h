/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_COOKIE_H
#define SLUICE_BPF_DISPATCH_COOKIE_H

/*
 * SYN cookies of mode dispatch, for form NAT, where both directions pass us (abi/dispatch.h says
 * what is in one). Nothing is kept of a SYN; the flow begins with the ACK that brings the cookie:
 *
 *   client                    we                       endpoint
 *     SYN ───────────────────► │
 *     ◄─── SYN, ACK: cookie, window 0 (answer)
 *     ACK ───────────────────► │ ──── the client's SYN ───► (take)      ASKED
 *                              │ ◄──────────── SYN, ACK ─── (join)      JOINED
 *     ◄──────── ACK: window ── │ ── ACK ──────────────────►
 *     data ──────────────────► │ ──────────────────────────► (shift): numbers differ, and windows
 *
 * Window 0 keeps the client from sending what nobody could keep for it. Whatever is lost, one of
 * the two tries again: the client asks for a window, which sends the SYN again or brings the
 * endpoint's window; the endpoint sends its answer again. Timestamps are not offered: the
 * endpoint's clock is not known, nor whether it has any.
 *
 * At XDP there is no room for options behind an ACK, and no second packet: the steps that want one
 * are TC's. Source: RFC 4987 section 3.6 and 3.7; the Linux kernel's cookies and SYNPROXY.
 */
#include "lib/dispatch_nat.h"
#include "lib/handshake.h"
#include "lib/headers.h"
#include "lib/siphash.h"

/* Said to clients that scale their windows, whatever the endpoint's scale will be: that of most. */
#define COOKIE_SCALE 7

#define COOKIE_HASH_MASK    ((1u << DISPATCH_COOKIE_HASH_BITS) - 1)
#define COOKIE_EPOCH_SHIFT  31
#define COOKIE_OPTIONS_MASK 31

/* --- What a cookie says ----------------------------------------------------------------------- */

/* Tables are numbers: of an array clang makes a section that libbpf 1.1 cannot load. Sizes that are
 * met with (as the kernel's net/ipv4/syncookies.c has them, and net/ipv6's): the largest that is
 * not above the client's. */
#define COOKIE_SIZES4 (536 | 1300 << 16 | 1440ULL << 32 | 1460ULL << 48)
#define COOKIE_SIZES6 (1220 | 1420 << 16 | 1440ULL << 32 | 8940ULL << 48)

static __always_inline __u16 cookie_mss(bool is_ipv6, __u32 code)
{
	return (__u16)((is_ipv6 ? COOKIE_SIZES6 : COOKIE_SIZES4) >> 16 * (code & 3));
}

/* Scales likewise: a client that is taken to have a smaller one is sent less at a time. Codes 0
 * and 1: none; without SACK, and with it. */
#define COOKIE_SCALES (4 << 12 | 6 << 16 | 7 << 20 | 8 << 24 | 10u << 28)

static __always_inline __u8 cookie_scale(__u32 code)
{
	return COOKIE_SCALES >> 4 * (code & 7) & 15;
}

#define COOKIE_CODE_SACK  1
#define COOKIE_CODE_SCALE 2 /* the first of those with a scale, and SACK */
#define COOKIE_CODE_LAST  7

/* Verified by itself: what it goes through would be gone through with all of the rest. After
 * cookie_read_syn(). */
__noinline int cookie_options_of(struct packet *packet)
{
	__u32 mss, size = 0, code;

	if (!packet)
		return 0;
	mss = packet->syn_mss;
	code = packet->syn_has_sack ? COOKIE_CODE_SACK : 0;
#pragma unroll
	for (__u32 i = 1; i < 4; i++)
		if (cookie_mss(packet->is_ipv6, i) <= mss)
			size = i;
	if (code && packet->syn_scale != DISPATCH_NO_SCALE &&
	    packet->l4_len >= sizeof(struct tcphdr) + SYN_OPTIONS_LEN) {
#pragma unroll
		for (__u32 i = COOKIE_CODE_SCALE; i <= COOKIE_CODE_LAST; i++)
			if (cookie_scale(i) <= packet->syn_scale)
				code = i;
	}
	return (int)(size << 3 | code);
}

static __always_inline bool cookie_has_scale(__u8 options)
{
	return (options & 7) >= COOKIE_CODE_SCALE;
}

/* @scale: what is said of windows to whom the SYN goes. */
static __always_inline struct syn_options cookie_syn_options(bool is_ipv6, __u8 options, __u8 scale)
{
	return (struct syn_options){
		.mss = cookie_mss(is_ipv6, options >> 3),
		.has_sack = options & 7,
		.has_scale = cookie_has_scale(options),
		.scale = scale,
	};
}

/* Verified by itself, for its stack. @seq: of the client's SYN. Return: 31 bits; the epoch's is
 * another. */
__noinline long cookie_hash(struct packet *packet, __u32 seq, __u32 epoch)
{
	const struct dispatch_settings *settings = dispatch_settings_of();
	const __u64 *address;
	struct siphash s;

	if (!packet || !settings)
		return 0;
	siphash_begin(&s, settings->cookie_keys[epoch % DISPATCH_COOKIE_KEYS].word);
	address = (const __u64 *)packet->key.source;
	siphash_take(&s, address[0]);
	siphash_take(&s, address[1]);
	siphash_take(&s, address[2]);
	siphash_take(&s, address[3]);
	siphash_take(&s, (__u64)packet->key.source_port << 16 | packet->key.destination_port |
				 (__u64)seq << 32);
	siphash_take(&s, epoch);
	return (long)(siphash_end(&s, 6 * sizeof(__u64)) & ((1u << COOKIE_EPOCH_SHIFT) - 1));
}

static __always_inline __u32 cookie_make(struct packet *packet, __u32 epoch, __u8 options)
{
	__u32 hash = (__u32)cookie_hash(packet, bpf_ntohl(packet_tcp(packet)->seq), epoch);

	return epoch << COOKIE_EPOCH_SHIFT | (hash ^ (__u32)options << DISPATCH_COOKIE_HASH_BITS);
}

/* Return: its options; negative: it is none of ours, or too old. */
static __always_inline int cookie_read(struct packet *packet, __u32 cookie, __u32 seq, __u32 now)
{
	__u32 epoch = now - ((cookie >> COOKIE_EPOCH_SHIFT ^ now) & 1);
	__u32 rest = cookie ^ (__u32)cookie_hash(packet, seq, epoch);

	if (rest & COOKIE_HASH_MASK)
		return -1;
	return (int)(rest >> DISPATCH_COOKIE_HASH_BITS & COOKIE_OPTIONS_MASK);
}

/* --- Packets ---------------------------------------------------------------------------------- */

/* With its options, after load_headers(). Return: not 0 if they are not there. */
static __always_inline long cookie_load(frame_context *ctx, struct packet *packet)
{
	__u32 len = packet->l4_len + packet->payload, l4_len = packet_tcp(packet)->doff * 4;

	if (l4_len < sizeof(struct tcphdr) || l4_len > len)
		return -1;
	packet->l4_len = l4_len;
	packet->payload = len - l4_len;
	return load_tcp_headers(ctx, packet);
}

/* As find_options(), and for the reasons given there, of a SYN. */
__noinline int cookie_read_syn(struct packet *packet)
{
	volatile __u32 *place;
	const __u8 *l4;
	__u32 at, len;

	if (!packet)
		return -1;
	packet->syn_mss = 0;
	packet->syn_scale = DISPATCH_NO_SCALE;
	packet->syn_has_sack = 0;
	place = &packet->syn_at;
	l4 = packet_l4(packet);
	*place = sizeof(struct tcphdr);
	for (int i = 0; i < L4_MAX - (int)sizeof(struct tcphdr); i++) {
		at = *place;
		if (at >= packet->l4_len || at >= L4_MAX || l4[at] == OPTION_END)
			return 0;
		if (l4[at] == OPTION_NOP) {
			*place = at + 1;
			continue;
		}
		len = l4[at + 1];
		if (len < 2 || at + len > packet->l4_len)
			return -1;
		if (l4[at] == OPTION_MSS && len == 4)
			packet->syn_mss = (__u32)l4[at + 2] << 8 | l4[at + 3];
		else if (l4[at] == OPTION_SCALE && len == 3)
			packet->syn_scale = l4[at + 2] < 14 ? l4[at + 2] : 14;
		else if (l4[at] == OPTION_SACK_PERMITTED && len == 2)
			packet->syn_has_sack = 1;
		*place = at + len;
	}
	return 0;
}

/* Of the address that a segment of ours goes to, and of the one that it seems to come from. */
struct cookie_way {
	const __u8 *source, *destination;
};

/* Makes it such a segment, where the packet is. @differences: of what was changed before. */
static __always_inline enum dispatch_drop cookie_store(frame_context *ctx, struct packet *packet,
						       const struct cookie_way *way,
						       const struct handshake_segment *segment,
						       __u32 length_difference)
{
	struct checksum_differences differences = {};

	if (!translate_l3(packet, way->source, way->destination, true, &differences))
		return DISPATCH_DROP_TTL_EXPIRED;
	differences.l4 = make_segment(packet, segment);
	return frame_store(ctx, packet, __builtin_offsetof(struct tcphdr, check),
			   fold_sum((__u64)differences.pseudo + length_difference), differences.l4,
			   fold_sum((__u64)differences.l3 + length_difference))
		       ? DISPATCH_DROP_NO_HEADROOM
		       : DISPATCH_FINE;
}

/* A window in bytes as it stands in a segment; an open one stays open. */
static __always_inline __be16 cookie_window(__u32 bytes, __u32 scale)
{
	__u32 units = bytes >> (scale & 15);

	if (!units && bytes)
		units = 1;
	return bpf_htons(units > 0xffff ? 0xffff : (__u16)units);
}

/* --- A SYN is answered ------------------------------------------------------------------------ */

static __always_inline void cookie_note_sent(const struct packet *packet, __u32 service,
					     __u32 now_s)
{
	struct dispatch_cookie_use *use = bpf_map_lookup_elem(&dispatch_cookies, &service);

	if (use && use->sent_s != now_s)
		use->sent_s = now_s;
	if (use && packet->wants_cookie && use->wanted_s != now_s)
		use->wanted_s = now_s;
	count_cookie(service, false);
}

static __always_inline long cookie_answer_frame(frame_context *ctx, struct packet *packet,
						__u64 now_ns)
{
	const struct tcphdr *tcp = packet_tcp(packet);
	__u8 options = (__u8)cookie_options_of(packet);
	const struct handshake_segment segment = {
		.source = tcp->dest,
		.destination = tcp->source,
		.seq = cookie_make(packet, dispatch_cookie_epoch(now_ns), options),
		.ack = bpf_ntohl(tcp->seq) + 1,
		.flags = TCP_FLAG_SYN | TCP_FLAG_ACK,
		.options = cookie_syn_options(packet->is_ipv6, options, COOKIE_SCALE),
	};
	__u32 l3 = answer_ip(packet), l4 = make_segment(packet, &segment);

	return frame_store(ctx, packet, __builtin_offsetof(struct tcphdr, check), 0, l4, l3);
}

/* Verified by itself, as dispatch_packet(); @packet as that has left it. Return: the hook's action.
 */
__noinline int cookie_answer(frame_context *ctx, struct packet *packet)
{
	__u64 now_ns = clock_coarse_ns();
	__u32 service;

	if (!packet)
		return FRAME_PASS;
	service = packet->service;
	if (cookie_load(ctx, packet) || cookie_read_syn(packet)) {
		count_dropped(service, DISPATCH_DROP_MALFORMED, 1);
		return FRAME_DROP;
	}
	if (packet->payload) {
		count_dropped(service, DISPATCH_DROP_NO_COOKIE, 1);
		return FRAME_DROP;
	}
	if (!frame_can_reply(ctx, packet))
		return FRAME_PASS;
	if (cookie_answer_frame(ctx, packet, now_ns)) {
		count_dropped(service, DISPATCH_DROP_NO_HEADROOM, 1);
		return FRAME_DROP;
	}
	cookie_note_sent(packet, service, dispatch_seconds(now_ns));
	return frame_reply(ctx);
}

/* --- The flow that dispatch_packet() has found -------------------------------------------------*/

/* Return: NULL: nobody has it any more. */
static __always_inline struct dispatch_nat *cookie_flow(const struct packet *packet,
							struct dispatch_work *work)
{
	struct dispatch_nat *nat = nat_at(packet->nat);

	if (!nat || dispatch_is_free(&nat->claim, work->now_s) || nat->service != packet->service ||
	    nat->real != packet->real)
		return NULL;
	work->nat = nat;
	work->real_index = nat->real;
	work->load.is_answer = packet->is_answer;
	return nat;
}

/* Return: whether there is such a service. */
static __always_inline bool cookie_begin(frame_context *ctx, const struct packet *packet,
					 struct dispatch_work *work)
{
	if (!dispatch_begin(ctx, packet, work))
		return false;
	work->service_index = packet->service;
	work->service = service_at(work->half, packet->service);
	return work->service && work->service->id;
}

/* --- An ACK brings a cookie ------------------------------------------------------------------- */

/* The number of the client's SYN: of an ACK it is the one before; a client that asks for a window
 * with nothing to say repeats what was acknowledged last. */
static __always_inline int cookie_find(struct packet *packet, __u64 now_ns, __u32 *ret_seq)
{
	const struct tcphdr *tcp = packet_tcp(packet);
	__u32 cookie = bpf_ntohl(tcp->ack_seq) - 1, epoch = dispatch_cookie_epoch(now_ns);
	int options;

	*ret_seq = bpf_ntohl(tcp->seq) - 1;
	options = cookie_read(packet, cookie, *ret_seq, epoch);
	if (options >= 0 || packet->payload)
		return options;
	*ret_seq = bpf_ntohl(tcp->seq);
	return cookie_read(packet, cookie, *ret_seq, epoch);
}

static __always_inline struct dispatch_nat *cookie_enter(struct dispatch_work *work,
							 const struct packet *packet,
							 enum dispatch_drop *ret_why)
{
	struct dispatch_nat *nat;

	work->real_index = ring_real(work, packet);
	nat = nat_enter(work, packet, ret_why);
	if (!nat)
		return NULL;
	count_cookie(work->service_index, true);
	*ret_why = DISPATCH_FINE;
	return nat;
}

static __always_inline struct dispatch_nat *cookie_new_flow(struct packet *packet,
							    struct dispatch_work *work,
							    enum dispatch_drop *ret_why)
{
	const struct tcphdr *tcp = packet_tcp(packet);
	struct dispatch_nat *nat;
	__u32 seq = 0;
	int options = cookie_find(packet, work->now_ns, &seq);

	*ret_why = DISPATCH_DROP_NO_COOKIE;
	if (options < 0)
		return NULL;
	*ret_why = DISPATCH_LEFT_TO_TC;
	if (!FRAME_CAN_COPY)
		return NULL;
	*ret_why = DISPATCH_DROP_NO_ENDPOINT;
	if (!find_line(work, packet))
		return NULL;
	nat = cookie_enter(work, packet, ret_why);
	if (!nat)
		return NULL;
	nat->cookie = DISPATCH_COOKIE_ASKED;
	nat->cookie_options = (__u8)options;
	nat->cookie_number = bpf_ntohl(tcp->ack_seq) - 1;
	nat->cookie_seq = (__u16)seq;
	nat->cookie_window = tcp->window;
	return nat;
}

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
static __always_inline enum dispatch_drop cookie_ask(frame_context *ctx, struct packet *packet,
						     struct dispatch_work *work,
						     struct dispatch_nat *nat)
{
	const struct dispatch_real *real = real_at(nat->real);
	const struct dispatch_run *run = run_at(nat->run);
	const struct flow_nexthop *nexthop = real ? nexthop_at(real->nexthop) : NULL;
	__u8 options = nat->cookie_options, scale = cookie_scale(options);
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

	if (!run || !nexthop || !nexthop->ifindex)
		return DISPATCH_DROP_NEXTHOP_GONE;
	longer = cookie_lengthen(packet);
	if (frame_reach(ctx,
			packet->l3_offset +
				(packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)) +
				packet->l4_len))
		return DISPATCH_DROP_NO_HEADROOM;
	why = cookie_store(ctx, packet, &(struct cookie_way){run->source, real->address}, &segment,
			   longer);
	if (why == DISPATCH_FINE)
		work->action = frame_forward(ctx, packet, nexthop);
	return why;
}

static __always_inline enum dispatch_drop cookie_judge_ack(frame_context *ctx,
							   struct packet *packet,
							   struct dispatch_work *work)
{
	struct dispatch_nat *nat = packet->real ? cookie_flow(packet, work) : NULL;
	enum dispatch_drop why = DISPATCH_DROP_MALFORMED;

	if (cookie_load(ctx, packet))
		return DISPATCH_DROP_MALFORMED;
	if (frame_is_gso(ctx))
		return DISPATCH_DROP_NO_COOKIE;
	if (nat)
		why = cookie_may_ask(nat, packet_tcp(packet));
	else
		nat = cookie_new_flow(packet, work, &why);
	if (why != DISPATCH_FINE || !nat)
		return why;
	nat_note_way(ctx, nat);
	nat_note(nat, work->now_s, nat->claim.timeout_s, nat->claim.flags);
	return cookie_ask(ctx, packet, work, nat);
}

/* Verified by itself, as dispatch_packet(). */
__noinline int cookie_take(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};
	enum dispatch_drop why;

	if (!packet || !cookie_begin(ctx, packet, &work))
		return DISPATCH_PASSES;
	why = cookie_judge_ack(ctx, packet, &work);
	if (why == DISPATCH_DROP_NO_COOKIE && !work.nat)
		tell_lost(packet, &work);
	return dispatch_end(&work, why);
}

/* --- The endpoint answers --------------------------------------------------------------------- */

static __always_inline bool cookie_is_answered(const struct dispatch_nat *nat,
					       const struct tcphdr *tcp)
{
	return tcp->syn && tcp->ack && (__u16)(bpf_ntohl(tcp->ack_seq) - 1) == nat->cookie_seq;
}

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
	__u32 scale = cookie_has_scale(nat->cookie_options) ? COOKIE_SCALE : 0;
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

/* To the endpoint, whatever the packet is by now. */
static __always_inline enum dispatch_drop cookie_answer_endpoint(
	frame_context *ctx, struct packet *packet, struct dispatch_work *work,
	const struct dispatch_nat *nat, const struct handshake_segment *segment)
{
	const struct dispatch_real *real = real_at(nat->real);
	const struct dispatch_run *run = run_at(nat->run);
	const struct flow_nexthop *nexthop = real ? nexthop_at(real->nexthop) : NULL;
	enum dispatch_drop why;

	if (!run || !nexthop || !nexthop->ifindex)
		return DISPATCH_DROP_NEXTHOP_GONE;
	if (!frame_can_forward(ctx, packet, nexthop, 0))
		return DISPATCH_LEFT_TO_TC;
	why = cookie_store(ctx, packet, &(struct cookie_way){run->source, real->address}, segment,
			   0);
	if (why == DISPATCH_FINE)
		work->action = frame_forward(ctx, packet, nexthop);
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

/* Scales as nat->cookie_options has them from here on. */
static __always_inline __u8 cookie_scales(const struct packet *packet, __u8 options)
{
	if (!cookie_has_scale(options))
		return DISPATCH_NO_SCALE << 4 | DISPATCH_NO_SCALE;
	return (__u8)(packet->syn_scale << 4 | cookie_scale(options));
}

static __always_inline enum dispatch_drop cookie_join_flow(frame_context *ctx,
							   struct packet *packet,
							   struct dispatch_work *work,
							   struct dispatch_nat *nat)
{
	const struct tcphdr *tcp = packet_tcp(packet);
	__u32 seq = bpf_ntohl(tcp->seq), cookie = nat->cookie_number;
	__u8 scale = cookie_scale(nat->cookie_options);
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

static __always_inline enum dispatch_drop cookie_judge_answer(frame_context *ctx,
							      struct packet *packet,
							      struct dispatch_work *work)
{
	struct dispatch_nat *nat = cookie_flow(packet, work);
	const struct tcphdr *tcp = packet_tcp(packet);

	if (!nat)
		return DISPATCH_LEAVES;
	if (cookie_load(ctx, packet) || (tcp->syn && cookie_read_syn(packet)))
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

/* --- From then on ----------------------------------------------------------------------------- */

static __always_inline __u8 scale_or_0(__u8 scale)
{
	return scale == DISPATCH_NO_SCALE ? 0 : scale;
}

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
	const struct dispatch_real *real = real_at(nat->real);
	const struct dispatch_run *run = run_at(nat->run);
	const struct flow_nexthop *nexthop = real ? nexthop_at(real->nexthop) : NULL;
	struct flow_translation out = {};
	enum dispatch_drop why;

	if (!run || !nexthop || !nexthop->ifindex)
		return DISPATCH_DROP_NEXTHOP_GONE;
	why = way_takes(ctx, packet, work, nexthop, 0);
	if (why != DISPATCH_FINE)
		return why;
	nat_note_way(ctx, nat);
	nat_note_up(nat, work, packet);
	cookie_translation_up(nat, &out);
	why = cookie_translate(ctx, packet, &(struct cookie_way){run->source, real->address}, &out);
	if (why == DISPATCH_FINE)
		work->action = frame_forward(ctx, packet, nexthop);
	return why;
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

/* @packet: dispatch_packet() has said COOKIE of it, and what it has found. */
static __always_inline int dispatch_cookie(frame_context *ctx, struct packet *packet)
{
	int action = packet->real ? cookie_shift(ctx, packet) : DISPATCH_COOKIE;

	if (action != DISPATCH_COOKIE)
		return action;
	if (packet->real && packet->is_answer)
		return cookie_join(ctx, packet);
	return packet->real || !packet_tcp(packet)->syn ? cookie_take(ctx, packet)
							: cookie_answer(ctx, packet);
}

#endif
