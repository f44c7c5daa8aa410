// SPDX-License-Identifier: Apache-2.0
/*
 * What all threads share of a pool: its members and its generation. The
 * lock is taken by changes, by views that look again, and where somebody waits; never by an
 * ordinary pick.
 */
#include "fastpath/dispatch_check.h"
#include "upstream/upstream_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- Reload ------------------------------------------------------------------------ */

static bool is_same_member(const struct config_endpoint *a, const struct config_endpoint *b)
{
	if (a->resolve != b->resolve)
		return false;
	if (a->resolve == CONFIG_RESOLVE_DNS)
		return a->port == b->port && strcmp(a->host, b->host) == 0;
	return address_equal(&a->address, &b->address);
}

/* Return: the member's index in @previous; -ENOENT. */
static ssize_t find_before(const struct pool *previous, const struct config_endpoint *config)
{
	for (size_t i = 0; i < previous->config->nendpoints; i++)
		if (is_same_member(&previous->config->endpoints[i], config))
			return (ssize_t)i;
	return -ENOENT;
}

static int pool_fill_member(struct pool *pool, size_t index, struct pool *previous)
{
	const struct config_endpoint *config = &pool->config->endpoints[index];
	struct pool_member *member = &pool->members[index];
	ssize_t before;
	int err;

	if (!previous)
		return pool_member_make(member, config);
	before = find_before(previous, config);
	if (before < 0) {
		err = pool_member_make(member, config);
		/* It comes to a pool that is in service. */
		pool_member_start_slowly(member);
		return err;
	}
	return pool_member_take_over(member, config, &previous->members[before],
				     &previous->config->endpoints[before]);
}

/* --- The pool ------------------------------------------------------------------ */

static void pool_free(struct pool *pool)
{
	for (size_t i = 0; pool->members && i < pool->config->nendpoints; i++)
		pool_member_done(&pool->members[i]);
	free(pool->members);
	free(pool->sites);
	free(pool->ways);
	pool_line_unref(pool->line);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

static int pool_fill(struct pool *pool, struct pool *previous)
{
	size_t count = pool->config->nendpoints;
	int err = 0;

	pool->members = calloc(count ? count : 1, sizeof(*pool->members));
	if (!pool->members)
		return -ENOMEM;
	if (previous)
		pthread_mutex_lock(&previous->lock);
	for (size_t i = 0; i < count && !err; i++)
		err = pool_fill_member(pool, i, previous);
	if (previous)
		pthread_mutex_unlock(&previous->lock);
	return err;
}

struct pool *pool_new(const struct config_pool *config, const char *zone, struct pool *previous)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->config = config;
	pool->zone = zone;
	atomic_init(&pool->refs, 1);
	atomic_init(&pool->generation, 1);
	pthread_mutex_init(&pool->lock, NULL);
	pool->line = previous ? pool_line_ref(previous->line) : pool_line_new();
	if (!pool->line || pool_sites_make(pool, previous) || pool_fill(pool, previous)) {
		pool_free(pool);
		return NULL;
	}
	return pool;
}

struct pool *pool_ref(struct pool *pool)
{
	atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
	return pool;
}

void pool_unref(struct pool *pool)
{
	if (!pool)
		return;
	if (atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) == 1)
		pool_free(pool);
}

const struct config_pool *pool_config(const struct pool *pool)
{
	return pool->config;
}

void pool_set_tls(struct pool *pool, const struct tls_client_context *tls)
{
	pool->tls = tls;
}

const struct tls_client_context *pool_tls(const struct pool *pool)
{
	return pool->tls;
}

int pool_set_ways(struct pool *pool, struct dispatch_checks *checks,
		  const struct dispatch_way *ways, size_t count)
{
	struct dispatch_way *copy = calloc(count ? count : 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	memcpy(copy, ways, count * sizeof(*copy));
	free(pool->ways);
	pool->ways = copy;
	pool->nways = count;
	pool->checks = checks;
	return 0;
}

uint32_t pool_waiting(const struct pool *pool)
{
	return atomic_load(&pool->line->waiting);
}

static void apply_settings(const struct pool_member *member, const struct config_endpoint *config)
{
	for (size_t i = 0; i < member->count; i++) {
		struct endpoint *endpoint = member->endpoints[i];

		atomic_store(&endpoint->tier, config->tier);
		atomic_store(&endpoint->max_connections, config->max_connections);
		/* A weight given by hand stays until the file's own is another one. */
		if (member->is_reweighted)
			atomic_store(&endpoint->weight, config->weight);
	}
}

/* Nobody would ever take back a verdict of checks that are now switched off. */
static void forget_health(const struct pool_member *member)
{
	for (size_t i = 0; i < member->count; i++)
		atomic_store(&member->endpoints[i]->health, ENDPOINT_HEALTH_UNKNOWN);
}

void pool_activate(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	for (size_t i = 0; i < pool->config->nendpoints; i++) {
		struct pool_member *member = &pool->members[i];

		if (member->is_taken_over)
			apply_settings(member, &pool->config->endpoints[i]);
		if (pool->config->health.kind == CONFIG_HEALTH_OFF)
			forget_health(member);
	}
	pool_touch_locked(pool);
	pthread_mutex_unlock(&pool->lock);
}

/* --- Changes ------------------------------------------------------------------- */

int pool_set_addresses(struct pool *pool, size_t index, const struct address *addresses,
		       size_t count)
{
	struct pool_member replaced = {};
	struct pool_member *member = &pool->members[index];
	int err;

	pthread_mutex_lock(&pool->lock);
	err = pool_member_replace(&replaced, &pool->config->endpoints[index], member, addresses,
				  count);
	if (!err) {
		struct pool_member before = *member;

		pool_member_start_newcomers(&replaced, &before);
		*member = replaced;
		replaced = before;
		pool_touch_locked(pool);
	}
	pthread_mutex_unlock(&pool->lock);
	pool_member_done(&replaced);
	return err;
}

bool pool_has_addresses(struct pool *pool, size_t index, const struct address_set *set)
{
	const struct pool_member *member = &pool->members[index];
	bool is_same;

	pthread_mutex_lock(&pool->lock);
	is_same = member->count == set->count;
	for (size_t i = 0; i < set->count && is_same; i++)
		is_same = pool_member_find(member, &set->items[i]) != NULL;
	pthread_mutex_unlock(&pool->lock);
	return is_same;
}

void pool_touch_locked(struct pool *pool)
{
	atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
	/* Who waits for a free connection may find one on an endpoint that is new. */
	pool_line_kick_all(pool->line);
}

void pool_touch(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool_touch_locked(pool);
	pthread_mutex_unlock(&pool->lock);
}

/* --- Look-up ------------------------------------------------------------------- */

size_t pool_count_locked(const struct pool *pool)
{
	size_t count = 0;

	for (size_t i = 0; i < pool->config->nendpoints; i++)
		count += pool->members[i].count;
	return count;
}

void pool_for_each_locked(struct pool *pool, void (*visit)(struct endpoint *, void *),
			  void *context)
{
	for (size_t i = 0; i < pool->config->nendpoints; i++)
		for (size_t k = 0; k < pool->members[i].count; k++)
			visit(pool->members[i].endpoints[k], context);
}

void pool_for_each(struct pool *pool, void (*visit)(struct endpoint *endpoint, void *context),
		   void *context)
{
	pthread_mutex_lock(&pool->lock);
	pool_for_each_locked(pool, visit, context);
	pthread_mutex_unlock(&pool->lock);
}

struct name_search {
	const char *name;
	struct endpoint *by_address, *by_name; /* the first of each */
};

static void search_visit(struct endpoint *endpoint, void *context)
{
	struct name_search *search = context;
	char text[ADDRESS_TEXT_SIZE];

	if (!search->by_address &&
	    strcmp(address_format(&endpoint->address, text), search->name) == 0)
		search->by_address = endpoint;
	if (!search->by_name && strcmp(endpoint->name, search->name) == 0)
		search->by_name = endpoint;
}

struct endpoint *pool_find(struct pool *pool, const char *name)
{
	struct name_search search = {.name = name};
	struct endpoint *found;

	pthread_mutex_lock(&pool->lock);
	pool_for_each_locked(pool, search_visit, &search);
	found = search.by_address ? search.by_address : search.by_name;
	if (found)
		endpoint_ref(found);
	pthread_mutex_unlock(&pool->lock);
	return found;
}
