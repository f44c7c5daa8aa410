/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_DIRECT_H
#define SLUICE_BPF_DISPATCH_DIRECT_H

/*
 * Forms L2, IPIP and GUE: the packet reaches its endpoint as it is, which answers the client itself
 * (direct server return). All that is kept of a flow is its endpoint, in an entry of the table.
 */
#include "lib/dispatch_send.h"

/* --- The endpoint ----------------------------------------------------------------------------- */

/* Return: the endpoint that the flow has; 0: it is new, or has lost it. */
static __always_inline __u32 known_real(const struct dispatch_work *work)
{
	struct dispatch_line *line = work->line;
	__u32 real = 0, place = 0;

	for (__u32 i = 0; i < DISPATCH_LINE_PLACES; i++) {
		real = dispatch_real_of_entry(line->entry[i], work->hash);
		if (real) {
			place = i;
			break;
		}
	}
	place &= DISPATCH_LINE_PLACES - 1;
	if (!real || !entry_is_fresh(line->entry[place], work) || !real_is_of(real_at(real), work))
		return 0;
	entry_refresh(&line->entry[place], work->now_s);
	return real;
}

/* Whatever a flow begins with: another node may have had it until now. */
static __always_inline __u32 new_real(frame_context *ctx, const struct dispatch_work *work,
				      struct packet *packet)
{
	__u32 real = choose_real(ctx, work, packet);

	if (!real)
		return 0;
	if (may_enter(work))
		line_put(work->line, dispatch_entry_real(work->hash, real, work->now_s));
	else
		count_unlisted(work->service_index);
	count_flow(work->service_index, real);
	return real;
}

/* --- Around it -------------------------------------------------------------------------------- */

#define OUTER_TTL 64

/* Variant 1: what follows the UDP header is an IP header (draft-ietf-intarea-gue section 4). No
 * checksum, as tunnels may (RFC 6935); the source port tells flows apart (RFC 7510 section 3). */
static __always_inline void fill_udp(struct udphdr *udp, const struct dispatch_work *work,
				     __u32 inner_len)
{
	udp->source = bpf_htons(0xc000 | (__u16)(work->hash >> 32));
	udp->dest = work->service->gue_port;
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
				      const struct dispatch_work *work, const __u8 *destination,
				      __u32 len, __u8 protocol)
{
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tos = packet_ipv4(packet)->tos,
		.tot_len = bpf_htons((__u16)len),
		.frag_off = bpf_htons(0x4000),
		.ttl = OUTER_TTL,
		.protocol = protocol,
		.saddr = has_tunnel_source(work->service)
				 ? unmap_ipv4(work->service->tunnel_source)
				 : bpf_htonl(0xac100000u | (__u16)(work->hash >> 32)),
		.daddr = unmap_ipv4(destination),
	};
	ip->check = ~fold_to_16(sum_words((const __u32 *)ip, sizeof(*ip) / 4));
}

static __always_inline void fill_ipv6(struct ipv6hdr *ip, struct packet *packet,
				      const struct dispatch_work *work, const __u8 *destination,
				      __u32 payload, __u8 protocol)
{
	const struct ipv6hdr *inner = packet_ipv6(packet);
	__u64 made[2] = {bpf_cpu_to_be64(0x0100000000000000ULL), work->hash};

	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 6;
	ip->priority = inner->priority;
	ip->flow_lbl[0] = inner->flow_lbl[0];
	ip->flow_lbl[1] = inner->flow_lbl[1];
	ip->flow_lbl[2] = inner->flow_lbl[2];
	ip->payload_len = bpf_htons((__u16)payload);
	ip->nexthdr = protocol;
	ip->hop_limit = OUTER_TTL;
	__builtin_memcpy(&ip->daddr, destination, sizeof(ip->daddr));
	if (has_tunnel_source(work->service))
		__builtin_memcpy(&ip->saddr, work->service->tunnel_source, sizeof(ip->saddr));
	else
		__builtin_memcpy(&ip->saddr, made, sizeof(ip->saddr));
}

static __always_inline enum dispatch_drop wrap_ipv4(frame_context *ctx, struct packet *packet,
						    const struct dispatch_work *work,
						    const struct dispatch_real *real)
{
	__u32 inner = sizeof(struct iphdr) + packet->l4_len + packet->payload;
	struct {
		struct iphdr ip;
		struct udphdr udp;
	} outer;

	if (work->service->form == DISPATCH_IPIP) {
		fill_ipv4(&outer.ip, packet, work, real->address, sizeof(outer.ip) + inner,
			  IPPROTO_IPIP);
		return frame_wrap(ctx, &outer, sizeof(outer.ip), false, false)
			       ? DISPATCH_DROP_NO_HEADROOM
			       : DISPATCH_FINE;
	}
	fill_ipv4(&outer.ip, packet, work, real->address, sizeof(outer) + inner, IPPROTO_UDP);
	fill_udp(&outer.udp, work, inner);
	return frame_wrap(ctx, &outer, sizeof(outer), false, true) ? DISPATCH_DROP_NO_HEADROOM
								   : DISPATCH_FINE;
}

static __always_inline enum dispatch_drop wrap_ipv6(frame_context *ctx, struct packet *packet,
						    const struct dispatch_work *work,
						    const struct dispatch_real *real)
{
	__u32 inner = sizeof(struct ipv6hdr) + packet->l4_len + packet->payload;
	struct {
		struct ipv6hdr ip;
		struct udphdr udp;
	} outer;

	if (work->service->form == DISPATCH_IPIP) {
		fill_ipv6(&outer.ip, packet, work, real->address, inner, IPPROTO_IPV6);
		return frame_wrap(ctx, &outer, sizeof(outer.ip), true, false)
			       ? DISPATCH_DROP_NO_HEADROOM
			       : DISPATCH_FINE;
	}
	fill_ipv6(&outer.ip, packet, work, real->address, inner + sizeof(outer.udp), IPPROTO_UDP);
	fill_udp(&outer.udp, work, inner);
	return frame_wrap(ctx, &outer, sizeof(outer), true, true) ? DISPATCH_DROP_NO_HEADROOM
								  : DISPATCH_FINE;
}

static __always_inline enum dispatch_drop wrap(frame_context *ctx, struct packet *packet,
					       const struct dispatch_work *work,
					       const struct dispatch_real *real)
{
	if (work->service->form == DISPATCH_L2)
		return DISPATCH_FINE;
	return packet->is_ipv6 ? wrap_ipv6(ctx, packet, work, real)
			       : wrap_ipv4(ctx, packet, work, real);
}

static __always_inline __u32 growth_of(const struct dispatch_virtual *service, bool is_ipv6)
{
	__u32 ip_len = is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);

	if (service->form == DISPATCH_L2)
		return 0;
	return service->form == DISPATCH_GUE ? ip_len + sizeof(struct udphdr) : ip_len;
}

/* To the endpoint that was found. */
static __always_inline enum dispatch_drop direct_send(frame_context *ctx, struct packet *packet,
						      struct dispatch_work *work)
{
	const struct dispatch_real *real = work->real_index ? real_at(work->real_index) : NULL;
	const struct flow_nexthop *nexthop;
	enum dispatch_drop why;

	if (!real)
		return DISPATCH_DROP_NO_ENDPOINT;
	nexthop = nexthop_at(real->nexthop);
	if (!nexthop || !nexthop->ifindex)
		return DISPATCH_DROP_NEXTHOP_GONE;
	why = way_takes(ctx, packet, work, nexthop, growth_of(work->service, packet->is_ipv6));
	if (why == DISPATCH_FINE)
		why = wrap(ctx, packet, work, real);
	if (why == DISPATCH_FINE)
		work->action = frame_forward(ctx, packet, nexthop);
	return why;
}

static __always_inline enum dispatch_drop direct_forward(frame_context *ctx, struct packet *packet,
							 struct dispatch_work *work)
{
	work->real_index = known_real(work);
	if (!work->real_index)
		work->real_index = new_real(ctx, work, packet);
	return direct_send(ctx, packet, work);
}

#endif
