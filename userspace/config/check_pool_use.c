// SPDX-License-Identifier: Apache-2.0
/* Options of a pool that only requests give a meaning to, where no listener of mode http asks it.
 */
#include "config/config_internal.h"

/* By pool: whether a listener of mode http sends requests there, or copies of them. */
struct uses {
	struct use {
		bool is_asked, is_copied;
	} * of;
	size_t count;
};

void for_each_pool_of(const struct config_listener *listener,
		      void (*visit)(size_t pool, void *context), void *context)
{
	if (listener->has_default_pool)
		visit(listener->default_pool, context);
	for (size_t i = 0; i < listener->nroutes; i++) {
		const struct config_action *action = &listener->routes[i].action;

		if (action->kind == CONFIG_ACTION_POOL)
			visit(action->pool.index, context);
		for (size_t s = 0; action->kind == CONFIG_ACTION_SPLIT && s < action->nsplit; s++)
			visit(action->split[s].pool.index, context);
	}
}

static void note_asked(size_t pool, void *context)
{
	struct uses *uses = context;

	if (pool < uses->count)
		uses->of[pool].is_asked = true;
}

static void note_mirrors(struct uses *uses, const struct config_listener *listener)
{
	for (size_t i = 0; i < listener->nroutes; i++) {
		const struct config_pool_name *pool = &listener->routes[i].mirror.pool;

		if (pool->name && pool->index < uses->count)
			uses->of[pool->index].is_copied = true;
	}
}

static void note_uses(struct uses *uses, const struct config *config)
{
	for (size_t i = 0; i < config->nlisteners; i++) {
		if (config->listeners[i].mode != CONFIG_MODE_HTTP)
			continue;
		for_each_pool_of(&config->listeners[i], note_asked, uses);
		note_mirrors(uses, &config->listeners[i]);
	}
}

static void check_asked(struct checker *checker, size_t pool, const struct node *node,
			const char *option, bool is_asked)
{
	const struct node *at = node_member(node, option);

	if (!at || !checker->config->pools[pool].is_bound || is_asked)
		return;
	diagnose(checker->diagnostics, at,
		 "%s is for mode http, and no such listener sends requests to this pool; expected "
		 "one that does, or no %s",
		 option, option);
}

void check_pool_use(struct checker *checker)
{
	const struct node *item = node_first(node_member(checker->root, "pools"));
	struct uses uses = {.count = checker->config->npools};

	if (checker->is_partial)
		return;
	uses.of = arena_alloc_array(checker->arena, uses.count, sizeof(*uses.of));
	if (!uses.of) {
		checker->is_out_of_memory = true;
		return;
	}
	note_uses(&uses, checker->config);
	for (size_t i = 0; item && i < uses.count; i++, item = item->next) {
		const struct use *use = &uses.of[i];

		check_asked(checker, i, item, "hash_key", use->is_asked || use->is_copied);
		check_asked(checker, i, item, "sticky", use->is_asked);
	}
}
