// SPDX-License-Identifier: Apache-2.0
/*
 * A worker's view of a pool: picks endpoints from its table, gives them back, and reports what
 * became of them. Once the worker has it, everything here runs on its thread; what other threads
 * see are the endpoints' atomics. Waiting is pool_queue.c's.
 */
#include "upstream/pool_view_internal.h"

#include "core/hash.h"
#include "core/scarcity.h"

#include <errno.h>
#include <stdlib.h>

/* --- Life ------------------------------------------------------------------------- */

static int make_set(const struct balance_algorithm *algorithm, struct view_set *set)
{
	/* An algorithm without state still gets a pointer of its own. */
	set->balancer = calloc(1, algorithm->state_size ? algorithm->state_size : 1);
	return set->balancer ? 0 : -ENOMEM;
}

/* One that was not made is allowed. */
static void free_set(const struct balance_algorithm *algorithm, struct view_set *set)
{
	view_table_done(&set->table);
	if (set->balancer)
		algorithm->done(set->balancer);
	free(set->balancer);
}

static int make_sets(struct pool_view *view, const struct pool *pool)
{
	int err = make_set(view->algorithm, &view->all);

	if (err || !pool->nsites)
		return err;
	view->sites = calloc(pool->nsites, sizeof(*view->sites));
	if (!view->sites)
		return -ENOMEM;
	for (size_t i = 0; i < pool->nsites && !err; i++)
		err = make_set(view->algorithm, &view->sites[i].set);
	return err;
}

static void free_sets(struct pool_view *view, const struct pool *pool)
{
	for (size_t i = 0; view->sites && i < pool->nsites; i++)
		free_set(view->algorithm, &view->sites[i].set);
	free(view->sites);
	free_set(view->algorithm, &view->all);
}

struct pool_view *pool_view_new(struct pool *pool, struct io_loop *loop)
{
	struct pool_view *view = calloc(1, sizeof(*view));

	if (!view)
		return NULL;
	view->algorithm = balance_algorithms[pool->config->balance];
	if (make_sets(view, pool)) {
		free_sets(view, pool);
		free(view);
		return NULL;
	}
	view->pool = pool_ref(pool);
	view->loop = loop;
	rng_seed_random(&view->rng);
	pool_queue_init(view);
	pool_line_add(pool->line, view);
	return view;
}

void pool_view_free(struct pool_view *view)
{
	struct pool *pool;

	if (!view)
		return;
	pool = view->pool;
	pool_line_remove(pool->line, view);
	free_sets(view, pool);
	pool_queue_free(view);
	pool_unref(pool);
}

struct pool *pool_view_pool(struct pool_view *view)
{
	return view->pool;
}

/* --- Picking ---------------------------------------------------------------------- */

/* @table becomes the set's, or goes: then the old one serves on, its endpoints live as long. */
static int replace_table(const struct pool_view *view, struct view_set *set,
			 struct view_table *table)
{
	int err = 0;

	if (table->nprimary > 0)
		err = view->algorithm->build(set->balancer, table->targets, table->nprimary,
					     view->pool->config->maglev_table_size);
	if (err) {
		view_table_done(table);
		return err;
	}
	view_table_done(&set->table);
	set->table = *table;
	return 0;
}

/* The tables of all sites; @all holds no longer than any of them. */
static int replace_parts(struct pool_view *view, uint64_t now_ms, struct view_table *all)
{
	struct view_table part;
	int err = 0;

	for (size_t i = 0; i < view->pool->nsites && !err; i++) {
		err = view_table_make_part(all, i, view->pool, now_ms, &part);
		if (err)
			break;
		if (part.valid_until_ms < all->valid_until_ms)
			all->valid_until_ms = part.valid_until_ms;
		err = replace_table(view, &view->sites[i].set, &part);
	}
	return err;
}

/* Out of memory, what could not be made anew is tried again at the next pick. */
static void refresh_tables(struct pool_view *view)
{
	const struct view_table *old = &view->all.table;
	struct view_table table;
	uint64_t now_ms = io_loop_now_ms(view->loop);
	uint32_t generation = atomic_load_explicit(&view->pool->generation, memory_order_acquire);

	if (likely(old->generation == generation && now_ms < old->valid_until_ms))
		return;
	if (view_table_make(view->pool, now_ms, &table))
		return;
	if (replace_parts(view, now_ms, &table))
		view_table_done(&table);
	else
		(void)replace_table(view, &view->all, &table);
}

static void refresh_load(struct view_table *table)
{
	for (size_t i = 0; i < table->nprimary; i++) {
		const struct endpoint *endpoint = table->entries[i].endpoint;

		table->targets[i].active = atomic_load_explicit(&endpoint->load.active,
								memory_order_relaxed);
		table->targets[i].latency_us = atomic_load_explicit(&endpoint->latency_us,
								    memory_order_relaxed);
	}
}

static uint64_t hash_client(const struct pool_view *view, const struct address *client)
{
	const struct config_pool *config = view->pool->config;
	struct prefix prefix;
	uint32_t bits;

	if (config->balance != CONFIG_BALANCE_MAGLEV && config->balance != CONFIG_BALANCE_SOURCE)
		return 0;
	if (!client)
		return 0;
	bits = client->sa.sa_family == AF_INET6 ? config->source_prefix_v6
						: config->source_prefix_v4;
	if (!prefix_of(client, (uint8_t)bits, &prefix))
		return 0;
	return hash_bytes(slice_of(prefix.ip, sizeof(prefix.ip)), prefix.family);
}

static bool has_room(const struct endpoint *endpoint)
{
	uint32_t limit = atomic_load(&endpoint->max_connections);

	return limit == 0 || atomic_load(&endpoint->load.active) < limit;
}

/* Never lets the count pass the limit, not even for a moment: other workers do the same. */
static bool take_connection(struct endpoint *endpoint)
{
	uint32_t limit = atomic_load_explicit(&endpoint->max_connections, memory_order_relaxed);
	uint32_t active;

	if (limit == 0) {
		atomic_fetch_add(&endpoint->load.active, 1);
		return true;
	}
	active = atomic_load(&endpoint->load.active);
	do {
		if (active >= limit)
			return false;
	} while (!atomic_compare_exchange_weak(&endpoint->load.active, &active, active + 1));
	return true;
}

static bool is_tried(const struct pool_request *request, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < request->ntried; i++)
		if (request->tried[i] == endpoint)
			return true;
	return false;
}

static double distance_of(const struct pool_view *view, const struct view_entry *entry)
{
	return view->sites ? view->sites[entry->site].distance : 0;
}

/* Whether @a, which comes after @b in the table, is nearer, or alike and less loaded for its
 * weight. */
static bool is_better(const struct pool_view *view, const struct view_entry *a,
		      const struct view_entry *b)
{
	double distance_a = distance_of(view, a), distance_b = distance_of(view, b);
	uint64_t weight_a = atomic_load_explicit(&a->endpoint->weight, memory_order_relaxed);
	uint64_t weight_b = atomic_load_explicit(&b->endpoint->weight, memory_order_relaxed);

	if (a->tier != b->tier || distance_a > distance_b)
		return false;
	if (distance_a < distance_b)
		return true;
	if (a->is_elsewhere != b->is_elsewhere)
		return false;
	return atomic_load(&a->endpoint->load.active) * weight_b <
	       atomic_load(&b->endpoint->load.active) * weight_a;
}

/* The best of a part of the table that no balancer knows. Return: NULL if none has room. */
static struct endpoint *search(const struct pool_view *view, const struct view_table *table,
			       size_t from, size_t to, const struct pool_request *without)
{
	const struct view_entry *best;

	do {
		best = NULL;
		for (size_t i = from; i < to; i++) {
			const struct view_entry *entry = &table->entries[i];

			if (!has_room(entry->endpoint))
				continue;
			if (without && is_tried(without, entry->endpoint))
				continue;
			if (!best || is_better(view, entry, best))
				best = entry;
		}
	} while (best && !take_connection(best->endpoint));
	return best ? best->endpoint : NULL;
}

static int ask_balancer(struct pool_view *view, struct view_set *set, uint64_t hash)
{
	return view->algorithm->pick(set->balancer, set->table.targets, set->table.nprimary, hash,
				     &view->rng);
}

/* Asks again, without the targets that cannot be had. */
static struct endpoint *draw_from_rest(struct pool_view *view, struct view_set *set, uint64_t hash,
				       const struct pool_request *without)
{
	struct view_table *table = &set->table;
	struct endpoint *endpoint = NULL;
	int index;

	for (size_t i = 0; i < table->nprimary; i++)
		if (!has_room(table->entries[i].endpoint) ||
		    (without && is_tried(without, table->entries[i].endpoint)))
			table->targets[i].weight = 0;
	while (!endpoint && (index = ask_balancer(view, set, hash)) >= 0) {
		if (take_connection(table->entries[index].endpoint))
			endpoint = table->entries[index].endpoint;
		else
			table->targets[index].weight = 0; /* another worker was faster */
	}
	for (size_t i = 0; i < table->nprimary; i++)
		table->targets[i].weight = table->entries[i].weight;
	return endpoint;
}

static struct endpoint *draw_primary(struct pool_view *view, struct view_set *set, uint64_t hash,
				     const struct pool_request *without)
{
	struct endpoint *endpoint;
	int index;

	if (view->algorithm->needs_load)
		refresh_load(&set->table);
	index = ask_balancer(view, set, hash);
	if (index < 0)
		return NULL;
	endpoint = set->table.entries[index].endpoint;
	if (!(without && is_tried(without, endpoint)) && take_connection(endpoint))
		return endpoint;
	return draw_from_rest(view, set, hash, without);
}

static struct endpoint *draw_from(struct pool_view *view, struct view_set *set, uint64_t hash,
				  const struct pool_request *without)
{
	const struct view_table *table = &set->table;
	struct endpoint *endpoint = draw_primary(view, set, hash, without);

	return endpoint ? endpoint : search(view, table, table->nprimary, table->nserving, without);
}

static struct endpoint *draw(struct pool_view *view, const struct pool_request *request,
			     uint64_t hash, const struct pool_request *without)
{
	struct view_site *site = NULL;
	struct endpoint *endpoint = NULL;

	if (view->sites && request->place)
		while (!endpoint && (site = view_sites_next(view, site)))
			endpoint = draw_from(view, &site->set, hash, without);
	return endpoint ? endpoint : draw_from(view, &view->all, hash, without);
}

static bool is_all_tried(const struct view_table *table, const struct pool_request *request)
{
	for (size_t i = 0; i < table->nserving; i++)
		if (!is_tried(request, table->entries[i].endpoint))
			return false;
	return true;
}

static struct endpoint *draw_untried(struct pool_view *view, uint64_t hash,
				     const struct pool_request *request)
{
	const struct view_table *table = &view->all.table;

	if (!is_all_tried(table, request))
		return draw(view, request, hash, request);
	return request->is_extra ? NULL
				 : search(view, table, table->nserving, table->count, request);
}

/* Whatever its tier and zone: whoever asks for it has been there. */
static struct endpoint *take_wanted(const struct view_table *table,
				    const struct pool_request *request)
{
	for (size_t i = 0; i < table->count; i++) {
		struct endpoint *endpoint = table->entries[i].endpoint;

		if (endpoint->id == request->wanted && !is_tried(request, endpoint))
			return take_connection(endpoint) ? endpoint : NULL;
	}
	return NULL;
}

int pool_view_pick(struct pool_view *view, const struct pool_request *request,
		   struct endpoint **ret)
{
	struct endpoint *endpoint = NULL;
	uint64_t hash;

	refresh_tables(view);
	if (view->all.table.count == 0)
		return -EHOSTUNREACH;
	/* Nobody overtakes those who wait. */
	if (!list_is_empty(&view->waiters) && !view->is_serving)
		return -EBUSY;
	if (request->wanted)
		endpoint = take_wanted(&view->all.table, request);
	view_sites_measure(view, request->place);
	hash = request->key ? request->key : hash_client(view, request->client);
	if (!endpoint && request->ntried > 0)
		endpoint = draw_untried(view, hash, request);
	if (!endpoint && !request->is_extra)
		endpoint = draw(view, request, hash, NULL);
	if (!endpoint)
		return -EBUSY;
	view_sites_count(view, request->place, endpoint);
	*ret = endpoint_ref(endpoint);
	return 0;
}

bool pool_view_has_room(struct pool_view *view)
{
	const struct view_table *table = &view->all.table;

	refresh_tables(view);
	if (table->count == 0)
		return true;
	for (size_t i = 0; i < table->nserving; i++)
		if (has_room(table->entries[i].endpoint))
			return true;
	return false;
}

void pool_view_release(struct pool_view *view, struct endpoint *endpoint)
{
	/*
	 * First the connection, then the look at the queues, both in one total order: who queues
	 * does the same the other way round, so one of the two sees the other.
	 */
	atomic_fetch_sub(&endpoint->load.active, 1);
	endpoint_unref(endpoint);
	if (unlikely(atomic_load(&view->pool->line->waiting) > 0))
		pool_line_kick_one(view->pool->line, view);
}

/* --- Reports ---------------------------------------------------------------------- */

/* What went wrong on our side says nothing about the endpoint. */
static bool is_endpoints_fault(int error)
{
	if (is_scarcity(error))
		return false;
	switch (error) {
	case -EADDRNOTAVAIL:
	case -EADDRINUSE:
	case -EACCES:
	case -EPERM:
	case -ECANCELED:
		return false;
	default:
		return true;
	}
}

struct census_walk {
	struct outlier_census census;
	const struct endpoint *except;
	uint64_t now_ms;
};

static void census_visit(struct endpoint *endpoint, void *context)
{
	struct census_walk *walk = context;

	walk->census.endpoints++;
	if (atomic_load(&endpoint->ejected_until_ms) > walk->now_ms)
		walk->census.ejected++;
	if (endpoint != walk->except && endpoint_is_available(endpoint, walk->now_ms))
		walk->census.available++;
}

/* Under the lock, so that two workers cannot both take the last place of the share. */
static uint32_t eject(struct pool *pool, struct endpoint *endpoint, uint64_t now_ms)
{
	struct census_walk walk = {.except = endpoint, .now_ms = now_ms};
	uint32_t duration_ms;

	pthread_mutex_lock(&pool->lock);
	pool_for_each_locked(pool, census_visit, &walk);
	duration_ms = outlier_eject(&pool->config->outlier, endpoint, &walk.census, now_ms);
	if (duration_ms)
		pool_touch_locked(pool);
	pthread_mutex_unlock(&pool->lock);
	return duration_ms;
}

/* It has failed too often. */
static void on_enough(struct pool_view *view, struct endpoint *endpoint)
{
	struct pool *pool = view->pool;
	uint32_t duration_ms = eject(pool, endpoint, io_loop_now_ms(view->loop));

	if (duration_ms && pool->events.on_ejected)
		pool->events.on_ejected(pool, endpoint, duration_ms, pool->events.context);
}

static void report_failure(struct pool_view *view, struct endpoint *endpoint, _Atomic uint32_t *row)
{
	if (outlier_count_failure(&view->pool->config->outlier, endpoint, row,
				  io_loop_now_ms(view->loop)))
		on_enough(view, endpoint);
}

/* Two workers may both fold into the old average; one sample more or less does not matter. */
static void report_latency(struct endpoint *endpoint, uint32_t sample_us)
{
	uint32_t average = atomic_load_explicit(&endpoint->latency_us, memory_order_relaxed);

	atomic_store_explicit(&endpoint->latency_us, balance_ewma(average, sample_us),
			      memory_order_relaxed);
}

void pool_view_report_connect(struct pool_view *view, struct endpoint *endpoint, int error,
			      uint32_t latency_us)
{
	if (error) {
		counter_add_shared(&endpoint->load.connect_failures, 1);
		if (is_endpoints_fault(error))
			report_failure(view, endpoint, &endpoint->failures);
		return;
	}
	counter_add_shared(&endpoint->load.connections, 1);
	report_latency(endpoint, latency_us);
	outlier_count_success(&view->pool->config->outlier, endpoint, &endpoint->failures,
			      io_loop_now_ms(view->loop));
}

void pool_view_report_first_byte(struct pool_view *view, struct endpoint *endpoint,
				 uint32_t latency_us)
{
	if (latency_us)
		report_latency(endpoint, latency_us);
	outlier_count_success(&view->pool->config->outlier, endpoint, &endpoint->early_resets,
			      io_loop_now_ms(view->loop));
}

void pool_view_report_reset(struct pool_view *view, struct endpoint *endpoint)
{
	counter_add_shared(&endpoint->load.resets, 1);
	report_failure(view, endpoint, &endpoint->early_resets);
}

void pool_view_report_answer(struct pool_view *view, struct endpoint *endpoint, bool is_error)
{
	if (outlier_count_answer(&view->pool->config->outlier, endpoint, is_error,
				 io_loop_now_ms(view->loop)))
		on_enough(view, endpoint);
}
