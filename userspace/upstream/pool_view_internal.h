/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_POOL_VIEW_INTERNAL_H
#define SLUICE_UPSTREAM_POOL_VIEW_INTERNAL_H

#include "balance/balance.h"
#include "core/rng.h"
#include "upstream/upstream_internal.h"

/* An endpoint that was available when the table was made. */
struct view_entry {
	struct endpoint *endpoint; /* a reference */
	size_t order;              /* the configuration's */
	size_t site;               /* index of the pool's; 0 where it does not go by places */
	uint32_t tier;
	uint32_t weight;   /* of its target, which loses it for a moment where it cannot be had */
	bool is_elsewhere; /* in another zone than ours */
};

/*
 * Sorted by tier and zone. The balancer chooses among the first @nprimary, which are alike in both.
 * Connections wait while none of the first @nserving has room: those are the same ones, or the
 * whole tier where the pool goes by places, for then everybody waits for the same.
 */
struct view_table {
	struct view_entry *entries;
	struct balance_target *targets; /* of the first @nprimary */
	size_t count, nprimary, nserving;
	uint32_t generation;     /* the pool's when the table was made */
	uint64_t valid_until_ms; /* an ejection ends or slow start takes a step */
};

/* What is chosen from: all of the pool's endpoints, or those at one site. */
struct view_set {
	struct view_table table;
	struct balancer *balancer; /* built from @table's targets, where it has any */
};

struct view_site {
	struct view_set set;
	double distance; /* from the client of this pick: only to be compared; 0: nobody knows */
};

struct pool_view {
	struct pool *pool;
	struct io_loop *loop;
	struct list_node node; /* pool->line->views */
	const struct balance_algorithm *algorithm;
	struct rng rng;
	struct view_set all;
	struct view_site *sites; /* as the pool's */

	/* The queue. */
	struct list_node waiters;
	_Atomic uint32_t nwaiting; /* their number, for other threads */
	struct io_timer recheck;   /* the table goes stale while somebody waits */
	struct io_message kick;
	_Atomic bool is_kicked; /* @kick is on its way */
	bool is_serving;
	bool is_freed; /* the memory goes once @kick is back and serving has ended */
};

/* --- view_table.c ---------------------------------------------------------------- */

/* Return: 0; -ENOMEM, with @ret untouched. */
int view_table_make(struct pool *pool, uint64_t now_ms, struct view_table *ret) WARN_UNUSED;
/* The same of the entries at one site alone. */
int view_table_make_part(const struct view_table *all, size_t site, const struct pool *pool,
			 uint64_t now_ms, struct view_table *ret) WARN_UNUSED;
void view_table_done(struct view_table *table);

/* --- sites.c -------------------------------------------------------------------- */

/* @client: NULL: nobody knows where it is. */
void view_sites_measure(struct pool_view *view, const struct earth_point *client);

/* The nearest site, or the next one @after, of those with endpoints of the lowest tier that the
 * view has any of. Return: NULL: there is no further one. */
struct view_site *view_sites_next(struct pool_view *view, const struct view_site *after);

/* --- site_picks.c --------------------------------------------------------------- */

/* @client: as view_sites_measure() was told. Nothing where the pool does not go by places. */
void view_sites_count(struct pool_view *view, const struct earth_point *client,
		      const struct endpoint *picked);

/* --- pool_view.c ----------------------------------------------------------------- */

/* Whether a pick would now succeed, or fail for good. */
bool pool_view_has_room(struct pool_view *view);

/* --- pool_queue.c ---------------------------------------------------------------- */

void pool_queue_init(struct pool_view *view);

/* Frees the view, now or as soon as nothing of it is on its way. */
void pool_queue_free(struct pool_view *view);

#endif
