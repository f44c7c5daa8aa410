// SPDX-License-Identifier: Apache-2.0
/* Weighted random choice: no memory of what was chosen, so workers need not agree. O(1) a pick. */
#include "balance/balance_internal.h"

#include <assert.h>
#include <errno.h>

static struct sampler *sampler_of(struct balancer *balancer)
{
	return (struct sampler *)(void *)balancer;
}

static int random_build(struct balancer *balancer, const struct balance_target *targets,
			size_t count, uint32_t table_size)
{
	(void)table_size;
	return sampler_build(sampler_of(balancer), targets, count);
}

static int random_pick(struct balancer *balancer, const struct balance_target *targets,
		       size_t count, uint64_t hash, struct rng *rng)
{
	(void)hash;
	if (count == 0)
		return -EHOSTUNREACH;
	assert(count == sampler_of(balancer)->count);
	return sampler_draw(sampler_of(balancer), targets, SAMPLER_NONE, rng);
}

static void random_done(struct balancer *balancer)
{
	sampler_done(sampler_of(balancer));
}

const struct balance_algorithm balance_random = {
	.name = "random",
	.state_size = sizeof(struct sampler),
	.build = random_build,
	.pick = random_pick,
	.done = random_done,
};
