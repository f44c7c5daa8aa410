// SPDX-License-Identifier: Apache-2.0
/* What the admin interface shows of a running server. */
#include "proxy/inspect.h"
#include "core/clock.h"
#include "core/log.h"
#include "proxy/access_log.h"
#include "proxy/adopted.h"
#include "proxy/geography_watch.h"
#include "proxy/server_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void server_describe(struct server *server, struct server_facts *ret)
{
	const struct snapshot *snapshot = server->snapshot;
	struct tracer_facts spans;

	tracer_read(server->shared.tracer, &spans);
	*ret = (struct server_facts){
		.started_wall_us = server->started_wall_us,
		.loaded_wall_us = snapshot ? snapshot->loaded_wall_us : 0,
		.config_generation = snapshot ? snapshot->generation : 0,
		.reload_failures = server->reload_failures,
		.pending = geography_watch_pending(server->geography),
		.workers = server->nworkers,
		.io_backend = io_backend_name(server->io_backend),
		.connections_active = atomic_load(&server->shared.active) + server->nadopted,
		.connections_total = atomic_load(&server->shared.total),
		.spans_sent = spans.sent,
		.spans_dropped = spans.dropped,
		.spans_failed = spans.failed,
		.access_lines_lost = access_log_lost_lines(),
		.log_lines_lost = log_lost_lines(),
	};
}

void server_describe_acceleration(struct server *server, struct acceleration_facts *ret)
{
	static const char *const modes[] = {
		[CONFIG_AUTO] = "auto",
		[CONFIG_OFF] = "off",
		[CONFIG_SPLICE] = "splice",
		[CONFIG_SOCKMAP] = "sockmap",
	};

	*ret = (struct acceleration_facts){.mode = modes[server->mode], .why = server->why_relay};
	if (server->shared.splice)
		splice_describe(server->shared.splice, &ret->splice);
	if (server->programs)
		splice_untold(server->programs, ret->untold);
}

struct guard *server_guard(const struct server *server)
{
	return server->shared.guard;
}

const struct geo *server_geo(const struct server *server)
{
	return server->snapshot ? server->snapshot->places.geo : NULL;
}

struct dispatcher *server_dispatcher(const struct server *server)
{
	return server->dispatcher;
}

void server_for_each_device(struct server *server,
			    void (*visit)(const struct splice_device *device, void *context),
			    void *context)
{
	if (server->programs)
		splice_for_each_device(server->programs, visit, context);
}

/* Return: how many of the snapshot's bindings are @listener's, put into @ret. */
static size_t collect_binds(const struct snapshot *snapshot, uint32_t listener, struct address *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < snapshot->nbindings; i++)
		if (snapshot->bindings[i].listener == listener)
			ret[count++] = snapshot->bindings[i].binding->address;
	return count;
}

struct certificate_list {
	struct tls_certificate_row *rows;
	size_t count;
};

static void add_certificate(const struct tls_certificate_row *row, void *context)
{
	struct certificate_list *list = context;

	list->rows[list->count++] = *row;
}

/* Without memory they are not shown. */
static void collect_certificates(const struct snapshot_listener *listener, struct listener_row *ret)
{
	struct certificate_list list = {};

	if (!listener->tls)
		return;
	list.rows = calloc(listener->config->tls.ncertificates, sizeof(*list.rows));
	if (!list.rows)
		return;
	tls_server_context_visit(listener->tls, add_certificate, &list);
	ret->certificates = list.rows;
	ret->ncertificates = list.count;
}

static void add_exchanges(const struct listener_counters *sum, uint64_t ends[EXCHANGE_END_COUNT],
			  struct listener_row *ret)
{
	request_counters_read(&sum->requests, &ret->requests);
	for (size_t i = 0; i < EXCHANGE_END_COUNT; i++)
		ends[i] = counter_read(&sum->exchange_ends[i]);
	ret->exchange_ends = ends;
}

static void visit_listener(const struct snapshot *snapshot, uint32_t index, struct address *binds,
			   void (*visit)(const struct listener_row *row, void *context),
			   void *context)
{
	const struct snapshot_listener *listener = &snapshot->listeners[index];
	uint64_t ends[CONNECTION_END_COUNT], exchange_ends[EXCHANGE_END_COUNT];
	struct listener_acceleration acceleration;
	struct listener_counters sum = {};
	struct listener_row row = {
		.name = listener->config->name,
		.mode = config_mode_name(listener->config->mode),
		.binds = binds,
		.nbinds = collect_binds(snapshot, index, binds),
		.active = atomic_load(&listener->stats->active),
		.ends = ends,
		.acceleration = &acceleration,
		.session_time = &sum.session_time,
	};

	if (listener->config->mode == CONFIG_MODE_DISPATCH) {
		row.services = listener->config->binds;
		row.nservices = listener->config->nbinds;
	}
	listener_stats_sum(listener->stats, &sum);
	for (size_t i = 0; i < CONNECTION_END_COUNT; i++)
		ends[i] = counter_read(&sum.ends[i]);
	acceleration_read(&sum.acceleration, &acceleration);
	row.accepted = counter_read(&sum.accepted);
	row.refused = counter_read(&sum.refused);
	row.spliced = counter_read(&sum.spliced);
	row.bytes_in = counter_read(&sum.bytes_in);
	row.bytes_out = counter_read(&sum.bytes_out);
	if (listener->config->mode == CONFIG_MODE_HTTP)
		add_exchanges(&sum, exchange_ends, &row);
	row.tls.is_enabled = listener->tls;
	tls_counters_read(&sum.tls, &row.tls);
	collect_certificates(listener, &row);
	visit(&row, context);
	free((void *)(uintptr_t)row.certificates);
}

void server_for_each_listener(struct server *server,
			      void (*visit)(const struct listener_row *row, void *context),
			      void *context)
{
	const struct snapshot *snapshot = server->snapshot;
	struct address *binds;

	if (!snapshot)
		return;
	binds = calloc(snapshot->nbindings + 1, sizeof(*binds));
	if (!binds)
		return;
	for (uint32_t i = 0; i < snapshot->config->nlisteners; i++)
		visit_listener(snapshot, i, binds, visit, context);
	free(binds);
}

void server_for_each_pool(struct server *server,
			  void (*visit)(const struct pool_row *row, void *context), void *context)
{
	const struct snapshot *snapshot = server->snapshot;

	for (size_t i = 0; snapshot && i < snapshot->config->npools; i++) {
		struct pool *pool = upstream_pool(snapshot->upstream, i);
		struct pool_counters sum = {};
		struct pool_row row = {
			.name = snapshot->config->pools[i].name,
			.balance = config_balance_name(snapshot->config->pools[i].balance),
			.pool = pool,
			.waiting = pool_waiting(pool),
			.connect_time = &sum.connect_time,
		};

		pool_stats_sum(snapshot->pools[i], &sum);
		row.connect_failures = counter_read(&sum.connect_failures);
		row.retries = counter_read(&sum.retries);
		row.resent = counter_read(&sum.resent);
		row.over_budget = counter_read(&sum.over_budget);
		row.hedged = counter_read(&sum.hedged);
		row.hedges_won = counter_read(&sum.hedges_won);
		mirrors_read(&sum, row.mirrors);
		breaker_describe(&snapshot->pools[i]->breaker, &snapshot->config->pools[i].breaker,
				 row.breaker);
		row.tls.is_enabled = snapshot->pool_tls[i];
		tls_counters_read(&sum.tls, &row.tls);
		request_counters_read(&sum.requests, &row.requests);
		visit(&row, context);
	}
}

static void visit_routes(const struct snapshot_listener *listener,
			 void (*visit)(const struct route_row *row, void *context), void *context)
{
	for (size_t i = 0; listener->route_stats && i < listener->config->nroutes; i++) {
		const struct route_stats *stats = listener->route_stats[i];
		struct request_counters sum = {};
		struct route_row row = {.listener = listener->config->name};

		if (!stats)
			continue;
		row.name = stats->head.name;
		route_stats_sum(stats, &sum);
		request_counters_read(&sum, &row.requests);
		visit(&row, context);
	}
}

void server_for_each_route(struct server *server,
			   void (*visit)(const struct route_row *row, void *context), void *context)
{
	const struct snapshot *snapshot = server->snapshot;

	for (size_t i = 0; snapshot && i < snapshot->config->nlisteners; i++)
		visit_routes(&snapshot->listeners[i], visit, context);
}

struct pool *server_find_pool(struct server *server, const char *name)
{
	return server->snapshot ? upstream_find_pool(server->snapshot->upstream, name) : NULL;
}

/* --- Connections of all workers ------------------------------------------------------ */

struct gathering {
	size_t limit, count;
	uint64_t total;
	uint32_t awaited; /* workers that have not answered */
	struct connection_row *rows;
	void (*on_done)(const struct connection_row *rows, size_t count, uint64_t total,
			void *context);
	void *context;
};

static void finish_if_all(struct gathering *gathering)
{
	if (gathering->awaited > 0)
		return;
	gathering->on_done(gathering->rows, gathering->count, gathering->total, gathering->context);
	free(gathering->rows);
	free(gathering);
}

static void on_rows(struct connection_row *rows, size_t count, uint64_t total, void *context)
{
	struct gathering *gathering = context;
	size_t room = gathering->limit - gathering->count;

	if (count > room)
		count = room;
	memcpy(gathering->rows + gathering->count, rows, count * sizeof(*rows));
	gathering->count += count;
	gathering->total += total;
	gathering->awaited--;
	free(rows);
	finish_if_all(gathering);
}

int server_list_connections(struct server *server, size_t limit,
			    void (*on_done)(const struct connection_row *rows, size_t count,
					    uint64_t total, void *context),
			    void *context)
{
	struct gathering *gathering = calloc(1, sizeof(*gathering));
	uint32_t asked = 0;

	if (!gathering)
		return -ENOMEM;
	gathering->rows = calloc(limit + 1, sizeof(*gathering->rows));
	if (!gathering->rows)
		goto fail;
	gathering->limit = limit;
	gathering->on_done = on_done;
	gathering->context = context;
	gathering->count = adopted_describe(server, gathering->rows, limit);
	gathering->total = server->nadopted;
	for (uint32_t w = 0; w < server->nworkers; w++)
		if (worker_list(server->workers[w], limit, on_rows, gathering) == 0)
			asked++;
	if (asked == 0)
		goto fail;
	gathering->awaited = asked;
	return 0;
fail:
	free(gathering->rows);
	free(gathering);
	return -ENOMEM;
}
