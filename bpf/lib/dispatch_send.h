/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_SEND_H
#define SLUICE_BPF_DISPATCH_SEND_H

/* The ways to endpoints, and what is done to a packet that takes one. */
#include "lib/dispatch_flow.h"
#include "lib/event.h"
#include "lib/maps.h"

static __always_inline const struct flow_nexthop *nexthop_at(__u32 index)
{
	return bpf_map_lookup_elem(&nexthops, &index);
}

/* Of the lengths that dispatch changes, each known to the verifier. Return: not 0 if the frame ends
 * before. */
static __always_inline long copy_l4(frame_context *ctx, struct packet *packet, const void *from)
{
	const void *end = (const void *)(long)ctx->data_end;
	struct udphdr *to = (struct udphdr *)packet_l4(packet);
	const struct tcphdr *tcp = from;
	const struct udphdr *udp = from;

	if (packet->protocol == IPPROTO_TCP) {
		if ((const void *)(tcp + 1) > end)
			return -1;
		*packet_tcp(packet) = *tcp;
		return 0;
	}
	if ((const void *)(udp + 1) > end)
		return -1;
	to[0] = udp[0];
	if (!packet->l4_at)
		return 0;
	if ((const void *)(udp + 2) > end)
		return -1;
	to[1] = udp[1]; /* behind a fragment header, as long as one of UDP */
	return 0;
}

/* From the frame in place: a helper's call costs more than the copy. Return: not 0 if the frame
 * ends before. */
static __always_inline long copy_headers(frame_context *ctx, struct packet *packet)
{
	const void *l3 = (const void *)(long)ctx->data + ETH_HLEN; /* dispatch's have no tag */
	const void *end = (const void *)(long)ctx->data_end;
	const struct ipv6hdr *ipv6 = l3;
	const struct iphdr *ipv4 = l3;

	if (packet->is_ipv6) {
		if ((const void *)(ipv6 + 1) > end)
			return -1;
		*packet_ipv6(packet) = *ipv6;
		return copy_l4(ctx, packet, ipv6 + 1);
	}
	if ((const void *)(ipv4 + 1) > end)
		return -1;
	*packet_ipv4(packet) = *ipv4;
	return copy_l4(ctx, packet, ipv4 + 1);
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
	return copy_headers(ctx, packet);
}

/* The daemon answers in the service's name (RFC 1191, RFC 8201), quoting the packet as it came. */
static __always_inline void tell_too_big(frame_context *ctx, struct packet *packet, __u32 mtu)
{
	__u32 l3_len = packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	struct dispatch_too_big *record = event_reserve(FLOW_EVENT_DISPATCH_TOO_BIG,
							sizeof(*record));
	__be32 seq = 0;

	if (!record)
		return;
	(void)frame_load(ctx, packet->l3_offset + l3_len + 4, &seq, sizeof(seq));
	*record = (struct dispatch_too_big){
		.event = {.kind = FLOW_EVENT_DISPATCH_TOO_BIG, .mtu = mtu, .seq = bpf_ntohl(seq)},
		.key = packet->key,
		.protocol = packet->protocol,
	};
	event_submit(record);
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
