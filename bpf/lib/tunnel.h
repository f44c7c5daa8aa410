/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_TUNNEL_H
#define SLUICE_BPF_TUNNEL_H

/* Forms IPIP and GUE: what is put in front of a packet of a service. lib/frame_tc.h or
 * lib/frame_xdp.h comes first. */
#include "abi/dispatch.h"
#include "lib/checksum.h"
#include "lib/parse.h"

#define OUTER_TTL 64

/* Variant 1: what follows the UDP header is an IP header (draft-ietf-intarea-gue section 4). No
 * checksum, as tunnels may (RFC 6935); the source port tells flows apart (RFC 7510 section 3). */
static __always_inline void fill_udp(struct udphdr *udp, const struct dispatch_virtual *service,
				     __u64 hash, __u32 inner_len)
{
	udp->source = bpf_htons(0xc000 | (__u16)(hash >> 32));
	udp->dest = service->gue_port;
	udp->len = bpf_htons((__u16)(inner_len + sizeof(*udp)));
	udp->check = 0;
}

static __always_inline bool has_tunnel_source(const struct dispatch_virtual *service)
{
	const __u64 *source = (const __u64 *)service->tunnel_source;

	return source[0] | source[1];
}

/* The traffic class comes along, as RFC 6040 has it for ECN. */
static __always_inline void fill_ipv4(struct iphdr *ip, struct packet *packet,
				      const struct dispatch_virtual *service, const __u8 *to,
				      __u64 hash, __u32 len)
{
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tos = packet_ipv4(packet)->tos,
		.tot_len = bpf_htons((__u16)len),
		.frag_off = bpf_htons(0x4000),
		.ttl = OUTER_TTL,
		.protocol = service->form == DISPATCH_GUE ? IPPROTO_UDP : IPPROTO_IPIP,
		.saddr = has_tunnel_source(service) ? unmap_ipv4(service->tunnel_source)
						    : bpf_htonl(0xac100000u | (__u16)(hash >> 32)),
		.daddr = unmap_ipv4(to),
	};
	ip->check = ~fold_to_16(sum_words((const __u32 *)ip, sizeof(*ip) / 4));
}

static __always_inline void fill_ipv6(struct ipv6hdr *ip, struct packet *packet,
				      const struct dispatch_virtual *service, const __u8 *to,
				      __u64 hash, __u32 payload)
{
	const struct ipv6hdr *inner = packet_ipv6(packet);
	__u64 made[2] = {bpf_cpu_to_be64(0x0100000000000000ULL), hash};

	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 6;
	ip->priority = inner->priority;
	ip->flow_lbl[0] = inner->flow_lbl[0];
	ip->flow_lbl[1] = inner->flow_lbl[1];
	ip->flow_lbl[2] = inner->flow_lbl[2];
	ip->payload_len = bpf_htons((__u16)payload);
	ip->nexthdr = service->form == DISPATCH_GUE ? IPPROTO_UDP : IPPROTO_IPV6;
	ip->hop_limit = OUTER_TTL;
	copy_address(&ip->daddr, to);
	if (has_tunnel_source(service))
		copy_address(&ip->saddr, service->tunnel_source);
	else
		copy_address(&ip->saddr, made);
}

static __always_inline long wrap_ipv4(frame_context *ctx, struct packet *packet,
				      const struct dispatch_virtual *service, const __u8 *to,
				      __u64 hash)
{
	__u32 inner = sizeof(struct iphdr) + packet->l4_len + packet->payload;
	struct {
		struct iphdr ip;
		struct udphdr udp;
	} outer;

	if (service->form == DISPATCH_IPIP) {
		fill_ipv4(&outer.ip, packet, service, to, hash, sizeof(outer.ip) + inner);
		return frame_wrap(ctx, &outer, sizeof(outer.ip), false, false);
	}
	fill_ipv4(&outer.ip, packet, service, to, hash, sizeof(outer) + inner);
	fill_udp(&outer.udp, service, hash, inner);
	return frame_wrap(ctx, &outer, sizeof(outer), false, true);
}

static __always_inline long wrap_ipv6(frame_context *ctx, struct packet *packet,
				      const struct dispatch_virtual *service, const __u8 *to,
				      __u64 hash)
{
	__u32 inner = sizeof(struct ipv6hdr) + packet->l4_len + packet->payload;
	struct {
		struct ipv6hdr ip;
		struct udphdr udp;
	} outer;

	if (service->form == DISPATCH_IPIP) {
		fill_ipv6(&outer.ip, packet, service, to, hash, inner);
		return frame_wrap(ctx, &outer, sizeof(outer.ip), true, false);
	}
	fill_ipv6(&outer.ip, packet, service, to, hash, inner + sizeof(outer.udp));
	fill_udp(&outer.udp, service, hash, inner);
	return frame_wrap(ctx, &outer, sizeof(outer), true, true);
}

/* @to: the endpoint, v4-mapped for IPv4. @hash: of the flow. Return: not 0: there is no room. */
static __always_inline long tunnel_wrap(frame_context *ctx, struct packet *packet,
					const struct dispatch_virtual *service, const __u8 *to,
					__u64 hash)
{
	if (service->form == DISPATCH_L2)
		return 0;
	return packet->is_ipv6 ? wrap_ipv6(ctx, packet, service, to, hash)
			       : wrap_ipv4(ctx, packet, service, to, hash);
}

/* Bytes that it adds. */
static __always_inline __u32 tunnel_growth(const struct dispatch_virtual *service, bool is_ipv6)
{
	__u32 ip_len = is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);

	if (service->form == DISPATCH_L2)
		return 0;
	return service->form == DISPATCH_GUE ? ip_len + sizeof(struct udphdr) : ip_len;
}

#endif
