// SPDX-License-Identifier: Apache-2.0
/*
 * All pools of a configuration, and their helpers: health.c's checks and resolver.c's names. Here
 * the two are joined to the pools; everything runs on the control thread.
 */
#include "upstream/upstream.h"

#include "upstream/health.h"
#include "upstream/resolver.h"
#include "upstream/upstream_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A configured endpoint that is a DNS name. */
struct dns_member {
	struct resolver_name name;
	struct upstream *upstream;
	size_t pool, index; /* in the configuration */
};

struct upstream {
	const struct config *config;
	struct io_loop *loop;
	struct upstream_events events;
	struct pool **pools;     /* config->npools */
	struct health **healths; /* the same; NULL where a pool has no checks */
	struct resolver *resolver;
	struct dns_member *members;
	size_t nmembers;
	size_t stopping; /* healths that are not stopped yet, and one */
	struct io_task stop;
	void (*on_stopped)(struct upstream *, void *context);
	void *context;
};

/* --- Names ---------------------------------------------------------------------------- */

static int on_addresses(struct resolver_name *name, const struct address_set *set)
{
	struct dns_member *member = container_of(name, struct dns_member, name);
	struct upstream *upstream = member->upstream;
	struct pool *pool = upstream->pools[member->pool];
	int err;

	/* After a reload the first answer is mostly what the pool has taken over. */
	if (pool_has_addresses(pool, member->index, set))
		return 0;
	err = pool_set_addresses(pool, member->index, set->items, set->count);
	if (!err && upstream->healths[member->pool])
		err = health_sync(upstream->healths[member->pool]);
	if (!err && upstream->events.on_addresses_changed)
		upstream->events.on_addresses_changed(pool, name->host, set->count,
						      upstream->events.context);
	return err;
}

static void on_failed(struct resolver_name *name, const char *reason, bool is_denied)
{
	struct dns_member *member = container_of(name, struct dns_member, name);
	struct upstream *upstream = member->upstream;

	if (upstream->events.on_resolve_failed)
		upstream->events.on_resolve_failed(upstream->pools[member->pool], name->host,
						   reason, is_denied ? (int64_t)name->hold_ms : -1,
						   upstream->events.context);
}

static const struct resolver_ops resolver_ops = {
	.on_addresses = on_addresses,
	.on_failed = on_failed,
};

static void add_pool_members(struct upstream *upstream, size_t pool)
{
	const struct config_pool *config = &upstream->config->pools[pool];

	for (size_t i = 0; i < config->nendpoints; i++) {
		const struct config_endpoint *endpoint = &config->endpoints[i];

		if (endpoint->resolve != CONFIG_RESOLVE_DNS)
			continue;
		upstream->members[upstream->nmembers++] = (struct dns_member){
			.name = {.host = endpoint->host,
				 .port = endpoint->port,
				 .hold_ms = endpoint->resolve_hold_ms,
				 .ops = &resolver_ops},
			.upstream = upstream,
			.pool = pool,
			.index = i,
		};
	}
}

static size_t count_endpoints(const struct config *config)
{
	size_t count = 0;

	for (size_t i = 0; i < config->npools; i++)
		count += config->pools[i].nendpoints;
	return count;
}

/* --- Life ------------------------------------------------------------------------------ */

static int fill(struct upstream *upstream, struct upstream *previous)
{
	const struct config *config = upstream->config;
	size_t npools = config->npools, nendpoints = count_endpoints(config);

	/* At least one of each: nothing is a count like any other. */
	upstream->pools = calloc(npools + 1, sizeof(struct pool *));
	upstream->healths = calloc(npools + 1, sizeof(struct health *));
	upstream->members = calloc(nendpoints + 1, sizeof(*upstream->members));
	if (!upstream->pools || !upstream->healths || !upstream->members)
		return -ENOMEM;
	for (size_t i = 0; i < npools; i++) {
		const struct config_pool *pool = &config->pools[i];
		struct pool *before = previous ? upstream_find_pool(previous, pool->name) : NULL;

		upstream->pools[i] = pool_new(pool, config->zone, before);
		if (!upstream->pools[i])
			return -ENOMEM;
		add_pool_members(upstream, i);
	}
	return 0;
}

int upstream_new(const struct config *config, struct upstream *previous, struct io_loop *loop,
		 struct upstream **ret)
{
	struct upstream *upstream = calloc(1, sizeof(*upstream));

	if (!upstream)
		return -ENOMEM;
	upstream->config = config;
	upstream->loop = loop;
	if (fill(upstream, previous)) {
		upstream_free(upstream);
		return -ENOMEM;
	}
	*ret = upstream;
	return 0;
}

void upstream_set_events(struct upstream *upstream, const struct upstream_events *events)
{
	upstream->events = *events;
	for (size_t i = 0; i < upstream->config->npools; i++)
		upstream->pools[i]->events = *events;
}

static void free_helpers(struct upstream *upstream)
{
	resolver_free(upstream->resolver);
	upstream->resolver = NULL;
	for (size_t i = 0; upstream->healths && i < upstream->config->npools; i++) {
		health_free(upstream->healths[i]);
		upstream->healths[i] = NULL;
	}
}

static int start_resolver(struct upstream *upstream)
{
	const struct resolver_options options = {};
	int err;

	if (upstream->nmembers == 0)
		return 0;
	err = resolver_new(upstream->loop, &options, &upstream->resolver);
	if (err)
		return err;
	for (size_t i = 0; i < upstream->nmembers; i++)
		resolver_add(upstream->resolver, &upstream->members[i].name);
	return 0;
}

static int start_checks(struct upstream *upstream, size_t index)
{
	struct pool *pool = upstream->pools[index];

	if (pool_config(pool)->health.kind == CONFIG_HEALTH_OFF)
		return 0;
	upstream->healths[index] = health_new(pool, upstream->loop);
	return upstream->healths[index] ? health_sync(upstream->healths[index]) : -ENOMEM;
}

int upstream_start(struct upstream *upstream)
{
	int err = start_resolver(upstream);

	for (size_t i = 0; i < upstream->config->npools && !err; i++)
		err = start_checks(upstream, i);
	if (err) {
		free_helpers(upstream);
		return err;
	}
	for (size_t i = 0; i < upstream->config->npools; i++)
		pool_activate(upstream->pools[i]);
	return 0;
}

static void stopped_one(struct upstream *upstream)
{
	if (--upstream->stopping > 0)
		return;
	free_helpers(upstream);
	upstream->on_stopped(upstream, upstream->context);
}

static void on_health_stopped(struct health *health, void *context)
{
	(void)health;
	stopped_one(context);
}

/* At the end of a round: whoever asked to stop may have been called by what ends here. */
static void on_stop(struct io_task *task)
{
	struct upstream *upstream = container_of(task, struct upstream, stop);

	resolver_free(upstream->resolver);
	upstream->resolver = NULL;
	upstream->stopping = 1;
	for (size_t i = 0; i < upstream->config->npools; i++) {
		if (!upstream->healths[i])
			continue;
		upstream->stopping++;
		health_stop(upstream->healths[i], on_health_stopped, upstream);
	}
	stopped_one(upstream);
}

void upstream_stop(struct upstream *upstream, void (*on_stopped)(struct upstream *, void *context),
		   void *context)
{
	upstream->on_stopped = on_stopped;
	upstream->context = context;
	upstream->stop.on_run = on_stop;
	io_loop_defer(upstream->loop, &upstream->stop);
}

void upstream_free(struct upstream *upstream)
{
	if (!upstream)
		return;
	free_helpers(upstream);
	for (size_t i = 0; upstream->pools && i < upstream->config->npools; i++)
		pool_unref(upstream->pools[i]);
	free(upstream->pools);
	free(upstream->healths);
	free(upstream->members);
	free(upstream);
}

struct pool *upstream_pool(struct upstream *upstream, size_t index)
{
	return upstream->pools[index];
}

struct pool *upstream_find_pool(struct upstream *upstream, const char *name)
{
	for (size_t i = 0; i < upstream->config->npools; i++)
		if (strcmp(upstream->config->pools[i].name, name) == 0)
			return upstream->pools[i];
	return NULL;
}
