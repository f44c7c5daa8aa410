// SPDX-License-Identifier: Apache-2.0
/* From listeners of mode dispatch, and from how their pools' endpoints are, to a plan. */
#include "proxy/dispatch_plan.h"
#include "core/hash.h"
#include "upstream/sites.h"

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

/* Those of all pools of a service; in the arena, twice as large each time. */
struct members {
	struct arena *arena;
	struct dispatch_endpoint *all;
	size_t count, cap;
	int family;
	const struct config_pool *pool; /* whose are added */
	bool keeps_ports;               /* of packets to a range */
	bool is_out_of_memory;
};

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

/* Return: its place; the number of members: it is none. */
static size_t find_member(const struct members *members, uint64_t id)
{
	size_t i = 0;

	while (i < members->count && members->all[i].id != id)
		i++;
	return i;
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
	    find_member(members, endpoint->id) < members->count || !make_room(members))
		return;
	added = &members->all[members->count++];
	*added = (struct dispatch_endpoint){.id = endpoint->id, .address = endpoint->address};
	if (members->keeps_ports)
		address_set_port(&added->address, 0);
	add_server_id(members, endpoint, added);
}

/* --- Rings -------------------------------------------------------------------------------------*/

/*
 * Of a service: for each of its pools one of all endpoints, and where the pool goes by places one
 * for each site behind it, the last for endpoints without a location.
 */
struct ring_set {
	const struct members *members;
	uint32_t *weights; /* of each member, ring by ring */
	bool *is_alive;    /* by ring: some member has a weight */
	size_t count;
};

/* A pool that a listener asks, and where its rings are. */
struct asked_pool {
	size_t index; /* of the pool */
	size_t first; /* ring, of all its endpoints */
	bool is_nearest;
	struct site_list sites; /* of one that is */
};

static size_t rings_of(const struct asked_pool *asked)
{
	return asked->is_nearest ? 1 + asked->sites.count + 1 : 1;
}

/* Whose rings are filled: a pool, and who of it takes new flows. */
struct filling {
	struct ring_set *rings;
	const struct asked_pool *asked;
	const char *zone;
	uint32_t tier;
	bool is_local[CONFIG_LOCATIONS_MAX + 2]; /* by ring: those of @zone alone */
};

/* Ejection is not looked at: relayed connections bring it about, and there are none. */
static bool takes_new(const struct endpoint *endpoint)
{
	return endpoint_is_available(endpoint, UINT64_MAX);
}

static bool is_chosen(const struct filling *filling, const struct endpoint *endpoint)
{
	return takes_new(endpoint) && atomic_load(&endpoint->tier) == filling->tier;
}

static bool is_in_zone(const struct endpoint *endpoint, const char *zone)
{
	return zone && endpoint->zone && strcmp(endpoint->zone, zone) == 0;
}

/* Return: among the pool's rings the one of the endpoint's site. */
static size_t site_ring(const struct filling *filling, const struct endpoint *endpoint)
{
	const struct site_list *sites = &filling->asked->sites;

	return 1 +
	       (endpoint->has_location ? site_list_find(sites, &endpoint->location) : sites->count);
}

/* One of the other family is none of the service's. */
static bool is_member(const struct filling *filling, const struct endpoint *endpoint)
{
	const struct members *members = filling->rings->members;

	return find_member(members, endpoint->id) < members->count;
}

static void find_tier(struct endpoint *endpoint, void *context)
{
	struct filling *filling = context;
	uint32_t tier = atomic_load(&endpoint->tier);

	if (takes_new(endpoint) && is_member(filling, endpoint) && tier < filling->tier)
		filling->tier = tier;
}

static void find_local(struct endpoint *endpoint, void *context)
{
	struct filling *filling = context;

	if (!is_chosen(filling, endpoint) || !is_in_zone(endpoint, filling->zone) ||
	    !is_member(filling, endpoint))
		return;
	filling->is_local[0] = true;
	if (filling->asked->is_nearest)
		filling->is_local[site_ring(filling, endpoint)] = true;
}

static void weigh(const struct filling *filling, size_t ring, const struct endpoint *endpoint,
		  size_t member)
{
	const struct ring_set *rings = filling->rings;
	uint32_t weight = atomic_load(&endpoint->weight);

	if (filling->is_local[ring] && !is_in_zone(endpoint, filling->zone))
		return;
	ring += filling->asked->first;
	rings->weights[ring * rings->members->count + member] = weight;
	rings->is_alive[ring] |= weight > 0;
}

static void add_to_rings(struct endpoint *endpoint, void *context)
{
	struct filling *filling = context;
	size_t member = find_member(filling->rings->members, endpoint->id);

	if (!is_chosen(filling, endpoint) || member == filling->rings->members->count)
		return;
	weigh(filling, 0, endpoint, member);
	if (filling->asked->is_nearest)
		weigh(filling, site_ring(filling, endpoint), endpoint, member);
}

static void fill_rings(struct ring_set *rings, const struct asked_pool *asked, struct pool *pool,
		       const char *zone)
{
	struct filling filling = {.rings = rings, .asked = asked, .zone = zone, .tier = UINT32_MAX};

	pool_for_each(pool, find_tier, &filling);
	pool_for_each(pool, find_local, &filling);
	pool_for_each(pool, add_to_rings, &filling);
}

/* --- Who gets which ring -----------------------------------------------------------------------*/

/* What a plan is made from. */
struct making {
	const struct config *config;
	struct upstream *upstream;
	const struct areas *areas;
	struct arena *arena;
};

/* A listener, and whom it asks. */
struct asking {
	const struct making *making;
	const struct config_listener *listener;
	size_t index;             /* of the listener */
	struct asked_pool *pools; /* the first is its own */
	size_t npools;
};

static const struct asked_pool *find_pool(const struct asking *asking, size_t index)
{
	const struct asked_pool *asked = asking->pools;

	while (asked->index != index)
		asked++;
	return asked;
}

/* The nearest site that has anyone; that of endpoints without a location is last. */
static size_t nearest_ring(const struct ring_set *rings, const struct asked_pool *asked,
			   const uint8_t *order)
{
	size_t first = asked->first + 1, i = 0;

	while (i < asked->sites.count && !rings->is_alive[first + order[i]])
		i++;
	return first + (i < asked->sites.count ? order[i] : i);
}

static uint16_t ring_for(const struct asking *asking, const struct ring_set *rings, uint32_t area)
{
	const struct making *making = asking->making;
	size_t index = areas_pool(making->areas, making->config, asking->index, area);
	const struct asked_pool *asked = find_pool(asking, index);
	const uint8_t *order = asked->is_nearest ? areas_order(making->areas, index, area) : NULL;
	size_t ring = order ? nearest_ring(rings, asked, order) : asked->first;

	return rings->is_alive[ring] ? (uint16_t)ring : DISPATCH_NO_RING;
}

static bool goes_by_place(const struct asking *asking)
{
	return asking->making->areas && (asking->npools > 1 || asking->pools[0].is_nearest);
}

static int set_rings(const struct asking *asking, const struct ring_set *rings,
		     struct dispatch_service *service)
{
	uint32_t nareas = areas_table(asking->making->areas)->count;
	uint16_t *ring_of_area = arena_alloc_array(asking->making->arena, nareas,
						   sizeof(*ring_of_area));

	if (!ring_of_area)
		return -ENOMEM;
	for (uint32_t area = 0; area < nareas; area++)
		ring_of_area[area] = ring_for(asking, rings, area);
	service->nrings = rings->count;
	service->ring_weights = rings->weights;
	service->ring_of_area = ring_of_area;
	return 0;
}

/* What it has in any ring: a pool that goes by places has it in several, and it is the same. */
static void set_weights(const struct ring_set *rings, struct members *members)
{
	for (size_t ring = 0; ring < rings->count; ring++)
		for (size_t i = 0; i < members->count; i++) {
			uint32_t weight = rings->weights[ring * members->count + i];

			if (weight > members->all[i].weight)
				members->all[i].weight = weight;
		}
}

static int make_rings(const struct asking *asking, struct members *members, struct ring_set *ret)
{
	const struct making *making = asking->making;
	const struct asked_pool *last = &asking->pools[asking->npools - 1];

	*ret = (struct ring_set){.members = members, .count = last->first + rings_of(last)};
	if (ret->count >= DISPATCH_NO_RING)
		return -E2BIG;
	ret->weights = arena_alloc_array(making->arena, ret->count * (members->count + 1),
					 sizeof(*ret->weights));
	ret->is_alive = arena_alloc_array(making->arena, ret->count, sizeof(*ret->is_alive));
	if (!ret->weights || !ret->is_alive)
		return -ENOMEM;
	for (size_t i = 0; i < asking->npools; i++)
		fill_rings(ret, &asking->pools[i],
			   upstream_pool(making->upstream, asking->pools[i].index),
			   making->config->zone);
	return 0;
}

static int add_endpoints(const struct asking *asking, struct dispatch_service *service)
{
	const struct making *making = asking->making;
	struct members members = {
		.arena = making->arena,
		.family = service->address.sa.sa_family,
		.keeps_ports = service->last_port != address_port(&service->address),
	};
	struct ring_set rings;
	int err;

	for (size_t i = 0; i < asking->npools; i++) {
		members.pool = &making->config->pools[asking->pools[i].index];
		pool_for_each(upstream_pool(making->upstream, asking->pools[i].index), add_member,
			      &members);
	}
	err = members.is_out_of_memory ? -ENOMEM : make_rings(asking, &members, &rings);
	if (err)
		return err;
	set_weights(&rings, &members);
	service->endpoints = members.all;
	service->nendpoints = members.count;
	return goes_by_place(asking) ? set_rings(asking, &rings, service) : 0;
}

/* Return: 0; -ENOMEM. */
static int ask(const struct making *making, size_t index, struct asking *ret)
{
	const struct config_listener *listener = &making->config->listeners[index];
	size_t pool, nrings = 0;

	*ret = (struct asking){.making = making, .listener = listener, .index = index};
	ret->pools = arena_alloc_array(making->arena, listener->nroutes + 1, sizeof(*ret->pools));
	if (!ret->pools)
		return -ENOMEM;
	for (size_t n = 0; n <= listener->nroutes; n++) {
		struct asked_pool *asked = &ret->pools[ret->npools];

		if (!config_dispatch_pool(listener, n, &pool))
			continue;
		asked->index = pool;
		asked->first = nrings;
		asked->is_nearest = making->config->pools[pool].is_nearest;
		if (asked->is_nearest)
			site_list_make(&making->config->pools[pool], &asked->sites);
		nrings += rings_of(asked);
		ret->npools++;
	}
	return 0;
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

static int add_services(const struct making *making, size_t index,
			struct dispatch_service *services)
{
	struct asking asking;
	const struct config_listener *listener = &making->config->listeners[index];
	int err = ask(making, index, &asking);

	for (size_t b = 0; b < listener->nbinds && !err; b++) {
		services[b] = describe(listener, &listener->binds[b],
				       &making->config->pools[listener->default_pool]);
		err = add_endpoints(&asking, &services[b]);
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

int dispatch_plan_make(const struct config *config, struct upstream *upstream,
		       const struct areas *areas, struct arena *arena, struct dispatch_plan *ret)
{
	const struct making making = {config, upstream, areas, arena};
	size_t total = count_services(config), count = 0;
	struct dispatch_service *services = arena_alloc_array(arena, total, sizeof(*services));
	int err;

	if (!services)
		return -ENOMEM;
	for (size_t i = 0; i < config->nlisteners; i++) {
		if (config->listeners[i].mode != CONFIG_MODE_DISPATCH)
			continue;
		err = add_services(&making, i, services + count);
		if (err)
			return err;
		count += config->listeners[i].nbinds;
	}
	*ret = (struct dispatch_plan){
		.services = services,
		.nservices = count,
		.areas = areas_table(areas),
		.ring_seed = config->dispatch.ring_seed,
		.new_flow_rate = config->dispatch.new_flow_rate,
	};
	return 0;
}
