// SPDX-License-Identifier: Apache-2.0
/* The ways of endpoints that an earlier daemon has left in force: held before any other is asked
 * for, so that they keep their places in `nexthops`. */
#include "fastpath/dispatch_internal.h"
#include "fastpath/fastpath_internal.h"

#include <assert.h>
#include <string.h>

#define NOWHERE UINT32_MAX

struct adopting {
	int reals, runs, services;
	struct dispatch_settings settings;
};

/* The source that dispatch_reals.c asked for it with. */
static int source_of(const struct adopting *adopting, const struct dispatch_real *real,
		     uint8_t ret[16])
{
	static const uint8_t none[16];
	struct dispatch_virtual virtual;
	struct dispatch_run run;
	int err;

	if (real->nruns) {
		err = dispatch_map_get(adopting->runs, real->run[0], &run);
		memcpy(ret, run.source, sizeof(run.source));
		return err;
	}
	err = dispatch_map_get(adopting->services,
			       adopting->settings.half * DISPATCH_SERVICES_MAX + real->service,
			       &virtual);
	if (err)
		return err;
	memcpy(ret,
	       memcmp(virtual.tunnel_source, none, sizeof(none)) ? virtual.tunnel_source
								 : virtual.address,
	       sizeof(virtual.address));
	return 0;
}

static void adopt_way(const struct adopting *adopting, struct nexthops *nexthops, uint32_t index)
{
	struct dispatch_real real;
	uint8_t source[16];
	int err;

	if (dispatch_map_get(adopting->reals, index, &real) < 0 || !real.id ||
	    real.nexthop == NOWHERE)
		return;
	if (source_of(adopting, &real, source) == 0 &&
	    nexthops_adopt(nexthops, source, real.address, real.nexthop) == 0)
		return;
	real.nexthop = NOWHERE; /* until the next plan: an array's element can always be written */
	err = dispatch_map_put(adopting->reals, index, &real);
	assert(!err);
	(void)err;
}

void dispatch_adopt_ways(const struct ingress *ingress, struct nexthops *nexthops)
{
	struct adopting adopting = {
		.reals = ingress_map(ingress, "dispatch_reals"),
		.runs = ingress_map(ingress, "dispatch_runs"),
		.services = ingress_map(ingress, "dispatch_services"),
	};

	if (dispatch_map_get(ingress_map(ingress, "dispatch_settings"), 0, &adopting.settings) < 0)
		return;
	for (uint32_t index = 1; index <= DISPATCH_ENDPOINTS_MAX; index++)
		adopt_way(&adopting, nexthops, index);
}
