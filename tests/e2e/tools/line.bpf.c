// SPDX-License-Identifier: Apache-2.0
/*
 * A bad line for tests, on the device LINE: of the packets either way, one in LOSE is lost, one in
 * DOUBLE comes twice, and one in HOLD takes the way round through a device of tools/hold, so that
 * others overtake it. 0: none. lib/lines.py compiles it with the numbers.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* What had its turn, and is not spoiled again. */
#define SPOILED 0x51

#define FLAGS_AT 13
#define RST      0x04

static __always_inline bool falls_on(__u32 one_in)
{
	return one_in && bpf_get_prandom_u32() % one_in == 0;
}

/* Nobody makes up for a lost RST but by accident: the other end would wait for good. */
static __always_inline bool is_reset(struct __sk_buff *skb)
{
	__u32 l3_len = skb->protocol == bpf_htons(ETH_P_IPV6) ? sizeof(struct ipv6hdr)
							      : sizeof(struct iphdr);
	__u8 flags = 0;

	return bpf_skb_load_bytes(skb, ETH_HLEN + l3_len + FLAGS_AT, &flags, 1) == 0 && flags & RST;
}

static __always_inline int spoil(struct __sk_buff *skb, __u32 way_round, __u64 way)
{
	if (skb->mark == SPOILED)
		return TC_ACT_UNSPEC;
	if (falls_on(LOSE) && !is_reset(skb))
		return TC_ACT_SHOT;
	if (falls_on(HOLD))
		return bpf_redirect(way_round, 0);
	if (falls_on(DOUBLE)) {
		skb->mark = SPOILED;
		bpf_clone_redirect(skb, LINE, way);
	}
	return TC_ACT_UNSPEC;
}

SEC("tc/leaving")
int leaving(struct __sk_buff *skb)
{
	return spoil(skb, LATE_OUT, 0);
}

SEC("tc/arriving")
int arriving(struct __sk_buff *skb)
{
	return spoil(skb, LATE_IN, BPF_F_INGRESS);
}

SEC("tc/left_late")
int left_late(struct __sk_buff *skb)
{
	skb->mark = SPOILED;
	return bpf_redirect(LINE, 0);
}

SEC("tc/arrived_late")
int arrived_late(struct __sk_buff *skb)
{
	skb->mark = SPOILED;
	return bpf_redirect(LINE, BPF_F_INGRESS);
}
