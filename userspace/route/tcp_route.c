// SPDX-License-Identifier: Apache-2.0
/*
 * Picks a pool for a TCP connection. Name and source count first, so routes hang in a hash table by
 * both. A request looks up its own name, then each wildcard that could match it, then "*", then the
 * routes that ask for no name; each with the networks that it is in, the longest prefix first. The
 * first place that has a route that holds decides: thousands of routes cost no more than a few, and
 * only those that share name and network are compared one by one, by port and ALPN.
 */
#include "route/tcp_route.h"

#include "route/route_internal.h"

#include <errno.h>
#include <stdlib.h>

/* Lengths of prefixes that there can be in one family, 0 to 128. */
#define LENGTHS_MAX 129

/* The lengths of prefixes that routes of one family name, longest first once the table is built. */
struct lengths {
	uint8_t bits[LENGTHS_MAX];
	size_t count;
};

struct tcp_route_table {
	const struct config_listener *listener;
	bool needs_hello, needs_facts;
	struct lengths v4, v6;
	struct place_table places; /* name, and address and length of a network */
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

/* @prefix lives on. */
static struct place place_of(struct slice name, const struct prefix *prefix)
{
	return (struct place){
		.name = name,
		.detail = slice_of(prefix->ip, prefix->family ? sizeof(prefix->ip) : 0),
		.kind = (uint32_t)prefix->family << 8 | prefix->bits,
	};
}

/* How specific a route is beyond its place: a named port counts more than a named ALPN. */
static int rank_route(const struct config_route *route)
{
	return (route->nport ? 2 : 0) + (route->nalpn ? 1 : 0);
}

static bool is_better(const struct place_rule *a, const struct place_rule *b)
{
	int a_place = route_place_rank(a->route), b_place = route_place_rank(b->route);
	int a_rank = rank_route(a->route), b_rank = rank_route(b->route);

	if (a_place != b_place)
		return a_place > b_place;
	return a_rank != b_rank ? a_rank > b_rank : a->order < b->order;
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

static void add_name(struct tcp_route_table *table, const struct place_rule *rule,
		     struct slice name)
{
	const struct config_route *route = rule->route;
	struct place place = place_of(name, &source_none);

	if (route->nsource == 0)
		place_table_add(&table->places, &place, rule, is_better);
	for (size_t i = 0; i < route->nsource; i++) {
		const struct prefix *source = &route->source[i];

		place = place_of(name, source);
		add_length(source->family == AF_INET ? &table->v4 : &table->v6, source->bits);
		place_table_add(&table->places, &place, rule, is_better);
	}
}

static void add_route(struct tcp_route_table *table, const struct config_route *route,
		      uint32_t order)
{
	const struct place_rule rule = {.route = route, .order = order};

	table->needs_facts |= route_place_rank(route) > 0;
	if (route->nsni == 0)
		add_name(table, &rule, name_none);
	for (size_t i = 0; i < route->nsni; i++)
		add_name(table, &rule, route_name_key(route->sni[i]));
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
	struct tcp_route_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	if (place_table_init(&table->places, count_rules(listener)) < 0) {
		free(table);
		return NULL;
	}
	table->listener = listener;
	for (size_t i = 0; i < listener->nroutes; i++)
		add_route(table, &listener->routes[i], (uint32_t)i);
	return table;
}

void tcp_route_table_free(struct tcp_route_table *table)
{
	if (!table)
		return;
	place_table_done(&table->places);
	free(table);
}

bool tcp_route_table_needs_hello(const struct tcp_route_table *table)
{
	return table->needs_hello;
}

bool tcp_route_table_needs_facts(const struct tcp_route_table *table)
{
	return table->needs_facts;
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

/* Return: the best route at the place that holds; NULL if none does. */
static const struct config_route *best_at(const struct search *search, const struct place *place)
{
	const struct place_table *places = &search->table->places;
	const struct place_rule *rule = place_table_first(places, place);

	for (; rule; rule = place_table_next(places, rule))
		if (route_holds_place(rule->route, search->request->facts) &&
		    route_holds_port(rule->route, search->request->port) &&
		    holds_alpn(rule->route, search->request->hello))
			return rule->route;
	return NULL;
}

static const struct config_route *find_by_source(const struct search *search, struct slice name)
{
	const struct config_route *route = NULL;

	for (size_t i = 0; i < search->nsources && !route; i++) {
		const struct place place = place_of(name, &search->sources[i]);

		route = best_at(search, &place);
	}
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
