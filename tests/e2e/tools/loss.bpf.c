// SPDX-License-Identifier: Apache-2.0
/* Loses one packet in 64, whichever way it is attached: a bad line for tests. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

SEC("tc")
int lose(struct __sk_buff *skb)
{
	(void)skb;
	return bpf_get_prandom_u32() % 64 ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}
