/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_ICMP_H
#define SLUICE_BPF_DISPATCH_ICMP_H

/*
 * ICMP to a service's address. Echo requests are answered here, for the address may be on no device
 * of ours. An error goes to the endpoint that has the flow which it quotes; one about what we have
 * sent to an endpoint with NAT, to the client. Path MTU discovery lives on them.
 */
#include "lib/dispatch_nat.h"
#include "lib/icmp_error.h"

#define ICMP_ECHO_REPLY   0
#define ICMP_ECHO_REQUEST 8
#define ECHO_HEADER       8

/* --- Echo ------------------------------------------------------------------------------------- */

static __always_inline long load_echo(frame_context *ctx, struct packet *packet)
{
	packet->l4_len = ECHO_HEADER;
	if (packet->payload < ECHO_HEADER)
		return -1;
	if (packet->is_ipv6)
		return frame_load(ctx, packet->l3_offset, packet->headers, L3_MAX + ECHO_HEADER);
	return frame_load(ctx, packet->l3_offset, packet_ipv4(packet),
			  sizeof(struct iphdr) + ECHO_HEADER);
}

static __always_inline bool is_echo_request(struct packet *packet)
{
	return packet_l4(packet)[0] == (packet->is_ipv6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO_REQUEST);
}

/* Counts are those of services: of the address's first one. */
static __always_inline void blame_first_service(const struct dispatch_vip *vip,
						struct dispatch_work *work)
{
	__u32 index = work->half * DISPATCH_RANGES_MAX + vip->first_range;
	const struct dispatch_range *range = bpf_map_lookup_elem(&dispatch_ranges, &index);

	if (range)
		work->service_index = range->service;
}

/* Source: RFC 792, RFC 4443 section 4.2. */
static __always_inline enum dispatch_drop answer_echo(frame_context *ctx, struct packet *packet,
						      struct dispatch_work *work)
{
	__u32 *first = (__u32 *)packet_l4(packet);
	__u64 before = *first;
	__u32 l3;

	if (!frame_can_send(ctx, packet, work->settings->flags & DISPATCH_SENDS_XDP))
		return DISPATCH_LEFT_TO_TC;
	l3 = answer_ip(packet);
	packet_l4(packet)[0] = packet->is_ipv6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY;
	if (frame_store(ctx, packet, ICMP_CHECKSUM_AT, 0, sum_difference(before, *first), l3))
		return DISPATCH_DROP_NO_HEADROOM;
	work->action = frame_reply(ctx);
	return DISPATCH_FINE;
}

/* --- Errors ----------------------------------------------------------------------------------- */

static __always_inline enum dispatch_drop icmp_store(frame_context *ctx, struct packet *packet,
						     const struct icmp_way *way, __u32 seq_delta)
{
	struct checksum_differences differences = {};

	if (!translate_icmp(packet, way, seq_delta, &differences))
		return DISPATCH_DROP_TTL_EXPIRED;
	if (frame_store(ctx, packet, ICMP_CHECKSUM_AT, differences.pseudo, differences.l4,
			differences.l3))
		return DISPATCH_DROP_NO_HEADROOM;
	return DISPATCH_FINE;
}

/* From a router on the way to the client, about an answer, to the endpoint. */
static __always_inline enum dispatch_drop nat_forward_error(frame_context *ctx,
							    struct packet *packet,
							    struct dispatch_work *work)
{
	const struct dispatch_nat *nat = nat_find(work, packet);
	enum dispatch_drop why;
	struct nat_way way;

	if (!nat || !real_is_of(real_at(nat->real), work))
		return DISPATCH_DROP_NO_FLOW;
	work->real_index = nat->real;
	if (!nat_find_way(nat, &way))
		return DISPATCH_DROP_NEXTHOP_GONE;
	packet->payload -= packet->l4_len;
	why = way_takes(ctx, packet, work, way.nexthop, 0);
	if (why == DISPATCH_FINE)
		why = icmp_store(ctx, packet,
				 &(struct icmp_way){way.run->source, way.real->address,
						    nat->source_port, nat->endpoint_port},
				 -nat_difference(nat));
	if (why == DISPATCH_FINE)
		work->action = frame_forward(ctx, packet, way.nexthop);
	return why;
}

/* From the endpoint, or a router on the way to it, to the client. */
static __always_inline enum dispatch_drop nat_return_error(frame_context *ctx,
							   struct packet *packet,
							   struct dispatch_work *work)
{
	const struct dispatch_nat *nat;
	enum dispatch_drop why;

	if (!nat_is_answer(work, packet))
		return DISPATCH_LEAVES;
	nat = work->nat;
	if (!frame_can_send(ctx, packet, work->settings->flags & DISPATCH_SENDS_XDP))
		return DISPATCH_LEFT_TO_TC;
	why = icmp_store(ctx, packet,
			 &(struct icmp_way){work->service->address, nat->client, nat->service_port,
					    nat->client_port},
			 0);
	if (why == DISPATCH_FINE)
		work->action = frame_send_back(ctx, nat->ifindex, nat->macs);
	return why;
}

static __always_inline enum dispatch_drop serve_error(frame_context *ctx, struct packet *packet,
						      const struct dispatch_vip *vip,
						      struct dispatch_work *work)
{
	enum dispatch_drop why = find_service(work, vip, packet);

	if (why != DISPATCH_FINE)
		return why;
	if (work->service->form != DISPATCH_NAT) {
		packet->service = (__u16)work->service_index;
		return DISPATCH_GOES_ON;
	}
	return find_line(work, packet) ? nat_forward_error(ctx, packet, work)
				       : DISPATCH_DROP_NO_ENDPOINT;
}

/* What is quoted was sent by the address that the error has come to. */
static __always_inline enum dispatch_drop judge_error(frame_context *ctx, struct packet *packet,
						      const struct dispatch_vip *vip,
						      struct dispatch_work *work)
{
	enum dispatch_drop why = DISPATCH_LEAVES;

	if (load_icmp(ctx, packet))
		return DISPATCH_LEAVES;
	work->protocol = key_of_quote(packet);
	if (!work->protocol || !is_same_address(vip->address, packet->key.destination))
		return DISPATCH_LEAVES;
	if (vip->flags & DISPATCH_VIP_RETURNS)
		why = nat_return_error(ctx, packet, work);
	if (why == DISPATCH_LEAVES && vip->flags & DISPATCH_VIP_SERVES)
		why = serve_error(ctx, packet, vip, work);
	return why;
}

static __always_inline enum dispatch_drop judge_icmp(frame_context *ctx, struct packet *packet,
						     const struct dispatch_vip *vip,
						     struct dispatch_work *work)
{
	if (load_echo(ctx, packet))
		return DISPATCH_LEAVES;
	if (is_icmp_error(packet, packet_l4(packet)[0]))
		return judge_error(ctx, packet, vip, work);
	if (!is_echo_request(packet) || !(vip->flags & DISPATCH_VIP_SERVES))
		return DISPATCH_LEAVES;
	blame_first_service(vip, work);
	return has_sender(packet) ? answer_echo(ctx, packet, work) : DISPATCH_DROP_MALFORMED;
}

/* Verified by itself, as dispatch_packet(). */
__noinline int dispatch_icmp(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};
	const struct dispatch_vip *vip = dispatch_begin(ctx, packet, &work);

	if (!vip)
		return DISPATCH_PASSES;
	return dispatch_end(&work, judge_icmp(ctx, packet, vip, &work));
}

#endif
