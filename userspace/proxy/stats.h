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
	struct counter early;                     /* of these with early data */
	struct counter kernel;                    /* and whose sending went to the kernel */
	struct counter failed[TLS_FAILURE_COUNT]; /* by reason */
};

struct acceleration_counters { /* as struct listener_acceleration has them */
	struct counter rungs[CONNECTION_RUNG_COUNT];
	struct counter reasons[SPLICE_REASON_COUNT];
	struct counter handovers[HANDOVER_RESULT_COUNT];
	struct counter bytes_in, bytes_out, packets_in, packets_out;
};

/* Requests by the answer's class, 1xx to 5xx, and how long they took. */
struct request_counters {
	struct counter answers[STATUS_CLASSES];
	struct histogram time;
};

struct listener_counters {
	struct counter accepted, refused, spliced, bytes_in, bytes_out;
	struct counter ends[CONNECTION_END_COUNT];
	struct acceleration_counters acceleration;
	struct tls_counters tls;
	struct histogram session_time;
	/* Mode http. */
	struct request_counters requests;
	struct counter exchange_ends[EXCHANGE_END_COUNT];
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
	struct counter resent, over_budget;          /* requests */
	struct counter hedged, hedges_won;           /* likewise */
	struct counter mirrors[MIRROR_RESULT_COUNT]; /* copies of requests */
	struct tls_counters tls;
	struct histogram connect_time;
	struct request_counters requests;
} CACHE_ALIGNED;

struct pool_stats {
	struct stats_head head;
	struct breaker breaker;
	struct pool_counters by_worker[];
};

struct route_counters {
	struct request_counters requests;
} CACHE_ALIGNED;

/* Of a route that has a name; the head's name is the route's. */
struct route_stats {
	struct stats_head head;
	struct route_counters by_worker[];
};

/* Return: one reference; NULL: out of memory. */
struct route_stats *route_stats_new(const char *name, uint32_t workers) WARN_UNUSED;
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
void mirrors_read(const struct pool_counters *sum, uint64_t ret[MIRROR_RESULT_COUNT]);
void route_stats_sum(const struct route_stats *stats, struct request_counters *ret);

/* @status: 0: there was no answer. Thread: the worker's. */
void request_counters_add(struct request_counters *counters, unsigned status, uint64_t us);
/* @sum outlives @ret. */
void request_counters_read(const struct request_counters *sum, struct request_row *ret);

#endif
