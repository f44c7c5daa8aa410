// SPDX-License-Identifier: Apache-2.0
/*
 * Picks a pool for a TCP connection. As the name counts first, routes hang in a hash table by the
 * name that they ask for: a request looks up its own name, then each wildcard that could match it,
 * then "*", then the routes that ask for no name, and takes the best of the first that has any.
 * Thousands of names cost no more than a few; routes that share a name are compared one by one.
 */
#include "route/tcp_route.h"

#include "core/hash.h"

#include <errno.h>
#include <stdlib.h>

/* Ends the list of a name's rules. */
#define NO_RULE UINT32_MAX

/* A route under one of its names; in the order of the file. */
struct rule {
	const struct config_route *route;
	uint32_t next;
};

struct name_slot {
	struct slice key;
	uint32_t first, last;
	bool is_used;
};

struct tcp_route_table {
	const struct config_listener *listener;
	bool needs_hello;
	uint32_t nrules;
	size_t mask; /* the number of slots, a power of two, less one */
	struct name_slot *slots;
	struct rule rules[];
};

/* Where no name is asked for, and where any. */
static const struct slice key_none = {"", 0};
static const struct slice key_any = {"*", 1};

/* A wildcard's key is what it stands before, ".example.com"; no host name begins so. */
static struct slice key_of(const char *sni)
{
	struct slice name = slice_from_str(sni);

	return name.len > 1 && name.ptr[0] == '*' ? slice_skip(name, 1) : name;
}

/* Return: the slot that has the key, or the free one where it belongs. */
static struct name_slot *find_slot(const struct tcp_route_table *table, struct slice key)
{
	size_t i = hash_bytes(key, 0) & table->mask;

	while (table->slots[i].is_used && !slice_equal(table->slots[i].key, key))
		i = (i + 1) & table->mask;
	return &table->slots[i];
}

static void add_rule(struct tcp_route_table *table, const struct config_route *route,
		     struct slice key)
{
	struct name_slot *slot = find_slot(table, key);
	uint32_t rule = table->nrules++;

	table->rules[rule] = (struct rule){.route = route, .next = NO_RULE};
	if (slot->is_used)
		table->rules[slot->last].next = rule;
	else
		*slot = (struct name_slot){.key = key, .first = rule, .is_used = true};
	slot->last = rule;
}

static void add_route(struct tcp_route_table *table, const struct config_route *route)
{
	if (route->nsni == 0)
		add_rule(table, route, key_none);
	for (size_t i = 0; i < route->nsni; i++)
		add_rule(table, route, key_of(route->sni[i]));
	if (route->nsni || route->nalpn)
		table->needs_hello = true;
}

static size_t count_rules(const struct config_listener *listener)
{
	size_t count = 0;

	for (size_t i = 0; i < listener->nroutes; i++)
		count += listener->routes[i].nsni ? listener->routes[i].nsni : 1;
	return count;
}

struct tcp_route_table *tcp_route_table_new(const struct config_listener *listener)
{
	size_t nrules = count_rules(listener), nslots = 2;
	struct tcp_route_table *table;

	if (nrules >= NO_RULE)
		return NULL;
	/* At most half full, so that a search always meets a free slot soon. */
	while (nslots < 2 * nrules)
		nslots *= 2;
	table = calloc(1, sizeof(*table) + nrules * sizeof(table->rules[0]));
	if (!table)
		return NULL;
	table->slots = calloc(nslots, sizeof(table->slots[0]));
	if (!table->slots) {
		free(table);
		return NULL;
	}
	table->listener = listener;
	table->mask = nslots - 1;
	for (size_t i = 0; i < listener->nroutes; i++)
		add_route(table, &listener->routes[i]);
	return table;
}

void tcp_route_table_free(struct tcp_route_table *table)
{
	if (!table)
		return;
	free(table->slots);
	free(table);
}

bool tcp_route_table_needs_hello(const struct tcp_route_table *table)
{
	return table->needs_hello;
}

/*
 * How specific a condition is for this request: -1 if it does not hold, 0 if there is none, else
 * the more the higher.
 */
static int rank_source(const struct config_route *route, const struct address *source)
{
	int rank = route->nsource ? -1 : 0;

	for (size_t i = 0; i < route->nsource; i++)
		if (route->source[i].bits + 1 > rank && prefix_contains(&route->source[i], source))
			rank = route->source[i].bits + 1;
	return rank;
}

static int rank_port(const struct config_route *route, uint16_t port)
{
	for (size_t i = 0; i < route->nport; i++)
		if (route->port[i] == port)
			return 1;
	return route->nport ? -1 : 0;
}

static int rank_alpn(const struct config_route *route, const struct client_hello *hello)
{
	size_t noffered = hello ? hello->nalpn : 0;

	for (size_t i = 0; i < route->nalpn; i++)
		for (size_t k = 0; k < noffered; k++)
			if (slice_equal_str(hello->alpn[k], route->alpn[i]))
				return 1;
	return route->nalpn ? -1 : 0;
}

/* All but the name, as one number in the order in which they count. */
static int rank_route(const struct config_route *route, const struct tcp_route_request *request)
{
	int source = rank_source(route, request->source);
	int port = rank_port(route, request->port);
	int alpn = rank_alpn(route, request->hello);

	return source < 0 || port < 0 || alpn < 0 ? -1 : source << 2 | port << 1 | alpn;
}

/* Of those that ask for one name. Return: NULL if none holds. */
static const struct config_route *best_of(const struct tcp_route_table *table, struct slice key,
					  const struct tcp_route_request *request)
{
	const struct name_slot *slot = find_slot(table, key);
	const struct config_route *best = NULL;
	int best_rank = -1;

	for (uint32_t i = slot->is_used ? slot->first : NO_RULE; i != NO_RULE;
	     i = table->rules[i].next) {
		int rank = rank_route(table->rules[i].route, request);

		if (rank <= best_rank)
			continue;
		best_rank = rank;
		best = table->rules[i].route;
	}
	return best;
}

static const struct config_route *find_by_name(const struct tcp_route_table *table,
					       struct slice name,
					       const struct tcp_route_request *request)
{
	const struct config_route *route = best_of(table, name, request);
	const char *dot;

	/* From the longest end of the name to the shortest, each with its dot. */
	while (!route && (dot = memchr(name.ptr, '.', name.len))) {
		name = slice_skip(name, (size_t)(dot - name.ptr));
		route = best_of(table, name, request);
		name = slice_skip(name, 1);
	}
	return route ? route : best_of(table, key_any, request);
}

int tcp_route_match(const struct tcp_route_table *table, const struct tcp_route_request *request)
{
	const struct config_listener *listener = table->listener;
	const struct config_route *route = NULL;

	if (request->hello && request->hello->sni[0])
		route = find_by_name(table, slice_from_str(request->hello->sni), request);
	if (!route)
		route = best_of(table, key_none, request);
	if (route)
		return (int)route->pool;
	return listener->has_default_pool ? (int)listener->default_pool : -ENOENT;
}
