// SPDX-License-Identifier: Apache-2.0
/*
 * Picks a pool for a TCP connection. Name and source count first, so routes hang in a hash table by
 * both. A request looks up its own name, then each wildcard that could match it, then "*", then the
 * routes that ask for no name; each with the networks that it is in, the longest prefix first. The
 * first place that has a route that holds decides: thousands of routes cost no more than a few, and
 * only those that share name and network are compared one by one, by port and ALPN.
 */
#include "route/tcp_route.h"

#include "core/hash.h"

#include <errno.h>
#include <stdlib.h>

/* Ends the list of a place's rules. */
#define NO_RULE UINT32_MAX
/* Lengths of prefixes that there can be in one family, 0 to 128. */
#define LENGTHS_MAX 129

/* What a route asks for by one member of each list. No prefix: family 0. No name: "". */
struct place {
	struct slice name;
	struct prefix source;
};

/* A route at one of its places; in the order of the file. */
struct rule {
	const struct config_route *route;
	uint32_t next;
};

struct slot {
	struct place place;
	uint32_t first, last;
	bool is_used;
};

/* The lengths of prefixes that routes of one family name, longest first once the table is built. */
struct lengths {
	uint8_t bits[LENGTHS_MAX];
	size_t count;
};

struct tcp_route_table {
	const struct config_listener *listener;
	bool needs_hello;
	struct lengths v4, v6;
	uint32_t nrules;
	size_t mask; /* the number of slots, a power of two, less one */
	struct slot *slots;
	struct rule rules[];
};

/* A request with the networks that it is in, most specific first; the last is none. */
struct search {
	const struct tcp_route_table *table;
	const struct tcp_route_request *request;
	struct prefix sources[LENGTHS_MAX + 1];
	size_t nsources;
};

static const struct slice name_none = {"", 0};
static const struct slice name_any = {"*", 1};
static const struct prefix source_none;

/* A wildcard hangs under what it stands before, ".example.com"; no host name begins so. */
static struct slice name_of(const char *sni)
{
	struct slice name = slice_from_str(sni);

	return name.len > 1 && name.ptr[0] == '*' ? slice_skip(name, 1) : name;
}

static uint64_t place_hash(const struct place *place)
{
	uint64_t seed = (uint64_t)place->source.family << 8 | place->source.bits;

	seed = hash_bytes(slice_of(place->source.ip, sizeof(place->source.ip)), seed);
	return hash_bytes(place->name, seed);
}

static bool place_equal(const struct place *a, const struct place *b)
{
	return a->source.family == b->source.family && a->source.bits == b->source.bits &&
	       memcmp(a->source.ip, b->source.ip, sizeof(a->source.ip)) == 0 &&
	       slice_equal(a->name, b->name);
}

/* Return: the slot that has the place, or the free one where it belongs. */
static struct slot *find_slot(const struct tcp_route_table *table, const struct place *place)
{
	size_t i = place_hash(place) & table->mask;

	while (table->slots[i].is_used && !place_equal(&table->slots[i].place, place))
		i = (i + 1) & table->mask;
	return &table->slots[i];
}

static void add_rule(struct tcp_route_table *table, const struct config_route *route,
		     const struct place *place)
{
	struct slot *slot = find_slot(table, place);
	uint32_t rule = table->nrules++;

	table->rules[rule] = (struct rule){.route = route, .next = NO_RULE};
	if (slot->is_used)
		table->rules[slot->last].next = rule;
	else
		*slot = (struct slot){.place = *place, .first = rule, .is_used = true};
	slot->last = rule;
}

/* Keeps the lengths in falling order, each once. */
static void add_length(struct lengths *lengths, uint8_t bits)
{
	size_t at = 0;

	while (at < lengths->count && lengths->bits[at] > bits)
		at++;
	if (at < lengths->count && lengths->bits[at] == bits)
		return;
	memmove(&lengths->bits[at + 1], &lengths->bits[at], lengths->count - at);
	lengths->bits[at] = bits;
	lengths->count++;
}

static void add_name(struct tcp_route_table *table, const struct config_route *route,
		     struct slice name)
{
	struct place place = {.name = name};

	if (route->nsource == 0)
		add_rule(table, route, &place);
	for (size_t i = 0; i < route->nsource; i++) {
		place.source = route->source[i];
		add_length(place.source.family == AF_INET ? &table->v4 : &table->v6,
			   place.source.bits);
		add_rule(table, route, &place);
	}
}

static void add_route(struct tcp_route_table *table, const struct config_route *route)
{
	if (route->nsni == 0)
		add_name(table, route, name_none);
	for (size_t i = 0; i < route->nsni; i++)
		add_name(table, route, name_of(route->sni[i]));
	if (route->nsni || route->nalpn)
		table->needs_hello = true;
}

static size_t count_rules(const struct config_listener *listener)
{
	size_t count = 0;

	for (size_t i = 0; i < listener->nroutes; i++) {
		const struct config_route *route = &listener->routes[i];

		count += (route->nsni ? route->nsni : 1) * (route->nsource ? route->nsource : 1);
	}
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

static bool holds_port(const struct config_route *route, uint16_t port)
{
	for (size_t i = 0; i < route->nport; i++)
		if (route->port[i] == port)
			return true;
	return route->nport == 0;
}

static bool holds_alpn(const struct config_route *route, const struct client_hello *hello)
{
	size_t noffered = hello ? hello->nalpn : 0;

	for (size_t i = 0; i < route->nalpn; i++)
		for (size_t k = 0; k < noffered; k++)
			if (slice_equal_str(hello->alpn[k], route->alpn[i]))
				return true;
	return route->nalpn == 0;
}

/* How specific a route is beyond its place: a named port counts more than a named ALPN. */
static int rank_route(const struct config_route *route)
{
	return (route->nport ? 2 : 0) + (route->nalpn ? 1 : 0);
}

/* Return: the best route at the place that holds; NULL if none does. */
static const struct config_route *best_at(const struct search *search, const struct place *place)
{
	const struct tcp_route_table *table = search->table;
	const struct slot *slot = find_slot(table, place);
	const struct config_route *best = NULL;

	for (uint32_t i = slot->is_used ? slot->first : NO_RULE; i != NO_RULE;
	     i = table->rules[i].next) {
		const struct config_route *route = table->rules[i].route;

		if (best && rank_route(route) <= rank_route(best))
			continue;
		if (holds_port(route, search->request->port) &&
		    holds_alpn(route, search->request->hello))
			best = route;
	}
	return best;
}

static const struct config_route *find_by_source(const struct search *search, struct slice name)
{
	const struct config_route *route = NULL;

	for (size_t i = 0; i < search->nsources && !route; i++)
		route = best_at(search, &(struct place){name, search->sources[i]});
	return route;
}

static const struct config_route *find_by_name(const struct search *search, struct slice name)
{
	const struct config_route *route = find_by_source(search, name);
	const char *dot;

	/* From the longest end of the name to the shortest, each with its dot. */
	while (!route && (dot = memchr(name.ptr, '.', name.len))) {
		name = slice_skip(name, (size_t)(dot - name.ptr));
		route = find_by_source(search, name);
		name = slice_skip(name, 1);
	}
	return route ? route : find_by_source(search, name_any);
}

static void search_init(struct search *search, const struct tcp_route_table *table,
			const struct tcp_route_request *request)
{
	struct address source = *request->source;
	const struct lengths *lengths;

	search->table = table;
	search->request = request;
	search->nsources = 0;
	address_unmap(&source);
	lengths = address_is_ip(&source) && source.sa.sa_family == AF_INET ? &table->v4
									   : &table->v6;
	for (size_t i = 0; i < lengths->count; i++)
		if (prefix_of(&source, lengths->bits[i], &search->sources[search->nsources]))
			search->nsources++;
	search->sources[search->nsources++] = source_none;
}

int tcp_route_match(const struct tcp_route_table *table, const struct tcp_route_request *request)
{
	const struct config_listener *listener = table->listener;
	const struct config_route *route = NULL;
	struct search search;

	search_init(&search, table, request);
	if (request->hello && request->hello->sni[0])
		route = find_by_name(&search, slice_from_str(request->hello->sni));
	if (!route)
		route = find_by_source(&search, name_none);
	if (route)
		return (int)route->action.pool.index;
	return listener->has_default_pool ? (int)listener->default_pool : -ENOENT;
}
