/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_PARSE_H
#define SLUICE_BPF_PARSE_H

/*
 * From a frame to a flow's key and a copy of its headers. The look at the frame in place is cheap
 * and enough for traffic that is not ours; a packet of a flow is then worked on in the copy, so
 * that a packet which turns out to be malformed goes up untouched.
 */
#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi/flow.h"

/* <sys/socket.h> is not for this target. */
#define AF_INET  2
#define AF_INET6 10

/* Said by a step that leaves the packet to the next one. */
#define UNDECIDED FLOW_VERDICT_COUNT

#define VLAN_TAG_LEN 4
#define L3_MAX       sizeof(struct ipv6hdr)
#define L4_MAX       60
#define L4_WORDS     (L4_MAX / 4)
/* What has to be linear to be looked at in place. */
#define LINEAR_MAX (ETH_HLEN + VLAN_TAG_LEN + L3_MAX + L4_MAX)
/* An option that begins in the last byte of a header seems to the verifier to end this far behind.
 */
#define OPTION_SLACK 36

#define IPV4_FRAGMENT     bpf_htons(0x3fff) /* more fragments, or an offset */
#define IPV6_FRAGMENT     44                /* the header's number, and its length */
#define IPV6_FRAGMENT_LEN 8
#define ECN_MASK          0x03

#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_RST 0x04
#define TCP_FLAG_PSH 0x08
#define TCP_FLAG_ACK 0x10
#define TCP_FLAG_URG 0x20

struct packet {
	struct flow_key key __attribute__((aligned(8)));
	__u16 l3_offset;
	__u16 verdict; /* enum flow_verdict, as parse_frame() says */
	/* The network header ends and the transport header begins at L3_MAX; zero behind its end.
	 * Until it is filled, the network header's first word alone is there. */
	__u8 headers[L3_MAX + L4_MAX + OPTION_SLACK] __attribute__((aligned(8)));
	__u32 l4_len; /* of what is in the copy */
	__u32 payload;
	union {
		/* Options, from the transport header's start; 0: none. */
		struct {
			__u32 timestamp_at, sack_at, sack_permitted_at;
			__u32 option_at; /* where walk_options() is */
		};
		/* What dispatch has found: for a fragment, an error, or a flow that a cookie
		 * began. */
		struct {
			__u32 fragment_id;
			__u32 nat;
			__u16 service, real;
			__u32 is_answer; /* from an endpoint */
		};
		/* Options of a SYN; ->option_at is beside them. */
		struct {
			__u32 syn_mss;
			__u32 syn_scale; /* SYN_NO_SCALE: none */
			__u32 syn_has_sack;
		};
	};
	__u16 vip; /* where dispatch has found the destination */
	__u8 protocol;
	bool is_ipv6;
	bool is_fragment; /* of IPv4, the first one or a later one; for dispatch of IPv6 too */
	__u8 l4_at;       /* of the ports: not 0 where a fragment header lies before them */
	bool has_whole_checksum; /* said by frame_judge_checksum() */
	bool wants_cookie;       /* the guard's word, of a SYN: dispatch answers it */
};

_Static_assert(sizeof(struct packet) == 208, "no hidden padding");

static __always_inline bool packet_is_icmp(const struct packet *packet)
{
	return packet->protocol == (packet->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

static __always_inline struct iphdr *packet_ipv4(struct packet *packet)
{
	return (struct iphdr *)(packet->headers + L3_MAX - sizeof(struct iphdr));
}

static __always_inline struct ipv6hdr *packet_ipv6(struct packet *packet)
{
	return (struct ipv6hdr *)packet->headers;
}

static __always_inline __u8 *packet_l4(struct packet *packet)
{
	return packet->headers + L3_MAX;
}

static __always_inline struct tcphdr *packet_tcp(struct packet *packet)
{
	return (struct tcphdr *)packet_l4(packet);
}

/* Version, traffic class and flow label; version, length, type of service and total length. */
static __always_inline void keep_first_word(void *header, const void *from)
{
	*(__u32 *)header = *(const __u32 *)from;
}

/* Addresses begin at a word's border. Behind a pointer to bytes clang does not know, and would copy
 * them byte by byte. */
static __always_inline void copy_address(void *to, const void *from)
{
	__builtin_memcpy(__builtin_assume_aligned(to, 4), __builtin_assume_aligned(from, 4), 16);
}

static __always_inline void map_ipv4(__u8 *address, __be32 ipv4)
{
	__u32 words[4] = {0, 0, bpf_htonl(0xffff), ipv4};

	copy_address(address, words);
}

static __always_inline __be32 unmap_ipv4(const __u8 *address)
{
	return *(const __be32 *)(address + 12);
}

/* Return: the EtherType behind at most one tag, and where what it says begins; 0 if the frame is
 * too short. */
static __always_inline __be16 parse_ethernet(const void *data, const void *end,
					     __u32 *ret_l3_offset)
{
	const struct ethhdr *ethernet = data;
	const __be16 *tag = (const void *)(ethernet + 1);

	if ((const void *)(ethernet + 1) > end)
		return 0;
	*ret_l3_offset = ETH_HLEN;
	if (ethernet->h_proto != bpf_htons(ETH_P_8021Q) &&
	    ethernet->h_proto != bpf_htons(ETH_P_8021AD))
		return ethernet->h_proto;
	if ((const void *)(tag + 2) > end)
		return 0;
	*ret_l3_offset += VLAN_TAG_LEN;
	return tag[1];
}

/* @left: bytes of the frame from the network header on. @is_gso: a large one may not fit its own
 * length field (BIG TCP). Sets ->payload to all that follows the network header. */
static __always_inline enum flow_verdict parse_ipv4(const struct iphdr *ip, const void *end,
						    __u32 left, bool is_gso, struct packet *packet)
{
	__u32 total;

	if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return FLOW_VERDICT_MALFORMED;
	keep_first_word(packet_ipv4(packet), ip);
	packet->protocol = ip->protocol;
	packet->is_fragment = ip->frag_off & IPV4_FRAGMENT;
	map_ipv4(packet->key.source, ip->saddr);
	map_ipv4(packet->key.destination, ip->daddr);
	if (ip->ihl != 5 || packet->is_fragment)
		return FLOW_VERDICT_NOT_TCP;
	total = bpf_ntohs(ip->tot_len);
	if (!total && is_gso)
		total = left;
	if (total < sizeof(*ip) || total > left)
		return FLOW_VERDICT_MALFORMED;
	packet->payload = total - sizeof(*ip);
	return UNDECIDED;
}

static __always_inline enum flow_verdict parse_ipv6(const struct ipv6hdr *ip, const void *end,
						    __u32 left, bool is_gso, struct packet *packet)
{
	__u32 payload;

	if ((const void *)(ip + 1) > end || ip->version != 6)
		return FLOW_VERDICT_MALFORMED;
	keep_first_word(packet_ipv6(packet), ip);
	packet->protocol = ip->nexthdr;
	packet->is_ipv6 = true;
	copy_address(packet->key.source, &ip->saddr);
	copy_address(packet->key.destination, &ip->daddr);
	payload = bpf_ntohs(ip->payload_len);
	left -= sizeof(*ip);
	if (!payload && is_gso)
		payload = left;
	if (payload > left)
		return FLOW_VERDICT_MALFORMED;
	packet->payload = payload;
	return UNDECIDED;
}

/* Takes the header's length off ->payload. ->l4_len stays 0 where the header is malformed. */
static __always_inline enum flow_verdict parse_tcp(const struct tcphdr *tcp, const void *end,
						   struct packet *packet)
{
	__u32 l4_len;

	if ((const void *)(tcp + 1) > end)
		return FLOW_VERDICT_MALFORMED;
	packet->key.source_port = tcp->source;
	packet->key.destination_port = tcp->dest;
	l4_len = tcp->doff * 4;
	if (l4_len < sizeof(*tcp) || l4_len > packet->payload)
		return FLOW_VERDICT_MALFORMED;
	packet->l4_len = l4_len;
	packet->payload -= l4_len;
	return UNDECIDED;
}

/* As parse_tcp(), but for its verdict: only dispatch asks for UDP. ->l4_len stays 0 where the
 * header does not fit. */
static __always_inline void parse_udp(const struct udphdr *udp, const void *end,
				      struct packet *packet)
{
	if ((const void *)(udp + 1) > end || packet->payload < sizeof(*udp))
		return;
	packet->l4_len = sizeof(*udp);
	packet->payload -= sizeof(*udp);
	packet->key.source_port = udp->source;
	packet->key.destination_port = udp->dest;
}

/**
 * Looks at a frame in place.
 * @frame_len: all of it; more than lies between @data and @end where it is not linear.
 * Return: UNDECIDED for TCP (key, l3_offset, l4_len and payload are set) and for ICMP (->protocol);
 * otherwise why it passes; the addresses, protocol and, of UDP, the rest are set as far as they are
 * there.
 */
static __always_inline enum flow_verdict parse_frame(const void *data, const void *end,
						     __u32 frame_len, bool is_gso,
						     struct packet *packet)
{
	__u32 l3_offset = 0;
	__be16 type = parse_ethernet(data, end, &l3_offset);
	const void *l3 = data + l3_offset, *l4;
	__u32 left = frame_len - l3_offset;
	enum flow_verdict verdict;

	packet->l3_offset = (__u16)l3_offset;
	if (type == bpf_htons(ETH_P_IP)) {
		verdict = parse_ipv4(l3, end, left, is_gso, packet);
		l4 = l3 + sizeof(struct iphdr);
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		verdict = parse_ipv6(l3, end, left, is_gso, packet);
		l4 = l3 + sizeof(struct ipv6hdr);
	} else {
		return FLOW_VERDICT_NOT_TCP;
	}
	if (verdict != UNDECIDED)
		return verdict;
	if (packet->protocol == IPPROTO_TCP)
		return parse_tcp(l4, end, packet);
	if (packet->protocol == (packet->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return UNDECIDED;
	if (packet->protocol == IPPROTO_UDP)
		parse_udp(l4, end, packet);
	return FLOW_VERDICT_NOT_TCP;
}

#endif
