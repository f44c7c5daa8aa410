/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_SITES_H
#define SLUICE_UPSTREAM_SITES_H

#include "config/config.h"
#include "core/earth.h"

#include <stddef.h>

/* The different locations that endpoints of a pool have in the file, in its order. Pure. */
struct site_list {
	struct earth_point points[CONFIG_LOCATIONS_MAX];
	size_t count;
};

void site_list_make(const struct config_pool *pool, struct site_list *ret);

/* Return: the site's index; @sites->count: none is there. */
size_t site_list_find(const struct site_list *sites, const struct earth_point *point);

#endif
