// SPDX-License-Identifier: Apache-2.0
/*
 * What holds between options: names are unique, pools that are named exist, limits fit each other.
 * check_route.c looks into routes, check_pool.c into pools, check_binds.c at who listens where.
 */
#include "config/config_internal.h"

#include <stdlib.h>

/* The nearest of many names is dear; where so much is wrong, spelling is not it. */
#define SUGGESTIONS_MAX 100

struct site *new_sites(struct checker *checker, size_t count)
{
	struct site *sites = arena_alloc_array(checker->arena, count, sizeof(*sites));

	if (!sites)
		checker->is_out_of_memory = true;
	return sites;
}

static int compare_sites(const void *left, const void *right)
{
	const struct site *a = left, *b = right;
	int order = strcmp(a->text, b->text);

	if (order)
		return order;
	if (a->node->line != b->node->line)
		return a->node->line < b->node->line ? -1 : 1;
	return a->node->column < b->node->column ? -1 : a->node->column > b->node->column;
}

void check_unique(struct checker *checker, struct site *sites, size_t count, const char *what)
{
	const struct site *first = sites;
	char quoted[QUOTE_SIZE];

	if (count == 0)
		return;
	qsort(sites, count, sizeof(*sites), compare_sites);
	for (size_t i = 1; i < count; i++) {
		if (strcmp(sites[i].text, first->text) != 0) {
			first = &sites[i];
			continue;
		}
		diagnose(checker->diagnostics, sites[i].node,
			 "%s: %s is taken, first on line %u; expected one of its own", what,
			 node_quote(sites[i].node, quoted), first->node->line);
	}
}

/* --- Names --------------------------------------------------------------------- */

static void check_listener_names(struct checker *checker)
{
	const struct config *config = checker->config;
	const struct node *item = node_first(node_member(checker->root, "listeners"));
	struct site *sites = new_sites(checker, config->nlisteners);
	size_t count = 0;

	for (size_t i = 0; sites && item && i < config->nlisteners; i++, item = item->next) {
		if (config->listeners[i].name)
			sites[count++] = (struct site){config->listeners[i].name,
						       node_member_or_self(item, "name"), i};
	}
	if (sites)
		check_unique(checker, sites, count, "name");
}

static void check_pool_names(struct checker *checker, struct pool_names *ret)
{
	const struct config *config = checker->config;
	const struct node *item = node_first(node_member(checker->root, "pools"));
	struct site *sites = new_sites(checker, config->npools);

	*ret = (struct pool_names){.sites = sites};
	for (size_t i = 0; sites && item && i < config->npools; i++, item = item->next) {
		if (config->pools[i].name)
			sites[ret->count++] = (struct site){config->pools[i].name,
							    node_member_or_self(item, "name"), i};
	}
	if (sites)
		check_unique(checker, sites, ret->count, "name");
}

static int compare_name(const void *name, const void *site)
{
	return strcmp(name, ((const struct site *)site)->text);
}

static struct site *find_pool(const struct pool_names *names, const char *name)
{
	return names->count ? bsearch(name, names->sites, names->count, sizeof(*names->sites),
				      compare_name)
			    : NULL;
}

/* All of that name, where it was given twice: that is one mistake already. */
static void mark_bound(struct checker *checker, const struct pool_names *names,
		       const struct site *found)
{
	const struct site *end = names->sites + names->count, *site = found;

	while (site > names->sites && strcmp(site[-1].text, found->text) == 0)
		site--;
	for (; site < end && strcmp(site->text, found->text) == 0; site++)
		checker->config->pools[site->index].is_bound = true;
}

/* A misspelt reference binds the pool that it was meant for: one mistake, one message. */
static void report_unknown_pool(struct checker *checker, const struct pool_names *names,
				const char *name, const struct node *node)
{
	bool is_open = !node->is_from_environment && checker->diagnostics->count <= SUGGESTIONS_MAX;
	struct suggestion suggestion = {.word = slice_from_str(name)};
	char quoted[QUOTE_SIZE], nearest[SUGGESTION_SIZE];

	for (size_t i = 0; i < names->count && is_open; i++) {
		if (!names->sites[i].node->is_from_environment)
			suggestion_offer(&suggestion, names->sites[i].text);
	}
	if (suggestion.best)
		mark_bound(checker, names, find_pool(names, suggestion.best));
	diagnose(checker->diagnostics, node, "pool: %s is unknown; expected the name of a pool%s",
		 node_quote(node, quoted), suggestion_format(&suggestion, nearest));
}

bool resolve_pool(struct checker *checker, const struct pool_names *names, const char *name,
		  const struct node *node, size_t *ret)
{
	const struct site *site;

	if (!name)
		return false;
	site = find_pool(names, name);
	if (!site) {
		report_unknown_pool(checker, names, name, node);
		return false;
	}
	*ret = site->index;
	if (!checker->config->pools[site->index].is_bound)
		mark_bound(checker, names, site);
	return true;
}

static void check_bound(struct checker *checker)
{
	const struct config *config = checker->config;
	const struct node *item = node_first(node_member(checker->root, "pools"));
	char quoted[QUOTE_SIZE];

	if (checker->is_partial || config->nlisteners == 0)
		return;
	for (size_t i = 0; item && i < config->npools; i++, item = item->next) {
		const struct node *at = node_member_or_self(item, "name");

		if (config->pools[i].name && !config->pools[i].is_bound)
			diagnose(checker->diagnostics, at,
				 "pool %s is used by nobody; expected a listener or a route that "
				 "names it",
				 node_quote(at, quoted));
	}
}

/* --- Listeners ----------------------------------------------------------------- */

void check_at_most(struct checker *checker, const struct node *node, const char *small_name,
		   uint32_t small, const char *large_name, uint32_t large)
{
	const struct node *at = node_member_or_self(node, small_name);
	char quoted[QUOTE_SIZE];

	if (small <= large)
		return;
	diagnose(checker->diagnostics, at, "%s: %s is above %s; expected at most as much",
		 small_name, at->kind == NODE_SCALAR ? node_quote(at, quoted) : "the default",
		 large_name);
}

/* Limits of connections, where 0 is none. */
static void check_limit(struct checker *checker, const struct node *node, const char *small_name,
			uint32_t small, const char *large_name, uint32_t large)
{
	if (large)
		check_at_most(checker, node, small_name, small, large_name, large);
}

/* Some way out there must be. */
static void check_ways(struct checker *checker, const struct node *node)
{
	const struct node *routes = node_member(node, "routes");

	if (node->kind == NODE_MAPPING &&
	    (node_member(node, "pool") || (routes && routes->count > 0)))
		return;
	checker->is_partial = true;
	if (node->kind == NODE_MAPPING && (!routes || routes->kind == NODE_LIST))
		diagnose(checker->diagnostics, node,
			 "a listener has neither pool nor routes; expected one of them");
}

/* Nobody would run them. */
void check_filters(struct checker *checker, const struct config_listener *listener,
		   const struct node *node)
{
	const struct node *filters = node_member(node, "filters");

	if (!filters)
		return;
	if (listener->mode != CONFIG_MODE_HTTP)
		diagnose(checker->diagnostics, filters,
			 "filters are not for mode tcp; expected mode http with them");
	else if (filters->count > CONFIG_FILTERS_MAX)
		diagnose(checker->diagnostics, filters,
			 "filters has %zu items; expected at most %d", filters->count,
			 CONFIG_FILTERS_MAX);
}

static void check_forwarding(struct checker *checker, const struct config_listener *listener,
			     const struct node *node)
{
	const struct config_forwarding *forwarding = &listener->forwarding;

	bool is_used = forwarding->ntrust || forwarding->request_id || forwarding->client_cert;
	const struct node *at = node_member(node, "forwarding");

	if (listener->mode != CONFIG_MODE_HTTP && is_used)
		diagnose(checker->diagnostics, at,
			 "forwarding is not for mode tcp; expected mode http with it");
	else if (forwarding->client_cert && listener->tls.client_auth == CONFIG_CLIENT_AUTH_OFF)
		diagnose(checker->diagnostics, node_member_or_self(at, "client_cert"),
			 "client_cert: the listener asks clients for none; expected "
			 "tls.client_auth");
}

/* What only HTTP can do with care. */
static void check_tls(struct checker *checker, const struct config_listener *listener,
		      const struct node *node)
{
	const struct config_tls *tls = &listener->tls;
	const struct node *at = node_member(node, "tls");

	if (tls->early_data_bytes && listener->mode != CONFIG_MODE_HTTP)
		diagnose(checker->diagnostics, node_member_or_self(at, "early_data"),
			 "early_data is not for mode tcp; expected mode http with it");
	else if (tls->early_data_bytes && !tls->has_tickets)
		diagnose(checker->diagnostics, node_member_or_self(at, "early_data"),
			 "early_data: nobody can resume without tickets; expected tickets: true");
	if (tls->host_check != CONFIG_HOST_CHECK_OFF && listener->mode != CONFIG_MODE_HTTP)
		diagnose(checker->diagnostics, node_member_or_self(at, "host_check"),
			 "host_check is not for mode tcp; expected mode http with it");
}

static void check_listener(struct checker *checker, const struct pool_names *names,
			   struct config_listener *listener, const struct node *node)
{
	listener->has_default_pool = resolve_pool(checker, names, listener->default_pool_name,
						  node_member(node, "pool"),
						  &listener->default_pool);
	if (listener->mode == CONFIG_MODE_DISPATCH) {
		check_dispatch(checker, names, listener, node);
		return;
	}
	check_no_dispatch(checker, listener, node);
	check_routes(checker, names, listener, node);
	check_filters(checker, listener, node);
	check_forwarding(checker, listener, node);
	check_tls(checker, listener, node);
	check_ways(checker, node);
	check_limit(checker, node, "max_connections_per_source",
		    listener->max_connections_per_source, "max_connections",
		    listener->max_connections);
	check_limit(checker, node, "max_connections", listener->max_connections,
		    "limits.max_connections", checker->config->limits.max_connections);
}

static void check_limits(struct checker *checker)
{
	const struct config_limits *limits = &checker->config->limits;
	const struct node *node = node_member_or_self(checker->root, "limits");

	check_limit(checker, node, "max_connections_per_source", limits->max_connections_per_source,
		    "max_connections", limits->max_connections);
	check_at_most(checker, node, "receive_buffer_size", limits->receive_buffer_bytes,
		      "relay_buffer_size", limits->relay_buffer_bytes);
}

void check_config(struct checker *checker)
{
	struct config *config = checker->config;
	const struct node *item = node_first(node_member(checker->root, "listeners"));
	struct pool_names names;

	check_limits(checker);
	check_geo(checker);
	check_listener_names(checker);
	check_pool_names(checker, &names);
	for (size_t i = 0; item && i < config->nlisteners; i++, item = item->next)
		check_listener(checker, &names, &config->listeners[i], item);
	check_bound(checker);
	check_pools(checker);
	check_pool_use(checker);
	check_binds(checker);
	check_answers(checker);
	check_dispatch_size(checker);
	check_loops(checker);
}
