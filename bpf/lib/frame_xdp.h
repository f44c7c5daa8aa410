/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_FRAME_H
#define SLUICE_BPF_FRAME_H

/*
 * What the workers ask of a frame, at XDP; the counterpart of lib/frame_tc.h. A frame is what came
 * over the wire: one segment, linear, its checksum whole. What XDP cannot forward goes on to the
 * program at TC behind it.
 */
#include "lib/parse.h"
#include "lib/transport_checksum.h"

typedef struct xdp_md frame_context;

#define FRAME_PASS XDP_PASS
#define FRAME_DROP XDP_DROP

#define FRAME_IS_LAST         false
#define FRAME_CAN_COPY        false
#define FRAME_READS_CHECKSUMS true /* to tell whether they are whole */
#define FRAME_ASKS_NEIGHBOURS false

static __always_inline void frame_pull_headers(frame_context *xdp)
{
	(void)xdp;
}

static __always_inline __u32 frame_len(frame_context *xdp)
{
	return bpf_xdp_get_buff_len(xdp);
}

static __always_inline __u32 frame_segments(frame_context *xdp)
{
	(void)xdp;
	return 1;
}

static __always_inline bool frame_is_gso(frame_context *xdp)
{
	(void)xdp;
	return false;
}

static __always_inline __u32 frame_ifindex(frame_context *xdp)
{
	return xdp->ingress_ifindex;
}

/* lo has no driver, and so no program here. */
static __always_inline bool frame_is_loopback(frame_context *xdp)
{
	(void)xdp;
	return false;
}

static __always_inline long frame_load(frame_context *xdp, __u32 offset, void *to, __u32 len)
{
	return bpf_xdp_load_bytes(xdp, offset, to, len);
}

static __always_inline bool frame_is_tagged(frame_context *xdp, const struct packet *packet)
{
	(void)xdp;
	return packet->l3_offset != ETH_HLEN;
}

/* @len more bytes beside the frame, for TC to read: a multiple of 4, 32 at most. Return: NULL: this
 * driver hands on none. */
static __always_inline void *frame_add_metadata(frame_context *xdp, __u32 len)
{
	void *metadata;

	if (bpf_xdp_adjust_meta(xdp, -(int)len))
		return NULL;
	metadata = (void *)(long)xdp->data_meta;
	return metadata + len > (void *)(long)xdp->data ? NULL : metadata;
}

static __always_inline const void *frame_metadata(frame_context *xdp, __u32 len)
{
	(void)xdp;
	(void)len;
	return NULL;
}

/* Takes off the tag; frame_forward() writes the link layer header anew. */
static __always_inline long frame_untag(frame_context *xdp, struct packet *packet)
{
	if (!frame_is_tagged(xdp, packet))
		return 0;
	packet->l3_offset = ETH_HLEN;
	return bpf_xdp_adjust_head(xdp, VLAN_TAG_LEN);
}

static __always_inline long frame_store(frame_context *xdp, struct packet *packet,
					__u32 checksum_at, __u32 pseudo, __u32 l4, __u32 l3)
{
	__u32 l4_len;

	(void)l3;
	change_transport_checksum(packet, checksum_at, fold_sum((__u64)pseudo + l4));
	/* Just before it is used: on the way a register may be kept on the stack, and the verifier
	 * (6.1) then forgets what it has been compared with. */
	l4_len = packet->l4_len;
	barrier_var(l4_len);
	if (l4_len > L4_MAX)
		return -1;
	if (packet->is_ipv6)
		return bpf_xdp_store_bytes(xdp, packet->l3_offset, packet->headers,
					   L3_MAX + l4_len);
	return bpf_xdp_store_bytes(xdp, packet->l3_offset, packet_ipv4(packet),
				   sizeof(struct iphdr) + l4_len);
}

/* The network header alone. */
static __always_inline long frame_store_l3(frame_context *xdp, struct packet *packet, __u32 l3)
{
	(void)l3;
	if (packet->is_ipv6)
		return bpf_xdp_store_bytes(xdp, packet->l3_offset, packet->headers, L3_MAX);
	return bpf_xdp_store_bytes(xdp, packet->l3_offset, packet_ipv4(packet),
				   sizeof(struct iphdr));
}

/* Puts @outer in front of the packet; frame_forward() writes the link layer header anew. */
static __always_inline long frame_wrap(frame_context *xdp, const void *outer, __u32 len,
				       bool is_ipv6, bool has_udp)
{
	(void)is_ipv6;
	(void)has_udp;
	if (bpf_xdp_adjust_head(xdp, -(int)len))
		return -1;
	return bpf_xdp_store_bytes(xdp, ETH_HLEN, (void *)outer, len);
}

static __always_inline void frame_mark_copy(frame_context *xdp)
{
	(void)xdp;
}

static __always_inline bool frame_is_copy(frame_context *xdp)
{
	(void)xdp;
	return false;
}

static __always_inline long frame_copy_to_stack(frame_context *xdp)
{
	(void)xdp;
	return -1;
}

static __always_inline long frame_reach(frame_context *xdp, __u32 len)
{
	(void)xdp;
	(void)len;
	return -1;
}

static __always_inline long frame_copy_back(frame_context *xdp, __u32 ifindex, const __u8 *macs)
{
	(void)xdp;
	(void)ifindex;
	(void)macs;
	return -1;
}

static __always_inline int frame_forward(frame_context *xdp, const struct packet *packet,
					 const struct flow_nexthop *nexthop)
{
	struct ethhdr ethernet;

	__builtin_memcpy(ethernet.h_dest, nexthop->destination_mac, ETH_ALEN);
	__builtin_memcpy(ethernet.h_source, nexthop->source_mac, ETH_ALEN);
	ethernet.h_proto = bpf_htons(packet->is_ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	if (bpf_xdp_store_bytes(xdp, 0, &ethernet, sizeof(ethernet)))
		return XDP_DROP;
	return bpf_redirect(nexthop->ifindex, 0);
}

static __always_inline __u32 frame_segment_len(frame_context *xdp, const struct packet *packet)
{
	(void)xdp;
	return packet->l4_len + packet->payload +
	       (packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
}

/* What does is left to TC. */
static __always_inline bool frame_exceeds(frame_context *xdp, const struct packet *packet,
					  __u32 mtu)
{
	(void)xdp;
	(void)packet;
	(void)mtu;
	return false;
}

/* What is not whole is not forwarded here. */
static __always_inline void frame_judge_checksum(frame_context *xdp, struct packet *packet)
{
	(void)xdp;
	(void)packet;
}

/* A frame larger than its way's MTU would be dropped behind our back. */
static __always_inline bool frame_can_forward(frame_context *xdp, struct packet *packet,
					      const struct flow_nexthop *nexthop, __u32 growth)
{
	if (!(nexthop->flags & NEXTHOP_MAC_VALID) ||
	    frame_len(xdp) - packet->l3_offset + growth > nexthop->mtu)
		return false;
	return is_checksum_whole(packet);
}

/* Without a next hop: @devices_send: whichever it leaves by sends what XDP redirects there. */
static __always_inline bool frame_can_send(frame_context *xdp, struct packet *packet,
					   bool devices_send)
{
	(void)xdp;
	return devices_send && is_checksum_whole(packet);
}

/* Whether frame_store() and frame_reply() can make an answer of it. */
static __always_inline bool frame_can_reply(frame_context *xdp, struct packet *packet)
{
	(void)xdp;
	return is_checksum_whole(packet);
}

/* To where a frame with these link layer addresses came from. */
static __always_inline int frame_send_back(frame_context *xdp, __u32 ifindex, const __u8 *macs)
{
	__u8 turned[2 * ETH_ALEN];

	__builtin_memcpy(turned, macs + ETH_ALEN, ETH_ALEN);
	__builtin_memcpy(turned + ETH_ALEN, macs, ETH_ALEN);
	if (bpf_xdp_store_bytes(xdp, 0, turned, sizeof(turned)))
		return XDP_DROP;
	return ifindex == xdp->ingress_ifindex ? XDP_TX : bpf_redirect(ifindex, 0);
}

/* Back to where it came from: its headers are turned already. */
static __always_inline int frame_reply(frame_context *xdp)
{
	__u8 macs[2 * ETH_ALEN];

	if (bpf_xdp_load_bytes(xdp, 0, macs, sizeof(macs)))
		return XDP_DROP;
	return frame_send_back(xdp, xdp->ingress_ifindex, macs);
}

#endif
