// SPDX-License-Identifier: Apache-2.0
/* Options of a pool that only requests give a meaning to, where no listener of mode http asks it.
 */
#include "config/config_internal.h"

static bool has_share(const struct config_action *action, size_t pool)
{
	for (size_t i = 0; i < action->nsplit; i++)
		if (action->split[i].pool.index == pool)
			return true;
	return false;
}

bool route_leads_to(const struct config_route *route, size_t pool)
{
	const struct config_action *action = &route->action;

	switch (action->kind) {
	case CONFIG_ACTION_POOL:
		return action->pool.index == pool;
	case CONFIG_ACTION_SPLIT:
		return has_share(action, pool);
	default:
		return false;
	}
}

/* Whether its requests go there, or copies of them. */
static bool listener_asks(const struct config_listener *listener, size_t pool, bool or_mirrors)
{
	if (listener->mode != CONFIG_MODE_HTTP)
		return false;
	if (listener->has_default_pool && listener->default_pool == pool)
		return true;
	for (size_t i = 0; i < listener->nroutes; i++) {
		const struct config_route *route = &listener->routes[i];

		if (route_leads_to(route, pool) ||
		    (or_mirrors && route->mirror.pool.name && route->mirror.pool.index == pool))
			return true;
	}
	return false;
}

static void check_asked(struct checker *checker, size_t pool, const struct node *node,
			const char *option, bool or_mirrors)
{
	const struct config *config = checker->config;
	const struct node *at = node_member(node, option);

	if (!at || !config->pools[pool].is_bound)
		return;
	for (size_t i = 0; i < config->nlisteners; i++)
		if (listener_asks(&config->listeners[i], pool, or_mirrors))
			return;
	diagnose(checker->diagnostics, at,
		 "%s is for mode http, and no such listener sends requests to this pool; expected "
		 "one that does, or no %s",
		 option, option);
}

void check_pool_use(struct checker *checker)
{
	const struct node *item = node_first(node_member(checker->root, "pools"));

	if (checker->is_partial)
		return;
	for (size_t i = 0; item && i < checker->config->npools; i++, item = item->next) {
		check_asked(checker, i, item, "hash_key", true);
		check_asked(checker, i, item, "sticky", false);
	}
}
