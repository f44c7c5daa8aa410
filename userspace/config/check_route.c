// SPDX-License-Identifier: Apache-2.0
/* What holds between a listener's routes, and between what a route matches and what it does. */
#include "config/config_internal.h"

#include <string.h>

/* By the document: conditions that could not be read are conditions all the same. */
static bool is_catch_all(const struct node *route)
{
	const struct node *match = node_member(route, "match");

	if (route->kind != NODE_MAPPING)
		return false;
	return !match || match->kind == NODE_NULL ||
	       (match->kind == NODE_MAPPING && match->count == 0);
}

static void check_catch_alls(struct checker *checker, const struct node *listener)
{
	const struct node *routes = node_member(listener, "routes"), *first = NULL;
	const struct node *pool = node_member(listener, "pool");

	if (!routes || routes->kind != NODE_LIST)
		return;
	node_for_each (route, routes) {
		if (!is_catch_all(route))
			continue;
		if (first)
			diagnose(checker->diagnostics, route,
				 "a second route without conditions, first on line %u; expected "
				 "one at most",
				 first->line);
		first = first ? first : route;
	}
	if (first && pool)
		diagnose(checker->diagnostics, pool,
			 "pool is never used, the route on line %u has no conditions; expected one "
			 "of the two",
			 first->line);
}

/* A condition that could never be looked at is a mistake, not one that never holds. */
static void check_conditions(struct checker *checker, const struct config_listener *listener,
			     const struct node *route)
{
	static const char *const of_tcp[] = {"sni", "alpn", NULL};
	static const char *const of_http[] = {"host",        "path",    "path_prefix", "path_regex",
					      "method",      "headers", "query",       "cookies",
					      "certificate", NULL};
	bool is_http = listener->mode == CONFIG_MODE_HTTP;

	for (const char *const *name = is_http ? of_tcp : of_http; *name; name++) {
		const struct node *condition = node_member(node_member(route, "match"), *name);

		if (condition)
			diagnose(checker->diagnostics, condition,
				 "%s is not for mode %s; expected a condition of %s", *name,
				 is_http ? "http" : "tcp",
				 is_http ? "host, path, path_prefix, path_regex, method, headers, "
					   "query, cookies, certificate, source, country, "
					   "continent, asn, port"
					 : "sni, alpn, source, country, continent, asn, port");
	}
}

/* Nobody shows what nobody has asked for. */
static void check_certificate(struct checker *checker, const struct config_listener *listener,
			      const struct config_route *route, const struct node *node)
{
	const struct node *at = node_member(node_member(node, "match"), "certificate");

	if (at && route->certificate.is_asked && route->certificate.is_present &&
	    listener->mode == CONFIG_MODE_HTTP &&
	    listener->tls.client_auth == CONFIG_CLIENT_AUTH_OFF)
		diagnose(checker->diagnostics, at,
			 "certificate: the listener asks clients for none; expected "
			 "tls.client_auth");
}

/* A connection can only be joined to another one. */
static void check_action_mode(struct checker *checker, const struct config_listener *listener,
			      const struct config_action *action, const struct node *route)
{
	const char *name = NULL;
	const struct node *at = route_action_node(route, &name);

	if (at && listener->mode == CONFIG_MODE_TCP && action->kind != CONFIG_ACTION_POOL)
		diagnose(checker->diagnostics, at, "%s is not for mode tcp; expected pool", name);
}

static bool names_any(const struct node *mapping, const char *const *names)
{
	for (; *names; names++)
		if (node_member(mapping, *names))
			return true;
	return false;
}

/* By the document: what could not be read has been reported. */
static void check_redirect(struct checker *checker, const struct node *node)
{
	static const char *const places[] = {"scheme", "host", "port", "path", NULL};
	static const char *const paths[] = {"path", "prefix", "regex", NULL};
	const struct node *redirect = node_member(node, "redirect");

	if (redirect && !names_any(redirect, places) &&
	    !names_any(node_member(node, "rewrite"), paths))
		diagnose(checker->diagnostics, redirect,
			 "redirect would lead back to where it came from; expected at least one of "
			 "scheme, host, port, path, or a rewrite beside it");
}

/* Only who is asked in the client's place sees a host. */
static void check_rewrite(struct checker *checker, const struct config_listener *listener,
			  const struct config_route *route, const struct node *node)
{
	const struct node *rewrite = node_member(node, "rewrite");
	enum config_action_kind kind = route->action.kind;

	if (rewrite && listener->mode == CONFIG_MODE_TCP)
		diagnose(checker->diagnostics, rewrite,
			 "rewrite is not for mode tcp; expected none");
	else if (route->rewrite.host && kind != CONFIG_ACTION_POOL && kind != CONFIG_ACTION_SPLIT)
		diagnose(checker->diagnostics, node_member_or_self(rewrite, "host"),
			 "host: nobody is asked under another name; expected pool or split beside "
			 "it");
}

static void check_split(struct checker *checker, const struct pool_names *names,
			struct config_action *action, const struct node *node)
{
	const struct node *item = node_first(node);
	uint64_t sum = 0;

	for (size_t i = 0; item && i < action->nsplit; i++, item = item->next) {
		struct config_share *share = &action->split[i];

		(void)resolve_pool(checker, names, share->pool.name, node_member(item, "pool"),
				   &share->pool.index);
		sum += share->weight;
	}
	if (node && node->kind == NODE_LIST && sum == 0)
		diagnose(checker->diagnostics, node,
			 "split has no weight at all; expected at least one pool with some");
}

/* The few that have names: each is compared with those before it. */
static void check_route_name(struct checker *checker, const struct config_listener *listener,
			     size_t index, const struct node *node)
{
	const char *name = listener->routes[index].name;

	for (size_t i = 0; name && i < index; i++)
		if (listener->routes[i].name && strcmp(listener->routes[i].name, name) == 0) {
			diagnose(checker->diagnostics, node_member(node, "name"),
				 "name: \"%s\" is taken by the route in line %u; expected another "
				 "one",
				 name, listener->routes[i].line);
			return;
		}
}

static void check_mirror(struct checker *checker, const struct pool_names *names,
			 const struct config_listener *listener, struct config_route *route,
			 const struct node *node)
{
	const struct node *at = node_member(node, "mirror");

	if (!at)
		return;
	if (listener->mode == CONFIG_MODE_TCP ||
	    (route->action.kind != CONFIG_ACTION_POOL && route->action.kind != CONFIG_ACTION_SPLIT))
		diagnose(checker->diagnostics, at,
			 "mirror is for requests that go to a pool; expected pool or split beside "
			 "it, in mode http");
	(void)resolve_pool(checker, names, route->mirror.pool.name, node_member_or_self(at, "pool"),
			   &route->mirror.pool.index);
}

static void check_route(struct checker *checker, const struct pool_names *names,
			struct config_listener *listener, size_t index, const struct node *node)
{
	struct config_action *action = &listener->routes[index].action;

	check_route_name(checker, listener, index, node);
	check_conditions(checker, listener, node);
	check_place(checker, node);
	check_certificate(checker, listener, &listener->routes[index], node);
	check_filters(checker, listener, node);
	check_action_mode(checker, listener, action, node);
	check_redirect(checker, node);
	check_rewrite(checker, listener, &listener->routes[index], node);
	(void)resolve_pool(checker, names, action->pool.name, node_member(node, "pool"),
			   &action->pool.index);
	check_split(checker, names, action, node_member(node, "split"));
	check_mirror(checker, names, listener, &listener->routes[index], node);
}

void check_routes(struct checker *checker, const struct pool_names *names,
		  struct config_listener *listener, const struct node *node)
{
	const struct node *item = node_first(node_member(node, "routes"));

	for (size_t i = 0; item && i < listener->nroutes; i++, item = item->next)
		check_route(checker, names, listener, i, item);
	check_catch_alls(checker, node);
}
