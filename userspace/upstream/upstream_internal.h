/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_INTERNAL_H
#define SLUICE_UPSTREAM_INTERNAL_H

#include "core/list.h"
#include "upstream/address_set.h"
#include "upstream/endpoint.h"
#include "upstream/events.h"
#include "upstream/pool.h"
#include "upstream/pool_line.h"

#include <pthread.h>
#include <stdatomic.h>

/* What one configured endpoint stands for: itself, or all addresses of its DNS name. */
struct pool_member {
	struct endpoint **endpoints;
	size_t count;
	bool is_taken_over; /* from the pool before: settings are brought up to date */
	bool is_reweighted; /* the file's weight is another one than before */
};

/* A place that endpoints of the configuration are at. */
struct pool_site {
	bool is_known; /* false: of those without a location */
	struct earth_point point;
	struct earth_direction direction;
	struct counter picks[POOL_NEARNESS_COUNT]; /* written by all workers */
};

struct pool {
	const struct config_pool *config;
	struct pool_site *sites; /* that without a location is the last one */
	size_t nsites;           /* 0: the pool does not go by places */
	const char *zone;
	const struct tls_client_context *tls; /* NULL: plain */
	struct dispatch_checks *checks;       /* with @ways */
	struct dispatch_way *ways;            /* of health checks; none: to the address itself */
	size_t nways;
	struct upstream_events events;
	_Atomic uint32_t refs;
	_Atomic uint32_t generation; /* written under @lock */
	struct pool_line *line;      /* of those who wait; shared with the pool before */
	pthread_mutex_t lock;        /* of @members */
	struct pool_member *members; /* config->nendpoints */
};

/* Takes @config's settings and one address. Return: one reference; NULL: out of memory. */
struct endpoint *endpoint_new(const struct config_endpoint *config,
			      const struct address *address) WARN_UNUSED;

/* Whether a configured endpoint still is this one: what never changes is the same. */
bool endpoint_is_same(const struct endpoint *endpoint, const struct config_endpoint *config);

/* Health, orders given by hand and ejection, of the endpoint that stood for the address before. */
void endpoint_inherit(struct endpoint *endpoint, const struct endpoint *from);

/* --- Sites (sites.c) ------------------------------------------------------------ */

/* Of the configuration; counts come from @previous, or NULL. Return: 0; -ENOMEM. */
int pool_sites_make(struct pool *pool, const struct pool *previous) WARN_UNUSED;

/* Return: its index. The pool goes by places. */
size_t pool_site_of(const struct pool *pool, const struct endpoint *endpoint);

/* --- Picks by site (site_picks.c) ------------------------------------------------- */

void pool_site_picks_take_over(struct pool *pool, const struct pool *previous);

/* --- Members (pool_member.c) ------------------------------------------------------ */

/* Of the configuration alone; a DNS name has no endpoints yet. Return: 0; -ENOMEM. */
int pool_member_make(struct pool_member *member, const struct config_endpoint *config) WARN_UNUSED;

/* Of the configuration before. Return: 0; -ENOMEM. */
int pool_member_take_over(struct pool_member *member, const struct config_endpoint *config,
			  const struct pool_member *before,
			  const struct config_endpoint *config_before) WARN_UNUSED;

/*
 * Fills @ret with one endpoint an address; those that @before has are kept, double ones left out.
 * Return: 0; -ENOMEM, with @ret to be done as well.
 */
int pool_member_replace(struct pool_member *ret, const struct config_endpoint *config,
			const struct pool_member *before, const struct address *addresses,
			size_t count) WARN_UNUSED;

/* Slow start of all; of those that are not in @before, if that one has served at all. */
void pool_member_start_slowly(const struct pool_member *member);
void pool_member_start_newcomers(const struct pool_member *member,
				 const struct pool_member *before);

struct endpoint *pool_member_find(const struct pool_member *member, const struct address *address);
void pool_member_done(struct pool_member *member);

/* --- The pool (pool.c) ------------------------------------------------------------ */

/*
 * The pool goes into service: endpoints that were taken over get the settings of the new file.
 * Apart from pool_new() so that a reload that fails later changes nothing. Thread: control.
 */
void pool_activate(struct pool *pool);

/* Whether the endpoints of configured endpoint @index have just these addresses. */
bool pool_has_addresses(struct pool *pool, size_t index, const struct address_set *set);

/* The number of endpoints; pool->lock is held. */
size_t pool_count_locked(const struct pool *pool);

void pool_for_each_locked(struct pool *pool, void (*visit)(struct endpoint *, void *),
			  void *context);

/* Lets views look again; pool->lock is held. */
void pool_touch_locked(struct pool *pool);

/* --- Queues (pool_queue.c) ------------------------------------------------------- */

/* Thread: any. */
bool pool_view_has_waiters(const struct pool_view *view);

/* Lets the view's worker serve its queue. Thread: the view's; others hold the line's lock. */
void pool_view_kick(struct pool_view *view);

/* --- Outlier ejection (outlier.c) ----------------------------------------------- */

/* What the rest of the pool looks like when one endpoint has failed too often. */
struct outlier_census {
	size_t endpoints; /* in the pool */
	size_t ejected;   /* of them */
	size_t available; /* others than the one in question */
};

/* How long the ejection lasts that follows @ejections earlier ones in a row. */
uint32_t outlier_duration_ms(const struct config_outlier *config, uint32_t ejections);

/*
 * Counts a failure. Connect failures and early resets are rows of their own: an endpoint that
 * resets whatever it has accepted would otherwise always be saved by the next connect.
 * @row: endpoint->failures or endpoint->early_resets.
 * Return: whether the endpoint has had enough of them.
 */
bool outlier_count_failure(const struct config_outlier *config, struct endpoint *endpoint,
			   _Atomic uint32_t *row, uint64_t now_ms);

/* Counts an answer for the endpoint's row of errors and for their share. Return: whether it has had
 * enough of them. */
bool outlier_count_answer(const struct config_outlier *config, struct endpoint *endpoint,
			  bool is_error, uint64_t now_ms);

/*
 * Ejects where the share allows it. The caller makes sure that nobody else ejects at the same time.
 * Return: the duration in ms; 0 if the endpoint stays.
 */
uint32_t outlier_eject(const struct config_outlier *config, struct endpoint *endpoint,
		       const struct outlier_census *census, uint64_t now_ms);

/* A success ends its row of failures; a long enough good time that of ejections. */
void outlier_count_success(const struct config_outlier *config, struct endpoint *endpoint,
			   _Atomic uint32_t *row, uint64_t now_ms);

#endif
