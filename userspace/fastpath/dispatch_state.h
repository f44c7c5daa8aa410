/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_DISPATCH_STATE_H
#define SLUICE_FASTPATH_DISPATCH_STATE_H

/* What the files of struct dispatch share: dispatch.c, dispatch_start.c, dispatch_counts.c. */
#include "fastpath/dispatch_internal.h"
#include "fastpath/fastpath_internal.h"

#define NO_PLACE UINT16_MAX

struct mapped {
	void *elements;
	size_t size;
};

struct dispatch {
	const struct ingress *ingress; /* borrowed */
	struct attach *attach;         /* borrowed; NULL: not watched yet */
	struct dispatch_settings settings;
	struct mapped reals, runs, nats, lines, loads, asked;
	struct dispatch_reals *endpoints;
	struct dispatch_loads *counted;
	struct dispatch_asks asks;
	bool chooses_by_load;                        /* some service in force does */
	bool takes_cookies;                          /* likewise: it can */
	uint64_t service_ids[DISPATCH_SERVICES_MAX]; /* by place; 0: free */
	struct dispatch_rings rings[DISPATCH_SERVICES_MAX];
	struct dispatch_area_map areas;
};

/* What the service in that place before has had is not the next one's (dispatch_counts.c). */
int dispatch_clear_counts(const struct dispatch *dispatch, uint16_t place) WARN_UNUSED;

static inline int fd_of(const struct dispatch *dispatch, const char *name)
{
	return ingress_map(dispatch->ingress, name);
}

/* Return: of the service; NO_PLACE. */
static inline uint16_t place_of(const struct dispatch *dispatch, uint64_t id)
{
	for (uint16_t place = 0; place < DISPATCH_SERVICES_MAX; place++)
		if (dispatch->service_ids[place] == id)
			return place;
	return NO_PLACE;
}

#endif
