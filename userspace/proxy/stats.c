// SPDX-License-Identifier: Apache-2.0
/* Counters of listeners and pools: a part for each worker, added up by whoever reads. */
#include "proxy/stats.h"

#include <stdlib.h>
#include <string.h>

static const char *const mirror_result_names[] = {
#define X(name, text) [MIRROR_##name] = text,
	MIRROR_RESULTS(X)
#undef X
};

const char *mirror_result_name(enum mirror_result result)
{
	return mirror_result_names[result];
}

/* The head is first in both kinds. Parts are aligned to cache lines, which calloc() does not
 * promise. */
static void *stats_new(size_t size, const char *name, uint32_t workers)
{
	struct stats_head *head = NULL;

	if (posix_memalign((void **)&head, _Alignof(struct listener_counters), size) != 0)
		return NULL;
	memset(head, 0, size);
	head->refs = 1;
	head->workers = workers;
	head->name = strdup(name);
	if (head->name)
		return head;
	free(head);
	return NULL;
}

struct listener_stats *listener_stats_new(const char *name, uint32_t workers)
{
	size_t parts = workers * sizeof(struct listener_counters);

	return stats_new(sizeof(struct listener_stats) + parts, name, workers);
}

struct pool_stats *pool_stats_new(const char *name, uint32_t workers)
{
	size_t parts = workers * sizeof(struct pool_counters);

	return stats_new(sizeof(struct pool_stats) + parts, name, workers);
}

struct route_stats *route_stats_new(const char *name, uint32_t workers)
{
	size_t parts = workers * sizeof(struct route_counters);

	return stats_new(sizeof(struct route_stats) + parts, name, workers);
}

void stats_ref(struct stats_head *head)
{
	atomic_fetch_add(&head->refs, 1);
}

void stats_unref(struct stats_head *head)
{
	if (!head || atomic_fetch_sub(&head->refs, 1) != 1)
		return;
	free(head->name);
	free(head);
}

static void add(struct counter *to, const struct counter *from)
{
	counter_add(to, counter_read(from));
}

static void add_tls(struct tls_counters *to, const struct tls_counters *from)
{
	add(&to->full, &from->full);
	add(&to->resumed, &from->resumed);
	add(&to->early, &from->early);
	add(&to->kernel, &from->kernel);
	for (size_t i = 0; i < TLS_FAILURE_COUNT; i++)
		add(&to->failed[i], &from->failed[i]);
}

void tls_counters_add(struct tls_counters *counters, const struct tls_result *result)
{
	if (result->failure)
		counter_add(&counters->failed[result->failure], 1);
	else
		counter_add(result->is_resumed ? &counters->resumed : &counters->full, 1);
	if (result->is_early)
		counter_add(&counters->early, 1);
}

void tls_counters_read(const struct tls_counters *counters, struct tls_row *ret)
{
	ret->full = counter_read(&counters->full);
	ret->resumed = counter_read(&counters->resumed);
	ret->early = counter_read(&counters->early);
	ret->kernel = counter_read(&counters->kernel);
	for (size_t i = 0; i < TLS_FAILURE_COUNT; i++)
		ret->failed[i] = counter_read(&counters->failed[i]);
}

static void add_all(struct counter *to, const struct counter *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add(&to[i], &from[i]);
}

static void add_acceleration(struct acceleration_counters *to,
			     const struct acceleration_counters *from)
{
	add_all(to->rungs, from->rungs, ARRAY_SIZE(to->rungs));
	add_all(to->reasons, from->reasons, ARRAY_SIZE(to->reasons));
	add_all(to->handovers, from->handovers, ARRAY_SIZE(to->handovers));
	add(&to->bytes_in, &from->bytes_in);
	add(&to->bytes_out, &from->bytes_out);
	add(&to->packets_in, &from->packets_in);
	add(&to->packets_out, &from->packets_out);
}

static void read_all(const struct counter *from, uint64_t *ret, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ret[i] = counter_read(&from[i]);
}

void acceleration_read(const struct acceleration_counters *sum, struct listener_acceleration *ret)
{
	read_all(sum->rungs, ret->rungs, ARRAY_SIZE(sum->rungs));
	read_all(sum->reasons, ret->reasons, ARRAY_SIZE(sum->reasons));
	read_all(sum->handovers, ret->handovers, ARRAY_SIZE(sum->handovers));
	ret->bytes_in = counter_read(&sum->bytes_in);
	ret->bytes_out = counter_read(&sum->bytes_out);
	ret->packets_in = counter_read(&sum->packets_in);
	ret->packets_out = counter_read(&sum->packets_out);
}

static void add_requests(struct request_counters *to, const struct request_counters *from)
{
	add_all(to->answers, from->answers, ARRAY_SIZE(to->answers));
	histogram_merge(&to->time, &from->time);
}

void request_counters_add(struct request_counters *counters, unsigned status, uint64_t us)
{
	if (status)
		counter_add(&counters->answers[status / 100 - 1], 1);
	histogram_observe(&counters->time, us);
}

void request_counters_read(const struct request_counters *sum, struct request_row *ret)
{
	read_all(sum->answers, ret->answers, ARRAY_SIZE(sum->answers));
	ret->time = &sum->time;
}

void listener_stats_sum(const struct listener_stats *stats, struct listener_counters *ret)
{
	for (uint32_t w = 0; w < stats->head.workers; w++) {
		const struct listener_counters *part = &stats->by_worker[w];

		add(&ret->accepted, &part->accepted);
		add(&ret->refused, &part->refused);
		add(&ret->spliced, &part->spliced);
		add(&ret->bytes_in, &part->bytes_in);
		add(&ret->bytes_out, &part->bytes_out);
		for (size_t i = 0; i < CONNECTION_END_COUNT; i++)
			add(&ret->ends[i], &part->ends[i]);
		add_tls(&ret->tls, &part->tls);
		add_requests(&ret->requests, &part->requests);
		for (size_t i = 0; i < EXCHANGE_END_COUNT; i++)
			add(&ret->exchange_ends[i], &part->exchange_ends[i]);
		add_acceleration(&ret->acceleration, &part->acceleration);
		histogram_merge(&ret->session_time, &part->session_time);
	}
}

void pool_stats_sum(const struct pool_stats *stats, struct pool_counters *ret)
{
	for (uint32_t w = 0; w < stats->head.workers; w++) {
		const struct pool_counters *part = &stats->by_worker[w];

		add(&ret->connect_failures, &part->connect_failures);
		add(&ret->retries, &part->retries);
		add(&ret->resent, &part->resent);
		add(&ret->over_budget, &part->over_budget);
		add(&ret->hedged, &part->hedged);
		add(&ret->hedges_won, &part->hedges_won);
		add_all(ret->mirrors, part->mirrors, ARRAY_SIZE(ret->mirrors));
		add_tls(&ret->tls, &part->tls);
		histogram_merge(&ret->connect_time, &part->connect_time);
		add_requests(&ret->requests, &part->requests);
	}
}

void mirrors_read(const struct pool_counters *sum, uint64_t ret[MIRROR_RESULT_COUNT])
{
	read_all(sum->mirrors, ret, MIRROR_RESULT_COUNT);
}

void route_stats_sum(const struct route_stats *stats, struct request_counters *ret)
{
	for (uint32_t w = 0; w < stats->head.workers; w++)
		add_requests(ret, &stats->by_worker[w].requests);
}
