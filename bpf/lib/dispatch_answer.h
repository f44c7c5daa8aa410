/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_ANSWER_H
#define SLUICE_BPF_DISPATCH_ANSWER_H

/*
 * Form DNAT, what comes from the endpoint: it is for the client, and has come to us because we are
 * the endpoint's gateway. By the endpoint's address and port alone it is known which service it
 * answers for, whose address and port become its source; it leaves as this machine routes it. What
 * is for this machine itself, such as answers to health checks, goes to its stack as it came. XDP
 * leaves all of it to TC: a route may lead to any device, and not all send what XDP redirects.
 */
#include "lib/dispatch_fragment.h"
#include "lib/dispatch_icmp.h"
#include "lib/dispatch_nat.h"

#define IPV4_DONT_FRAGMENT bpf_htons(0x4000)
#define IPV4_FLAGS_AT      6

/* --- Whose answer ----------------------------------------------------------------------------- */

static __always_inline const struct dispatch_answer *answer_find(const __u8 *address,
								 __u32 protocol, __u32 port)
{
	const struct dispatch_answerer *answerer;
	const struct dispatch_answer *answer;
	struct dispatch_address key;

	copy_address(key.bytes, address);
	answerer = bpf_map_lookup_elem(&dispatch_answerers, &key);
	if (!answerer)
		return NULL;
	for (int i = 0; i < DISPATCH_ANSWERS_MAX; i++) {
		answer = &answerer->answer[i];
		if (!answer->real)
			return NULL;
		if (answer->protocol == protocol && port >= answer->first && port <= answer->last)
			return answer;
	}
	return NULL;
}

/* Whether it can have come from an endpoint. */
static __always_inline bool may_be_answer(const struct dispatch_settings *settings,
					  const struct packet *packet)
{
	const struct dispatch_answerer_bits *bits;
	__u32 half = settings->half & 1;

	bits = bpf_map_lookup_elem(&dispatch_answerer_bits, &half);
	return bits && dispatch_may_answer(
			       bits, dispatch_hash_address(packet->key.source, &settings->secret));
}

/* @real: its index. Return: whether it is, at @address, and of a service that we have. */
static __always_inline bool answer_is_of(struct dispatch_work *work, __u32 index,
					 const __u8 *address)
{
	const struct dispatch_real *real = real_at(index);

	if (!real || !is_same_address(real->address, address))
		return false;
	work->half = work->settings->half & 1;
	work->real_index = index;
	work->service_index = real->service;
	work->service = service_at(work->half, real->service);
	work->load.is_answer = true;
	return work->service && work->service->form == DISPATCH_DNAT && real_is_of(real, work);
}

/* --- Its way ---------------------------------------------------------------------------------- */

/* How a packet goes on that has a way, but not by us: translated, through the stack, which cuts it
 * or puts a header in front. */
#define WAY_OF_STACK (DISPATCH_DROP_COUNT + 5)

/* As the rules would route it that the stack has: by the source that it will have. */
static __always_inline long ask_route(frame_context *ctx, struct packet *packet, const __u8 *source,
				      __be16 source_port, __u32 len, struct bpf_fib_lookup *fib)
{
	bool has_ports = source_port;

	fib->family = packet->is_ipv6 ? AF_INET6 : AF_INET;
	fib->l4_protocol = packet->protocol;
	fib->sport = source_port;
	fib->dport = has_ports ? packet->key.destination_port : 0;
	fib->tot_len = len < 0xffff ? (__u16)len : 0xffff;
	fib->ifindex = frame_ifindex(ctx);
	if (packet->is_ipv6) {
		fib->flowinfo = *(__be32 *)packet_ipv6(packet) & bpf_htonl(0x0fffffff);
		copy_address(fib->ipv6_src, source);
		copy_address(fib->ipv6_dst, packet->key.destination);
	} else {
		fib->tos = packet_ipv4(packet)->tos;
		fib->ipv4_src = unmap_ipv4(source);
		fib->ipv4_dst = unmap_ipv4(packet->key.destination);
	}
	return bpf_fib_lookup(ctx, fib, sizeof(*fib), 0);
}

static __always_inline void way_of(const struct packet *packet, const struct bpf_fib_lookup *fib,
				   struct flow_nexthop *ret)
{
	ret->ifindex = fib->ifindex;
	ret->mtu = 0xffff; /* asked for with the route */
	ret->flags = NEXTHOP_MAC_VALID;
	__builtin_memcpy(ret->destination_mac, fib->dmac, ETH_ALEN);
	__builtin_memcpy(ret->source_mac, fib->smac, ETH_ALEN);
	if (packet->is_ipv6)
		copy_address(ret->gateway, fib->ipv6_dst);
	else
		map_ipv4(ret->gateway, fib->ipv4_dst);
}

/* Only IPv4, and only where its sender allows it. */
static __always_inline bool may_be_cut(frame_context *ctx, const struct packet *packet)
{
	__be16 flags = IPV4_DONT_FRAGMENT;

	if (packet->is_ipv6 ||
	    frame_load(ctx, packet->l3_offset + IPV4_FLAGS_AT, &flags, sizeof(flags)))
		return false;
	return !(flags & IPV4_DONT_FRAGMENT);
}

/*
 * What is too big is the stack's as it came: it tells the endpoint, quoting what that has sent. So
 * is what has no way, and what is for this machine.
 * @len: of a segment, from the network header on. Return: FINE with *@ret; WAY_OF_STACK; LEAVES.
 */
static __always_inline enum dispatch_drop answer_way(frame_context *ctx, struct packet *packet,
						     const __u8 *source, __be16 source_port,
						     __u32 len, struct flow_nexthop *ret)
{
	struct bpf_fib_lookup fib = {};

	switch (ask_route(ctx, packet, source, source_port, len, &fib)) {
	case BPF_FIB_LKUP_RET_NO_NEIGH:
	case BPF_FIB_LKUP_RET_SUCCESS:
		if (fib.family != (packet->is_ipv6 ? AF_INET6 : AF_INET))
			return WAY_OF_STACK; /* RFC 5549: a gateway of the other family */
		way_of(packet, &fib, ret);
		return DISPATCH_FINE;
	case BPF_FIB_LKUP_RET_UNSUPP_LWT:
		return WAY_OF_STACK;
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return may_be_cut(ctx, packet) ? WAY_OF_STACK : DISPATCH_LEAVES;
	default:
		return DISPATCH_LEAVES;
	}
}

static __always_inline int answer_action(frame_context *ctx, struct packet *packet,
					 enum dispatch_drop way, const struct flow_nexthop *nexthop)
{
	return way == WAY_OF_STACK ? FRAME_PASS : frame_forward(ctx, packet, nexthop);
}

/* --- Whole packets, and the first of several pieces ------------------------------------------- */

static __always_inline enum dispatch_drop answer_send(frame_context *ctx, struct packet *packet,
						      struct dispatch_work *work,
						      const struct dispatch_answer *answer)
{
	struct flow_nexthop nexthop = {};
	enum dispatch_drop way, why;
	__be16 port;

	if (!answer_is_of(work, answer->real, packet->key.source))
		return DISPATCH_LEAVES;
	if (packet->is_fragment && packet->protocol == IPPROTO_TCP)
		return DISPATCH_DROP_FRAGMENT;
	if (!FRAME_ASKS_NEIGHBOURS)
		return DISPATCH_LEFT_TO_TC;
	port = answer->service_port ? answer->service_port : packet->key.source_port;
	way = answer_way(ctx, packet, work->service->address, port, frame_segment_len(ctx, packet),
			 &nexthop);
	if (way == DISPATCH_LEAVES)
		return way;
	if (load_headers(ctx, packet, true))
		return DISPATCH_DROP_MALFORMED;
	why = nat_translate(ctx, packet, work, work->service->address, port,
			    packet->key.destination, packet->key.destination_port);
	if (why == DISPATCH_FINE)
		work->action = answer_action(ctx, packet, way, &nexthop);
	return why;
}

/* Verified by itself, as dispatch_packet(). @packet: for none of ours; ->real becomes the endpoint
 * that it came from, 0 if that is none. Return: the hook's action, or PASSES. */
__noinline int answer_packet(frame_context *ctx, struct packet *packet)
{
	const struct dispatch_answer *answer;
	struct dispatch_work work = {};
	enum dispatch_drop why;

	if (!packet || !packet->l4_len)
		return DISPATCH_PASSES;
	answer = answer_find(packet->key.source, packet->protocol,
			     bpf_ntohs(packet->key.source_port));
	if (!answer || !work_begin(ctx, packet, &work))
		return DISPATCH_PASSES;
	why = answer_send(ctx, packet, &work, answer);
	if (packet->is_fragment)
		set_found(packet, &work);
	return dispatch_end(&work, why);
}

/* --- Later pieces ----------------------------------------------------------------------------- */

static __always_inline enum dispatch_drop answer_send_piece(frame_context *ctx,
							    struct packet *packet,
							    struct dispatch_work *work)
{
	struct flow_nexthop nexthop = {};
	enum dispatch_drop way, why;

	if (!answer_is_of(work, packet->real, packet->key.source))
		return DISPATCH_LEAVES;
	if (!FRAME_ASKS_NEIGHBOURS)
		return DISPATCH_LEFT_TO_TC;
	way = answer_way(ctx, packet, work->service->address, 0, frame_segment_len(ctx, packet),
			 &nexthop);
	if (way == DISPATCH_LEAVES)
		return way;
	why = store_piece(ctx, packet, work->service->address, packet->key.destination);
	if (why == DISPATCH_FINE)
		work->action = answer_action(ctx, packet, way, &nexthop);
	return why;
}

/* Verified by itself. @packet: ->real is the endpoint that the first has come from. */
__noinline int answer_piece(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};

	if (!work_begin(ctx, packet, &work))
		return DISPATCH_PASSES;
	return dispatch_end(&work, answer_send_piece(ctx, packet, &work));
}

/* --- Errors about what was sent to an endpoint, to the client --------------------------------- */

/* Who has sent what is quoted is whom the error is for. */
static __always_inline bool is_for_who_sent(struct packet *packet)
{
	__u8 receiver[16];

	if (packet->is_ipv6)
		__builtin_memcpy(receiver, &packet_ipv6(packet)->daddr, sizeof(receiver));
	else
		map_ipv4(receiver, packet_ipv4(packet)->daddr);
	return is_same_address(receiver, packet->key.destination);
}

static __always_inline enum dispatch_drop answer_send_error(frame_context *ctx,
							    struct packet *packet,
							    struct dispatch_work *work)
{
	const struct dispatch_answer *answer = answer_find(packet->key.source, work->protocol,
							   bpf_ntohs(packet->key.source_port));
	struct icmp_way turned = {.destination = packet->key.destination};
	struct flow_nexthop nexthop = {};
	enum dispatch_drop way, why;
	__u32 l3_len = packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);

	if (!answer || !answer_is_of(work, answer->real, packet->key.source) ||
	    !is_for_who_sent(packet))
		return DISPATCH_LEAVES;
	if (!FRAME_ASKS_NEIGHBOURS)
		return DISPATCH_LEFT_TO_TC;
	way = answer_way(ctx, packet, work->service->address, 0, l3_len + packet->payload,
			 &nexthop);
	if (way == DISPATCH_LEAVES)
		return way;
	turned.source = work->service->address;
	turned.source_port = answer->service_port ? answer->service_port : packet->key.source_port;
	turned.destination_port = packet->key.destination_port;
	why = icmp_store(ctx, packet, &turned, 0);
	if (why == DISPATCH_FINE)
		work->action = answer_action(ctx, packet, way, &nexthop);
	return why;
}

/* Verified by itself. @packet: ICMP, for none of ours. */
__noinline int answer_error(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};

	if (!work_begin(ctx, packet, &work) || load_icmp(ctx, packet) ||
	    !is_icmp_error(packet, packet_l4(packet)[0]))
		return DISPATCH_PASSES;
	work.protocol = key_of_quote(packet);
	if (!work.protocol)
		return DISPATCH_PASSES;
	return dispatch_end(&work, answer_send_error(ctx, packet, &work));
}

#endif
