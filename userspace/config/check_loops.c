// SPDX-License-Identifier: Apache-2.0
/*
 * Endpoints that are listeners of ours. One behind another is a chain, and fine; where the way
 * comes back to where it began, each connection makes another one until there are no descriptors
 * left. It surely does where no listener on the way has routes; where routes may lead elsewhere,
 * that is only said. Of addresses of other machines, names, and what other listeners at every
 * address take, nothing is known here.
 *
 * Listeners and pools are the nodes of a graph: a listener leads to its pools, a pool to the
 * listeners that its endpoints are. An endpoint is part of a loop if it leads back into the
 * component of its pool.
 */
#include "config/components.h"
#include "config/config_internal.h"
#include "core/hash.h"

#include <stdlib.h>
#include <string.h>

/* One address of a listener. */
struct place {
	uint64_t host; /* a hash of the address without its port: place_key() */
	uint16_t first_port, last_port;
	uint16_t reach; /* the greatest last_port of this host so far */
	uint32_t listener;
	const struct config_bind *bind;
};

/* An endpoint that is a listener. */
struct meeting {
	const struct node *node;
	uint32_t pool, listener; /* nodes of the graph */
};

struct loops {
	struct checker *checker;
	struct place *places; /* by host, then by port */
	size_t nplaces;
	struct meeting *meetings; /* in the order of the file */
	size_t nmeetings, meetings_cap;
	struct graph_edge *edges;
	size_t nedges, edges_cap;
	uint32_t from; /* the listener whose pools are visited */
};

/* --- Whose address an endpoint has -------------------------------------------------------------*/

static bool is_loopback(const struct address *address)
{
	if (address->sa.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
	return address->sa.sa_family == AF_INET &&
	       (ntohl(address->v4.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
}

static bool takes_family(const struct config_listener *listener, const struct config_bind *bind,
			 int family)
{
	return bind->address.sa.sa_family == family ||
	       (bind->address.sa.sa_family == AF_INET6 && !listener->is_v6only);
}

static bool is_at(const struct config_listener *listener, const struct config_bind *bind,
		  const struct address *endpoint)
{
	struct address own = bind->address, other = *endpoint;
	uint16_t port = address_port(&other);

	if (!address_is_ip(&other))
		return address_equal(&own, &other);
	if (!address_is_ip(&own) || port < address_port(&own) || port > bind->last_port)
		return false;
	if (address_is_any(&own))
		return is_loopback(&other) && takes_family(listener, bind, other.sa.sa_family);
	address_set_port(&own, port);
	return address_equal(&own, &other);
}

static uint64_t key_of_host(const uint8_t ip[16], sa_family_t family)
{
	return hash_bytes(slice_of((const char *)ip, 16), family);
}

static uint64_t place_key(const struct address *address)
{
	struct prefix host;

	if (prefix_of(address, 128, &host))
		return key_of_host(host.ip, host.family);
	return hash_bytes(slice_of((const char *)&address->sa, address->len), 0);
}

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	if (a->host != b->host)
		return a->host < b->host ? -1 : 1;
	if (a->first_port != b->first_port)
		return a->first_port < b->first_port ? -1 : 1;
	return a->listener < b->listener ? -1 : a->listener > b->listener;
}

static void add_places(struct loops *loops, const struct config_listener *listener, uint32_t number)
{
	for (size_t i = 0; i < listener->nbinds; i++) {
		const struct config_bind *bind = &listener->binds[i];

		loops->places[loops->nplaces++] = (struct place){
			.host = place_key(&bind->address),
			.first_port = address_port(&bind->address),
			.last_port = bind->last_port,
			.listener = number,
			.bind = bind,
		};
	}
}

static bool list_places(struct loops *loops)
{
	const struct config *config = loops->checker->config;
	size_t count = 0;

	for (size_t i = 0; i < config->nlisteners; i++)
		count += config->listeners[i].nbinds;
	loops->places = arena_alloc_array(loops->checker->arena, count, sizeof(*loops->places));
	if (!loops->places)
		return false;
	for (size_t i = 0; i < config->nlisteners; i++)
		add_places(loops, &config->listeners[i], (uint32_t)i);
	qsort(loops->places, count, sizeof(*loops->places), compare_places);
	for (size_t i = 0; i < count; i++) {
		struct place *place = &loops->places[i], *before = i ? place - 1 : NULL;

		place->reach = place->last_port;
		if (before && before->host == place->host && before->reach > place->reach)
			place->reach = before->reach;
	}
	return true;
}

/* Return: so many places come before those of @host that begin behind @port. */
static size_t count_before(const struct loops *loops, uint64_t host, uint16_t port)
{
	size_t low = 0, high = loops->nplaces;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct place *place = &loops->places[middle];

		if (place->host < host || (place->host == host && place->first_port <= port))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* --- The graph ---------------------------------------------------------------------------------*/

/* Of each pool there are two: what goes there by TCP, and by UDP. */
static uint32_t pool_node(const struct loops *loops, size_t pool, bool is_udp)
{
	return (uint32_t)(loops->checker->config->nlisteners + 2 * pool + is_udp);
}

/* Return: room for one more of @size at the end of @all, which may be moved; NULL: out of memory,
 * remembered. */
static void *make_room(struct checker *checker, void *all, size_t count, size_t *cap, size_t size)
{
	size_t larger = *cap ? 2 * *cap : 64;
	void *moved;

	if (count < *cap)
		return all;
	moved = arena_alloc_array(checker->arena, larger, size);
	if (!moved) {
		checker->is_out_of_memory = true;
		return NULL;
	}
	if (count)
		memcpy(moved, all, count * size);
	*cap = larger;
	return moved;
}

static void add_edge(struct loops *loops, uint32_t from, uint32_t to)
{
	struct graph_edge *edges = make_room(loops->checker, loops->edges, loops->nedges,
					     &loops->edges_cap, sizeof(*edges));

	if (!edges)
		return;
	loops->edges = edges;
	edges[loops->nedges++] = (struct graph_edge){from, to};
}

static void add_meeting(struct loops *loops, const struct meeting *meeting)
{
	struct meeting *meetings = make_room(loops->checker, loops->meetings, loops->nmeetings,
					     &loops->meetings_cap, sizeof(*meetings));

	if (!meetings)
		return;
	loops->meetings = meetings;
	meetings[loops->nmeetings++] = *meeting;
}

static void look_at_host(struct loops *loops, uint64_t host, size_t pool,
			 const struct address *endpoint, const struct node *node)
{
	uint16_t port = address_port(endpoint);

	for (size_t i = count_before(loops, host, port); i > 0; i--) {
		const struct place *place = &loops->places[i - 1];

		if (place->host != host || place->reach < port)
			return;
		if (is_at(&loops->checker->config->listeners[place->listener], place->bind,
			  endpoint))
			add_meeting(loops,
				    &(struct meeting){node,
						      pool_node(loops, pool, place->bind->is_udp),
						      place->listener});
	}
}

static void look_at_endpoint(struct loops *loops, size_t pool,
			     const struct config_endpoint *endpoint, const struct node *node)
{
	static const uint8_t any[16];

	if (!endpoint->address.len || !endpoint->weight)
		return;
	look_at_host(loops, place_key(&endpoint->address), pool, &endpoint->address, node);
	if (!is_loopback(&endpoint->address))
		return;
	look_at_host(loops, key_of_host(any, AF_INET), pool, &endpoint->address, node);
	look_at_host(loops, key_of_host(any, AF_INET6), pool, &endpoint->address, node);
}

static void look_at_pools(struct loops *loops)
{
	const struct node *item = node_first(node_member(loops->checker->root, "pools"));
	const struct config *config = loops->checker->config;

	for (size_t i = 0; item && i < config->npools; i++, item = item->next) {
		const struct config_pool *pool = &config->pools[i];
		const struct node *endpoint = node_first(node_member(item, "endpoints"));

		for (size_t e = 0; endpoint && e < pool->nendpoints; e++, endpoint = endpoint->next)
			look_at_endpoint(loops, i, &pool->endpoints[e],
					 node_member_or_self(endpoint, "address"));
	}
}

static bool speaks(const struct config_listener *listener, bool is_udp)
{
	for (size_t i = 0; i < listener->nbinds; i++)
		if (listener->binds[i].is_udp == is_udp)
			return true;
	return false;
}

static void lead_to(size_t pool, void *context)
{
	struct loops *loops = context;
	const struct config *config = loops->checker->config;

	for (unsigned is_udp = 0; is_udp < 2 && pool < config->npools; is_udp++)
		if (speaks(&config->listeners[loops->from], is_udp))
			add_edge(loops, loops->from, pool_node(loops, pool, is_udp));
}

/* NULL: out of memory. @only_sure: by listeners without routes. */
static const uint32_t *find_components(struct loops *loops, bool only_sure)
{
	struct checker *checker = loops->checker;
	const struct config *config = checker->config;
	uint32_t *components = NULL;

	loops->nedges = 0;
	for (size_t i = 0; i < config->nlisteners; i++) {
		loops->from = (uint32_t)i;
		if (!only_sure || !config->listeners[i].nroutes)
			for_each_pool_of(&config->listeners[i], lead_to, loops);
	}
	for (size_t i = 0; i < loops->nmeetings; i++)
		add_edge(loops, loops->meetings[i].pool, loops->meetings[i].listener);
	if (components_number(checker->arena, pool_node(loops, config->npools, false), loops->edges,
			      loops->nedges, &components))
		checker->is_out_of_memory = true;
	return components;
}

/* --- The way back ------------------------------------------------------------------------------*/

static bool comes_back(const struct meeting *meeting, const uint32_t *components)
{
	return components[meeting->pool] == components[meeting->listener];
}

/* Once for each endpoint, whatever listeners it is. */
static void report(struct loops *loops, const uint32_t *likely, const uint32_t *sure)
{
	struct diagnostics *diagnostics = loops->checker->diagnostics;
	const struct node *told = NULL;
	char quoted[QUOTE_SIZE];

	for (size_t i = 0; i < loops->nmeetings; i++) {
		const struct meeting *meeting = &loops->meetings[i];
		const char *name = loops->checker->config->listeners[meeting->listener].name;

		if (meeting->node == told || !comes_back(meeting, likely))
			continue;
		told = meeting->node;
		if (comes_back(meeting, sure))
			diagnose(diagnostics, told,
				 "address: %s is listener %s, which sends back here: a loop; "
				 "expected another server",
				 node_quote(told, quoted), name);
		else
			warn(diagnostics, told,
			     "address: %s is listener %s, whose routes may send back here: a loop "
			     "then",
			     node_quote(told, quoted), name);
	}
}

void check_loops(struct checker *checker)
{
	struct loops loops = {.checker = checker};
	const uint32_t *likely, *sure;

	if (checker->is_partial)
		return;
	if (!list_places(&loops)) {
		checker->is_out_of_memory = true;
		return;
	}
	look_at_pools(&loops);
	if (!loops.nmeetings)
		return;
	likely = find_components(&loops, false);
	sure = find_components(&loops, true);
	if (likely && sure)
		report(&loops, likely, sure);
}
