// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Makes a backend's connection agree with its client's: two connections can be joined only if both
 * have timestamps and SACK or both have not. A socket cannot be told to do without them, so the
 * daemon marks it and its SYN loses the options here. Then the backend does not offer them either.
 */
#include "lib/frame_tc.h"
#include "lib/headers.h"

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

SEC("tc")
int tc_egress(struct __sk_buff *skb)
{
	struct packet packet = {};

	if (!(skb->mark & MARKS))
		return TC_ACT_UNSPEC;
	frame_pull_headers(skb);
	if (parse_frame((void *)(long)skb->data, (void *)(long)skb->data_end, frame_len(skb),
			frame_is_gso(skb), &packet) != UNDECIDED ||
	    packet.protocol != IPPROTO_TCP)
		return TC_ACT_UNSPEC;
	return blank_syn(skb, &packet);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
