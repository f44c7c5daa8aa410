/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_DIRECT_H
#define SLUICE_BPF_DISPATCH_DIRECT_H

/*
 * Forms L2, IPIP and GUE: the packet reaches its endpoint as it is, which answers the client itself
 * (direct server return). All that is kept of a flow is its endpoint, in an entry of the table, as
 * with DNAT.
 */
#include "lib/dispatch_send.h"
#include "lib/tunnel.h"

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
	if (!real)
		return 0;
	if (!entry_is_fresh(line->entry[place], work) || !real_is_of(real_at(real), work)) {
		line->entry[place] = 0; /* or it would be found before the flow's next one */
		return 0;
	}
	entry_refresh(&line->entry[place], work->now_s);
	return real;
}

/* Whatever a flow begins with: another node may have had it until now. */
static __always_inline __u32 new_real(frame_context *ctx, const struct dispatch_work *work,
				      struct packet *packet)
{
	bool is_listed = may_enter(work);
	__u32 real = choose_real(ctx, work, packet, is_listed);

	if (!real)
		return 0;
	if (is_listed)
		line_put(work->hash, dispatch_entry_real(work->hash, real, work->now_s));
	else
		count_unlisted(work->service_index);
	count_flow(work->service_index, real);
	return real;
}

/* ->real_index becomes the flow's endpoint; 0: there is none. */
static __always_inline void direct_find(frame_context *ctx, struct packet *packet,
					struct dispatch_work *work)
{
	work->real_index = known_real(work);
	if (!work->real_index)
		work->real_index = new_real(ctx, work, packet);
}

/* --- Its way ---------------------------------------------------------------------------------- */

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
	why = way_takes(ctx, packet, work, nexthop, tunnel_growth(work->service, packet->is_ipv6));
	if (why == DISPATCH_FINE &&
	    tunnel_wrap(ctx, packet, work->service, real->address, work->hash))
		why = DISPATCH_DROP_NO_HEADROOM;
	if (why == DISPATCH_FINE)
		work->action = frame_forward(ctx, packet, nexthop);
	return why;
}

#endif
