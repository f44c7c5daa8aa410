/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_FRAME_H
#define SLUICE_BPF_FRAME_H

/*
 * What the workers ask of a frame, at TC. lib/frame_xdp.h gives the same functions for XDP; an
 * entry includes one of the two.
 *
 * A frame is an skb here: cloned, non-linear, of many segments, with a checksum in any state of
 * offload that only the kernel's helpers know. So nothing is written in place.
 */
#include <linux/pkt_cls.h>

#include "lib/parse.h"
#include "lib/transport_checksum.h"

typedef struct __sk_buff frame_context;

/* Behind us others may have programs of their own. */
#define FRAME_PASS TC_ACT_UNSPEC
#define FRAME_DROP TC_ACT_SHOT

#define FRAME_IS_LAST         true /* what passes is the stack's */
#define FRAME_CAN_COPY        true
#define FRAME_READS_CHECKSUMS false
#define FRAME_ASKS_NEIGHBOURS true

static __always_inline void frame_pull_headers(frame_context *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + LINEAR_MAX > end && skb->len > (__u32)(end - data))
		bpf_skb_pull_data(skb, skb->len < LINEAR_MAX ? skb->len : LINEAR_MAX);
}

static __always_inline __u32 frame_len(frame_context *skb)
{
	return skb->len;
}

static __always_inline __u32 frame_segments(frame_context *skb)
{
	return skb->gso_segs ? skb->gso_segs : 1;
}

static __always_inline bool frame_is_gso(frame_context *skb)
{
	return skb->gso_size;
}

static __always_inline __u32 frame_ifindex(frame_context *skb)
{
	return skb->ifindex;
}

#define LOOPBACK_IFINDEX 1 /* of every network namespace */

static __always_inline bool frame_is_loopback(frame_context *skb)
{
	return skb->ifindex == LOOPBACK_IFINDEX;
}

static __always_inline long frame_load(frame_context *skb, __u32 offset, void *to, __u32 len)
{
	return bpf_skb_load_bytes(skb, offset, to, len);
}

static __always_inline void *frame_add_metadata(frame_context *skb, __u32 len)
{
	(void)skb;
	(void)len;
	return NULL;
}

/* The first @len bytes of what XDP has left beside the frame, until the frame is changed. Return:
 * NULL: there are not as many. */
static __always_inline const void *frame_metadata(frame_context *skb, __u32 len)
{
	const void *metadata = (const void *)(long)skb->data_meta;

	return metadata + len > (const void *)(long)skb->data ? NULL : metadata;
}

static __always_inline bool frame_is_tagged(frame_context *skb, const struct packet *packet)
{
	return skb->vlan_present || packet->l3_offset != ETH_HLEN;
}

/* Takes off the tag, beside the frame or in it: the next hop's device puts on its own. */
static __always_inline long frame_untag(frame_context *skb, struct packet *packet)
{
	if (!frame_is_tagged(skb, packet))
		return 0;
	packet->l3_offset = ETH_HLEN;
	return bpf_skb_vlan_pop(skb);
}

/* Before the headers change: whether all of the checksum is there for certain. Segments that are
 * still one are left to the kernel's helpers. */
static __always_inline void frame_judge_checksum(frame_context *skb, struct packet *packet)
{
	packet->has_whole_checksum = !skb->gso_size && is_checksum_whole(packet);
}

static __always_inline long store_headers(frame_context *skb, struct packet *packet, __u64 flags)
{
	__u32 l4_len = packet->l4_len;

	barrier_var(l4_len);
	if (l4_len > L4_MAX)
		return -1;
	if (packet->is_ipv6)
		return bpf_skb_store_bytes(skb, packet->l3_offset, packet->headers, L3_MAX + l4_len,
					   flags);
	return bpf_skb_store_bytes(skb, packet->l3_offset, packet_ipv4(packet),
				   sizeof(struct iphdr) + l4_len, flags);
}

/* In whichever state of offload the checksum is: the kernel's helpers know, for 24 ns each. What a
 * device has summed up (CHECKSUM_COMPLETE) they change as well, but for an IPv6 header's. */
static __always_inline long change_any_checksum(frame_context *skb, const struct packet *packet,
						__u32 checksum_at, __u32 pseudo, __u32 l4, __u32 l3)
{
	/* Of UDP 0 says that there is none. */
	__u64 flags = packet->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	__u32 l3_len = packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);

	if (packet->is_ipv6)
		bpf_csum_update(skb, l3);
	checksum_at += packet->l3_offset + l3_len;
	if (pseudo && bpf_l4_csum_replace(skb, checksum_at, 0, pseudo, BPF_F_PSEUDO_HDR | flags))
		return -1;
	return bpf_l4_csum_replace(skb, checksum_at, 0, l4, flags);
}

/*
 * Writes the headers back with the transport checksum mended, which is at @checksum_at of the
 * transport header. @pseudo: difference of the addresses, @l4: of the transport header, @l3: of an
 * IPv6 header.
 */
static __always_inline long frame_store(frame_context *skb, struct packet *packet,
					__u32 checksum_at, __u32 pseudo, __u32 l4, __u32 l3)
{
	if (packet->has_whole_checksum) {
		change_transport_checksum(packet, checksum_at, fold_sum((__u64)pseudo + l4));
		return store_headers(skb, packet, BPF_F_RECOMPUTE_CSUM);
	}
	if (store_headers(skb, packet, 0))
		return -1;
	return change_any_checksum(skb, packet, checksum_at, pseudo, l4, l3);
}

/* The network header alone; @l3: difference of IPv6's, which no checksum of its own balances in
 * what a device has summed up. */
static __always_inline long frame_store_l3(frame_context *skb, struct packet *packet, __u32 l3)
{
	if (!packet->is_ipv6)
		return bpf_skb_store_bytes(skb, packet->l3_offset, packet_ipv4(packet),
					   sizeof(struct iphdr), 0);
	bpf_csum_update(skb, l3);
	return bpf_skb_store_bytes(skb, packet->l3_offset, packet->headers, L3_MAX, 0);
}

/* Puts @outer, an IP header and with @has_udp one of UDP, in front of a packet of the same family.
 */
static __always_inline long frame_wrap(frame_context *skb, const void *outer, __u32 len,
				       bool is_ipv6, bool has_udp)
{
	__u64 flags = is_ipv6 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;

	if (has_udp)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	if (bpf_skb_adjust_room(skb, (__s32)len, BPF_ADJ_ROOM_MAC, flags))
		return -1;
	return bpf_skb_store_bytes(skb, ETH_HLEN, outer, len, BPF_F_RECOMPUTE_CSUM);
}

/* What has been made for a socket goes to it, whatever device it is seen on on its way. */
static __always_inline void frame_mark_copy(frame_context *skb)
{
	skb->mark |= FLOW_MARK_COPY;
}

static __always_inline bool frame_is_copy(frame_context *skb)
{
	return skb->mark & FLOW_MARK_COPY;
}

/* The copy arrives on the same device once more. */
static __always_inline long frame_copy_to_stack(frame_context *skb)
{
	__u32 mark = skb->mark;
	long r;

	frame_mark_copy(skb);
	r = bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
	skb->mark = mark;
	return r;
}

/* Makes room behind a packet of @len bytes that may be shorter by now. */
static __always_inline long frame_reach(frame_context *skb, __u32 len)
{
	return skb->len < len ? bpf_skb_change_tail(skb, len, 0) : 0;
}

/*
 * To a socket of this machine. The stack takes a packet from `lo` if it brings its route along, as
 * one that was sent there does; one from a device gets it here, by its destination, which is an
 * address of `lo` itself (with others the kernel finds no route through it).
 */
static __always_inline int forward_locally(frame_context *skb, const struct flow_nexthop *nexthop)
{
	if (skb->ifindex == nexthop->ifindex)
		return bpf_redirect(nexthop->ifindex, 0);
	return bpf_redirect_neigh(nexthop->ifindex, NULL, 0, 0);
}

/* The kernel asks for the neighbour and writes the link layer header. */
static __always_inline int frame_forward(frame_context *skb, const struct packet *packet,
					 const struct flow_nexthop *nexthop)
{
	struct bpf_redir_neigh neighbour = {};

	if (nexthop->flags & NEXTHOP_LOCAL)
		return forward_locally(skb, nexthop);
	neighbour.nh_family = packet->is_ipv6 ? AF_INET6 : AF_INET;
	if (packet->is_ipv6)
		copy_address(neighbour.ipv6_nh, nexthop->gateway);
	else
		neighbour.ipv4_nh = unmap_ipv4(nexthop->gateway);
	return bpf_redirect_neigh(nexthop->ifindex, &neighbour, sizeof(neighbour), 0);
}

/* Of a segment of it, from the network header on. @packet: with its TCP header. */
static __always_inline __u32 frame_segment_len(frame_context *skb, const struct packet *packet)
{
	__u32 l3_len = packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	__u32 payload = skb->gso_size ? skb->gso_size : packet->payload;

	return l3_len + packet->l4_len + payload;
}

/* Whether a segment of it is too big for its way. */
static __always_inline bool frame_exceeds(frame_context *skb, const struct packet *packet,
					  __u32 mtu)
{
	return frame_segment_len(skb, packet) > mtu;
}

static __always_inline bool frame_can_forward(frame_context *skb, const struct packet *packet,
					      const struct flow_nexthop *nexthop, __u32 growth)
{
	(void)skb;
	(void)packet;
	(void)nexthop;
	(void)growth;
	return true;
}

static __always_inline bool frame_can_send(frame_context *skb, const struct packet *packet,
					   bool devices_send)
{
	(void)skb;
	(void)packet;
	(void)devices_send;
	return true;
}

/* Whether frame_store() and frame_reply() can make an answer of it. */
static __always_inline bool frame_can_reply(frame_context *skb, const struct packet *packet)
{
	(void)skb;
	(void)packet;
	return true;
}

static __always_inline long turn_macs(frame_context *skb, const __u8 *macs)
{
	__u8 turned[2 * ETH_ALEN];

	__builtin_memcpy(turned, macs + ETH_ALEN, ETH_ALEN);
	__builtin_memcpy(turned + ETH_ALEN, macs, ETH_ALEN);
	return bpf_skb_store_bytes(skb, 0, turned, sizeof(turned), 0);
}

/* To where a frame with these link layer addresses came from. */
static __always_inline int frame_send_back(frame_context *skb, __u32 ifindex, const __u8 *macs)
{
	return turn_macs(skb, macs) ? TC_ACT_SHOT : bpf_redirect(ifindex, 0);
}

/* The same with a copy; the frame itself is still ours. */
static __always_inline long frame_copy_back(frame_context *skb, __u32 ifindex, const __u8 *macs)
{
	return turn_macs(skb, macs) ? -1 : bpf_clone_redirect(skb, ifindex, 0);
}

/* Back to where it came from: its headers are turned already. */
static __always_inline int frame_reply(frame_context *skb)
{
	__u8 macs[2 * ETH_ALEN];

	if (bpf_skb_load_bytes(skb, 0, macs, sizeof(macs)))
		return TC_ACT_SHOT;
	return frame_send_back(skb, skb->ifindex, macs);
}

#endif
