// SPDX-License-Identifier: Apache-2.0
/*
 * Smooth weighted round robin: in each turn every target gains its weight, and the richest is
 * chosen and pays what all have gained, so that a heavy target's turns lie apart: {5, 1, 1} gives a
 * a b a c a a. O(n) a pick; O(1) where all weights are equal, for then the turns simply go round.
 * Source: nginx, ngx_http_upstream_round_robin.c, since 1.3.1.
 */
#include "balance/balance_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Turns that may be left out at the start, so that not all workers begin with the same target. */
#define SKIPPED_TURNS_MAX 64

struct turn {
	uint64_t id;
	int64_t current; /* what the target has gained and not paid, in units of weight */
};

struct round_robin {
	struct turn *turns;
	size_t count;
	uint32_t equal_weight; /* of every target that is not 0; 0: they differ */
	size_t next;           /* whose turn it is, while equal; @current rests then */
	bool is_started;
};

static struct round_robin *round_robin_of(struct balancer *balancer)
{
	return (struct round_robin *)(void *)balancer;
}

/* Return: the weight of all that have one; 0 if they differ or none has. */
static uint32_t find_equal_weight(const struct balance_target *targets, size_t count)
{
	uint32_t weight = 0;

	for (size_t i = 0; i < count; i++) {
		if (targets[i].weight == 0)
			continue;
		if (weight != 0 && targets[i].weight != weight)
			return 0;
		weight = targets[i].weight;
	}
	return weight;
}

/* Writes down what the targets would have gained and paid since the round began. */
static void settle_equal(struct round_robin *state)
{
	int64_t weight = state->equal_weight;

	for (size_t i = 0; i < state->count; i++) {
		int64_t paid = i < state->next ? (int64_t)state->count : 0;

		state->turns[i].current = ((int64_t)state->next - paid) * weight;
	}
	state->next = 0;
}

static int64_t clamp(int64_t value, int64_t limit)
{
	return value > limit ? limit : value < -limit ? -limit : value;
}

/* Looks from @from onwards and round. Return: index; @old->count if the target is new. */
static size_t find_turn(const struct round_robin *old, uint64_t id, size_t from)
{
	for (size_t i = from; i < old->count; i++)
		if (old->turns[i].id == id)
			return i;
	for (size_t i = 0; i < from; i++)
		if (old->turns[i].id == id)
			return i;
	return old->count;
}

/*
 * Targets keep what they have gained. Lists mostly keep their order, so that looking on from the
 * last one found is O(n) in all. The limit keeps a debt from the time of large weights from
 * shutting a target out for many rounds of small ones.
 */
static void carry_over(const struct round_robin *old, struct turn *turns, size_t count,
		       int64_t limit)
{
	size_t from = 0;

	for (size_t i = 0; i < count; i++) {
		size_t found = find_turn(old, turns[i].id, from);

		if (found == old->count)
			continue;
		turns[i].current = clamp(old->turns[found].current, limit);
		from = found + 1;
	}
}

static size_t find_richest(const struct turn *turns, size_t count)
{
	size_t richest = 0;

	for (size_t i = 1; i < count; i++)
		if (turns[i].current > turns[richest].current)
			richest = i;
	return richest;
}

static int round_robin_build(struct balancer *balancer, const struct balance_target *targets,
			     size_t count, uint32_t table_size)
{
	struct round_robin *state = round_robin_of(balancer);
	struct turn *turns = calloc(count ? count : 1, sizeof(*turns));
	int64_t total = 0;

	(void)table_size;
	if (!turns)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		turns[i].id = targets[i].id;
		total += targets[i].weight;
	}
	if (state->equal_weight)
		settle_equal(state);
	carry_over(state, turns, count, total);
	free(state->turns);
	state->turns = turns;
	state->count = count;
	state->equal_weight = find_equal_weight(targets, count);
	state->next = state->equal_weight ? find_richest(turns, count) : 0;
	return 0;
}

static int pick_equal(struct round_robin *state, const struct balance_target *targets)
{
	for (size_t n = 0; n < state->count; n++) {
		size_t i = state->next;

		state->next = i + 1 < state->count ? i + 1 : 0;
		if (targets[i].weight > 0)
			return (int)i;
	}
	return -EHOSTUNREACH;
}

static int pick_smooth(struct round_robin *state, const struct balance_target *targets)
{
	struct turn *richest = NULL;
	int64_t total = 0;

	for (size_t i = 0; i < state->count; i++) {
		struct turn *turn = &state->turns[i];

		if (targets[i].weight == 0)
			continue;
		total += targets[i].weight;
		turn->current += targets[i].weight;
		if (!richest || turn->current > richest->current)
			richest = turn;
	}
	if (!richest)
		return -EHOSTUNREACH;
	richest->current -= total;
	return (int)(richest - state->turns);
}

static int take_turn(struct round_robin *state, const struct balance_target *targets)
{
	return state->equal_weight ? pick_equal(state, targets) : pick_smooth(state, targets);
}

static int round_robin_pick(struct balancer *balancer, const struct balance_target *targets,
			    size_t count, uint64_t hash, struct rng *rng)
{
	struct round_robin *state = round_robin_of(balancer);

	(void)hash;
	if (count == 0)
		return -EHOSTUNREACH;
	assert(count == state->count);
	if (!state->is_started) {
		uint32_t max = count < SKIPPED_TURNS_MAX ? (uint32_t)count : SKIPPED_TURNS_MAX;

		state->is_started = true;
		for (uint32_t skip = rng_below(rng, max); skip > 0; skip--)
			take_turn(state, targets);
	}
	return take_turn(state, targets);
}

static void round_robin_done(struct balancer *balancer)
{
	struct round_robin *state = round_robin_of(balancer);

	free(state->turns);
	*state = (struct round_robin){};
}

const struct balance_algorithm balance_round_robin = {
	.name = "round_robin",
	.state_size = sizeof(struct round_robin),
	.build = round_robin_build,
	.pick = round_robin_pick,
	.done = round_robin_done,
};
