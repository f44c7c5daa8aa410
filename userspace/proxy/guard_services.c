// SPDX-License-Identifier: Apache-2.0
/* The tables by which a packet program finds the listener that a packet is for, and its limits. */
#include "proxy/guard_services.h"
#include "core/log.h"
#include "guard/limiter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer bursts of SYNs would keep cookies from being sent until they are over. */
#define COOKIE_BURST_MS 250

static void set_address(const struct address *address, bool is_v6only, struct guard_place *place)
{
	static const uint8_t any[16];

	if (address->sa.sa_family == AF_INET) {
		place->address[10] = place->address[11] = 0xff;
		memcpy(place->address + 12, &address->v4.sin_addr, 4);
		if (address->v4.sin_addr.s_addr == 0)
			place->flags = GUARD_PLACE_ANY4;
		return;
	}
	memcpy(place->address, &address->v6.sin6_addr, 16);
	if (memcmp(place->address, any, 16) == 0)
		place->flags = GUARD_PLACE_ANY6 | (is_v6only ? 0 : GUARD_PLACE_ANY4);
}

static bool is_crowded(const struct guard_services *services, uint16_t place)
{
	unsigned length = 0;

	for (; place; place = services->places[place].next)
		length++;
	return length >= GUARD_CHAIN_MAX;
}

/* Return: -ENOSPC: the tables are full; -EMLINK: the port has as many addresses as are looked at.
 */
static int add_place(struct guard_services *services, const struct config_listener *listener,
		     const struct config_bind *bind, uint16_t port, uint16_t service)
{
	struct guard_place *place = &services->places[services->nplaces];
	struct guard_port *entry = &services->ports[port];
	uint16_t *first = bind->is_udp ? &entry->udp_place : &entry->tcp_place;

	if (services->nplaces == GUARD_PLACES_MAX)
		return -ENOSPC;
	if (is_crowded(services, *first))
		return -EMLINK;
	set_address(&bind->address, listener->is_v6only, place);
	place->service = service;
	place->next = *first;
	*first = (uint16_t)services->nplaces++;
	return 0;
}

static void say_crowded(const struct config_listener *listener, const struct config_bind *bind,
			uint32_t port)
{
	char text[ADDRESS_IP_SIZE];

	log_warn("guard: listener %s: port %u has %d addresses before %s, and the guard knows no "
		 "more of one: packets to %s keep no rates and get no cookies",
		 listener->name, port, GUARD_CHAIN_MAX, address_format_ip(&bind->address, text),
		 text);
}

/* Of a range that is crowded the first port is told. */
static bool add_bind(struct guard_services *services, const struct config_listener *listener,
		     const struct config_bind *bind, uint16_t service)
{
	bool is_told = false;
	int err;

	if (!address_is_ip(&bind->address))
		return true;
	for (uint32_t port = address_port(&bind->address); port <= bind->last_port; port++) {
		err = add_place(services, listener, bind, (uint16_t)port, service);
		if (err == -ENOSPC)
			return false;
		if (err == -EMLINK && !is_told)
			say_crowded(listener, bind, port);
		is_told |= err == -EMLINK;
	}
	return true;
}

/* Where answers do not come by us, nobody could join an endpoint to who was sent a cookie. */
bool guard_services_take_cookies(const struct config_listener *listener)
{
	return listener->mode != CONFIG_MODE_DISPATCH ||
	       listener->dispatch.forward == CONFIG_FORWARD_NAT;
}

static void set_limits(const struct config *config, const struct config_listener *listener,
		       struct guard_service *service)
{
	const struct config_guard *guard = &config->guard;
	uint32_t threshold = listener->guard.syn_cookie_threshold
				     ? listener->guard.syn_cookie_threshold
				     : guard->syn_cookie_threshold;

	service->packets = guard_rate_of(listener->guard.packets, guard->burst_ms);
	service->syns = guard_rate_of(listener->guard.syns, guard->burst_ms);
	if (guard->syn_cookies == CONFIG_SYN_COOKIES_AUTO && guard_services_take_cookies(listener))
		service->cookies = guard_rate_of(threshold, COOKIE_BURST_MS);
	if (listener->mode == CONFIG_MODE_DISPATCH)
		service->flags = GUARD_SERVICE_DISPATCHED;
}

/* --- Ports that are known otherwise -------------------------------------------------------------
 */

struct guard_range guard_ephemeral_ports(void)
{
	struct guard_range range = {32768, 60999}; /* Linux's own, where it cannot be asked */
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned first, last;

	if (!file)
		return range;
	if (fscanf(file, "%u %u", &first, &last) == 2 && first <= last && last <= UINT16_MAX)
		range = (struct guard_range){(uint16_t)first, (uint16_t)last};
	fclose(file);
	return range;
}

static void mark(struct guard_services *services, uint32_t first, uint32_t last, uint32_t flags)
{
	for (uint32_t port = first; port <= last; port++)
		services->ports[port].flags |= flags;
}

static void mark_ports(struct guard_services *services, const struct config *config)
{
	struct guard_range ephemeral = guard_ephemeral_ports();

	for (size_t i = 0; i < config->guard.namplification; i++)
		mark(services, config->guard.amplification[i], config->guard.amplification[i],
		     GUARD_PORT_AMPLIFIES);
	mark(services, ephemeral.first, ephemeral.last, GUARD_PORT_ANSWERS);
	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct config_listener *listener = &config->listeners[i];
		const struct config_port_range *range = &listener->dispatch.source_ports;

		if (listener->mode == CONFIG_MODE_DISPATCH &&
		    listener->dispatch.forward == CONFIG_FORWARD_NAT)
			mark(services, range->first, range->last, GUARD_PORT_ANSWERS);
	}
}

struct guard_services *guard_services_new(const struct config *config)
{
	struct guard_services *services = calloc(1, sizeof(*services));
	bool has_room = true;

	if (services)
		services->ports = calloc(65536, sizeof(*services->ports));
	if (!services || !services->ports) {
		guard_services_free(services);
		return NULL;
	}
	services->nplaces = 1;
	for (size_t i = 0; i < config->nlisteners && has_room; i++) {
		const struct config_listener *listener = &config->listeners[i];

		if (services->nservices == GUARD_SERVICES_MAX)
			has_room = false;
		for (size_t b = 0; b < listener->nbinds && has_room; b++)
			has_room = add_bind(services, listener, &listener->binds[b],
					    (uint16_t)services->nservices);
		if (has_room)
			set_limits(config, listener, &services->services[services->nservices++]);
	}
	if (!has_room)
		log_warn("guard: there are more listeners or ports than it knows: packets to the "
			 "last ones keep no rates");
	mark_ports(services, config);
	return services;
}

void guard_services_free(struct guard_services *services)
{
	if (!services)
		return;
	free(services->ports);
	free(services);
}
