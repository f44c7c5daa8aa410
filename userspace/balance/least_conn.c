// SPDX-License-Identifier: Apache-2.0
/*
 * The target with the fewest open connections for its weight. Ties, which are the rule while little
 * goes on, are broken at random by weight, so that idle targets share. O(n) a pick, no state.
 */
#include "balance/balance_internal.h"

#include <errno.h>

/* active / weight, compared crosswise. Return: below, equal to, or above 0. */
static int compare_load(const struct balance_target *a, const struct balance_target *b)
{
	uint64_t left = (uint64_t)a->active * b->weight;
	uint64_t right = (uint64_t)b->active * a->weight;

	return left < right ? -1 : left > right;
}

/* The first of the least loaded. @ret_tied: the weight of all of them. Return: NULL: none is up. */
static const struct balance_target *find_least(const struct balance_target *targets, size_t count,
					       uint64_t *ret_tied)
{
	const struct balance_target *least = NULL;

	for (const struct balance_target *t = targets; t < targets + count; t++) {
		int order;

		if (t->weight == 0)
			continue;
		order = least ? compare_load(t, least) : -1;
		if (order < 0) {
			least = t;
			*ret_tied = 0;
		}
		if (order <= 0)
			*ret_tied += t->weight;
	}
	return least;
}

/* Goes through those as little loaded as @least, until @at is within one's weight. */
static const struct balance_target *find_tied(const struct balance_target *least, uint64_t at)
{
	for (const struct balance_target *t = least;; t++) {
		if (t->weight == 0 || compare_load(t, least) != 0)
			continue;
		if (at < t->weight)
			return t;
		at -= t->weight;
	}
}

static int least_conn_pick(struct balancer *balancer, const struct balance_target *targets,
			   size_t count, uint64_t hash, struct rng *rng)
{
	const struct balance_target *least;
	uint64_t tied = 0;

	(void)balancer;
	(void)hash;
	least = find_least(targets, count, &tied);
	if (!least)
		return -EHOSTUNREACH;
	return (int)(find_tied(least, balance_below(rng, tied)) - targets);
}

static int least_conn_build(struct balancer *balancer, const struct balance_target *targets,
			    size_t count, uint32_t table_size)
{
	(void)balancer;
	(void)targets;
	(void)count;
	(void)table_size;
	return 0;
}

static void least_conn_done(struct balancer *balancer)
{
	(void)balancer;
}

const struct balance_algorithm balance_least_conn = {
	.name = "least_conn",
	.needs_load = true,
	.build = least_conn_build,
	.pick = least_conn_pick,
	.done = least_conn_done,
};
