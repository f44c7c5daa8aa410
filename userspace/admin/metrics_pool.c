// SPDX-License-Identifier: Apache-2.0
/* Metrics of pools and their endpoints. */
#include "admin/metrics_internal.h"

#include <stdio.h>

static void add_admin_state(struct metrics *page, const struct endpoint *endpoint,
			    const char *address)
{
	uint32_t state = atomic_load(&endpoint->admin);

	for (uint32_t i = ENDPOINT_READY; i <= ENDPOINT_MAINT; i++)
		metric_add(page, METRIC_ENDPOINT_ADMIN,
			   (labels_t[]){{"pool", page->pool},
					{"endpoint", endpoint->name},
					{"address", address},
					{"state", endpoint_admin_name(i)},
					{NULL, NULL}},
			   state == i);
}

static void add_endpoint(struct endpoint *endpoint, void *context)
{
	struct metrics *page = context;
	char address[ADDRESS_TEXT_SIZE];
	labels_t labels[] = {{"pool", page->pool},
			     {"endpoint", endpoint->name},
			     {"address", address_format(&endpoint->address, address)},
			     {NULL, NULL}};

	metric_add(page, METRIC_ENDPOINT_UP, labels,
		   atomic_load(&endpoint->health) != ENDPOINT_HEALTH_DOWN);
	metric_add(page, METRIC_ENDPOINT_AVAILABLE, labels,
		   endpoint_is_available(endpoint, page->now_ms));
	metric_add(page, METRIC_ENDPOINT_EJECTED, labels,
		   atomic_load(&endpoint->ejected_until_ms) > page->now_ms);
	add_admin_state(page, endpoint, address);
	metric_add(page, METRIC_ENDPOINT_WEIGHT, labels, atomic_load(&endpoint->weight));
	metric_add(page, METRIC_ENDPOINT_EJECTIONS, labels, atomic_load(&endpoint->ejections));
	metric_add(page, METRIC_ENDPOINT_ACTIVE, labels, atomic_load(&endpoint->load.active));
	metric_add(page, METRIC_ENDPOINT_CONNECTIONS, labels,
		   counter_read(&endpoint->load.connections));
	metric_add(page, METRIC_ENDPOINT_CONNECT_FAILURES, labels,
		   counter_read(&endpoint->load.connect_failures));
	metric_add(page, METRIC_ENDPOINT_RESETS, labels, counter_read(&endpoint->load.resets));
	/* bytes_in comes from clients, and goes to the endpoint */
	metric_add(page, METRIC_ENDPOINT_SENT, labels, counter_read(&endpoint->load.bytes_in));
	metric_add(page, METRIC_ENDPOINT_RECEIVED, labels, counter_read(&endpoint->load.bytes_out));
}

static void add_breaker(struct metrics *page, const struct pool_row *row)
{
	for (int i = 0; i < BREAKER_GAUGES_COUNT; i++) {
		const struct breaker_row *gauge = &row->breaker[i];
		labels_t labels[] = {{"pool", row->name},
				     {"gauge", breaker_gauge_name((enum breaker_gauge)i)},
				     {NULL, NULL}};

		if (!gauge->limit)
			continue;
		metric_add(page, METRIC_BREAKER_NOW, labels, gauge->now);
		metric_add(page, METRIC_BREAKER_LIMIT, labels, gauge->limit);
		metric_add(page, METRIC_BREAKER_REFUSED, labels, gauge->refused);
	}
}

/* None for a pool that never was a mirror. */
static void add_mirrors(struct metrics *page, const struct pool_row *row)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < MIRROR_RESULT_COUNT; i++)
		sum += row->mirrors[i];
	for (size_t i = 0; sum && i < MIRROR_RESULT_COUNT; i++) {
		labels_t labels[] = {{"pool", row->name},
				     {"result", mirror_result_name((enum mirror_result)i)},
				     {NULL, NULL}};

		metric_add(page, METRIC_MIRRORS, labels, row->mirrors[i]);
	}
}

static void add_place(const struct pool_place *place, void *context)
{
	struct metrics *page = context;
	char point[64] = "none";

	if (place->is_known)
		snprintf(point, sizeof(point), "%.10g,%.10g", place->point.latitude,
			 place->point.longitude);
	for (size_t i = 0; i < POOL_NEARNESS_COUNT; i++) {
		labels_t labels[] = {{"pool", page->pool},
				     {"place", point},
				     {"nearness", pool_nearness_name((enum pool_nearness)i)},
				     {NULL, NULL}};

		metric_add(page, METRIC_POOL_PLACES, labels, place->picks[i]);
	}
}

void metrics_add_pool(const struct pool_row *row, void *context)
{
	labels_t labels[] = {{"pool", row->name}, {NULL, NULL}};
	struct metrics *page = context;

	metric_add_histogram(page, METRIC_CONNECT_DURATION, labels, row->connect_time);
	metrics_add_tls(page, METRIC_POOL_HANDSHAKES, METRIC_POOL_TLS_FAILURES, labels, &row->tls);
	metric_add(page, METRIC_POOL_CONNECT_FAILURES, labels, row->connect_failures);
	metric_add(page, METRIC_POOL_RETRIES, labels, row->retries);
	metric_add(page, METRIC_POOL_RESENT, labels, row->resent);
	metric_add(page, METRIC_POOL_OVER_BUDGET, labels, row->over_budget);
	metric_add(page, METRIC_POOL_HEDGED, labels, row->hedged);
	metric_add(page, METRIC_POOL_HEDGES_WON, labels, row->hedges_won);
	add_breaker(page, row);
	add_mirrors(page, row);
	metrics_add_requests(page, METRIC_POOL_REQUESTS, METRIC_POOL_DURATION, labels,
			     &row->requests);
	metric_add(page, METRIC_POOL_WAITING, labels, row->waiting);
	page->pool = row->name;
	pool_for_each(row->pool, add_endpoint, page);
	pool_for_each_place(row->pool, add_place, page);
}
