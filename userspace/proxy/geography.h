/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_GEOGRAPHY_H
#define SLUICE_PROXY_GEOGRAPHY_H

#include "config/config.h"
#include "core/compiler.h"
#include "core/patience.h"
#include "core/strbuf.h"
#include "geo/geo.h"
#include "proxy/areas.h"

/**
 * Opens the databases of a configuration, and looks whether they tell what its routes and its
 * guard ask for.
 * @ret: one reference; NULL: there are no databases.
 * @ret_errors: a line for each thing that is wrong.
 * Return: 0; -EINVAL with errors; -ECANCELED: @patience is over; -ENOMEM. Thread: any. Blocks on
 * the files.
 */
int geography_open(const struct config *config, const struct patience *patience, struct geo **ret,
		   struct strbuf *ret_errors) WARN_UNUSED;

/* A configuration's databases, and what mode dispatch wants to know of them. Zero is none. */
struct geography {
	struct geo *geo;     /* NULL: no databases */
	struct areas *areas; /* NULL: nothing goes by place */
};

/**
 * Opens and gathers: as long as geography_open() and areas_make() take.
 * @like: of areas_make(); NULL is allowed.
 * @ret: references of the caller's, for geography_done(). @ret_errors, return: as those two say.
 */
int geography_gather(const struct config *config, struct areas *like,
		     const struct patience *patience, struct geography *ret,
		     struct strbuf *ret_errors) WARN_UNUSED;
struct geography geography_ref(const struct geography *geography);
void geography_done(struct geography *geography);

/* What a route asks of databases: GEO_COUNTRY and the like. Thread: any. */
uint32_t geography_wanted_by(const struct config_route *route);

/* geo_stamp() of the configuration's databases. Thread: any; blocks likewise. */
uint64_t geography_stamp(const struct config *config);

#endif
