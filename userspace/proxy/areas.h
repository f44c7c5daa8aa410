/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_AREAS_H
#define SLUICE_PROXY_AREAS_H

#include "config/config.h"
#include "core/compiler.h"
#include "core/strbuf.h"
#include "fastpath/dispatch.h"
#include "geo/geo.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Where clients of mode dispatch are: the addresses of the databases, gathered into areas in which
 * every listener's routes lead to the same pool, and every pool that goes by places has its sites
 * in the same order. It does not rest on which endpoints are up. Immutable, counted by reference.
 */
struct areas;

/**
 * Takes as long as a walk through all databases does, which may be seconds.
 * @geo: with all that the configuration asks for; NULL: there are none.
 * @like: if these are the same, they are taken in their place. NULL is allowed.
 * @ret: one reference; NULL: nothing of mode dispatch goes by place.
 * @ret_errors: a line that says what is wrong.
 * Return: 0; -E2BIG: more areas, or more changes between them, than the programs take; -EINVAL: a
 * database is damaged; -ECANCELED: @patience is over; -ENOMEM. Thread: any.
 */
int areas_make(const struct config *config, const struct geo *geo, struct areas *like,
	       const struct patience *patience, struct areas **ret,
	       struct strbuf *ret_errors) WARN_UNUSED;

/* NULL is allowed. Thread: any. */
struct areas *areas_ref(struct areas *areas);
void areas_unref(struct areas *areas);

/* For the plan. NULL is allowed, and gives NULL. */
const struct dispatch_areas *areas_table(const struct areas *areas);

/* Where flows of an area go: the pool's index. @listener: an index too, of mode dispatch. */
size_t areas_pool(const struct areas *areas, const struct config *config, size_t listener,
		  uint32_t area);

/* The sites (upstream/sites.h) of a pool that goes by places, nearest first. Return: NULL: nobody
 * knows where the area is. */
const uint8_t *areas_order(const struct areas *areas, size_t pool, uint32_t area);

#endif
