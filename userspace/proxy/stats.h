/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_STATS_H
#define SLUICE_PROXY_STATS_H

#include "core/compiler.h"
#include "metrics/histogram.h"
#include "proxy/breaker.h"
#include "proxy/inspect.h"
#include "tls/session.h"

#include <stdatomic.h>
#include <stdint.h>

/*
 * What is counted for a listener and for a pool. They are found by name in the next configuration,
 * so that a reload does not set them back. Each worker writes its own part, readers add them up.
 */
struct tls_counters {
	struct counter full, resumed;             /* handshakes that were completed */
	struct counter failed[TLS_FAILURE_COUNT]; /* by reason */
};

struct acceleration_counters { /* as struct listener_acceleration has them */
	struct counter rungs[CONNECTION_RUNG_COUNT];
	struct counter reasons[SPLICE_REASON_COUNT];
	struct counter handovers[HANDOVER_RESULT_COUNT];
	struct counter bytes_in, bytes_out, packets_in, packets_out;
};

struct listener_counters {
	struct counter accepted, refused, spliced, bytes_in, bytes_out;
	struct counter ends[CONNECTION_END_COUNT];
	struct acceleration_counters acceleration;
	struct tls_counters tls;
	struct histogram session_time;
	/* Mode http: requests by the answer's class, 1xx to 5xx, and by their end. */
	struct counter answers[5], exchange_ends[EXCHANGE_END_COUNT];
	struct histogram exchange_time;
} CACHE_ALIGNED;

struct stats_head {
	_Atomic uint32_t refs;
	uint32_t workers;
	char *name;
};

struct listener_stats {
	struct stats_head head;
	_Atomic uint32_t active; /* all workers' open connections: the limit goes by it */
	struct listener_counters by_worker[];
};

struct pool_counters {
	struct counter connect_failures, retries;
	struct counter resent, over_budget; /* requests */
	struct tls_counters tls;
	struct histogram connect_time;
} CACHE_ALIGNED;

struct pool_stats {
	struct stats_head head;
	struct breaker breaker;
	struct pool_counters by_worker[];
};

/* Return: one reference; NULL: out of memory. */
struct listener_stats *listener_stats_new(const char *name, uint32_t workers) WARN_UNUSED;
struct pool_stats *pool_stats_new(const char *name, uint32_t workers) WARN_UNUSED;

/* Thread: any. */
void stats_ref(struct stats_head *head);
void stats_unref(struct stats_head *head); /* NULL is allowed */

/* Counts the end of a handshake. Thread: the worker's. */
void tls_counters_add(struct tls_counters *counters, const struct tls_result *result);
void tls_counters_read(const struct tls_counters *counters, struct tls_row *ret);

/* Adds all workers' parts to @ret, which is zero. Thread: any. */
void listener_stats_sum(const struct listener_stats *stats, struct listener_counters *ret);
/* @sum: what listener_stats_sum() gave. */
void acceleration_read(const struct acceleration_counters *sum, struct listener_acceleration *ret);
void pool_stats_sum(const struct pool_stats *stats, struct pool_counters *ret);

#endif
