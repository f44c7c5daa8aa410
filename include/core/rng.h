/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_RNG_H
#define SLUICE_CORE_RNG_H

#include <stdint.h>

/*
 * Random numbers for balancing and jitter; never for secrets. Thread: the owner of the state.
 * Source: Blackman and Vigna 2018, xoshiro256**, seeded by splitmix64.
 */
struct rng {
	uint64_t state[4];
};

/* The same seed gives the same sequence, which tests rely on. */
void rng_seed(struct rng *rng, uint64_t seed);

/* Seeds from the kernel's randomness, or from the clock where there is none. */
void rng_seed_random(struct rng *rng);

uint64_t rng_next(struct rng *rng);

/* Uniform in [0, bound), without modulo bias (Lemire 2019); @bound is at least 1. */
uint32_t rng_below(struct rng *rng, uint32_t bound);

#endif
