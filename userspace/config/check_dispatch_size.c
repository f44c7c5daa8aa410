// SPDX-License-Identifier: Apache-2.0
/* How many services and rings listeners of mode dispatch make of themselves: the packet programs'
 * tables have an end. What rests on names that are resolved later is not known here. */
#include "abi/dispatch.h"
#include "config/config_internal.h"

/* A pool that goes by places has one of all, one for each place, and one for endpoints without. */
static size_t rings_of_pool(const struct config_pool *pool)
{
	return pool->is_nearest ? 1 + count_locations(pool) + 1 : 1;
}

/* Of each of its addresses. */
static size_t rings_of(const struct config *config, const struct config_listener *listener)
{
	size_t count = 0, pool;

	for (size_t n = 0; n <= listener->nroutes; n++)
		if (config_dispatch_pool(listener, n, &pool))
			count += rings_of_pool(&config->pools[pool]);
	return count;
}

struct size {
	size_t nservices;
	uint64_t nslots;
};

/* Return: false, told, where there is no room for it behind those before it. */
static bool add(struct checker *checker, struct size *size, const struct config_listener *listener,
		const struct node *node)
{
	uint32_t ring_size = checker->config->pools[listener->default_pool].maglev_table_size;
	size_t nrings = rings_of(checker->config, listener);

	size->nservices += listener->nbinds;
	size->nslots += (uint64_t)listener->nbinds * nrings * ring_size;
	if (size->nservices > DISPATCH_SERVICES_MAX)
		diagnose(checker->diagnostics, node_member_or_self(node, "bind"),
			 "bind: listeners of mode dispatch have %zu addresses as far as here; "
			 "expected at most %d",
			 size->nservices, DISPATCH_SERVICES_MAX);
	else if (nrings >= DISPATCH_NO_RING)
		diagnose(checker->diagnostics, node_member_or_self(node, "routes"),
			 "the pools of the listener have %zu places; expected fewer than %d",
			 nrings, DISPATCH_NO_RING);
	else if (size->nslots > DISPATCH_SLOTS_MAX)
		diagnose(
			checker->diagnostics, node_member_or_self(node, "pool"),
			"addresses of mode dispatch, each with all places of its pools, have %llu "
			"slots as far as here; expected at most %u, or a smaller maglev.table_size",
			(unsigned long long)size->nslots, DISPATCH_SLOTS_MAX);
	else
		return true;
	return false;
}

void check_dispatch_size(struct checker *checker)
{
	const struct node *item = node_first(node_member(checker->root, "listeners"));
	const struct config *config = checker->config;
	struct size size = {};

	for (size_t i = 0; item && i < config->nlisteners; i++, item = item->next) {
		const struct config_listener *listener = &config->listeners[i];

		if (listener->mode == CONFIG_MODE_DISPATCH && listener->has_default_pool &&
		    !add(checker, &size, listener, item))
			return;
	}
}
