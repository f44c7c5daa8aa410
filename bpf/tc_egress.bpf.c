// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What sockets of ours send and would not send by themselves. They are marked by the daemon.
 *
 * Makes a backend's connection agree with its client's: two connections can be joined only if both
 * have timestamps and SACK or both have not. A socket cannot be told to do without them, so its SYN
 * loses the options here. Then the backend does not offer them either.
 *
 * Renews what a joined connection's socket acknowledges while it delivers its tail: it hears of
 * nothing that was sent since, and its peer drops segments whose acknowledgement is older than a
 * window (RFC 5961 section 5.2).
 *
 * Sends health checks the way that packets of their service take (lib/check_send.h).
 */
#include "lib/flow.h"
#include "lib/frame_tc.h"
#include "lib/check_send.h"
#include "lib/headers.h"
#include "lib/translate.h"

#define MARKS (FLOW_MARK_NO_TIMESTAMPS | FLOW_MARK_NO_SACK)

/* NOPs keep the header's length: other options stay where they are. */
static __always_inline void blank_options(struct packet *packet, __u32 mark)
{
	__u8 *timestamps = option_at(packet, packet->timestamp_at, TIMESTAMP_LAST);
	__u8 *sack = option_at(packet, packet->sack_permitted_at, SACK_PERMITTED_LAST);

	if (timestamps && mark & FLOW_MARK_NO_TIMESTAMPS)
		__builtin_memset(timestamps, OPTION_NOP, 10);
	if (sack && mark & FLOW_MARK_NO_SACK)
		__builtin_memset(sack, OPTION_NOP, 2);
}

static __always_inline int blank_syn(struct __sk_buff *skb, struct packet *packet)
{
	__u64 before;

	if (load_tcp_headers(skb, packet) || !packet_tcp(packet)->syn || find_options(packet))
		return TC_ACT_UNSPEC;
	before = sum_words((const __u32 *)packet_l4(packet), L4_WORDS);
	blank_options(packet, skb->mark);
	if (frame_store(
		    skb, packet, __builtin_offsetof(struct tcphdr, check), 0,
		    sum_difference(before, sum_words((const __u32 *)packet_l4(packet), L4_WORDS)),
		    0))
		return TC_ACT_SHOT; /* it will be sent again */
	return TC_ACT_UNSPEC;
}

/* The flow of what arrives from where this packet goes. */
static __always_inline bool find_returning(const struct packet *packet, struct flow *flow)
{
	struct flow_key key __attribute__((aligned(8)));

	__builtin_memcpy(key.source, packet->key.destination, sizeof(key.source));
	__builtin_memcpy(key.destination, packet->key.source, sizeof(key.destination));
	key.source_port = packet->key.destination_port;
	key.destination_port = packet->key.source_port;
	return flow_find(&key, flow);
}

/* @other: what arrives on the other leg, from whom the acknowledgements are. */
static __always_inline void take_over_ack(struct packet *packet, const struct flow_pair *pair,
					  __u32 other)
{
	struct tcphdr *tcp = packet_tcp(packet);
	const struct flow_record *seen = &pair->seen[other];
	const struct flow_translation *out = &pair->out[other];
	__u32 ack = flow_ack(pair, other) + out->ack_delta;

	if (!tcp->ack || !is_after(ack, bpf_ntohl(tcp->ack_seq)))
		return;
	tcp->ack_seq = bpf_htonl(ack);
	tcp->window = translate_window(bpf_htons(seen->window), out);
}

static __always_inline int renew_ack(struct __sk_buff *skb, struct packet *packet)
{
	struct flow flow = {};
	enum gate_state state;
	__u64 before;

	if (!find_returning(packet, &flow) || load_tcp_headers(skb, packet))
		return TC_ACT_UNSPEC;
	state = gate_state_of(*(volatile __u64 *)&flow.pair->gate);
	if (state != GATE_TAIL && state != GATE_SPLICED)
		return TC_ACT_UNSPEC;
	before = sum_words((const __u32 *)packet_l4(packet), L4_WORDS);
	take_over_ack(packet, flow.pair, flow.direction ^ 1);
	if (frame_store(
		    skb, packet, __builtin_offsetof(struct tcphdr, check), 0,
		    sum_difference(before, sum_words((const __u32 *)packet_l4(packet), L4_WORDS)),
		    0))
		return TC_ACT_SHOT; /* it will be sent again */
	return TC_ACT_UNSPEC;
}

/* Verified by itself, for its stack. */
__noinline int mend_segment(struct __sk_buff *skb)
{
	struct packet packet = {};

	frame_pull_headers(skb);
	if (parse_frame((void *)(long)skb->data, (void *)(long)skb->data_end, frame_len(skb),
			frame_is_gso(skb), &packet) != UNDECIDED ||
	    packet.protocol != IPPROTO_TCP)
		return TC_ACT_UNSPEC;
	return skb->mark & FLOW_MARK_TAIL ? renew_ack(skb, &packet) : blank_syn(skb, &packet);
}

SEC("tc")
int tc_egress(struct __sk_buff *skb)
{
	if (skb->mark & FLOW_MARK_CHECK)
		return check_send(skb);
	return skb->mark & (MARKS | FLOW_MARK_TAIL) ? mend_segment(skb) : TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
