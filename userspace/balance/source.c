// SPDX-License-Identifier: Apache-2.0
/*
 * Rendezvous hashing of the request's key (the source address): each target draws a time that only
 * the key, its id and its weight decide, exponential with rate weight, and the earliest wins. A
 * target that leaves or loses weight gives away only its own keys, one that comes or gains weight
 * only takes: nothing moves between others. O(n) a pick, some nanoseconds a target.
 *
 * All in integers: floating point logarithms differ between C libraries in their last bit, and with
 * it two nodes could send the same client to two targets.
 *
 * Sources: Thaler and Ravishankar 1998; weights by -ln(u)/w, Schindelhauer and Schomaker 2005.
 */
#include "balance/balance_internal.h"

#include <errno.h>

#define FRACTION_BITS 40
/* ln 2 × 2^62. */
#define LN2_Q62 UINT64_C(3196577161300663915)

static uint64_t multiply_q62(uint64_t a, uint64_t b)
{
	return (uint64_t)(((unsigned __int128)a * b) >> 62);
}

/*
 * -ln(x / 2^64) for x in [2^63, 2^64), as 2 artanh((1 - u) / (1 + u)): the argument is at most 1/3,
 * so the series is exact to 1e-9 after nine terms. Near u = 1, where winners are, it is relatively
 * exact as well.
 */
static uint64_t minus_ln_upper_half_q62(uint64_t x)
{
	unsigned __int128 one_minus_u = -x;
	uint64_t half_one_plus_u = (UINT64_C(1) << 63) + (x >> 1);
	uint64_t s = (uint64_t)((one_minus_u << 61) / half_one_plus_u);
	uint64_t s2 = multiply_q62(s, s), power = s, sum = 0;

	for (unsigned n = 1; n <= 17; n += 2) {
		sum += power / n;
		power = multiply_q62(power, s2);
	}
	return 2 * sum;
}

/* -ln(u) × 2^40 for u = (hash | 1) / 2^64: below 45 × 2^40, above 0. */
static uint64_t minus_ln(uint64_t hash)
{
	unsigned halvings = (unsigned)__builtin_clzll(hash | 1);
	uint64_t upper = minus_ln_upper_half_q62((hash | 1) << halvings);
	unsigned __int128 ln = (unsigned __int128)LN2_Q62 * halvings + upper;

	return (uint64_t)(ln >> (62 - FRACTION_BITS)) + 1;
}

/* 1 - u, never above -ln(u): enough to see that most targets come too late. */
static uint64_t minus_ln_at_least(uint64_t hash)
{
	return -(hash | 1) >> (64 - FRACTION_BITS);
}

struct candidate {
	const struct balance_target *target;
	uint64_t ln;
};

/* Time = ln / weight, compared crosswise. The id settles a tie: array orders differ between nodes.
 */
static bool is_earlier(const struct candidate *a, const struct candidate *b)
{
	uint64_t weight_a = balance_hash_weight(a->target);
	uint64_t weight_b = balance_hash_weight(b->target);
	uint64_t left = a->ln * weight_b, right = b->ln * weight_a;

	return left < right || (left == right && a->target->id < b->target->id);
}

static int source_pick(struct balancer *balancer, const struct balance_target *targets,
		       size_t count, uint64_t hash, struct rng *rng)
{
	struct candidate first = {};

	(void)balancer;
	(void)rng;
	for (size_t i = 0; i < count; i++) {
		struct candidate next = {.target = &targets[i]};
		uint64_t mixed = balance_mix(hash ^ balance_mix(targets[i].id));

		if (targets[i].weight == 0)
			continue;
		next.ln = minus_ln_at_least(mixed);
		if (first.target && !is_earlier(&next, &first))
			continue;
		next.ln = minus_ln(mixed);
		if (!first.target || is_earlier(&next, &first))
			first = next;
	}
	return first.target ? (int)(first.target - targets) : -EHOSTUNREACH;
}

static int source_build(struct balancer *balancer, const struct balance_target *targets,
			size_t count, uint32_t table_size)
{
	(void)balancer;
	(void)targets;
	(void)count;
	(void)table_size;
	return 0;
}

static void source_done(struct balancer *balancer)
{
	(void)balancer;
}

const struct balance_algorithm balance_source = {
	.name = "source",
	.build = source_build,
	.pick = source_pick,
	.done = source_done,
};
