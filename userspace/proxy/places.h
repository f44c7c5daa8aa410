/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_PLACES_H
#define SLUICE_PROXY_PLACES_H

#include "config/config.h"
#include "core/compiler.h"
#include "core/strbuf.h"
#include "geo/geo.h"
#include "guard/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* guard.geo: from rules of places to the networks that are there. Thread: any. */

bool places_are_ruled(const struct config *config);

/* GEO_…: what @places are named by. */
uint32_t places_wanted(const struct config_places *places);

/**
 * Gathers the networks that guard.geo blocks, as entries of GEO. Takes as long as a walk through
 * all databases does, which may be a second.
 * @geo: tells what the rules ask for.
 * @max: of networks.
 * @ret: empty; the caller's whatever comes of it.
 * @ret_errors: a line that says what is wrong.
 * Return: 0; -E2BIG: more than @max; -EINVAL: a database is damaged; -ECANCELED: @patience is
 * over; -ENOMEM.
 */
int places_gather(const struct config *config, const struct geo *geo, size_t max,
		  const struct patience *patience, struct guard_list *ret,
		  struct strbuf *ret_errors) WARN_UNUSED;

#endif
