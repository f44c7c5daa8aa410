// SPDX-License-Identifier: Apache-2.0
/*
 * A worker's view of a pool: picks endpoints from its table, gives them back, and reports what
 * became of them. Everything here runs on the worker's thread; what other threads see are the
 * endpoints' atomics. Waiting is pool_queue.c's.
 */
#include "upstream/pool_view_internal.h"

#include "core/hash.h"

#include <errno.h>
#include <stdlib.h>

struct pool_view *pool_view_new(struct pool *pool, struct io_loop *loop)
{
	const struct balance_algorithm *algorithm = balance_algorithms[pool->config->balance];
	struct pool_view *view = calloc(1, sizeof(*view));
	/* An algorithm without state still gets a pointer of its own. */
	struct balancer *balancer = calloc(1, algorithm->state_size ? algorithm->state_size : 1);

	if (!view || !balancer) {
		free(balancer);
		free(view);
		return NULL;
	}
	view->pool = pool_ref(pool);
	view->loop = loop;
	view->algorithm = algorithm;
	view->balancer = balancer;
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
	view_table_done(&view->table);
	view->algorithm->done(view->balancer);
	free(view->balancer);
	pool_queue_free(view);
	pool_unref(pool);
}

struct pool *pool_view_pool(struct pool_view *view)
{
	return view->pool;
}

/* --- Picking ---------------------------------------------------------------------- */

static int build_table(struct pool_view *view, uint64_t now_ms, struct view_table *ret)
{
	struct view_table table;
	int err = view_table_make(view->pool, now_ms, &table);

	if (err)
		return err;
	if (table.nprimary > 0)
		err = view->algorithm->build(view->balancer, table.targets, table.nprimary,
					     view->pool->config->maglev_table_size);
	if (err) {
		view_table_done(&table);
		return err;
	}
	*ret = table;
	return 0;
}

static void refresh_table(struct pool_view *view)
{
	struct view_table table;
	uint64_t now_ms = io_loop_now_ms(view->loop);
	uint32_t generation = atomic_load_explicit(&view->pool->generation, memory_order_acquire);

	if (likely(view->table.generation == generation && now_ms < view->table.valid_until_ms))
		return;
	/* Out of memory, the old table serves on: its endpoints live as long as it does. */
	if (build_table(view, now_ms, &table))
		return;
	view_table_done(&view->table);
	view->table = table;
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

/* Whether @a, which comes after @b in the table, is alike and less loaded for its weight. */
static bool is_better(const struct view_entry *a, const struct view_entry *b)
{
	uint64_t weight_a = atomic_load_explicit(&a->endpoint->weight, memory_order_relaxed);
	uint64_t weight_b = atomic_load_explicit(&b->endpoint->weight, memory_order_relaxed);

	if (a->tier != b->tier || a->is_elsewhere != b->is_elsewhere)
		return false;
	return atomic_load(&a->endpoint->load.active) * weight_b <
	       atomic_load(&b->endpoint->load.active) * weight_a;
}

/* The best that is not among those the balancer knows. Return: NULL if none has room. */
static struct endpoint *search_beyond(const struct view_table *table,
				      const struct pool_request *without)
{
	const struct view_entry *best;

	do {
		best = NULL;
		for (size_t i = table->nprimary; i < table->count; i++) {
			const struct view_entry *entry = &table->entries[i];

			if (!has_room(entry->endpoint))
				continue;
			if (is_tried(without, entry->endpoint))
				continue;
			if (!best || is_better(entry, best))
				best = entry;
		}
	} while (best && !take_connection(best->endpoint));
	return best ? best->endpoint : NULL;
}

static int ask_balancer(struct pool_view *view, uint64_t hash)
{
	return view->algorithm->pick(view->balancer, view->table.targets, view->table.nprimary,
				     hash, &view->rng);
}

/* Asks again, without the targets that cannot be had. */
static struct endpoint *draw_from_rest(struct pool_view *view, uint64_t hash,
				       const struct pool_request *without)
{
	struct view_table *table = &view->table;
	struct endpoint *endpoint = NULL;
	int index;

	for (size_t i = 0; i < table->nprimary; i++)
		if (!has_room(table->entries[i].endpoint) ||
		    (without && is_tried(without, table->entries[i].endpoint)))
			table->targets[i].weight = 0;
	while (!endpoint && (index = ask_balancer(view, hash)) >= 0) {
		if (take_connection(table->entries[index].endpoint))
			endpoint = table->entries[index].endpoint;
		else
			table->targets[index].weight = 0; /* another worker was faster */
	}
	for (size_t i = 0; i < table->nprimary; i++)
		table->targets[i].weight = table->entries[i].weight;
	return endpoint;
}

static struct endpoint *draw(struct pool_view *view, uint64_t hash,
			     const struct pool_request *without)
{
	struct endpoint *endpoint;
	int index;

	if (view->algorithm->needs_load)
		refresh_load(&view->table);
	index = ask_balancer(view, hash);
	if (index < 0)
		return NULL;
	endpoint = view->table.entries[index].endpoint;
	if (!(without && is_tried(without, endpoint)) && take_connection(endpoint))
		return endpoint;
	return draw_from_rest(view, hash, without);
}

static bool is_all_tried(const struct view_table *table, const struct pool_request *request)
{
	for (size_t i = 0; i < table->nprimary; i++)
		if (!is_tried(request, table->entries[i].endpoint))
			return false;
	return true;
}

static struct endpoint *draw_untried(struct pool_view *view, uint64_t hash,
				     const struct pool_request *request)
{
	const struct view_table *table = &view->table;

	if (!is_all_tried(table, request))
		return draw(view, hash, request);
	return request->is_extra ? NULL : search_beyond(table, request);
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

	refresh_table(view);
	if (view->table.count == 0)
		return -EHOSTUNREACH;
	/* Nobody overtakes those who wait. */
	if (!list_is_empty(&view->waiters) && !view->is_serving)
		return -EBUSY;
	if (request->wanted)
		endpoint = take_wanted(&view->table, request);
	hash = request->key ? request->key : hash_client(view, request->client);
	if (!endpoint && request->ntried > 0)
		endpoint = draw_untried(view, hash, request);
	if (!endpoint && !request->is_extra)
		endpoint = draw(view, hash, NULL);
	if (!endpoint)
		return -EBUSY;
	*ret = endpoint_ref(endpoint);
	return 0;
}

bool pool_view_has_room(struct pool_view *view)
{
	const struct view_table *table = &view->table;

	refresh_table(view);
	if (table->count == 0)
		return true;
	for (size_t i = 0; i < table->nprimary; i++)
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
	switch (error) {
	case -EMFILE:
	case -ENFILE:
	case -ENOBUFS:
	case -ENOMEM:
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
