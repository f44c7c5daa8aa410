// SPDX-License-Identifier: Apache-2.0
/* How often a pool that goes by places has come to each of its sites, and how near that was. */
#include "upstream/pool_view_internal.h"

const char *pool_nearness_name(enum pool_nearness nearness)
{
	static const char *const names[] = {
#define X(name, text) text,
		POOL_NEARNESS(X)
#undef X
	};

	return names[nearness];
}

/* Endpoints come and go, but a site of the pool is one of its configuration. */
static enum pool_nearness judge(const struct pool_view *view, size_t picked)
{
	for (size_t i = 0; i < view->pool->nsites; i++)
		if (view->sites[i].distance < view->sites[picked].distance)
			return POOL_FURTHER;
	return POOL_NEAREST;
}

void view_sites_count(struct pool_view *view, const struct earth_point *client,
		      const struct endpoint *picked)
{
	size_t site;

	if (!view->sites)
		return;
	site = pool_site_of(view->pool, picked);
	counter_add_shared(
		&view->pool->sites[site].picks[client ? judge(view, site) : POOL_UNKNOWN], 1);
}

static bool is_same(const struct pool_site *a, const struct pool_site *b)
{
	return a->is_known == b->is_known && a->point.latitude == b->point.latitude &&
	       a->point.longitude == b->point.longitude;
}

static void take_over(struct pool_site *site, const struct pool_site *before)
{
	for (size_t i = 0; i < POOL_NEARNESS_COUNT; i++)
		counter_add(&site->picks[i], counter_read(&before->picks[i]));
}

void pool_site_picks_take_over(struct pool *pool, const struct pool *previous)
{
	for (size_t i = 0; i < pool->nsites; i++)
		for (size_t old = 0; old < previous->nsites; old++)
			if (is_same(&pool->sites[i], &previous->sites[old]))
				take_over(&pool->sites[i], &previous->sites[old]);
}

void pool_for_each_place(const struct pool *pool,
			 void (*visit)(const struct pool_place *place, void *context),
			 void *context)
{
	for (size_t i = 0; i < pool->nsites; i++) {
		const struct pool_site *site = &pool->sites[i];
		struct pool_place place = {.is_known = site->is_known, .point = site->point};

		for (size_t n = 0; n < POOL_NEARNESS_COUNT; n++)
			place.picks[n] = counter_read(&site->picks[n]);
		visit(&place, context);
	}
}
