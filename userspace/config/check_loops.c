// SPDX-License-Identifier: Apache-2.0
/*
 * Endpoints that are listeners of ours. One behind another is a chain, and fine; where the way
 * comes back to where it began, each connection makes another one until there are no descriptors
 * left. It surely does where no listener on the way has routes; where routes may lead elsewhere,
 * that is only said. Of addresses of other machines, names, and what other listeners at every
 * address take, nothing is known here.
 */
#include "config/config_internal.h"

#include <string.h>

/* What goes to the endpoint at @node comes from one listener and to another. */
struct edge {
	size_t from, to;
	const struct node *node;
	bool is_sure; /* all that comes to @from may go there */
};

struct edges {
	struct edge *all;
	size_t count, cap;
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

static bool speaks(const struct config_listener *listener, bool is_udp)
{
	for (size_t i = 0; i < listener->nbinds; i++)
		if (listener->binds[i].is_udp == is_udp)
			return true;
	return false;
}

/* --- Edges -------------------------------------------------------------------------------------*/

static bool leads_to(const struct config_listener *listener, size_t pool)
{
	if (listener->has_default_pool && listener->default_pool == pool)
		return true;
	for (size_t i = 0; i < listener->nroutes; i++)
		if (route_leads_to(&listener->routes[i], pool))
			return true;
	return false;
}

static bool make_room(struct checker *checker, struct edges *edges)
{
	size_t cap = edges->cap ? 2 * edges->cap : 16;
	struct edge *all;

	if (edges->count < edges->cap)
		return true;
	all = arena_alloc_array(checker->arena, cap, sizeof(*all));
	if (!all) {
		checker->is_out_of_memory = true;
		return false;
	}
	if (edges->count)
		memcpy(all, edges->all, edges->count * sizeof(*all));
	edges->all = all;
	edges->cap = cap;
	return true;
}

static void add_edges_to(struct checker *checker, struct edges *edges, size_t to, size_t pool,
			 bool is_udp, const struct node *node)
{
	for (size_t from = 0; from < checker->config->nlisteners; from++) {
		const struct config_listener *listener = &checker->config->listeners[from];

		if (speaks(listener, is_udp) && leads_to(listener, pool) &&
		    make_room(checker, edges))
			edges->all[edges->count++] = (struct edge){from, to, node,
								   !listener->nroutes};
	}
}

static void add_endpoint(struct checker *checker, struct edges *edges, size_t pool,
			 const struct config_endpoint *endpoint, const struct node *node)
{
	for (size_t to = 0; to < checker->config->nlisteners; to++) {
		const struct config_listener *listener = &checker->config->listeners[to];

		for (size_t i = 0; i < listener->nbinds; i++)
			if (is_at(listener, &listener->binds[i], &endpoint->address))
				add_edges_to(checker, edges, to, pool, listener->binds[i].is_udp,
					     node);
	}
}

/* Few endpoints have a port that a listener has: a bit for each. */
static void note_ports(const struct config *config, uint64_t ports[1024])
{
	for (size_t i = 0; i < config->nlisteners; i++)
		for (size_t b = 0; b < config->listeners[i].nbinds; b++) {
			const struct config_bind *bind = &config->listeners[i].binds[b];

			for (uint32_t port = address_port(&bind->address);
			     address_is_ip(&bind->address) && port <= bind->last_port; port++)
				ports[port / 64] |= 1ull << port % 64;
		}
}

static bool may_be_ours(const uint64_t ports[1024], const struct config_endpoint *endpoint)
{
	uint16_t port = address_port(&endpoint->address);

	if (!endpoint->address.len || !endpoint->weight)
		return false;
	return !address_is_ip(&endpoint->address) || ports[port / 64] >> port % 64 & 1;
}

static void add_pool(struct checker *checker, struct edges *edges, const uint64_t ports[1024],
		     size_t pool, const struct node *node)
{
	const struct config_pool *config = &checker->config->pools[pool];
	const struct node *item = node_first(node_member(node, "endpoints"));

	for (size_t i = 0; item && i < config->nendpoints; i++, item = item->next)
		if (may_be_ours(ports, &config->endpoints[i]))
			add_endpoint(checker, edges, pool, &config->endpoints[i],
				     node_member_or_self(item, "address"));
}

/* --- The way back ------------------------------------------------------------------------------*/

static bool follow(const struct edges *edges, bool only_sure, bool *visited)
{
	bool has_more = false;

	for (size_t i = 0; i < edges->count; i++) {
		const struct edge *edge = &edges->all[i];

		if (visited[edge->from] && !visited[edge->to] && (edge->is_sure || !only_sure))
			has_more = visited[edge->to] = true;
	}
	return has_more;
}

static bool comes_back(const struct edges *edges, const struct edge *edge, bool only_sure,
		       bool *visited, size_t nlisteners)
{
	if (only_sure && !edge->is_sure)
		return false;
	memset(visited, 0, nlisteners * sizeof(*visited));
	visited[edge->to] = true;
	while (!visited[edge->from] && follow(edges, only_sure, visited))
		continue;
	return visited[edge->from];
}

static void report(struct checker *checker, const struct edges *edges, bool *visited)
{
	size_t count = checker->config->nlisteners;
	const struct node *told = NULL;
	char quoted[QUOTE_SIZE];

	for (size_t i = 0; i < edges->count; i++) {
		const struct edge *edge = &edges->all[i];
		const char *name = checker->config->listeners[edge->to].name;

		if (edge->node == told || !comes_back(edges, edge, false, visited, count))
			continue;
		told = edge->node;
		if (comes_back(edges, edge, true, visited, count))
			diagnose(checker->diagnostics, told,
				 "address: %s is listener %s, which sends back here: a loop; "
				 "expected another server",
				 node_quote(told, quoted), name);
		else
			warn(checker->diagnostics, told,
			     "address: %s is listener %s, whose routes may send back here: a loop "
			     "then",
			     node_quote(told, quoted), name);
	}
}

void check_loops(struct checker *checker)
{
	const struct node *item = node_first(node_member(checker->root, "pools"));
	const struct config *config = checker->config;
	struct edges edges = {};
	uint64_t ports[1024] = {};
	bool *visited;

	if (checker->is_partial)
		return;
	note_ports(config, ports);
	for (size_t i = 0; item && i < config->npools; i++, item = item->next)
		add_pool(checker, &edges, ports, i, item);
	if (!edges.count)
		return;
	visited = arena_alloc_array(checker->arena, config->nlisteners, sizeof(*visited));
	if (visited)
		report(checker, &edges, visited);
	else
		checker->is_out_of_memory = true;
}
