/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_GUARD_SERVICE_H
#define SLUICE_BPF_GUARD_SERVICE_H

/* Which of our listeners a packet is for, and its limits. */
#include "lib/guard_look.h"
#include "lib/guard_maps.h"
#include "lib/guard_rate.h"

static __always_inline bool place_is(const struct guard_place *place, const struct guard_view *view)
{
	const __u64 *address = (const __u64 *)place->address;

	if (place->flags & (view->is_ipv6 ? GUARD_PLACE_ANY6 : GUARD_PLACE_ANY4))
		return true;
	return !place->flags && address[0] == view->destination[0] &&
	       address[1] == view->destination[1];
}

/* Return: NULL: it is for nobody that we know. */
static __always_inline struct guard_service *service_find(const struct guard_view *view)
{
	__u32 port = bpf_ntohs(view->destination_port), index;
	const struct guard_port *entry;
	const struct guard_place *place;

	entry = view->has_ports ? bpf_map_lookup_elem(&guard_ports, &port) : NULL;
	if (!entry)
		return NULL;
	index = view->protocol == IPPROTO_TCP ? entry->tcp_place : entry->udp_place;
	for (int i = 0; i < GUARD_CHAIN_MAX && index; i++) {
		place = bpf_map_lookup_elem(&guard_places, &index);
		if (!place)
			return NULL;
		if (place_is(place, view)) {
			index = place->service;
			return bpf_map_lookup_elem(&guard_services, &index);
		}
		index = place->next;
	}
	return NULL;
}

static __always_inline enum guard_reason service_take(struct guard_service *service,
						      const struct guard_load *load)
{
	if (load->is_syn && service->syns.cost &&
	    !guard_rate_take(&service->syns, &service->full_syns, load->now, load->packets))
		return GUARD_REASON_SERVICE_SYNS;
	if (service->packets.cost &&
	    !guard_rate_take(&service->packets, &service->full_packets, load->now, load->packets))
		return GUARD_REASON_SERVICE_PACKETS;
	return GUARD_FINE;
}

/* Whether SYNs come faster than they should, or did so just now. */
static __always_inline bool service_wants_cookie(struct guard_service *service,
						 const struct guard_load *load, __u64 now_ns)
{
	if (!service->cookies.cost)
		return false;
	if (!guard_rate_take(&service->cookies, &service->full_cookies, load->now, load->packets)) {
		service->cookies_until_ns = now_ns + GUARD_COOKIES_HOLD_NS;
		return true;
	}
	return service->cookies_until_ns > now_ns;
}

#endif
