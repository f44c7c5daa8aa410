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

struct quoted_tcp {
	__be16 source, dest;
	__be32 seq;
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

/* The quoted packet went out; its flow is known by what arrives, so the key is turned round. */
static __always_inline bool key_of_quote(struct packet *packet)
{
	const __u8 *quote = packet_l4(packet) + QUOTE_OFFSET;
	const struct ipv6hdr *ipv6 = (const struct ipv6hdr *)quote;
	const struct iphdr *ipv4 = (const struct iphdr *)quote;
	const struct quoted_tcp *tcp;

	if (packet->is_ipv6) {
		if (ipv6->version != 6 || ipv6->nexthdr != IPPROTO_TCP)
			return false;
		__builtin_memcpy(packet->key.source, &ipv6->daddr, sizeof(ipv6->daddr));
		__builtin_memcpy(packet->key.destination, &ipv6->saddr, sizeof(ipv6->saddr));
		tcp = (const struct quoted_tcp *)(ipv6 + 1);
	} else {
		if (ipv4->version != 4 || ipv4->ihl != 5 || ipv4->protocol != IPPROTO_TCP ||
		    ipv4->frag_off & IPV4_FRAGMENT)
			return false;
		map_ipv4(packet->key.source, ipv4->daddr);
		map_ipv4(packet->key.destination, ipv4->saddr);
		tcp = (const struct quoted_tcp *)(ipv4 + 1);
	}
	packet->key.source_port = tcp->dest;
	packet->key.destination_port = tcp->source;
	return true;
}

/* @out: of the direction that the error takes. @seq_delta: what the quoted packet's was changed by.
 * Return: the difference of the sum over the ICMP message. */
static __always_inline __u32 translate_quote(struct packet *packet,
					     const struct flow_translation *out, __u32 seq_delta)
{
	__u8 *quote = packet_l4(packet) + QUOTE_OFFSET;
	__u64 before = sum_words((const __u32 *)packet_l4(packet), L4_WORDS);
	struct ipv6hdr *ipv6 = (struct ipv6hdr *)quote;
	struct iphdr *ipv4 = (struct iphdr *)quote;
	struct quoted_tcp *tcp;
	__u64 addresses;

	if (packet->is_ipv6) {
		__builtin_memcpy(&ipv6->saddr, out->destination, sizeof(ipv6->saddr));
		__builtin_memcpy(&ipv6->daddr, out->source, sizeof(ipv6->daddr));
		tcp = (struct quoted_tcp *)(ipv6 + 1);
	} else {
		addresses = (__u64)ipv4->saddr + ipv4->daddr;
		ipv4->saddr = unmap_ipv4(out->destination);
		ipv4->daddr = unmap_ipv4(out->source);
		ipv4->check = checksum_change(
			ipv4->check, sum_difference(addresses, (__u64)ipv4->saddr + ipv4->daddr));
		tcp = (struct quoted_tcp *)(ipv4 + 1);
	}
	tcp->source = out->destination_port;
	tcp->dest = out->source_port;
	tcp->seq = bpf_htonl(bpf_ntohl(tcp->seq) - seq_delta);
	return sum_difference(before, sum_words((const __u32 *)packet_l4(packet), L4_WORDS));
}

static __always_inline enum flow_verdict translate_icmp_error(
	frame_context *ctx, struct packet *packet, const struct flow *flow,
	const struct flow_nexthop **ret_nexthop)
{
	const struct flow_translation *out = &flow->pair->out[flow->direction];
	const struct flow_nexthop *nexthop = flow_nexthop(out);
	struct checksum_differences differences = {};

	if (!nexthop || !nexthop->ifindex)
		return FLOW_VERDICT_NEXTHOP_GONE;
	if (!frame_can_forward(ctx, packet, nexthop, 0))
		return FLOW_VERDICT_LEFT_TO_TC;
	if (!translate_l3(packet, out->source, out->destination, true, &differences))
		return FLOW_VERDICT_TTL_EXPIRED;
	differences.l4 = translate_quote(packet, out,
					 flow->pair->out[flow->direction ^ 1].seq_delta);
	/* ICMP for IPv4 has no pseudo-header. */
	if (frame_untag(ctx, packet) ||
	    frame_store(ctx, packet, ICMP_CHECKSUM_AT, packet->is_ipv6 ? differences.pseudo : 0,
			differences.l4, differences.l3))
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
	    !key_of_quote(packet))
		return FLOW_VERDICT_NOT_TCP;
	if (!flow_find(&packet->key, &flow) || gate_state_of(flow.pair->gate) != GATE_SPLICED)
		return FLOW_VERDICT_NO_FLOW;
	return translate_icmp_error(ctx, packet, &flow, ret_nexthop);
}

#endif
