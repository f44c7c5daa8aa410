/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_FRAME_H
#define SLUICE_BPF_FRAME_H

/*
 * What the workers ask of a frame, at XDP; the counterpart of lib/frame_tc.h. A frame is what came
 * over the wire: one segment, linear, its checksum whole.
 */
#include "lib/checksum.h"
#include "lib/parse.h"

typedef struct xdp_md frame_context;

#define FRAME_PASS XDP_PASS
#define FRAME_DROP XDP_DROP

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

static __always_inline long frame_load(frame_context *xdp, __u32 offset, void *to, __u32 len)
{
	return bpf_xdp_load_bytes(xdp, offset, to, len);
}

/* Takes off the tag; frame_forward() writes the link layer header anew. */
static __always_inline long frame_untag(frame_context *xdp, struct packet *packet)
{
	if (packet->l3_offset == ETH_HLEN)
		return 0;
	packet->l3_offset = ETH_HLEN;
	return bpf_xdp_adjust_head(xdp, VLAN_TAG_LEN);
}

static __always_inline long frame_store(frame_context *xdp, struct packet *packet,
					__u32 checksum_at, __u32 pseudo, __u32 l4, __u32 l3)
{
	__sum16 *checksum = (__sum16 *)(packet_l4(packet) + checksum_at);
	__u32 l4_len = packet->l4_len;

	(void)l3;
	if (l4_len > L4_MAX)
		return -1;
	*checksum = checksum_change(*checksum, fold_sum((__u64)pseudo + l4));
	if (packet->is_ipv6)
		return bpf_xdp_store_bytes(xdp, packet->l3_offset, packet->headers,
					   L3_MAX + l4_len);
	return bpf_xdp_store_bytes(xdp, packet->l3_offset, packet_ipv4(packet),
				   sizeof(struct iphdr) + l4_len);
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

/* What has no link layer address here is left to the program at TC. */
static __always_inline bool frame_can_use(const struct flow_nexthop *nexthop)
{
	return nexthop->ifindex && nexthop->flags & NEXTHOP_MAC_VALID;
}

#endif
