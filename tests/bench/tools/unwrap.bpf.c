// SPDX-License-Identifier: Apache-2.0
/*
 * The endpoint's end of tunnels where the kernel has no device for it: takes the outer header off
 * packets that come in by IPIP or GUE (variant 1) over IPv4, as `ipip` and `fou` devices would.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define GUE_PORT 6080

static int outer_len(struct __sk_buff *skb)
{
	struct udphdr udp;
	struct iphdr ip;

	if (skb->protocol != bpf_htons(ETH_P_IP) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.ihl != sizeof(ip) / 4)
		return 0;
	if (ip.protocol == IPPROTO_IPIP)
		return sizeof(ip);
	if (ip.protocol != IPPROTO_UDP ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(ip), &udp, sizeof(udp)) ||
	    udp.dest != bpf_htons(GUE_PORT))
		return 0;
	return sizeof(ip) + sizeof(udp);
}

SEC("tc")
int unwrap(struct __sk_buff *skb)
{
	int len = outer_len(skb);

	if (len && bpf_skb_adjust_room(skb, -len, BPF_ADJ_ROOM_MAC, 0))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
