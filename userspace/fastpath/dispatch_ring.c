// SPDX-License-Identifier: Apache-2.0
/* A service's ring: Maglev's table, with the endpoints' places in the packet programs. */
#include "fastpath/dispatch_internal.h"

#include <errno.h>
#include <stdlib.h>

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
