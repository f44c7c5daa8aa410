// SPDX-License-Identifier: Apache-2.0
/*
 * Brings a packet program a packet with each turn of a test-run, of a flow drawn at random,
 * whatever the turn before has made of it: an outer header and metadata are taken off again. Of the
 * hooks only the programs of one are loaded. What this costs by itself is measured with an empty
 * program at the tail call's end, but for the outer header, which costs no less than putting it on.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bring.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} measured SEC(".maps");

const volatile struct bring_rodata settings = {.nflows = 1, .headers = BRING_HEADERS_IPV4};
__u8 frame[BRING_HEADERS] = {1}; /* may change between runs */

static void write_headers(__u8 headers[BRING_HEADERS])
{
	const struct bring_clients clients = settings.clients;
	__u32 flow = bpf_get_prandom_u32() % settings.nflows;
	__be32 source = bpf_htonl(bring_client(&clients, flow));
	__be16 port = bpf_htons(bring_port(&clients, flow));

	for (int i = 0; i < BRING_HEADERS; i++)
		headers[i] = frame[i];
	__builtin_memcpy(headers + settings.source_at, &source, sizeof(source));
	__builtin_memcpy(headers + settings.port_at, &port, sizeof(port));
}

SEC("tc")
int bring(struct __sk_buff *skb)
{
	__u8 headers[BRING_HEADERS];
	__u32 size = settings.size;

	write_headers(headers);
	if (skb->len > size &&
	    bpf_skb_adjust_room(skb, -(int)(skb->len - size), BPF_ADJ_ROOM_MAC, 0))
		return TC_ACT_SHOT;
	if (bpf_skb_store_bytes(skb, 0, headers, settings.headers, 0))
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

SEC("xdp")
int bring_xdp(struct xdp_md *xdp)
{
	__u8 headers[BRING_HEADERS];
	int longer = (int)bpf_xdp_get_buff_len(xdp) - (int)settings.size;
	long metadata = (void *)(long)xdp->data - (void *)(long)xdp->data_meta;

	barrier_var(metadata); /* or it is half a pointer less another's */
	write_headers(headers);
	if (bpf_xdp_adjust_meta(xdp, (int)metadata))
		return XDP_ABORTED;
	if (longer && bpf_xdp_adjust_head(xdp, longer))
		return XDP_ABORTED;
	if (bpf_xdp_store_bytes(xdp, 0, headers, settings.headers))
		return XDP_ABORTED;
	bpf_tail_call(xdp, &measured, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int nothing_xdp(struct xdp_md *xdp)
{
	(void)xdp;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
