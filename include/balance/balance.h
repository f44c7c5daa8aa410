/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_BALANCE_BALANCE_H
#define SLUICE_BALANCE_BALANCE_H

#include "core/compiler.h"
#include "core/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Targets → index. Pure: no clocks, no sockets, no globals. Who may be chosen and with what weight
 * is decided above (health, drain, slow start, tiers, zones); here a target of weight 0 is not
 * chosen.
 *
 * The life of a balancer, on one thread at a time:
 *   1. The caller gives state_size zeroed bytes, aligned for any type (0: no state is needed).
 *   2. build() whenever ids, their number or order, or weights have changed. The state is carried
 *      over: round robin goes on where it was for the targets that it knows by id.
 *   3. pick() with the targets that were built: the same ids in the same order. For one pick a
 *      weight may be lowered to 0 without a build (tried before, at its connection limit): that
 *      target is left out, and the others keep their shares and, where the hash decides, their
 *      keys. No targets at all need no build.
 *   4. done(), after which the bytes are zero again.
 */

/* Weights are scaled so that slow start can move in small steps: configured weight × this. */
#define BALANCE_WEIGHT_SCALE 256u

struct balance_target {
	uint64_t id;          /* unique; hash of the endpoint's name: the same on every node */
	uint32_t weight;      /* 0..256 × BALANCE_WEIGHT_SCALE; 0: not now */
	uint32_t full_weight; /* what consistent hashing goes by: not lowered while slow-starting */
	uint32_t active;      /* open connections; only least_conn and p2c read it */
	uint32_t latency_us;  /* EWMA of connect or first-byte time; 0: unknown; of p2c */
};

struct balancer;

struct balance_algorithm {
	const char *name;
	bool needs_load;   /* reads active and latency_us: refresh them before pick */
	size_t state_size; /* bytes of struct balancer that pick works on */
	/*
	 * @table_size: a prime, of maglev; others ignore it.
	 * Return: 0; -ENOMEM or, where @table_size is no prime, -EINVAL: the state is as it was,
	 * and goes with the targets of the build before.
	 */
	int (*build)(struct balancer *balancer, const struct balance_target *targets, size_t count,
		     uint32_t table_size) WARN_UNUSED;
	/*
	 * Return: index in [0, count); -EHOSTUNREACH if every weight is 0, or @count is.
	 * @hash: of the request's key, all 64 bits random; read by maglev and source.
	 * Never blocks or allocates.
	 */
	int (*pick)(struct balancer *balancer, const struct balance_target *targets, size_t count,
		    uint64_t hash, struct rng *rng) WARN_UNUSED;
	/* Frees what build made; a zeroed state is allowed. The struct itself is the caller's. */
	void (*done)(struct balancer *balancer);
};

/* Look-up by configuration name ("round_robin", …). Return: NULL if there is none. */
const struct balance_algorithm *balance_find(const char *name);

/* All of them, ended by NULL. */
extern const struct balance_algorithm *const balance_algorithms[];

/**
 * Folds a sample into an average. Source: Jacobson 1988, gain 1/8.
 * @average_us: 0 takes the sample as it is.
 * Return: at least 1, for 0 means unknown.
 */
uint32_t balance_ewma(uint32_t average_us, uint32_t sample_us);

#endif
