/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_GUARD_LOOK_H
#define SLUICE_BPF_GUARD_LOOK_H

/*
 * What the guard looks at in a frame, in place. Unlike parse.h it wants the addresses of every
 * packet, whatever its options, fragments or protocol, and says what is wrong with it instead of
 * leaving that to the stack.
 */
#include <linux/udp.h>

#include "abi/guard.h"
#include "lib/martian.h"
#include "lib/parse.h"

#define GUARD_FINE GUARD_REASON_COUNT

#define IPV4_OFFSET bpf_htons(0x1fff)

struct guard_view {
	__u64 source[2], destination[2];
	__be16 source_port, destination_port;
	__u8 protocol;
	__u8 tcp_flags;
	__u8 is_ipv6;
	__u8 has_ports;
	__u32 defect; /* enum guard_reason; GUARD_FINE */
	__u32 padding;
};

static __always_inline bool view_is_syn(const struct guard_view *view)
{
	return view->has_ports && view->protocol == IPPROTO_TCP &&
	       (view->tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN;
}

/* Nothing and everything, and pairs that exclude each other. A SYN that brings data is fine. */
static __always_inline bool are_flags_bad(__u8 flags)
{
	flags &= TCP_FLAG_FIN | TCP_FLAG_SYN | TCP_FLAG_RST | TCP_FLAG_PSH | TCP_FLAG_ACK |
		 TCP_FLAG_URG;
	if (flags & TCP_FLAG_SYN)
		return flags & (TCP_FLAG_FIN | TCP_FLAG_RST);
	return !(flags & (TCP_FLAG_ACK | TCP_FLAG_RST)) ||
	       (flags & (TCP_FLAG_FIN | TCP_FLAG_RST)) == (TCP_FLAG_FIN | TCP_FLAG_RST);
}

static __always_inline void look_at_tcp(const struct tcphdr *tcp, const void *end, __u32 len,
					struct guard_view *view)
{
	if (len < sizeof(*tcp) || (const void *)(tcp + 1) > end) {
		view->defect = GUARD_REASON_BAD_LENGTH;
		return;
	}
	view->source_port = tcp->source;
	view->destination_port = tcp->dest;
	view->tcp_flags = ((const __u8 *)tcp)[13];
	view->has_ports = 1;
	if (tcp->doff < 5 || tcp->doff * 4u > len)
		view->defect = GUARD_REASON_BAD_LENGTH;
	else if (are_flags_bad(view->tcp_flags))
		view->defect = GUARD_REASON_BAD_FLAGS;
}

/* @is_whole: not the first fragment of several, whose header speaks of all. */
static __always_inline void look_at_udp(const struct udphdr *udp, const void *end, __u32 len,
					bool is_whole, struct guard_view *view)
{
	__u32 said;

	if (len < sizeof(*udp) || (const void *)(udp + 1) > end) {
		view->defect = GUARD_REASON_BAD_LENGTH;
		return;
	}
	view->source_port = udp->source;
	view->destination_port = udp->dest;
	view->has_ports = 1;
	said = bpf_ntohs(udp->len);
	/* 0: all that follows, in jumbograms and in what a device has put together. */
	if (said && (said < sizeof(*udp) || (is_whole && said > len)))
		view->defect = GUARD_REASON_BAD_LENGTH;
}

static __always_inline __u64 mapped_half(__be32 address)
{
	return bpf_cpu_to_be64(0x0000ffff00000000ULL | bpf_ntohl(address));
}

/* @left: bytes of the frame from the header on. Return: the transport header, or NULL; *@ret_len:
 * what is left for it. */
static __always_inline const void *look_at_ipv4(const struct iphdr *ip, const void *end, __u32 left,
						struct guard_view *view, __u32 *ret_len,
						bool *ret_is_whole)
{
	__u32 header, total;

	if ((const void *)(ip + 1) > end || ip->version != 4) {
		view->defect = GUARD_REASON_BAD_LENGTH;
		return NULL;
	}
	view->source[1] = mapped_half(ip->saddr);
	view->destination[1] = mapped_half(ip->daddr);
	view->protocol = ip->protocol;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (!total)
		total = left;
	if (header < sizeof(*ip) || total < header || total > left) {
		view->defect = GUARD_REASON_BAD_LENGTH;
		return NULL;
	}
	if (is_martian4(bpf_ntohl(ip->saddr)))
		view->defect = GUARD_REASON_MARTIAN;
	else if (ip->saddr == ip->daddr)
		view->defect = GUARD_REASON_LAND;
	*ret_len = total - header;
	*ret_is_whole = !(ip->frag_off & IPV4_FRAGMENT);
	return ip->frag_off & IPV4_OFFSET ? NULL : (const void *)ip + header;
}

static __always_inline const void *look_at_ipv6(const struct ipv6hdr *ip, const void *end,
						__u32 left, struct guard_view *view, __u32 *ret_len,
						bool *ret_is_whole)
{
	__u32 payload;

	if ((const void *)(ip + 1) > end || ip->version != 6) {
		view->defect = GUARD_REASON_BAD_LENGTH;
		return NULL;
	}
	view->is_ipv6 = 1;
	__builtin_memcpy(view->source, &ip->saddr, sizeof(view->source));
	__builtin_memcpy(view->destination, &ip->daddr, sizeof(view->destination));
	view->protocol = ip->nexthdr;
	left -= sizeof(*ip);
	payload = bpf_ntohs(ip->payload_len);
	if (!payload)
		payload = left;
	if (payload > left) {
		view->defect = GUARD_REASON_BAD_LENGTH;
		return NULL;
	}
	/* Who looks for an address has none yet. */
	if (is_martian6(view->source) && (view->source[0] || view->source[1]))
		view->defect = GUARD_REASON_MARTIAN;
	else if (view->source[0] == view->destination[0] && view->source[1] == view->destination[1])
		view->defect = GUARD_REASON_LAND;
	*ret_len = payload;
	*ret_is_whole = true;
	return ip + 1;
}

/* One of two places that the verifier knows. @l3_offset: as parse_ethernet() has found it. */
static __always_inline const void *l3_at(const void *frame, __u32 l3_offset)
{
	return frame + (l3_offset == ETH_HLEN ? ETH_HLEN : ETH_HLEN + VLAN_TAG_LEN);
}

/* The source alone, whatever is wrong behind it. Return: false: there is none. */
static __always_inline bool guard_look_at_source(const void *frame, const void *end,
						 __u32 l3_offset, struct guard_view *view)
{
	const void *l3 = l3_at(frame, l3_offset);
	const __be16 *type = l3 - sizeof(*type);
	const struct ipv6hdr *ip6 = l3;
	const struct iphdr *ip = l3;

	if (l3 > end)
		return false;
	if (*type == bpf_htons(ETH_P_IP)) {
		if ((const void *)(ip + 1) > end || ip->version != 4)
			return false;
		view->source[1] = mapped_half(ip->saddr);
		return true;
	}
	if (*type != bpf_htons(ETH_P_IPV6) || (const void *)(ip6 + 1) > end || ip6->version != 6)
		return false;
	view->is_ipv6 = 1;
	__builtin_memcpy(view->source, &ip6->saddr, sizeof(view->source));
	return true;
}

/* Return: false: no IP. @l3_offset: as parse_ethernet() has found it. */
static __always_inline bool guard_look(const void *frame, const void *end, __u32 frame_len,
				       __u32 l3_offset, struct guard_view *view)
{
	const void *l3 = l3_at(frame, l3_offset), *l4;
	const __be16 *type = l3 - sizeof(*type);
	bool is_whole = true;
	__u32 len = 0;

	view->defect = GUARD_FINE;
	if (l3 > end)
		return false;
	if (*type == bpf_htons(ETH_P_IP))
		l4 = look_at_ipv4(l3, end, frame_len - l3_offset, view, &len, &is_whole);
	else if (*type == bpf_htons(ETH_P_IPV6))
		l4 = look_at_ipv6(l3, end, frame_len - l3_offset, view, &len, &is_whole);
	else
		return false;
	if (!l4 || view->defect != GUARD_FINE)
		return true;
	if (view->protocol == IPPROTO_TCP)
		look_at_tcp(l4, end, len, view);
	else if (view->protocol == IPPROTO_UDP)
		look_at_udp(l4, end, len, is_whole, view);
	return true;
}

#endif
