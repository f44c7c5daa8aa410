/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_GEO_CACHE_H
#define SLUICE_GEO_CACHE_H

#include "geo/geo.h"

/*
 * The facts of addresses that were looked up last: to look again costs a hash in place of a walk
 * through every database. Of one thread; of a fixed size, whoever needs a place takes it.
 */
struct geo_cache;

/* Return: NULL: out of memory. */
struct geo_cache *geo_cache_new(void) WARN_UNUSED;
void geo_cache_free(struct geo_cache *cache); /* NULL is allowed */

/* As geo_look(). With another @geo than the last time everything is forgotten.
 * @cache: NULL is allowed where @geo is. */
void geo_cache_look(struct geo_cache *cache, const struct geo *geo, const struct address *address,
		    struct geo_facts *ret);

#endif
