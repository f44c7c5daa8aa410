// SPDX-License-Identifier: Apache-2.0
/* From listeners of mode dispatch, and from how their pools' endpoints are, to a plan. */
#include "proxy/dispatch_plan.h"
#include "core/hash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

uint64_t dispatch_plan_service_id(const struct config_bind *bind)
{
	char address[ADDRESS_TEXT_SIZE], text[ADDRESS_TEXT_SIZE + 8];
	uint64_t id;

	snprintf(text, sizeof(text), "%s/%s", address_format(&bind->address, address),
		 bind->is_udp ? "udp" : "tcp");
	id = hash_bytes(slice_from_str(text), 0);
	return id ? id : 1;
}

/* --- Endpoints ---------------------------------------------------------------------------------*/

/* Of one pool; in the arena, twice as large each time. */
struct members {
	struct arena *arena;
	struct dispatch_endpoint *all;
	size_t count, cap;
	int family;
	const struct config_pool *pool;
	bool keeps_ports; /* of packets to a range */
	bool is_out_of_memory;
	/* Who takes new flows. */
	const char *zone;
	uint32_t tier;
	bool is_local; /* those of @zone alone */
};

/* Ejection is not looked at: relayed connections bring it about, and there are none. */
static bool takes_new(const struct endpoint *endpoint)
{
	return endpoint_is_available(endpoint, UINT64_MAX);
}

static bool is_in_zone(const struct endpoint *endpoint, const char *zone)
{
	return zone && endpoint->zone && strcmp(endpoint->zone, zone) == 0;
}

static void find_tier(struct endpoint *endpoint, void *context)
{
	struct members *members = context;
	uint32_t tier = atomic_load(&endpoint->tier);

	if (takes_new(endpoint) && tier < members->tier)
		members->tier = tier;
}

static void find_local(struct endpoint *endpoint, void *context)
{
	struct members *members = context;

	members->is_local |= takes_new(endpoint) && is_in_zone(endpoint, members->zone) &&
			     atomic_load(&endpoint->tier) == members->tier;
}

static uint32_t weight_of(const struct members *members, const struct endpoint *endpoint)
{
	bool is_chosen = takes_new(endpoint) && atomic_load(&endpoint->tier) == members->tier &&
			 (!members->is_local || is_in_zone(endpoint, members->zone));

	return is_chosen ? atomic_load(&endpoint->weight) : 0;
}

static bool make_room(struct members *members)
{
	size_t cap = members->cap ? 2 * members->cap : 16;
	struct dispatch_endpoint *all;

	if (members->count < members->cap)
		return true;
	all = arena_alloc_array(members->arena, cap, sizeof(*all));
	if (!all) {
		members->is_out_of_memory = true;
		return false;
	}
	if (members->count)
		memcpy(all, members->all, members->count * sizeof(*all));
	members->all = all;
	members->cap = cap;
	return true;
}

static bool is_listed(const struct members *members, uint64_t id)
{
	for (size_t i = 0; i < members->count; i++)
		if (members->all[i].id == id)
			return true;
	return false;
}

/* A name is one endpoint's alone in a configuration. */
static void add_server_id(const struct members *members, const struct endpoint *endpoint,
			  struct dispatch_endpoint *added)
{
	const struct config_pool *pool = members->pool;

	for (size_t i = 0; i < pool->nendpoints; i++)
		if (strcmp(pool->endpoints[i].name, endpoint->name) == 0)
			memcpy(added->server_id, pool->endpoints[i].quic_server_id.bytes,
			       sizeof(added->server_id));
}

/* A name may have addresses of both families. */
static void add_member(struct endpoint *endpoint, void *context)
{
	struct members *members = context;
	struct dispatch_endpoint *added;

	if (endpoint->address.sa.sa_family != members->family ||
	    atomic_load(&endpoint->health) == ENDPOINT_HEALTH_DOWN ||
	    is_listed(members, endpoint->id) || !make_room(members))
		return;
	added = &members->all[members->count++];
	*added = (struct dispatch_endpoint){.id = endpoint->id,
					    .address = endpoint->address,
					    .weight = weight_of(members, endpoint)};
	if (members->keeps_ports)
		address_set_port(&added->address, 0);
	add_server_id(members, endpoint, added);
}

static int add_endpoints(struct dispatch_service *service, const char *zone, struct pool *pool,
			 struct arena *arena)
{
	struct members members = {
		.arena = arena,
		.family = service->address.sa.sa_family,
		.pool = pool_config(pool),
		.keeps_ports = service->last_port != address_port(&service->address),
		.zone = zone,
		.tier = UINT32_MAX,
	};

	pool_for_each(pool, find_tier, &members);
	pool_for_each(pool, find_local, &members);
	pool_for_each(pool, add_member, &members);
	service->endpoints = members.all;
	service->nendpoints = members.count;
	return members.is_out_of_memory ? -ENOMEM : 0;
}

/* --- Services ----------------------------------------------------------------------------------*/

static uint32_t seconds_of(uint32_t ms)
{
	return (ms + 999) / 1000;
}

enum dispatch_form dispatch_plan_form(const struct config_listener *listener)
{
	static const enum dispatch_form forms[] = {
		[CONFIG_FORWARD_NAT] = DISPATCH_NAT,   [CONFIG_FORWARD_DNAT] = DISPATCH_DNAT,
		[CONFIG_FORWARD_IPIP] = DISPATCH_IPIP, [CONFIG_FORWARD_GUE] = DISPATCH_GUE,
		[CONFIG_FORWARD_L2] = DISPATCH_L2,
	};

	return forms[listener->dispatch.forward];
}

static enum dispatch_algorithm algorithm_of(const struct config_pool *pool)
{
	if (pool->balance == CONFIG_BALANCE_LEAST_CONN)
		return DISPATCH_LEAST_LOADED;
	return pool->balance == CONFIG_BALANCE_SOURCE ? DISPATCH_SOURCE : DISPATCH_MAGLEV;
}

static struct dispatch_service describe(const struct config_listener *listener,
					const struct config_bind *bind,
					const struct config_pool *pool)
{
	const struct config_listener_dispatch *options = &listener->dispatch;

	return (struct dispatch_service){
		.id = dispatch_plan_service_id(bind),
		.address = bind->address,
		.last_port = bind->last_port,
		.protocol = bind->is_udp ? IPPROTO_UDP : IPPROTO_TCP,
		.form = dispatch_plan_form(listener),
		.algorithm = algorithm_of(pool),
		.ring_size = pool->maglev_table_size,
		.tcp_timeout_s = seconds_of(options->tcp_timeout_ms),
		.udp_timeout_s = seconds_of(options->udp_timeout_ms),
		.sources = options->sources,
		.nsources = options->nsources,
		.first_source_port = options->source_ports.first,
		.last_source_port = options->source_ports.last,
		.gue_port = options->gue_port,
		.server_id_len = bind->is_udp && pool->nendpoints
					 ? pool->endpoints[0].quic_server_id.len
					 : 0,
		.resets_lost = options->lost_flows == CONFIG_LOST_RESET,
	};
}

static int add_services(const struct config *config, const struct config_listener *listener,
			struct upstream *upstream, struct arena *arena,
			struct dispatch_service *services)
{
	struct pool *pool = upstream_pool(upstream, listener->default_pool);
	int err = 0;

	for (size_t b = 0; b < listener->nbinds && !err; b++) {
		services[b] = describe(listener, &listener->binds[b], pool_config(pool));
		err = add_endpoints(&services[b], config->zone, pool, arena);
	}
	return err;
}

static size_t count_services(const struct config *config)
{
	size_t count = 0;

	for (size_t i = 0; i < config->nlisteners; i++)
		if (config->listeners[i].mode == CONFIG_MODE_DISPATCH)
			count += config->listeners[i].nbinds;
	return count;
}

int dispatch_plan_make(const struct config *config, struct upstream *upstream, struct arena *arena,
		       struct dispatch_plan *ret)
{
	size_t total = count_services(config), count = 0;
	struct dispatch_service *services = arena_alloc_array(arena, total, sizeof(*services));

	if (!services)
		return -ENOMEM;
	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct config_listener *listener = &config->listeners[i];

		if (listener->mode != CONFIG_MODE_DISPATCH)
			continue;
		if (add_services(config, listener, upstream, arena, services + count) < 0)
			return -ENOMEM;
		count += listener->nbinds;
	}
	*ret = (struct dispatch_plan){
		.services = services,
		.nservices = count,
		.ring_seed = config->dispatch.ring_seed,
		.new_flow_rate = config->dispatch.new_flow_rate,
	};
	return 0;
}
