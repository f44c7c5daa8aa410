// SPDX-License-Identifier: Apache-2.0
/*
 * Brings a packet program a packet of a source drawn at random with each turn of a test-run. What
 * this costs by itself is measured with an empty program at the tail call's end.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "guard.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} measured SEC(".maps");

const volatile __u32 nsources = 1; /* set before load */

SEC("tc")
int bring(struct __sk_buff *skb)
{
	__be32 source = bpf_htonl(bring_source(bpf_get_prandom_u32() % nsources));

	if (bpf_skb_store_bytes(skb, BRING_SOURCE_AT, &source, sizeof(source), 0))
		return TC_ACT_SHOT;
	bpf_tail_call(skb, &measured, 0);
	return TC_ACT_SHOT;
}

SEC("tc")
int nothing(struct __sk_buff *skb)
{
	(void)skb;
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
