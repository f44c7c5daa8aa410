/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_POOL_H
#define SLUICE_UPSTREAM_POOL_H

#include "config/config.h"
#include "core/address.h"
#include "core/compiler.h"
#include "io/loop.h"
#include "io/timer.h"
#include "upstream/endpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A pool is what all threads share: its endpoints and a generation number that grows with every
 * change that balancing must know of. A pool view is what one worker picks from: the balancer's
 * tables, made anew when the generation has moved. Nothing on the way of a pick takes a lock unless
 * it has.
 */
struct pool;
struct pool_view;

/* --- Shared ------------------------------------------------------------------ */

/**
 * @config:   borrowed for the pool's life.
 * @zone:     ours, borrowed; NULL: no zone preference.
 * @previous: the pool of the same name before a reload, whose endpoints are taken over; or NULL.
 * Return: NULL: out of memory. Thread: control.
 */
struct pool *pool_new(const struct config_pool *config, const char *zone,
		      struct pool *previous) WARN_UNUSED;
struct pool *pool_ref(struct pool *pool);
void pool_unref(struct pool *pool); /* NULL is allowed */

const struct config_pool *pool_config(const struct pool *pool);

struct tls_client_context;

/* How to speak TLS with its endpoints: before it is in service, borrowed for its life. NULL, as at
 * first: plain. */
void pool_set_tls(struct pool *pool, const struct tls_client_context *tls);
const struct tls_client_context *pool_tls(const struct pool *pool);

struct dispatch_checks;
struct dispatch_way;

/**
 * How health checks get to its endpoints of each way's family (fastpath/dispatch_check.h): before
 * it is in service. With none, as at first, they go to the endpoint's own address.
 * @checks: borrowed for the pool's life. @ways: copied. Return: 0; -ENOMEM.
 */
int pool_set_ways(struct pool *pool, struct dispatch_checks *checks,
		  const struct dispatch_way *ways, size_t count) WARN_UNUSED;

/**
 * A DNS name's addresses have changed: the pool's endpoints for configured endpoint @index become
 * these. Known addresses keep their endpoint; those gone take no new connections.
 * Return: 0; -ENOMEM, with nothing changed. Thread: control.
 */
int pool_set_addresses(struct pool *pool, size_t index, const struct address *addresses,
		       size_t count) WARN_UNUSED;

/* Weight, state or health of an endpoint was changed: views shall look again. Thread: any. */
void pool_touch(struct pool *pool);

/* Calls @visit for each endpoint under the pool's lock; it must not block. Thread: any. */
void pool_for_each(struct pool *pool, void (*visit)(struct endpoint *endpoint, void *context),
		   void *context);

/* How near to its client the location is that a pick came to, in a pool that goes by places. */
#define POOL_NEARNESS(X)                                           \
	X(NEAREST, "nearest") /* none of the pool's is nearer */   \
	X(FURTHER, "further") /* what is nearer could not serve */ \
	X(UNKNOWN, "unknown") /* nobody knows where the client is */

enum pool_nearness {
#define X(name, text) POOL_##name,
	POOL_NEARNESS(X)
#undef X
		POOL_NEARNESS_COUNT
};

const char *pool_nearness_name(enum pool_nearness nearness);

struct pool_place {
	bool is_known; /* false: of the endpoints without a location */
	struct earth_point point;
	uint64_t picks[POOL_NEARNESS_COUNT];
};

/* Every location of a pool that goes by places, of others none. A reload keeps the counts, but for
 * what is picked in that moment. Thread: any. */
void pool_for_each_place(const struct pool *pool,
			 void (*visit)(const struct pool_place *place, void *context),
			 void *context);

/* By name or by the text of its address. Return: a reference; NULL if absent. Thread: any. */
struct endpoint *pool_find(struct pool *pool, const char *name) WARN_UNUSED;

/* Connections that wait in the queues of all workers. */
uint32_t pool_waiting(const struct pool *pool);

/* --- A worker's view: all on its thread, but for the first two ------------------ */

/* Holds a reference to @pool. Return: NULL: out of memory. Thread: any. */
struct pool_view *pool_view_new(struct pool *pool, struct io_loop *loop) WARN_UNUSED;

/*
 * Nobody may wait any more. A message to it may be on its way: its memory then goes in the loop's
 * next round, so let the loop run once more before it is freed. NULL is allowed. Thread: any, as
 * long as the worker has not got it.
 */
void pool_view_free(struct pool_view *view);

struct pool *pool_view_pool(struct pool_view *view);

#define POOL_TRIES_MAX 8

struct pool_request {
	const struct address *client;  /* source and maglev hash it; others ignore it */
	struct endpoint *const *tried; /* left out while another one is available */
	size_t ntried;
	uint64_t wanted; /* id of the endpoint to be taken if it can be had; 0: none */
	uint64_t key;    /* hashed in place of @client; 0: there is none */
	/* One that was not tried will do, of the tier and zone that serve now; none otherwise. */
	bool is_extra;
	const struct earth_point
		*place; /* of the client; NULL: unknown, or the pool goes by none */
};

/**
 * Picks an endpoint and takes one of its connections; pool_view_release() gives it back.
 * Order: the one that is wanted, unless it was tried; lowest tier that has an available endpoint;
 * within it, where the pool goes by places and the client's is known, the nearest site that has any
 * with room, and then the next nearest; our zone, while any endpoint there is available; then the
 * algorithm. Where all of these were tried, other zones and tiers follow, then those tried once
 * more. A pool that goes by places takes other zones too before it is busy. An endpoint that came
 * (back) up less than slow_start ago has its weight lowered: from 1/16 up to all of it in 16 equal
 * steps; maglev and source keep theirs.
 * @ret: a reference.
 * Return: 0; -EHOSTUNREACH: none is available; -EBUSY: those that are have reached max_connections,
 * or others wait for them already: pool_view_wait(); or there is none to spare for what is extra.
 */
int pool_view_pick(struct pool_view *view, const struct pool_request *request,
		   struct endpoint **ret) WARN_UNUSED;

/* Gives connection and reference back, and lets one that waits go on, on whichever worker. */
void pool_view_release(struct pool_view *view, struct endpoint *endpoint);

/*
 * What became of a try; feeds outlier ejection, p2c and the endpoint's counters. Errors that are
 * our own (no descriptors, ports or memory) are not held against the endpoint, and a pool's last
 * available endpoint is never ejected.
 * @error: 0 or -errno. @latency_us: of a success.
 */
void pool_view_report_connect(struct pool_view *view, struct endpoint *endpoint, int error,
			      uint32_t latency_us);
/* The endpoint's first byte. @latency_us: after our first, another sample for p2c; 0: unknown. */
void pool_view_report_first_byte(struct pool_view *view, struct endpoint *endpoint,
				 uint32_t latency_us);
/* It answered a request. @is_error: with 5xx, or not in time. */
void pool_view_report_answer(struct pool_view *view, struct endpoint *endpoint, bool is_error);
/* The endpoint reset an established connection before sending anything. */
void pool_view_report_reset(struct pool_view *view, struct endpoint *endpoint);

struct pool_waiter {
	struct list_node node;
	struct io_timer timer;
	struct pool_view *view;
	uint64_t deadline_ms; /* loop time; 0: has not waited yet */
	/* 0: pick again now; -ETIMEDOUT: queue_timeout has passed. No longer queued in either case.
	 */
	void (*on_turn)(struct pool_waiter *waiter, int status);
};

/* First come, first served. @waiter is zero but for on_turn, or as it was after its last turn:
 * queue_timeout holds for all of its waits together. Return: 0; -ENOBUFS: queue full. */
int pool_view_wait(struct pool_view *view, struct pool_waiter *waiter) WARN_UNUSED;
void pool_view_cancel_wait(struct pool_waiter *waiter); /* idempotent */

#endif
