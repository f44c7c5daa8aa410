// SPDX-License-Identifier: Apache-2.0
/*
 * Brings the packet program a new packet with each turn of a test-run, of a flow drawn at random:
 * the client's address and port tell the flow, the rest of the frame stays. What this costs by
 * itself is measured with an empty program at the tail call's end.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} measured SEC(".maps");

/* Set before load. */
const volatile __u32 nflows = 1;
const volatile __u8 frame[PACKET_HEADERS];

SEC("tc")
int bring(struct __sk_buff *skb)
{
	__u32 flow = bpf_get_prandom_u32() % nflows;
	__u8 headers[PACKET_HEADERS];
	__be32 *source = (__be32 *)(headers + PACKET_SOURCE_AT);
	__be16 *port = (__be16 *)(headers + PACKET_PORT_AT);

	for (int i = 0; i < PACKET_HEADERS; i++)
		headers[i] = frame[i];
	__builtin_memcpy(source, &(__be32){bpf_htonl(packet_client(flow))}, sizeof(*source));
	__builtin_memcpy(port, &(__be16){bpf_htons(packet_port(flow))}, sizeof(*port));
	if (bpf_skb_store_bytes(skb, 0, headers, sizeof(headers), 0))
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
