// SPDX-License-Identifier: Apache-2.0
/*
 * When endpoints are checked and what the results mean; how one is checked is probe.c's. A check
 * whose probe is in flight when it is to go is freed when the probe has ended.
 */
#include "upstream/health.h"

#include "core/rng.h"
#include "fastpath/dispatch_check.h"
#include "tls/context.h"
#include "tls/pacer.h"
#include "upstream/probe.h"
#include "upstream/upstream_internal.h"

#include <errno.h>
#include <stdlib.h>

/* Under way at once in a pool; checks are spread over time anyway. */
#define HANDSHAKES_MAX 64
/* Probes in a row that were unclear, before such a one counts as failed: want of memory passes, and
 * an endpoint that brings OpenSSL into trouble must not stay up for ever. */
#define UNCLEAR_MAX 5

struct health {
	struct pool *pool; /* a reference */
	struct io_loop *loop;
	struct tls_client_context *tls; /* of TLS checks where the pool has none: it verifies
					 * nothing, a check asks whether the endpoint answers */
	struct tls_pacer *pacer;
	struct rng rng;
	struct list_node checks; /* struct check */
	bool is_out_of_memory;   /* during a sync */
	void (*on_stopped)(struct health *health, void *context);
	void *context;
};

struct check {
	struct list_node node;
	struct health *health;
	struct endpoint *endpoint; /* a reference */
	struct io_timer timer;
	struct probe probe;
	uint64_t started_ms;
	uint32_t row;
	uint32_t unclear; /* probes, since the last one that was not */
	size_t way;       /* of the probe, among the pool's */
	bool is_probing;
	bool is_listed; /* the pool still has the endpoint */
	bool is_ending;
};

static const struct config_health_check *config_of(const struct health *health)
{
	return &pool_config(health->pool)->health;
}

/* --- Judgement ---------------------------------------------------------------------- */

enum endpoint_health health_judge(const struct config_health_check *config,
				  enum endpoint_health health, bool is_ok, uint32_t *row)
{
	enum endpoint_health other = is_ok ? ENDPOINT_HEALTH_UP : ENDPOINT_HEALTH_DOWN;
	uint32_t needed = is_ok ? config->rise : config->fall;

	if (health == other) {
		*row = 0;
		return health;
	}
	if (health != ENDPOINT_HEALTH_UNKNOWN && ++*row < needed)
		return health;
	*row = 0;
	return other;
}

static void change_health(struct check *check, enum endpoint_health before,
			  enum endpoint_health after, const char *reason)
{
	struct pool *pool = check->health->pool;
	struct endpoint *endpoint = check->endpoint;

	if (before == ENDPOINT_HEALTH_DOWN)
		atomic_store(&endpoint->up_since_ms, io_loop_now_ms(check->health->loop));
	atomic_store(&endpoint->health, after);
	/* From unknown to up nothing changes for anybody. */
	if (before == ENDPOINT_HEALTH_UNKNOWN && after == ENDPOINT_HEALTH_UP)
		return;
	pool_touch(pool);
	if (pool->events.on_health_change)
		pool->events.on_health_change(pool, endpoint, after == ENDPOINT_HEALTH_UP, reason,
					      pool->events.context);
}

static bool is_in_maint(const struct check *check)
{
	return atomic_load(&check->endpoint->admin) == ENDPOINT_MAINT;
}

static void take_result(struct check *check, bool is_ok, const char *reason)
{
	enum endpoint_health before = atomic_load(&check->endpoint->health);
	enum endpoint_health after;

	/* Sent there while the probe was under way. */
	if (is_in_maint(check))
		return;
	after = health_judge(config_of(check->health), before, is_ok, &check->row);
	if (after != before)
		change_health(check, before, after, reason);
}

/* --- The schedule -------------------------------------------------------------------- */

/* The interval, give or take the jitter's share, so that proxies do not fall into step. */
static uint64_t next_interval_ms(struct health *health)
{
	const struct config_health_check *config = config_of(health);
	uint32_t jitter_ms = (uint32_t)((uint64_t)config->interval_ms * config->jitter_percent /
					100);

	return config->interval_ms - jitter_ms + rng_below(&health->rng, 2 * jitter_ms + 1);
}

/* Intervals run from start to start, however long a probe takes. */
static void schedule(struct check *check)
{
	struct health *health = check->health;
	uint64_t passed_ms = io_loop_now_ms(health->loop) - check->started_ms;
	uint64_t interval_ms = next_interval_ms(health);

	io_timer_start(health->loop, &check->timer,
		       interval_ms > passed_ms ? interval_ms - passed_ms : 0);
}

/* Soon where nothing is known, and never all at once. */
static void schedule_first(struct check *check)
{
	struct health *health = check->health;
	uint32_t spread_ms = config_of(health)->interval_ms;

	if (atomic_load(&check->endpoint->health) == ENDPOINT_HEALTH_UNKNOWN &&
	    spread_ms > HEALTH_FIRST_SPREAD_MS)
		spread_ms = HEALTH_FIRST_SPREAD_MS;
	io_timer_start(health->loop, &check->timer,
		       spread_ms > 0 ? rng_below(&health->rng, spread_ms) : 0);
}

static void check_free(struct check *check)
{
	list_remove(&check->node);
	endpoint_unref(check->endpoint);
	free(check);
}

static void say_if_stopped(struct health *health)
{
	if (health->on_stopped && list_is_empty(&health->checks))
		health->on_stopped(health, health->context);
}

/* --- Probes: one, or one by each way ------------------------------------------------- */

static void on_probe_done(struct probe *probe, enum probe_verdict verdict, const char *reason);

/* From @check->way on, that of the endpoint's family. Return: NULL: there is none left. */
static const struct dispatch_way *find_way(struct check *check)
{
	const struct pool *pool = check->health->pool;
	sa_family_t family = check->endpoint->address.sa.sa_family;

	for (; check->way < pool->nways; check->way++)
		if (pool->ways[check->way].service.sa.sa_family == family)
			return &pool->ways[check->way];
	return NULL;
}

/* @way: NULL: to the endpoint's own address. */
static int start_probe(struct check *check, const struct dispatch_way *way)
{
	struct health *health = check->health;
	int err;

	check->probe = (struct probe){
		.pool = pool_config(health->pool),
		.tls = pool_tls(health->pool) ? pool_tls(health->pool) : health->tls,
		.pacer = health->pacer,
		.endpoint = check->endpoint,
		.checks = health->pool->checks,
		.way = way,
		.on_done = on_probe_done,
	};
	err = probe_start(&check->probe, health->loop);
	check->is_probing = !err;
	return err;
}

/* An endpoint is well where it is well by every way. What we could not even try says nothing; the
 * next interval may go better. */
static void go_on(struct check *check, const char *reason)
{
	const struct dispatch_way *way;

	check->way++;
	way = find_way(check);
	if (way && start_probe(check, way) == 0)
		return;
	if (!way)
		take_result(check, true, reason);
	schedule(check);
}

static bool has_failed(struct check *check, enum probe_verdict verdict)
{
	if (verdict == PROBE_UNCLEAR)
		return ++check->unclear >= UNCLEAR_MAX;
	if (verdict == PROBE_FAILED)
		check->unclear = 0;
	return verdict == PROBE_FAILED;
}

static void on_probe_done(struct probe *probe, enum probe_verdict verdict, const char *reason)
{
	struct check *check = container_of(probe, struct check, probe);
	struct health *health = check->health;

	check->is_probing = false;
	if (check->is_ending) {
		check_free(check);
		say_if_stopped(health);
		return;
	}
	if (verdict == PROBE_PASSED) {
		check->unclear = 0;
		go_on(check, reason);
		return;
	}
	if (has_failed(check, verdict))
		take_result(check, false, reason);
	schedule(check);
}

static void on_due(struct io_timer *timer)
{
	struct check *check = container_of(timer, struct check, timer);

	check->started_ms = io_loop_now_ms(check->health->loop);
	if (is_in_maint(check)) {
		check->row = 0;
		schedule(check);
		return;
	}
	check->way = 0;
	if (start_probe(check, find_way(check)))
		schedule(check);
}

/* --- Which endpoints ------------------------------------------------------------------ */

static void check_end(struct check *check)
{
	struct health *health = check->health;

	io_timer_stop(health->loop, &check->timer);
	if (!check->is_probing) {
		check_free(check);
		return;
	}
	if (!check->is_ending)
		probe_cancel(&check->probe);
	check->is_ending = true;
}

static struct check *check_find(struct health *health, const struct endpoint *endpoint)
{
	list_for_each (node, &health->checks) {
		struct check *check = list_entry(node, struct check, node);

		if (check->endpoint == endpoint && !check->is_ending)
			return check;
	}
	return NULL;
}

static struct check *check_new(struct health *health, struct endpoint *endpoint)
{
	struct check *check = calloc(1, sizeof(*check));

	if (!check)
		return NULL;
	check->health = health;
	check->endpoint = endpoint_ref(endpoint);
	check->timer.on_expire = on_due;
	list_push_back(&health->checks, &check->node);
	schedule_first(check);
	return check;
}

static void sync_visit(struct endpoint *endpoint, void *context)
{
	struct health *health = context;
	struct check *check = check_find(health, endpoint);

	if (!check)
		check = check_new(health, endpoint);
	if (check)
		check->is_listed = true;
	else
		health->is_out_of_memory = true;
}

int health_sync(struct health *health)
{
	list_for_each (node, &health->checks) {
		list_entry(node, struct check, node)->is_listed = false;
	}
	health->is_out_of_memory = false;
	pool_for_each(health->pool, sync_visit, health);
	list_for_each_safe (node, &health->checks) {
		struct check *check = list_entry(node, struct check, node);

		if (!check->is_listed)
			check_end(check);
	}
	return health->is_out_of_memory ? -ENOMEM : 0;
}

/* --- Life ----------------------------------------------------------------------------- */

/* Return: 0; -ENOMEM. */
static int prepare_tls(struct health *health)
{
	const struct config_pool *config = pool_config(health->pool);

	if (config->health.kind != CONFIG_HEALTH_TLS && !config->tls.is_enabled)
		return 0;
	health->pacer = tls_pacer_new(health->loop, HANDSHAKES_MAX);
	if (!health->pacer)
		return -ENOMEM;
	if (config->tls.is_enabled)
		return 0;
	return tls_client_context_new(NULL, "", &health->tls, NULL);
}

struct health *health_new(struct pool *pool, struct io_loop *loop)
{
	struct health *health = calloc(1, sizeof(*health));

	if (!health)
		return NULL;
	health->pool = pool_ref(pool);
	health->loop = loop;
	rng_seed_random(&health->rng);
	list_init(&health->checks);
	if (prepare_tls(health) == 0)
		return health;
	health_free(health);
	return NULL;
}

static void end_all(struct health *health)
{
	list_for_each_safe (node, &health->checks) {
		check_end(list_entry(node, struct check, node));
	}
}

void health_stop(struct health *health, void (*on_stopped)(struct health *health, void *context),
		 void *context)
{
	end_all(health);
	health->on_stopped = on_stopped;
	health->context = context;
	say_if_stopped(health);
}

void health_free(struct health *health)
{
	if (!health)
		return;
	end_all(health);
	tls_client_context_free(health->tls);
	tls_pacer_free(health->pacer);
	pool_unref(health->pool);
	free(health);
}
