/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_SEND_H
#define SLUICE_BPF_DISPATCH_SEND_H

/* The ways to endpoints, and what is done to a packet that takes one. */
#include "lib/dispatch_flow.h"
#include "lib/maps.h"

static __always_inline const struct flow_nexthop *nexthop_at(__u32 index)
{
	return bpf_map_lookup_elem(&nexthops, &index);
}

/* As much of the headers as changes, if it does; TCP's options count as payload then. Return: not 0
 * if they are not there. */
static __always_inline long load_headers(frame_context *ctx, struct packet *packet, bool is_changed)
{
	__u32 l4_len = packet->protocol == IPPROTO_TCP ? sizeof(struct tcphdr)
						       : sizeof(struct udphdr);

	if (packet->l4_at)
		l4_len = IPV6_FRAGMENT_LEN + sizeof(struct udphdr);
	if (packet->l4_len < l4_len)
		return -1;
	packet->payload += packet->l4_len - l4_len;
	packet->l4_len = l4_len;
	if (!is_changed && !FRAME_READS_CHECKSUMS)
		return 0;
	if (packet->is_ipv6)
		return frame_load(ctx, packet->l3_offset, packet->headers, L3_MAX + l4_len);
	return frame_load(ctx, packet->l3_offset, packet_ipv4(packet),
			  sizeof(struct iphdr) + l4_len);
}

/* The daemon answers in the service's name (RFC 1191, RFC 8201), quoting the packet as it came. */
static __always_inline void tell_too_big(frame_context *ctx, struct packet *packet, __u32 mtu)
{
	__u32 l3_len = packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	__be32 seq = 0;

	struct dispatch_too_big record = {
		.event = {.kind = FLOW_EVENT_DISPATCH_TOO_BIG, .mtu = mtu},
		.key = packet->key,
		.protocol = packet->protocol,
	};

	(void)frame_load(ctx, packet->l3_offset + l3_len + 4, &seq, sizeof(seq));
	record.event.seq = bpf_ntohl(seq);
	(void)bpf_ringbuf_output(&events, &record, sizeof(record), 0);
}

/* Fragments may be cut further, and nobody is told of an error about an error (RFC 1122 section
 * 3.2.2). */
static __always_inline bool is_told_of(const struct packet *packet,
				       const struct dispatch_work *work)
{
	return !packet->is_fragment && packet->protocol == work->protocol;
}

/* @growth: bytes that are added to the packet. */
static __always_inline enum dispatch_drop way_takes(frame_context *ctx, struct packet *packet,
						    const struct dispatch_work *work,
						    const struct flow_nexthop *nexthop,
						    __u32 growth)
{
	if (!frame_can_forward(ctx, packet, nexthop, growth))
		return DISPATCH_LEFT_TO_TC;
	if (!frame_exceeds(ctx, packet, nexthop->mtu - growth))
		return DISPATCH_FINE;
	if (is_told_of(packet, work))
		tell_too_big(ctx, packet, nexthop->mtu - growth);
	return DISPATCH_DROP_TOO_BIG;
}

#endif
