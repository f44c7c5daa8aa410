// SPDX-License-Identifier: Apache-2.0
/* A service's rings: Maglev's tables, with the endpoints' places in the packet programs, and which
 * of them is whose where the service goes by place. */
#include "fastpath/dispatch_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_RING 65537

static const struct balance_algorithm *maglev(void)
{
	return balance_find("maglev");
}

static struct balance_target *targets_of(const struct dispatch_endpoint *endpoints, size_t count)
{
	struct balance_target *targets = calloc(count ? count : 1, sizeof(*targets));

	for (size_t i = 0; targets && i < count; i++)
		targets[i] = (struct balance_target){.id = endpoints[i].id,
						     .weight = endpoints[i].weight,
						     .full_weight = endpoints[i].weight};
	return targets;
}

/* A slot's number is a hash that leads to it. */
static void read_slots(struct balancer *state, const struct balance_target *targets, size_t count,
		       const uint16_t *reals, uint32_t size, uint16_t *slots)
{
	for (uint32_t slot = 0; slot < size; slot++) {
		int index = maglev()->pick(state, targets, count, slot, NULL);

		slots[slot] = index < 0 ? 0 : reals[index];
	}
}

static bool has_weight(const struct dispatch_endpoint *endpoints, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (endpoints[i].weight)
			return true;
	return false;
}

int dispatch_ring_fill(struct dispatch_ring_builder *builder,
		       const struct dispatch_endpoint *endpoints, const uint16_t *reals,
		       size_t count, uint32_t size, uint16_t *slots, uint32_t *ret_size)
{
	struct balance_target *targets;
	int err;

	if (!has_weight(endpoints, count)) {
		*ret_size = 0;
		return 0;
	}
	if (!builder->state)
		builder->state = calloc(1, maglev()->state_size);
	targets = targets_of(endpoints, count);
	err = builder->state && targets ? maglev()->build(builder->state, targets, count, size)
					: -ENOMEM;
	if (!err) {
		read_slots(builder->state, targets, count, reals, size, slots);
		*ret_size = size;
	}
	free(targets);
	return err;
}

void dispatch_ring_done(struct dispatch_ring_builder *builder)
{
	if (builder->state)
		maglev()->done(builder->state);
	free(builder->state);
	*builder = (struct dispatch_ring_builder){};
}

/* --- Several of one service --------------------------------------------------------------------*/

static uint32_t ring_size_of(const struct dispatch_service *service)
{
	return service->ring_size ? service->ring_size : DEFAULT_RING;
}

static size_t nrings_of(const struct dispatch_service *service)
{
	return service->nrings ? service->nrings : 1;
}

uint64_t dispatch_rings_slots(const struct dispatch_service *service, uint32_t nareas)
{
	return (service->nrings ? nareas : 0) +
	       (uint64_t)nrings_of(service) * ring_size_of(service);
}

/* What has not changed is not computed again: a ring keeps its builder. */
static int make_builders(struct dispatch_rings *rings, size_t count)
{
	struct dispatch_ring_builder *all;

	if (count == rings->count)
		return 0;
	all = calloc(count, sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < rings->count; i++) {
		if (i < count)
			all[i] = rings->all[i];
		else
			dispatch_ring_done(&rings->all[i]);
	}
	free(rings->all);
	*rings = (struct dispatch_rings){all, count};
	return 0;
}

static bool is_used(const struct dispatch_service *service, uint32_t nareas, size_t ring)
{
	for (uint32_t area = 0; area < nareas; area++)
		if (service->ring_of_area[area] == ring)
			return true;
	return false;
}

/* @endpoints: a copy of the service's. */
static int fill_one(struct dispatch_rings *rings, const struct dispatch_service *service,
		    size_t ring, struct dispatch_endpoint *endpoints, const uint16_t *reals,
		    uint16_t *slots)
{
	uint32_t ignored;

	for (size_t i = 0; i < service->nendpoints; i++)
		endpoints[i].weight = service->ring_weights[ring * service->nendpoints + i];
	return dispatch_ring_fill(&rings->all[ring], endpoints, reals, service->nendpoints,
				  ring_size_of(service), slots, &ignored);
}

/* Those that no area leads to stay empty. */
static int fill_by_place(struct dispatch_rings *rings, const struct dispatch_service *service,
			 uint32_t nareas, const uint16_t *reals, uint16_t *slots)
{
	struct dispatch_endpoint *endpoints = calloc(service->nendpoints + 1, sizeof(*endpoints));
	uint32_t size = ring_size_of(service);
	int err = endpoints ? 0 : -ENOMEM;

	memcpy(slots, service->ring_of_area, nareas * sizeof(*slots));
	if (!err && service->nendpoints)
		memcpy(endpoints, service->endpoints, service->nendpoints * sizeof(*endpoints));
	for (size_t ring = 0; !err && ring < service->nrings; ring++)
		if (is_used(service, nareas, ring))
			err = fill_one(rings, service, ring, endpoints, reals,
				       slots + nareas + ring * size);
	free(endpoints);
	return err;
}

int dispatch_rings_fill(struct dispatch_rings *rings, const struct dispatch_service *service,
			uint32_t nareas, const uint16_t *reals, uint16_t *slots, uint32_t *ret_size)
{
	int err = make_builders(rings, nrings_of(service));

	if (err)
		return err;
	if (!service->nrings)
		return dispatch_ring_fill(&rings->all[0], service->endpoints, reals,
					  service->nendpoints, ring_size_of(service), slots,
					  ret_size);
	*ret_size = ring_size_of(service);
	return fill_by_place(rings, service, nareas, reals, slots);
}

void dispatch_rings_done(struct dispatch_rings *rings)
{
	for (size_t i = 0; i < rings->count; i++)
		dispatch_ring_done(&rings->all[i]);
	free(rings->all);
	*rings = (struct dispatch_rings){};
}
