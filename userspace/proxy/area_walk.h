/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_AREA_WALK_H
#define SLUICE_PROXY_AREA_WALK_H

#include "core/compiler.h"
#include "fastpath/dispatch.h"
#include "geo/geo.h"
#include "proxy/area_questions.h"

#include <stdint.h>

/* Areas, and what was answered in each. Zero is empty. */
struct area_list {
	uint32_t count;
	uint8_t *answers; /* by area, as long each as the questions say */
	struct dispatch_change *changes;
	size_t nchanges;
};

/**
 * Asks of every place in the databases. Where there are more areas than the programs take, orders
 * of sites tell them apart by their nearest ones alone, and those behind are as in the place that
 * came first.
 * Return: 0; -E2BIG: too many areas even so; -EOVERFLOW: too many changes between them; -EINVAL: a
 * database is damaged; -ECANCELED: @patience is over; -ENOMEM. Thread: any.
 */
int area_walk(const struct area_questions *questions, const struct geo *geo,
	      const struct patience *patience, struct area_list *ret) WARN_UNUSED;
void area_list_done(struct area_list *list);

#endif
