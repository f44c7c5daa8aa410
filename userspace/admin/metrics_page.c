// SPDX-License-Identifier: Apache-2.0
/*
 * All metrics in one text. The format wants the samples of a family together, but listeners, pools
 * and endpoints are visited once, for one moment's numbers: so each family collects its samples in
 * a text of its own, and the texts are joined at the end.
 */
#include "admin/admin_internal.h"
#include "admin/metrics_internal.h"
#include "core/clock.h"

static const struct {
	const char *name, *type, *help;
} families[METRIC_COUNT] = {
#define X(id, name, type, help) [METRIC_##id] = {"sluice_" name, type, help},
	METRICS(X)
#undef X
};

void metric_add(struct metrics *page, enum metric metric, labels_t *labels, uint64_t value)
{
	prometheus_sample(&page->samples[metric], families[metric].name, labels, value);
}

void metric_add_histogram(struct metrics *page, enum metric metric, labels_t *labels,
			  const struct histogram *histogram)
{
	prometheus_histogram(&page->samples[metric], families[metric].name, labels, histogram);
}

static void add_spans(struct metrics *page, const struct server_facts *facts)
{
	const struct {
		const char *result;
		uint64_t count;
	} spans[] = {
		{"sent", facts->spans_sent},
		{"dropped", facts->spans_dropped},
		{"failed", facts->spans_failed},
	};

	for (size_t i = 0; i < ARRAY_SIZE(spans); i++)
		metric_add(page, METRIC_SPANS,
			   (labels_t[]){{"result", spans[i].result}, {NULL, NULL}}, spans[i].count);
}

static void add_lost_lines(struct metrics *page, const struct server_facts *facts)
{
	metric_add(page, METRIC_LOG_LINES_LOST, (labels_t[]){{"log", "access"}, {NULL, NULL}},
		   facts->access_lines_lost);
	metric_add(page, METRIC_LOG_LINES_LOST, (labels_t[]){{"log", "daemon"}, {NULL, NULL}},
		   facts->log_lines_lost);
}

static void add_process(struct metrics *page, struct server *server)
{
	struct server_facts facts;

	server_describe(server, &facts);
	metric_add(page, METRIC_BUILD_INFO,
		   (labels_t[]){{"version", SLUICE_VERSION},
				{"io_backend", facts.io_backend},
				{NULL, NULL}},
		   1);
	metric_add(page, METRIC_START_TIME, NULL, facts.started_wall_us / 1000000);
	metric_add(page, METRIC_DRAINING, NULL, server_is_draining(server));
	metric_add(page, METRIC_WORKERS, NULL, facts.workers);
	metric_add(page, METRIC_CONFIG_GENERATION, NULL, facts.config_generation);
	metric_add(page, METRIC_CONFIG_LOADED, NULL, facts.loaded_wall_us / 1000000);
	metric_add(page, METRIC_RELOAD_FAILURES, NULL, facts.reload_failures);
	add_lost_lines(page, &facts);
	add_spans(page, &facts);
}

static void join(struct metrics *page, struct strbuf *out)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		struct strbuf *samples = &page->samples[i];

		out->is_failed |= samples->is_failed;
		if (samples->len > 0) {
			prometheus_family(out, families[i].name, families[i].type,
					  families[i].help);
			strbuf_append(out, slice_of(samples->text, samples->len));
		}
		strbuf_done(samples);
	}
}

void metrics_page(struct server *server, struct strbuf *out)
{
	struct metrics page = {.now_ms = clock_monotonic_ms()};

	add_process(&page, server);
	metrics_add_acceleration(&page, server);
	metrics_add_guard(&page, server);
	metrics_add_dispatch(&page, server);
	server_for_each_listener(server, metrics_add_listener, &page);
	server_for_each_route(server, metrics_add_route, &page);
	server_for_each_pool(server, metrics_add_pool, &page);
	join(&page, out);
}
