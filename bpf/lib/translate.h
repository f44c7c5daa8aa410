/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_TRANSLATE_H
#define SLUICE_BPF_TRANSLATE_H

/* Makes a packet of one connection one of the other, in the copy of its headers. */
#include "lib/checksum.h"
#include "lib/parse.h"
#include "lib/tcp_options.h"

#define SACK_EDGES_MAX  8
#define IPV4_ECN        bpf_htonl(ECN_MASK << 16) /* in the header's first word */
#define IPV4_TTL_ONE    bpf_htonl(1 << 24)        /* in its third: what a hop takes off */
#define IPV6_ECN_SHIFT  4 /* in the first byte of ->flow_lbl: the traffic class's low half */
#define IPV6_ADDR_WORDS 4
#define ANSWER_TTL      64

/* Differences of sums, for frame_store(). */
struct checksum_differences {
	__u32 pseudo, l4, l3;
};

/* Return: false if the hop limit runs out here. */
static __always_inline bool translate_ipv4(struct packet *packet, const __u8 *source,
					   const __u8 *destination, bool keep_ecn,
					   struct checksum_differences *differences)
{
	struct iphdr *ip = packet_ipv4(packet);
	__u32 *words = (__u32 *)ip;
	__u64 addresses = (__u64)ip->saddr + ip->daddr;
	__u32 tos_word = words[0], ttl_word = words[2];
	__u64 before = (__u64)tos_word + ttl_word, after; /* of the rest, as far as it changes */

	if (ip->ttl <= 1)
		return false;
	ttl_word -= IPV4_TTL_ONE;
	if (!keep_ecn)
		tos_word &= ~IPV4_ECN;
	ip->saddr = unmap_ipv4(source);
	ip->daddr = unmap_ipv4(destination);
	differences->pseudo = sum_difference(addresses, (__u64)ip->saddr + ip->daddr);
	words[0] = tos_word;
	words[2] = ttl_word;
	/* The checksum itself is in the TTL's word, the same before and after. */
	after = (__u64)tos_word + ttl_word + differences->pseudo;
	ip->check = checksum_change(ip->check, sum_difference(before, after));
	return true;
}

static __always_inline bool translate_ipv6(struct packet *packet, const __u8 *source,
					   const __u8 *destination, bool keep_ecn,
					   struct checksum_differences *differences)
{
	struct ipv6hdr *ip = packet_ipv6(packet);
	const __u32 *words = (const __u32 *)ip, *addresses = (const __u32 *)&ip->saddr;
	__u64 before = sum_words(words, 2);
	__u64 addresses_before = sum_words(addresses, 2 * IPV6_ADDR_WORDS);
	__u64 addresses_after;

	if (ip->hop_limit <= 1)
		return false;
	ip->hop_limit--;
	if (!keep_ecn)
		ip->flow_lbl[0] &= (__u8) ~(ECN_MASK << IPV6_ECN_SHIFT);
	copy_address(&ip->saddr, source);
	copy_address(&ip->daddr, destination);
	addresses_after = sum_words(addresses, 2 * IPV6_ADDR_WORDS);
	differences->pseudo = sum_difference(addresses_before, addresses_after);
	differences->l3 = sum_difference(before + addresses_before,
					 sum_words(words, 2) + addresses_after);
	return true;
}

static __always_inline bool translate_l3(struct packet *packet, const __u8 *source,
					 const __u8 *destination, bool keep_ecn,
					 struct checksum_differences *differences)
{
	if (packet->is_ipv6)
		return translate_ipv6(packet, source, destination, keep_ecn, differences);
	return translate_ipv4(packet, source, destination, keep_ecn, differences);
}

/*
 * Makes the network header that of an answer: from where the packet was sent to, to where it came
 * from. Return: the difference of the header, for IPv6 which has no checksum.
 */
static __always_inline __u32 answer_ip(struct packet *packet)
{
	struct ipv6hdr *ipv6 = packet_ipv6(packet);
	struct iphdr *ipv4 = packet_ipv4(packet);
	__u64 before;

	if (packet->is_ipv6) {
		before = sum_words((const __u32 *)ipv6, sizeof(*ipv6) / 4);
		__builtin_memcpy(&ipv6->saddr, packet->key.destination, 16);
		__builtin_memcpy(&ipv6->daddr, packet->key.source, 16);
		ipv6->hop_limit = ANSWER_TTL;
		return sum_difference(before, sum_words((const __u32 *)ipv6, sizeof(*ipv6) / 4));
	}
	before = sum_words((const __u32 *)ipv4, sizeof(*ipv4) / 4);
	ipv4->saddr = unmap_ipv4(packet->key.destination);
	ipv4->daddr = unmap_ipv4(packet->key.source);
	ipv4->ttl = ANSWER_TTL;
	ipv4->check = checksum_change(
		ipv4->check,
		sum_difference(before, sum_words((const __u32 *)ipv4, sizeof(*ipv4) / 4)));
	return 0;
}

static __always_inline void shift_be32(__u8 *at, __u32 delta)
{
	write_be32(at, read_be32(at) + delta);
}

static __always_inline void translate_timestamps(struct packet *packet,
						 const struct flow_translation *out)
{
	__u8 *option = option_at(packet, packet->timestamp_at, TIMESTAMP_LAST);

	if (!option || !(out->flags & FLOW_HAS_TIMESTAMPS))
		return;
	shift_be32(option + 2, out->tsval_delta);
	if (read_be32(option + 6))
		shift_be32(option + 6, out->tsecr_delta);
}

static __always_inline void translate_sack(struct packet *packet, __u32 ack_delta)
{
	__u8 *option = option_at(packet, packet->sack_at, SACK_LAST);
	__u32 len;

	if (!option)
		return;
	len = option[1];
	for (__u32 i = 0; i < SACK_EDGES_MAX && 4 * i + 6 <= len; i++)
		shift_be32(option + 2 + 4 * i, ack_delta);
}

/* Rounded down, as the receiver would; but an open window stays open. */
static __always_inline __be16 translate_window(__be16 window, const struct flow_translation *out)
{
	__u32 bytes = (__u32)bpf_ntohs(window) << (out->scale_in & 15);
	__u32 units = bytes >> (out->scale_out & 15);

	if (!units && bytes)
		units = 1;
	return bpf_htons(units > 0xffff ? 0xffff : units);
}

static __always_inline void blank_sack(struct packet *packet)
{
	__u8 *option = option_at(packet, packet->sack_at, SACK_LAST);
	__u32 len;

	if (!option)
		return;
	len = option[1];
	for (__u32 i = 0; i < SACK_EDGES_MAX && 4 * i + 6 <= len; i++)
		__builtin_memset(option + 2 + 4 * i, OPTION_NOP, 4);
	__builtin_memset(option, OPTION_NOP, 2);
	packet->sack_at = 0;
}

/* What the receiver has heard acknowledged up to @line already is not taken back. Blocks of what
 * lies below would be of numbers that it never knew. */
static __always_inline void raise_ack(struct packet *packet, __u32 line)
{
	struct tcphdr *tcp = packet_tcp(packet);

	if (!tcp->ack || (__s32)(line - bpf_ntohl(tcp->ack_seq)) <= 0)
		return;
	tcp->ack_seq = bpf_htonl(line);
	blank_sack(packet);
}

/* @line: raise_ack(); NULL: there is none. */
static __always_inline __u32 translate_tcp(struct packet *packet,
					   const struct flow_translation *out, const __u32 *line)
{
	struct tcphdr *tcp = packet_tcp(packet);
	__u64 before = sum_words((const __u32 *)tcp, L4_WORDS);

	if (line)
		raise_ack(packet, *line);
	tcp->source = out->source_port;
	tcp->dest = out->destination_port;
	tcp->seq = bpf_htonl(bpf_ntohl(tcp->seq) + out->seq_delta);
	if (tcp->ack)
		tcp->ack_seq = bpf_htonl(bpf_ntohl(tcp->ack_seq) + out->ack_delta);
	tcp->window = translate_window(tcp->window, out);
	if (!(out->flags & FLOW_HAS_ECN)) {
		tcp->ece = 0;
		tcp->cwr = 0;
	}
	translate_timestamps(packet, out);
	translate_sack(packet, out->ack_delta);
	return sum_difference(before, sum_words((const __u32 *)tcp, L4_WORDS));
}

#endif
