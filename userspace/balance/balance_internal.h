/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_BALANCE_INTERNAL_H
#define SLUICE_BALANCE_INTERNAL_H

#include "balance/balance.h"

extern const struct balance_algorithm balance_round_robin;
extern const struct balance_algorithm balance_random;
extern const struct balance_algorithm balance_least_conn;
extern const struct balance_algorithm balance_p2c;
extern const struct balance_algorithm balance_maglev;
extern const struct balance_algorithm balance_source;

/* --- Weighted random choice, shared by random and p2c ----------------------- */

/* A zeroed sampler has no targets. */
struct sampler {
	struct sampler_column *columns;
	size_t count;
	uint64_t total; /* of the weights at the build; 0: all are 0 */
};

#define SAMPLER_NONE SIZE_MAX

/* Return: 0; -ENOMEM, with @sampler as it was. */
int sampler_build(struct sampler *sampler, const struct balance_target *targets,
		  size_t count) WARN_UNUSED;

/**
 * @exclude: an index that must not come, or SAMPLER_NONE.
 * Return: index; -EHOSTUNREACH if nothing is left.
 */
int sampler_draw(const struct sampler *sampler, const struct balance_target *targets,
		 size_t exclude, struct rng *rng) WARN_UNUSED;

void sampler_done(struct sampler *sampler);

/* --- Arithmetic --------------------------------------------------------------- */

/*
 * Uniform in [0, bound). Sums of weights are below 2^48, so the bias of multiplying instead of
 * rejecting stays below 2^-16 of one part in the bound.
 */
static inline uint64_t balance_below(struct rng *rng, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)rng_next(rng) * bound) >> 64);
}

/*
 * A bijection whose every output bit depends on every input bit; the same on all machines.
 * Source: Stafford 2011, variant 13, as in splitmix64 (Steele et al. 2014).
 */
static inline uint64_t balance_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* The weight that consistent hashing goes by; 0: left out. */
static inline uint32_t balance_hash_weight(const struct balance_target *target)
{
	if (target->weight == 0)
		return 0;
	return target->full_weight ? target->full_weight : target->weight;
}

#endif
