// SPDX-License-Identifier: Apache-2.0
/* What the control protocol shows of daemon, listeners and pools; docs/control-protocol.md names
 * it. */
#include "admin/admin_internal.h"
#include "core/clock.h"

#include <unistd.h>

struct view {
	struct strbuf *out;
	uint64_t now_ms;
	size_t total, available; /* endpoints */
	size_t rows;
};

static void append_quantiles(struct strbuf *out, const char *key, const struct histogram *histogram)
{
	reply_begin(out, key, '{');
	reply_count(out, "count", histogram_count(histogram));
	reply_seconds(out, "sum", counter_read(&histogram->sum_us));
	reply_seconds(out, "p50", histogram_quantile_us(histogram, 0.5));
	reply_seconds(out, "p90", histogram_quantile_us(histogram, 0.9));
	reply_seconds(out, "p99", histogram_quantile_us(histogram, 0.99));
	reply_end(out, '{');
}

static void append_time(struct strbuf *out, const char *key, uint64_t wall_us)
{
	char text[CLOCK_RFC3339_SIZE];

	reply_text(out, key, clock_format_rfc3339(wall_us, text));
}

void control_version(struct server *server, struct strbuf *out)
{
	struct server_facts facts;

	server_describe(server, &facts);
	reply_text(out, "version", SLUICE_VERSION);
	reply_count(out, "protocol", CONTROL_PROTOCOL_VERSION);
	reply_text(out, "io_backend", facts.io_backend);
}

static void count_listener(const struct listener_row *row, void *context)
{
	struct view *view = context;

	(void)row;
	view->rows++;
}

static void count_endpoint(struct endpoint *endpoint, void *context)
{
	struct view *view = context;

	view->total++;
	view->available += endpoint_is_available(endpoint, view->now_ms);
}

static void count_pool(const struct pool_row *row, void *context)
{
	struct view *view = context;

	view->rows++;
	pool_for_each(row->pool, count_endpoint, view);
}

static void append_config(struct server *server, const struct server_facts *facts,
			  struct strbuf *out)
{
	reply_begin(out, "config", '{');
	reply_text(out, "path", server_config(server)->path);
	reply_count(out, "generation", facts->config_generation);
	append_time(out, "loaded_at", facts->loaded_wall_us);
	reply_count(out, "reload_failures", facts->reload_failures);
	reply_text(out, "pending", facts->pending);
	reply_end(out, '{');
}

static void append_device(const struct splice_device *device, void *context)
{
	struct strbuf *out = context;

	reply_begin(out, NULL, '{');
	reply_text(out, "name", device->name);
	reply_text(out, "driver", device->driver);
	reply_text(out, "hook", device->hook);
	reply_text(out, "why", device->why);
	reply_end(out, '{');
}

static void append_acceleration(struct server *server, struct strbuf *out)
{
	struct acceleration_facts facts;

	server_describe_acceleration(server, &facts);
	reply_begin(out, "acceleration", '{');
	reply_text(out, "mode", facts.mode);
	reply_bool(out, "available", !facts.why);
	reply_text(out, "why", facts.why);
	reply_count(out, "pairs", facts.splice.pairs);
	reply_count(out, "max_pairs", facts.splice.max_pairs);
	reply_begin(out, "untold", '{');
	for (int i = 0; i < FLOW_EVENT_KINDS; i++)
		reply_count(out, splice_event_name((enum flow_event_kind)i), facts.untold[i]);
	reply_end(out, '{');
	reply_begin(out, "devices", '[');
	server_for_each_device(server, append_device, out);
	reply_end(out, '[');
	reply_end(out, '{');
}

void control_status(struct server *server, struct strbuf *out)
{
	struct view listeners = {0}, pools = {.now_ms = clock_monotonic_ms()};
	uint64_t now_us = clock_wall_us();
	struct server_facts facts;

	server_describe(server, &facts);
	server_for_each_listener(server, count_listener, &listeners);
	server_for_each_pool(server, count_pool, &pools);
	reply_text(out, "version", SLUICE_VERSION);
	reply_count(out, "pid", (uint64_t)getpid());
	reply_text(out, "state", server_is_draining(server) ? "draining" : "serving");
	append_time(out, "started_at", facts.started_wall_us);
	/* The wall clock may have been set back since. */
	reply_seconds(out, "uptime_seconds",
		      now_us > facts.started_wall_us ? now_us - facts.started_wall_us : 0);
	reply_text(out, "io_backend", facts.io_backend);
	reply_count(out, "workers", facts.workers);
	append_config(server, &facts, out);
	append_acceleration(server, out);
	reply_count(out, "connections_active", facts.connections_active);
	reply_count(out, "connections_total", facts.connections_total);
	reply_begin(out, "lines_lost", '{');
	reply_count(out, "access_log", facts.access_lines_lost);
	reply_count(out, "log", facts.log_lines_lost);
	reply_end(out, '{');
	reply_count(out, "listeners", listeners.rows);
	reply_count(out, "pools", pools.rows);
	reply_begin(out, "endpoints", '{');
	reply_count(out, "total", pools.total);
	reply_count(out, "available", pools.available);
	reply_end(out, '{');
}

static void append_ends(const uint64_t *ends, struct strbuf *out)
{
	reply_begin(out, "ends", '{');
	for (unsigned i = CONNECTION_END_OPEN + 1; i < CONNECTION_END_COUNT; i++)
		reply_count(out, connection_end_name((enum connection_end)i), ends[i]);
	reply_end(out, '{');
}

static void append_tls(const struct tls_row *row, struct strbuf *out)
{
	reply_count(out, "full", row->full);
	reply_count(out, "resumed", row->resumed);
	reply_count(out, "early", row->early);
	reply_count(out, "kernel", row->kernel);
	reply_begin(out, "failed", '{');
	for (unsigned i = TLS_FAILURE_NONE + 1; i < TLS_FAILURE_COUNT; i++)
		reply_count(out, tls_failure_name((enum tls_failure)i), row->failed[i]);
	reply_end(out, '{');
}

static void append_certificate(const struct tls_certificate_row *row, struct strbuf *out)
{
	int64_t now_s = (int64_t)(clock_wall_us() / 1000000);

	reply_begin(out, NULL, '{');
	reply_text(out, "file", row->file);
	reply_text(out, "name", row->name);
	reply_count(out, "names", row->nnames);
	reply_text(out, "key", row->kind);
	append_time(out, "not_after",
		    row->not_after_s > 0 ? (uint64_t)row->not_after_s * 1000000 : 0);
	reply_count(out, "stapled_for_seconds",
		    row->stapled_until_s > now_s ? (uint64_t)(row->stapled_until_s - now_s) : 0);
	reply_count(out, "expires_in_seconds",
		    row->not_after_s > now_s ? (uint64_t)(row->not_after_s - now_s) : 0);
	reply_end(out, '{');
}

static void append_listener_tls(const struct listener_row *row, struct strbuf *out)
{
	reply_begin(out, "tls", '{');
	append_tls(&row->tls, out);
	reply_begin(out, "certificates", '[');
	for (size_t i = 0; i < row->ncertificates; i++)
		append_certificate(&row->certificates[i], out);
	reply_end(out, '[');
	reply_end(out, '{');
}

static void append_binds(const struct listener_row *row, struct strbuf *out)
{
	char text[CONFIG_BIND_SIZE];

	reply_begin(out, "binds", '[');
	for (size_t i = 0; i < row->nbinds; i++)
		reply_text(out, NULL, address_format(&row->binds[i], text));
	for (size_t i = 0; i < row->nservices; i++)
		reply_text(out, NULL, config_bind_format(&row->services[i], text));
	reply_end(out, '[');
}

static void append_listener(const struct listener_row *row, void *context)
{
	struct strbuf *out = context;

	reply_begin(out, NULL, '{');
	reply_text(out, "name", row->name);
	reply_text(out, "mode", row->mode);
	append_binds(row, out);
	reply_count(out, "active", row->active);
	reply_count(out, "accepted", row->accepted);
	reply_count(out, "refused", row->refused);
	reply_count(out, "bytes_in", row->bytes_in);
	reply_count(out, "bytes_out", row->bytes_out);
	append_ends(row->ends, out);
	append_quantiles(out, "session_seconds", row->session_time);
	if (row->tls.is_enabled)
		append_listener_tls(row, out);
	reply_end(out, '{');
}

void control_listeners(struct server *server, struct strbuf *out)
{
	reply_begin(out, "listeners", '[');
	server_for_each_listener(server, append_listener, out);
	reply_end(out, '[');
}

static void append_state(const struct endpoint *endpoint, uint64_t now_ms, struct strbuf *out)
{
	uint64_t until_ms = atomic_load(&endpoint->ejected_until_ms);
	uint64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;

	reply_text(out, "admin", endpoint_admin_name(atomic_load(&endpoint->admin)));
	reply_text(out, "health", endpoint_health_name(atomic_load(&endpoint->health)));
	reply_bool(out, "available", endpoint_is_available(endpoint, now_ms));
	reply_bool(out, "ejected", left_ms > 0);
	reply_seconds(out, "ejected_seconds", left_ms * 1000);
	reply_count(out, "ejections", atomic_load(&endpoint->ejections));
	reply_count(out, "failures", atomic_load(&endpoint->failures));
}

void control_append_endpoint(const struct endpoint *endpoint, uint64_t now_ms, struct strbuf *out)
{
	char address[ADDRESS_TEXT_SIZE];

	reply_begin(out, NULL, '{');
	reply_text(out, "name", endpoint->name);
	reply_text(out, "address", address_format(&endpoint->address, address));
	reply_text(out, "zone", endpoint->zone);
	if (endpoint->has_location)
		reply_point(out, "location", &endpoint->location);
	reply_count(out, "tier", atomic_load(&endpoint->tier));
	reply_count(out, "weight", atomic_load(&endpoint->weight));
	reply_count(out, "max_connections", atomic_load(&endpoint->max_connections));
	append_state(endpoint, now_ms, out);
	reply_seconds(out, "latency_seconds", atomic_load(&endpoint->latency_us));
	reply_count(out, "active", atomic_load(&endpoint->load.active));
	reply_count(out, "connections", counter_read(&endpoint->load.connections));
	reply_count(out, "connect_failures", counter_read(&endpoint->load.connect_failures));
	reply_count(out, "resets", counter_read(&endpoint->load.resets));
	reply_count(out, "bytes_in", counter_read(&endpoint->load.bytes_in));
	reply_count(out, "bytes_out", counter_read(&endpoint->load.bytes_out));
	reply_end(out, '{');
}

static void append_endpoint(struct endpoint *endpoint, void *context)
{
	struct view *view = context;

	control_append_endpoint(endpoint, view->now_ms, view->out);
}

/* Gauges that have a limit. */
static void append_breaker(const struct pool_row *row, struct strbuf *out)
{
	reply_begin(out, "breaker", '{');
	for (int i = 0; i < BREAKER_GAUGES_COUNT; i++) {
		const struct breaker_row *gauge = &row->breaker[i];

		if (!gauge->limit)
			continue;
		reply_begin(out, breaker_gauge_name((enum breaker_gauge)i), '{');
		reply_count(out, "now", gauge->now);
		reply_count(out, "limit", gauge->limit);
		reply_text(out, "state", gauge->is_open ? "open" : "closed");
		reply_count(out, "refused", gauge->refused);
		reply_end(out, '{');
	}
	reply_end(out, '{');
}

/* What has happened. */
static void append_mirrors(const struct pool_row *row, struct strbuf *out)
{
	reply_begin(out, "mirrors", '{');
	for (size_t i = 0; i < MIRROR_RESULT_COUNT; i++)
		if (row->mirrors[i])
			reply_count(out, mirror_result_name((enum mirror_result)i),
				    row->mirrors[i]);
	reply_end(out, '{');
}

static void append_pool(const struct pool_row *row, void *context)
{
	struct view *view = context;
	struct strbuf *out = view->out;

	reply_begin(out, NULL, '{');
	reply_text(out, "name", row->name);
	reply_text(out, "balance", row->balance);
	reply_count(out, "waiting", row->waiting);
	reply_count(out, "connect_failures", row->connect_failures);
	reply_count(out, "retries", row->retries);
	reply_count(out, "resent", row->resent);
	reply_count(out, "over_budget", row->over_budget);
	reply_count(out, "hedged", row->hedged);
	reply_count(out, "hedges_won", row->hedges_won);
	append_breaker(row, out);
	append_mirrors(row, out);
	append_quantiles(out, "connect_seconds", row->connect_time);
	if (row->tls.is_enabled) {
		reply_begin(out, "tls", '{');
		append_tls(&row->tls, out);
		reply_end(out, '{');
	}
	reply_begin(out, "endpoints", '[');
	pool_for_each(row->pool, append_endpoint, view);
	reply_end(out, '[');
	reply_end(out, '{');
}

void control_pools(struct server *server, struct strbuf *out)
{
	struct view view = {.out = out, .now_ms = clock_monotonic_ms()};

	reply_begin(out, "pools", '[');
	server_for_each_pool(server, append_pool, &view);
	reply_end(out, '[');
}
