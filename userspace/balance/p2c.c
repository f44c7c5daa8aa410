// SPDX-License-Identifier: Apache-2.0
/*
 * The better of two weighted random choices. O(1) a pick, and unlike always taking the best it does
 * not send every worker to the same target on figures that are a moment old.
 * Source: Mitzenmacher 2001, "The Power of Two Choices in Randomized Load Balancing".
 */
#include "balance/balance_internal.h"

#include <assert.h>
#include <errno.h>

/*
 * One pick in so many takes its first choice unseen. Without it a target whose average was spoilt
 * by one bad minute would get no connection that could mend it.
 */
#define EXPLORE_ONE_IN 64

static struct sampler *sampler_of(struct balancer *balancer)
{
	return (struct sampler *)(void *)balancer;
}

static int p2c_build(struct balancer *balancer, const struct balance_target *targets, size_t count,
		     uint32_t table_size)
{
	(void)table_size;
	return sampler_build(sampler_of(balancer), targets, count);
}

/*
 * Cost = latency × (active + 1) / weight, compared crosswise to stay in integers. Where one latency
 * is unknown it is taken to be the other's: a new target competes by its load, neither shunned nor
 * flooded until its first answer.
 */
static bool costs_less(const struct balance_target *a, const struct balance_target *b)
{
	bool is_known = a->latency_us > 0 && b->latency_us > 0;
	uint64_t latency_a = is_known ? a->latency_us : 1, latency_b = is_known ? b->latency_us : 1;
	unsigned __int128 left = (unsigned __int128)latency_a * ((uint64_t)a->active + 1);
	unsigned __int128 right = (unsigned __int128)latency_b * ((uint64_t)b->active + 1);

	return left * b->weight < right * a->weight;
}

static int p2c_pick(struct balancer *balancer, const struct balance_target *targets, size_t count,
		    uint64_t hash, struct rng *rng)
{
	const struct sampler *sampler = sampler_of(balancer);
	int first, second;

	(void)hash;
	if (count == 0)
		return -EHOSTUNREACH;
	assert(count == sampler->count);
	first = sampler_draw(sampler, targets, SAMPLER_NONE, rng);
	if (first < 0 || rng_below(rng, EXPLORE_ONE_IN) == 0)
		return first;
	second = sampler_draw(sampler, targets, (size_t)first, rng);
	if (second < 0)
		return first;
	return costs_less(&targets[second], &targets[first]) ? second : first;
}

static void p2c_done(struct balancer *balancer)
{
	sampler_done(sampler_of(balancer));
}

const struct balance_algorithm balance_p2c = {
	.name = "p2c",
	.needs_load = true,
	.state_size = sizeof(struct sampler),
	.build = p2c_build,
	.pick = p2c_pick,
	.done = p2c_done,
};
