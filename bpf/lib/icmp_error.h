/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_ICMP_ERROR_H
#define SLUICE_BPF_ICMP_ERROR_H

/*
 * ICMP errors that quote a packet which we have translated go to who sent it, with what it sent:
 * path MTU discovery lives on them. Our own address becomes their source, for that of a router
 * behind us means nothing on the other side.
 */
#include <linux/icmpv6.h>

#include "lib/flow.h"
#include "lib/translate.h"

/* The ICMP header, the quoted network header, and its ports and sequence number (RFC 792). */
#define QUOTE_OFFSET 8
#define QUOTED_L4    8

/* <linux/icmp.h> wants a C library that is not there for this target. */
enum icmp_error_type {
	ICMP_DEST_UNREACH = 3,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETERPROB = 12,
};

#define ICMP_CHECKSUM_AT 2

struct quoted_l4 {
	__be16 source, dest;
	__be32 seq; /* of UDP: length and checksum */
};

/* Whom an error goes to, and in whose name, with the ports of the packet that it quotes. */
struct icmp_way {
	const __u8 *source, *destination;
	__be16 source_port, destination_port;
};

static __always_inline bool is_icmp_error(const struct packet *packet, __u8 type)
{
	if (packet->is_ipv6)
		return type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB;
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB;
}

static __always_inline long load_icmp(frame_context *ctx, struct packet *packet)
{
	__u32 l3_len = packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);

	packet->l4_len = QUOTE_OFFSET + l3_len + QUOTED_L4;
	if (packet->payload < packet->l4_len)
		return -1;
	if (packet->is_ipv6)
		return frame_load(ctx, packet->l3_offset, packet->headers,
				  2 * sizeof(struct ipv6hdr) + QUOTE_OFFSET + QUOTED_L4);
	return frame_load(ctx, packet->l3_offset, packet_ipv4(packet),
			  2 * sizeof(struct iphdr) + QUOTE_OFFSET + QUOTED_L4);
}

static __always_inline bool has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

/* The quoted packet went out; its flow is known by what arrives, so the key is turned round.
 * Return: the quoted packet's protocol, TCP or UDP; 0: it is of no flow. */
static __always_inline __u8 key_of_quote(struct packet *packet)
{
	const __u8 *quote = packet_l4(packet) + QUOTE_OFFSET;
	const struct ipv6hdr *ipv6 = (const struct ipv6hdr *)quote;
	const struct iphdr *ipv4 = (const struct iphdr *)quote;
	const struct quoted_l4 *l4;
	__u8 protocol;

	if (packet->is_ipv6) {
		protocol = ipv6->nexthdr;
		if (ipv6->version != 6 || !has_ports(protocol))
			return 0;
		__builtin_memcpy(packet->key.source, &ipv6->daddr, sizeof(ipv6->daddr));
		__builtin_memcpy(packet->key.destination, &ipv6->saddr, sizeof(ipv6->saddr));
		l4 = (const struct quoted_l4 *)(ipv6 + 1);
	} else {
		protocol = ipv4->protocol;
		if (ipv4->version != 4 || ipv4->ihl != 5 || !has_ports(protocol) ||
		    ipv4->frag_off & IPV4_FRAGMENT)
			return 0;
		map_ipv4(packet->key.source, ipv4->daddr);
		map_ipv4(packet->key.destination, ipv4->saddr);
		l4 = (const struct quoted_l4 *)(ipv4 + 1);
	}
	packet->key.source_port = l4->dest;
	packet->key.destination_port = l4->source;
	return protocol;
}

/* @seq_delta: what the quoted packet's number was changed by. Return: the difference of the sum
 * over the ICMP message. */
static __always_inline __u32 translate_quote(struct packet *packet, const struct icmp_way *way,
					     __u32 seq_delta)
{
	__u8 *quote = packet_l4(packet) + QUOTE_OFFSET;
	__u64 before = sum_words((const __u32 *)packet_l4(packet), L4_WORDS);
	struct ipv6hdr *ipv6 = (struct ipv6hdr *)quote;
	struct iphdr *ipv4 = (struct iphdr *)quote;
	struct quoted_l4 *l4;
	__u64 addresses;

	if (packet->is_ipv6) {
		__builtin_memcpy(&ipv6->saddr, way->destination, sizeof(ipv6->saddr));
		__builtin_memcpy(&ipv6->daddr, way->source, sizeof(ipv6->daddr));
		l4 = (struct quoted_l4 *)(ipv6 + 1);
	} else {
		addresses = (__u64)ipv4->saddr + ipv4->daddr;
		ipv4->saddr = unmap_ipv4(way->destination);
		ipv4->daddr = unmap_ipv4(way->source);
		ipv4->check = checksum_change(
			ipv4->check, sum_difference(addresses, (__u64)ipv4->saddr + ipv4->daddr));
		l4 = (struct quoted_l4 *)(ipv4 + 1);
	}
	l4->source = way->destination_port;
	l4->dest = way->source_port;
	l4->seq = bpf_htonl(bpf_ntohl(l4->seq) - seq_delta);
	return sum_difference(before, sum_words((const __u32 *)packet_l4(packet), L4_WORDS));
}

/* Return: false if the hop limit runs out here. */
static __always_inline bool translate_icmp(struct packet *packet, const struct icmp_way *way,
					   __u32 seq_delta,
					   struct checksum_differences *differences)
{
	if (!translate_l3(packet, way->source, way->destination, true, differences))
		return false;
	differences->l4 = translate_quote(packet, way, seq_delta);
	if (!packet->is_ipv6)
		differences->pseudo = 0; /* ICMP for IPv4 has no pseudo-header */
	return true;
}

static __always_inline enum flow_verdict translate_icmp_error(
	frame_context *ctx, struct packet *packet, const struct flow *flow,
	const struct flow_nexthop **ret_nexthop)
{
	const struct flow_translation *out = &flow->pair->out[flow->direction];
	const struct flow_nexthop *nexthop = flow_nexthop(out);
	const struct icmp_way way = {out->source, out->destination, out->source_port,
				     out->destination_port};
	struct checksum_differences differences = {};

	if (!nexthop || !nexthop->ifindex)
		return FLOW_VERDICT_NEXTHOP_GONE;
	if (!frame_can_forward(ctx, packet, nexthop, 0))
		return FLOW_VERDICT_LEFT_TO_TC;
	if (!translate_icmp(packet, &way, flow->pair->out[flow->direction ^ 1].seq_delta,
			    &differences))
		return FLOW_VERDICT_TTL_EXPIRED;
	if (frame_untag(ctx, packet) ||
	    frame_store(ctx, packet, ICMP_CHECKSUM_AT, differences.pseudo, differences.l4,
			differences.l3))
		return FLOW_VERDICT_NO_HEADROOM;
	*ret_nexthop = nexthop;
	return FLOW_VERDICT_ICMP_SPLICED;
}

static __always_inline enum flow_verdict splice_icmp_error(frame_context *ctx,
							   struct packet *packet,
							   const struct flow_nexthop **ret_nexthop)
{
	struct flow flow = {};

	if (load_icmp(ctx, packet) || !is_icmp_error(packet, packet_l4(packet)[0]) ||
	    key_of_quote(packet) != IPPROTO_TCP)
		return FLOW_VERDICT_NOT_TCP;
	if (!flow_find(&packet->key, &flow) || gate_state_of(flow.pair->gate) != GATE_SPLICED)
		return FLOW_VERDICT_NO_FLOW;
	return translate_icmp_error(ctx, packet, &flow, ret_nexthop);
}

#endif
