// SPDX-License-Identifier: Apache-2.0
/*
 * Where the endpoints of a pool are that goes by places, and in which order its sites are for one
 * client. Which endpoint of a site is taken, view_table.c and pool_view.c decide as for any pool.
 */
#include "upstream/pool_view_internal.h"
#include "upstream/sites.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* More than the square of any chord. */
#define FARTHEST 5.0

/* --- The configuration's ---------------------------------------------------------- */

static bool is_same(const struct earth_point *a, const struct earth_point *b)
{
	return a->latitude == b->latitude && a->longitude == b->longitude;
}

size_t site_list_find(const struct site_list *sites, const struct earth_point *point)
{
	size_t i = 0;

	while (i < sites->count && !is_same(&sites->points[i], point))
		i++;
	return i;
}

void site_list_make(const struct config_pool *pool, struct site_list *ret)
{
	*ret = (struct site_list){};
	for (size_t i = 0; i < pool->nendpoints && ret->count < CONFIG_LOCATIONS_MAX; i++) {
		const struct config_endpoint *endpoint = &pool->endpoints[i];

		if (endpoint->has_location &&
		    site_list_find(ret, &endpoint->location) == ret->count)
			ret->points[ret->count++] = endpoint->location;
	}
}

/* --- The pool's ------------------------------------------------------------------- */

static bool is_at(const struct pool_site *site, const struct earth_point *point)
{
	return site->is_known && is_same(&site->point, point);
}

/* Return: its index; the number of sites where there is none. */
static size_t find(const struct pool *pool, const struct earth_point *point)
{
	size_t i = 0;

	while (i < pool->nsites && !is_at(&pool->sites[i], point))
		i++;
	return i;
}

int pool_sites_make(struct pool *pool, const struct pool *previous)
{
	struct site_list list;

	if (!pool->config->is_nearest)
		return 0;
	site_list_make(pool->config, &list);
	pool->sites = calloc(list.count + 1, sizeof(*pool->sites));
	if (!pool->sites)
		return -ENOMEM;
	for (size_t i = 0; i < list.count; i++)
		pool->sites[i] = (struct pool_site){
			.is_known = true,
			.point = list.points[i],
			.direction = earth_direction_of(&list.points[i]),
		};
	pool->nsites = list.count + 1; /* of those without a location: zero as it stands */
	if (previous)
		pool_site_picks_take_over(pool, previous);
	return 0;
}

size_t pool_site_of(const struct pool *pool, const struct endpoint *endpoint)
{
	size_t site = endpoint->has_location ? find(pool, &endpoint->location) : pool->nsites - 1;

	assert(site < pool->nsites);
	return site;
}

/* --- A view's --------------------------------------------------------------------- */

static double distance_to(const struct pool_site *site, const struct earth_direction *client)
{
	return site->is_known ? earth_chord_squared(&site->direction, client) : FARTHEST;
}

void view_sites_measure(struct pool_view *view, const struct earth_point *client)
{
	const struct pool *pool = view->pool;
	struct earth_direction direction;

	if (!view->sites)
		return;
	if (client)
		direction = earth_direction_of(client);
	for (size_t i = 0; i < pool->nsites; i++)
		view->sites[i].distance = client ? distance_to(&pool->sites[i], &direction) : 0;
}

static bool is_before(const struct view_site *a, const struct view_site *b)
{
	if (a->distance < b->distance || a->distance > b->distance)
		return a->distance < b->distance;
	return a < b;
}

struct view_site *view_sites_next(struct pool_view *view, const struct view_site *after)
{
	uint32_t tier = view->all.table.entries[0].tier;
	struct view_site *best = NULL;

	for (size_t i = 0; i < view->pool->nsites; i++) {
		struct view_site *site = &view->sites[i];
		const struct view_table *table = &site->set.table;

		if (table->count == 0 || table->entries[0].tier != tier)
			continue;
		if ((!after || is_before(after, site)) && (!best || is_before(site, best)))
			best = site;
	}
	return best;
}
