// SPDX-License-Identifier: Apache-2.0
/* What a listener of mode dispatch may be, and what only such a one may be. */
#include "config/config_internal.h"

#define SOURCES_MAX 8

static const struct node *dispatch_node(const struct node *listener, const char *name)
{
	return node_member_or_self(node_member_or_self(listener, "dispatch"), name);
}

/* --- Others ------------------------------------------------------------------------------------*/

/* The scalar of @bind, which knows its place; one that makes two has its first. */
static const struct node *bind_node(const struct node *listener, const struct config_bind *bind)
{
	const struct node *binds = node_member_or_self(listener, "bind");

	node_for_each (text, binds)
		if (text->line == bind->line && text->column == bind->column)
			return text;
	return binds;
}

void check_no_dispatch(struct checker *checker, const struct config_listener *listener,
		       const struct node *node)
{
	const struct node *at = node_member(node, "dispatch");
	const char *mode = config_mode_name(listener->mode);
	char quoted[QUOTE_SIZE];

	if (at)
		diagnose(checker->diagnostics, at,
			 "dispatch is not for mode %s; expected mode dispatch with it", mode);
	for (size_t i = 0; i < listener->nbinds; i++) {
		if (!listener->binds[i].is_udp)
			continue;
		at = bind_node(node, &listener->binds[i]);
		diagnose(checker->diagnostics, at,
			 "bind: %s is UDP, which mode %s does not take; expected mode dispatch "
			 "with it",
			 node_quote(at, quoted), mode);
		return;
	}
}

/* --- Options -----------------------------------------------------------------------------------*/

/* They are of sockets, and there are none. */
static void check_options(struct checker *checker, const struct node *node)
{
	static const char *const names[] = {
		"v6only",
		"backlog",
		"socket_mode",
		"proxy_protocol",
		"max_connections",
		"max_connections_per_source",
		"client_hello_timeout",
		"idle_timeout",
		"keepalive",
		"tls",
		"http",
		"forwarding",
		"filters",
		"error_pages",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct node *at = node_member(node, names[i]);

		if (at)
			diagnose(checker->diagnostics, at,
				 "%s is not for mode dispatch; expected none", names[i]);
	}
}

/* --- Addresses ---------------------------------------------------------------------------------*/

/* NULL: nothing. */
static const char *why_not_served(const struct config_bind *bind, int family)
{
	if (!address_is_ip(&bind->address))
		return "is a unix socket, which mode dispatch does not take; expected an IP "
		       "address";
	if (address_is_any(&bind->address))
		return "is every address, which mode dispatch does not take; expected the "
		       "service's own";
	if (address_port(&bind->address) == 0)
		return "has port 0, which mode dispatch does not take; expected another";
	if (bind->address.sa.sa_family != family)
		return "is of another family than the first; expected a listener for each";
	return NULL;
}

static void check_addresses(struct checker *checker, const struct config_listener *listener,
			    int family, const struct node *node)
{
	char quoted[QUOTE_SIZE];

	for (size_t i = 0; i < listener->nbinds; i++) {
		const char *why = why_not_served(&listener->binds[i], family);
		const struct node *at = bind_node(node, &listener->binds[i]);

		if (!why)
			continue;
		diagnose(checker->diagnostics, at, "bind: %s %s", node_quote(at, quoted), why);
		return;
	}
}

/* --- Sources -----------------------------------------------------------------------------------*/

static void check_source_count(struct checker *checker, const struct config_listener *listener,
			       const struct node *node)
{
	static const struct {
		size_t min, max;
		const char *expected;
	} counts[] = {
		[CONFIG_FORWARD_NAT] = {1, SOURCES_MAX,
					"forward: nat wants one to eight addresses "
					"of ours towards the endpoints"},
		[CONFIG_FORWARD_DNAT] = {0, 0, "forward: dnat keeps the client's"},
		[CONFIG_FORWARD_IPIP] = {0, 1, "forward: ipip takes one at most"},
		[CONFIG_FORWARD_GUE] = {0, 1, "forward: gue takes one at most"},
		[CONFIG_FORWARD_L2] = {0, 0, "forward: l2 keeps the client's"},
	};
	size_t count = listener->dispatch.nsources;
	enum config_forward forward = listener->dispatch.forward;

	if (count < counts[forward].min || count > counts[forward].max)
		diagnose(checker->diagnostics, dispatch_node(node, "source"),
			 "%zu source addresses in dispatch; %s", count, counts[forward].expected);
}

static void check_source_families(struct checker *checker, const struct config_listener *listener,
				  int family, const struct node *node)
{
	for (size_t i = 0; i < listener->dispatch.nsources; i++)
		if (listener->dispatch.sources[i].sa.sa_family != family) {
			diagnose(checker->diagnostics, dispatch_node(node, "source"),
				 "source has an address of another family than bind; expected the "
				 "same");
			return;
		}
}

/* --- SYN cookies -------------------------------------------------------------------------------*/

static void check_cookies(struct checker *checker, const struct config_listener *listener,
			  const struct node *node)
{
	const struct node *at = node_member_or_self(node_member_or_self(node, "guard"),
						    "syn_cookie_threshold");

	if (listener->guard.syn_cookie_threshold &&
	    listener->dispatch.forward != CONFIG_FORWARD_NAT)
		diagnose(checker->diagnostics, at,
			 "syn_cookie_threshold is for forward: nat, where answers come by us; "
			 "expected none, or a limit of syns");
}

/* --- The pool ----------------------------------------------------------------------------------*/

/* NULL: nothing. */
static const char *why_pool_cannot_be(const struct config_pool *pool, int family)
{
	if (pool->balance != CONFIG_BALANCE_MAGLEV && pool->balance != CONFIG_BALANCE_SOURCE &&
	    pool->balance != CONFIG_BALANCE_LEAST_CONN)
		return "has a balance that mode dispatch does not have; expected maglev, source or "
		       "least_conn";
	if (pool->tls.is_enabled)
		return "has tls, which mode dispatch does not do; expected none";
	if (pool->proxy_protocol != CONFIG_PROXY_OFF)
		return "has proxy_protocol, which mode dispatch does not do; expected none";
	for (size_t i = 0; i < pool->nendpoints; i++) {
		const struct config_endpoint *endpoint = &pool->endpoints[i];

		if (endpoint->address.len && endpoint->address.sa.sa_family != family)
			return "has an endpoint of another family; expected the listener's";
	}
	return NULL;
}

static void check_pool_at(struct checker *checker, size_t pool, int family, const struct node *at)
{
	const char *why = why_pool_cannot_be(&checker->config->pools[pool], family);
	char quoted[QUOTE_SIZE];

	if (why)
		diagnose(checker->diagnostics, at, "pool: %s %s", node_quote(at, quoted), why);
}

static void check_pool(struct checker *checker, const struct config_listener *listener, int family,
		       const struct node *node)
{
	const struct node *at = node_member(node, "pool");

	if (!at) {
		checker->is_partial = true;
		diagnose(checker->diagnostics, node,
			 "a listener of mode dispatch has no pool; expected one");
		return;
	}
	if (listener->has_default_pool)
		check_pool_at(checker, listener->default_pool, family, at);
}

/* --- Routes ------------------------------------------------------------------------------------*/

static bool is_place(const struct node *condition)
{
	static const char *const names[] = {"country", "continent", "asn"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (slice_equal_str(condition->key->text, names[i]))
			return true;
	return false;
}

/* A flow is chosen for once, by its client's address alone. */
static void check_conditions(struct checker *checker, const struct node *route)
{
	const struct node *match = node_member(route, "match");

	if (!node_first(match)) {
		diagnose(checker->diagnostics, match ? match : route,
			 "a route of mode dispatch has no conditions; expected country, continent "
			 "or asn");
		return;
	}
	node_for_each (condition, match)
		if (!is_place(condition))
			diagnose(checker->diagnostics, condition,
				 "%.*s is not for mode dispatch; expected a condition of country, "
				 "continent, asn",
				 (int)condition->key->text.len, condition->key->text.ptr);
}

/* What stands beside a route's conditions and its pool is for connections or requests. */
static void check_others(struct checker *checker, const struct node *route)
{
	static const char *const names[] = {"split",   "redirect", "respond", "deny", "files",
					    "rewrite", "mirror",   "filters", "name", "split_by"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct node *at = node_member(route, names[i]);

		if (at)
			diagnose(checker->diagnostics, at,
				 "%s is not for routes of mode dispatch; expected match and pool",
				 names[i]);
	}
}

/* NULL: nothing. All rings of a service are alike. */
static const char *why_pools_differ(const struct config_pool *pool, const struct config_pool *own)
{
	if (pool->balance != own->balance)
		return "has another balance than the listener's own pool; expected the same";
	if (pool->maglev_table_size != own->maglev_table_size)
		return "has another maglev.table_size than the listener's own pool; expected the "
		       "same";
	if (pool->nendpoints && own->nendpoints &&
	    pool->endpoints[0].quic_server_id.len != own->endpoints[0].quic_server_id.len)
		return "has quic_server_id of another length than the listener's own pool; "
		       "expected the same";
	return NULL;
}

static void check_route_pool(struct checker *checker, const struct config_listener *listener,
			     size_t pool, int family, const struct node *at)
{
	const struct config_pool *pools = checker->config->pools;
	const char *why = NULL;
	char quoted[QUOTE_SIZE];

	if (listener->has_default_pool)
		why = why_pools_differ(&pools[pool], &pools[listener->default_pool]);
	if (why)
		diagnose(checker->diagnostics, at, "pool: %s %s", node_quote(at, quoted), why);
	else
		check_pool_at(checker, pool, family, at);
}

static void check_routes_of_dispatch(struct checker *checker, const struct pool_names *names,
				     struct config_listener *listener, int family,
				     const struct node *node)
{
	const struct node *item = node_first(node_member(node, "routes"));

	for (size_t i = 0; item && i < listener->nroutes; i++, item = item->next) {
		struct config_action *action = &listener->routes[i].action;
		const struct node *at = node_member(item, "pool");

		check_conditions(checker, item);
		check_others(checker, item);
		check_place(checker, item);
		if (resolve_pool(checker, names, action->pool.name, at, &action->pool.index))
			check_route_pool(checker, listener, action->pool.index, family, at);
	}
}

void check_dispatch(struct checker *checker, const struct pool_names *names,
		    struct config_listener *listener, const struct node *node)
{
	int family = listener->nbinds ? listener->binds[0].address.sa.sa_family : AF_UNSPEC;

	check_options(checker, node);
	check_routes_of_dispatch(checker, names, listener, family, node);
	if (family == AF_UNSPEC)
		return;
	check_addresses(checker, listener, family, node);
	check_source_count(checker, listener, node);
	check_source_families(checker, listener, family, node);
	check_cookies(checker, listener, node);
	check_pool(checker, listener, family, node);
}
