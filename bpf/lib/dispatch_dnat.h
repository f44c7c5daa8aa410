/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_DNAT_H
#define SLUICE_BPF_DISPATCH_DNAT_H

/*
 * Form DNAT, what goes to the endpoint: only the destination changes, so the endpoint sees who the
 * client is. All that is kept of a flow is its endpoint, as with direct server return; answers are
 * in lib/dispatch_answer.h.
 */
#include "lib/dispatch_find.h"
#include "lib/dispatch_fragment.h"
#include "lib/dispatch_icmp.h"
#include "lib/dispatch_nat.h"

/* The way to ->real_index. Return: FINE with *@ret_real and *@ret_nexthop. */
static __always_inline enum dispatch_drop dnat_find_way(frame_context *ctx, struct packet *packet,
							struct dispatch_work *work,
							const struct dispatch_real **ret_real,
							const struct flow_nexthop **ret_nexthop)
{
	*ret_real = work->real_index ? real_at(work->real_index) : NULL;
	if (!*ret_real)
		return DISPATCH_DROP_NO_ENDPOINT;
	*ret_nexthop = nexthop_at((*ret_real)->nexthop);
	if (!*ret_nexthop || !(*ret_nexthop)->ifindex)
		return DISPATCH_DROP_NEXTHOP_GONE;
	return way_takes(ctx, packet, work, *ret_nexthop, 0);
}

static __always_inline enum dispatch_drop dnat_send(frame_context *ctx, struct packet *packet,
						    struct dispatch_work *work)
{
	const struct flow_nexthop *nexthop;
	const struct dispatch_real *real;
	enum dispatch_drop why = dnat_find_way(ctx, packet, work, &real, &nexthop);

	if (why == DISPATCH_FINE)
		why = nat_translate(ctx, packet, work, packet->key.source, packet->key.source_port,
				    real->address,
				    real->port ? real->port : packet->key.destination_port);
	if (why == DISPATCH_FINE)
		work->action = frame_forward(ctx, packet, nexthop);
	return why;
}

/* --- Pieces ----------------------------------------------------------------------------------- */

static __always_inline enum dispatch_drop dnat_send_piece(frame_context *ctx, struct packet *packet,
							  struct dispatch_work *work)
{
	const struct flow_nexthop *nexthop;
	const struct dispatch_real *real;
	enum dispatch_drop why;

	work->real_index = packet->real;
	why = dnat_find_way(ctx, packet, work, &real, &nexthop);
	if (why == DISPATCH_FINE && !real_is_of(real, work))
		why = DISPATCH_DROP_FRAGMENT;
	if (why == DISPATCH_FINE)
		why = store_piece(ctx, packet, packet->key.source, real->address);
	if (why == DISPATCH_FINE)
		work->action = frame_forward(ctx, packet, nexthop);
	return why;
}

/* Verified by itself. A later piece of a datagram: @packet: ->service and ->real are those of the
 * first. */
__noinline int dnat_piece(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};

	if (!work_resume(ctx, packet, &work))
		return DISPATCH_PASSES;
	return dispatch_end(&work, dnat_send_piece(ctx, packet, &work));
}

/* --- Errors ----------------------------------------------------------------------------------- */

/* About an answer. Its sender is on the clients' side, and stays who it is. */
static __always_inline enum dispatch_drop dnat_store_error(frame_context *ctx,
							   struct packet *packet,
							   const struct dispatch_real *real)
{
	const struct icmp_way quoted = {packet->key.source, real->address, packet->key.source_port,
					real->port ? real->port : packet->key.destination_port};
	struct checksum_differences differences = {};
	__u8 sender[16];

	if (packet->is_ipv6)
		__builtin_memcpy(sender, &packet_ipv6(packet)->saddr, sizeof(sender));
	else
		map_ipv4(sender, packet_ipv4(packet)->saddr);
	if (!translate_l3(packet, sender, real->address, true, &differences))
		return DISPATCH_DROP_TTL_EXPIRED;
	differences.l4 = translate_quote(packet, &quoted, 0);
	if (!packet->is_ipv6)
		differences.pseudo = 0; /* as translate_icmp() says */
	if (frame_store(ctx, packet, ICMP_CHECKSUM_AT, differences.pseudo, differences.l4,
			differences.l3))
		return DISPATCH_DROP_NO_HEADROOM;
	return DISPATCH_FINE;
}

static __always_inline enum dispatch_drop dnat_send_error(frame_context *ctx, struct packet *packet,
							  struct dispatch_work *work)
{
	const struct flow_nexthop *nexthop;
	const struct dispatch_real *real;
	enum dispatch_drop why;

	packet->payload -= packet->l4_len;
	work->real_index = packet->real;
	why = dnat_find_way(ctx, packet, work, &real, &nexthop);
	if (why == DISPATCH_FINE)
		why = dnat_store_error(ctx, packet, real);
	if (why == DISPATCH_FINE)
		work->action = frame_forward(ctx, packet, nexthop);
	return why;
}

/* A tunnel's source is made from the flow's hash. */
static __always_inline enum dispatch_drop direct_send_error(frame_context *ctx,
							    struct packet *packet,
							    struct dispatch_work *work)
{
	work->protocol = key_of_quote(packet);
	if (!find_line(work, packet))
		return DISPATCH_DROP_NO_ENDPOINT;
	packet->payload -= packet->l4_len;
	work->real_index = packet->real;
	return direct_send(ctx, packet, work);
}

/* Verified by itself. Of all forms that keep the client's address. @packet: as dispatch_icmp() and
 * real_find() have left it: with its headers, and the key of the packet that it quotes. */
__noinline int error_forward(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};

	if (!work_resume(ctx, packet, &work))
		return DISPATCH_PASSES;
	work.protocol = 0; /* whatever it is: nobody is told of an error's size */
	return dispatch_end(&work, work.service->form == DISPATCH_DNAT
					   ? dnat_send_error(ctx, packet, &work)
					   : direct_send_error(ctx, packet, &work));
}

#endif
