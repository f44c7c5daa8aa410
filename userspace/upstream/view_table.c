// SPDX-License-Identifier: Apache-2.0
/*
 * The table that a worker picks from: the endpoints available at one moment, in the order in which
 * tiers and zones are preferred, and the balancer's state over the best of them. Made when the
 * pool's generation has moved or its time has run out; picking itself is pool_view.c's.
 */
#include "upstream/pool_view_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOW_START_STEPS 16

/* --- Collecting ------------------------------------------------------------------- */

struct collection {
	struct view_table *table;
	const struct pool *pool;
	uint64_t now_ms;
};

/* Ejected, but otherwise fit to be chosen: the table is good until it comes back. */
static void note_return(struct view_table *table, const struct endpoint *endpoint, uint64_t now_ms)
{
	uint64_t back_ms = atomic_load(&endpoint->ejected_until_ms);

	if (back_ms > now_ms && back_ms < table->valid_until_ms)
		table->valid_until_ms = back_ms;
}

/* Two DNS names may share an address; a balancer wants it once. */
static bool has_entry(const struct view_table *table, uint64_t id)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->entries[i].endpoint->id == id)
			return true;
	return false;
}

static void collect_visit(struct endpoint *endpoint, void *context)
{
	const struct collection *collection = context;
	const struct pool *pool = collection->pool;
	struct view_table *table = collection->table;

	if (!endpoint_is_available(endpoint, collection->now_ms)) {
		note_return(table, endpoint, collection->now_ms);
		return;
	}
	if (has_entry(table, endpoint->id))
		return;
	table->entries[table->count] = (struct view_entry){
		.endpoint = endpoint_ref(endpoint),
		.order = table->count,
		.site = pool->nsites ? pool_site_of(pool, endpoint) : 0,
		.tier = atomic_load(&endpoint->tier),
		.is_elsewhere = pool->zone &&
				(!endpoint->zone || strcmp(endpoint->zone, pool->zone) != 0),
	};
	table->count++;
}

static int collect(struct view_table *table, struct pool *pool, uint64_t now_ms)
{
	struct collection collection = {.table = table, .pool = pool, .now_ms = now_ms};
	size_t room;

	pthread_mutex_lock(&pool->lock);
	table->generation = atomic_load(&pool->generation);
	room = pool_count_locked(pool);
	table->entries = calloc(room ? room : 1, sizeof(*table->entries));
	if (table->entries)
		pool_for_each_locked(pool, collect_visit, &collection);
	pthread_mutex_unlock(&pool->lock);
	return table->entries ? 0 : -ENOMEM;
}

static bool is_alike(const struct view_entry *a, const struct view_entry *b)
{
	return a->tier == b->tier && a->is_elsewhere == b->is_elsewhere;
}

static int compare_entries(const void *a, const void *b)
{
	const struct view_entry *x = a, *y = b;

	if (x->tier != y->tier)
		return x->tier < y->tier ? -1 : 1;
	if (x->is_elsewhere != y->is_elsewhere)
		return x->is_elsewhere ? 1 : -1;
	return x->order < y->order ? -1 : 1;
}

static size_t count_primary(const struct view_table *table)
{
	size_t n = 0;

	while (n < table->count && is_alike(&table->entries[n], &table->entries[0]))
		n++;
	return n;
}

static size_t count_serving(const struct view_table *table, const struct pool *pool)
{
	size_t n = table->nprimary;

	while (pool->nsites && n < table->count && table->entries[n].tier == table->entries[0].tier)
		n++;
	return n;
}

/* --- Weights ---------------------------------------------------------------------- */

/* Consistent hashing must not move clients about while an endpoint warms up. */
static uint32_t slow_start_ms(const struct config_pool *config)
{
	if (config->balance == CONFIG_BALANCE_MAGLEV || config->balance == CONFIG_BALANCE_SOURCE)
		return 0;
	return config->slow_start_ms;
}

static uint32_t warm_weight(const struct endpoint *endpoint, uint32_t full, uint32_t ramp_ms,
			    uint64_t now_ms, uint64_t *valid_until_ms)
{
	uint64_t since_ms = atomic_load(&endpoint->up_since_ms);
	uint64_t elapsed_ms = now_ms > since_ms ? now_ms - since_ms : 0;
	uint64_t step, next_ms;

	if (since_ms == 0 || elapsed_ms >= ramp_ms)
		return full;
	step = elapsed_ms * SLOW_START_STEPS / ramp_ms + 1;
	next_ms = since_ms + (step * ramp_ms + SLOW_START_STEPS - 1) / SLOW_START_STEPS;
	if (next_ms < *valid_until_ms)
		*valid_until_ms = next_ms;
	return (uint32_t)(full * step / SLOW_START_STEPS);
}

static int make_targets(struct view_table *table, const struct config_pool *config, uint64_t now_ms)
{
	uint32_t ramp_ms = slow_start_ms(config);

	table->targets = calloc(table->nprimary, sizeof(*table->targets));
	if (!table->targets)
		return -ENOMEM;
	for (size_t i = 0; i < table->nprimary; i++) {
		struct endpoint *endpoint = table->entries[i].endpoint;
		struct balance_target *target = &table->targets[i];

		target->id = endpoint->id;
		target->full_weight = atomic_load(&endpoint->weight) * BALANCE_WEIGHT_SCALE;
		target->weight = warm_weight(endpoint, target->full_weight, ramp_ms, now_ms,
					     &table->valid_until_ms);
		table->entries[i].weight = target->weight;
	}
	return 0;
}

/* --- The table -------------------------------------------------------------------- */

/* @table's entries are in order; what there is of it becomes @ret, or goes. */
static int finish(struct view_table *table, const struct pool *pool, uint64_t now_ms,
		  struct view_table *ret)
{
	int err = 0;

	if (table->count > 0) {
		table->nprimary = count_primary(table);
		table->nserving = count_serving(table, pool);
		err = make_targets(table, pool->config, now_ms);
	}
	if (err) {
		view_table_done(table);
		return err;
	}
	*ret = *table;
	return 0;
}

int view_table_make(struct pool *pool, uint64_t now_ms, struct view_table *ret)
{
	struct view_table table = {.valid_until_ms = UINT64_MAX};
	int err = collect(&table, pool, now_ms);

	if (err)
		return err;
	qsort(table.entries, table.count, sizeof(*table.entries), compare_entries);
	return finish(&table, pool, now_ms, ret);
}

static size_t count_at(const struct view_table *table, size_t site)
{
	size_t n = 0;

	for (size_t i = 0; i < table->count; i++)
		n += table->entries[i].site == site;
	return n;
}

int view_table_make_part(const struct view_table *all, size_t site, const struct pool *pool,
			 uint64_t now_ms, struct view_table *ret)
{
	struct view_table table = {.valid_until_ms = UINT64_MAX};

	table.entries = calloc(count_at(all, site) + 1, sizeof(*table.entries));
	if (!table.entries)
		return -ENOMEM;
	for (size_t i = 0; i < all->count; i++) {
		if (all->entries[i].site != site)
			continue;
		table.entries[table.count] = all->entries[i];
		endpoint_ref(table.entries[table.count++].endpoint);
	}
	return finish(&table, pool, now_ms, ret);
}

void view_table_done(struct view_table *table)
{
	free(table->targets);
	for (size_t i = 0; i < table->count; i++)
		endpoint_unref(table->entries[i].endpoint);
	free(table->entries);
	*table = (struct view_table){};
}
