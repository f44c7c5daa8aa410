/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_UNIT_BALANCE_FIXTURE_H
#define SLUICE_TESTS_UNIT_BALANCE_FIXTURE_H

#include "balance/balance.h"
#include "core/hash.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* A balancer with its targets: what a worker's view of a pool is. */

#define TARGETS_MAX 1000
#define TABLE_SIZE  65537u

struct fixture {
	const struct balance_algorithm *algorithm;
	struct balancer *balancer;
	struct balance_target targets[TARGETS_MAX];
	size_t count;
	struct rng rng;
};

static inline uint64_t target_id(size_t n)
{
	char name[32];

	snprintf(name, sizeof(name), "10.0.%zu.%zu:80", n / 256, n % 256);
	return hash_bytes(slice_from_str(name), 0);
}

static inline void set_weight(struct fixture *f, size_t i, uint32_t weight)
{
	f->targets[i].weight = f->targets[i].full_weight = weight * BALANCE_WEIGHT_SCALE;
}

static inline void build(struct fixture *f)
{
	assert_int_equal(f->algorithm->build(f->balancer, f->targets, f->count, TABLE_SIZE), 0);
}

/* @weights: NULL makes all 1. */
static inline void start(struct fixture *f, const char *name, size_t count, const uint32_t *weights)
{
	*f = (struct fixture){.algorithm = balance_find(name), .count = count};
	assert_non_null(f->algorithm);
	f->balancer = calloc(1, f->algorithm->state_size + 1);
	assert_non_null(f->balancer);
	rng_seed(&f->rng, 42);
	for (size_t i = 0; i < count; i++) {
		f->targets[i].id = target_id(i);
		set_weight(f, i, weights ? weights[i] : 1);
	}
	build(f);
}

static inline void stop(struct fixture *f)
{
	f->algorithm->done(f->balancer);
	free(f->balancer);
}

static inline int pick(struct fixture *f, uint64_t hash)
{
	int index = f->algorithm->pick(f->balancer, f->targets, f->count, hash, &f->rng);

	assert_true(index == -EHOSTUNREACH || (index >= 0 && (size_t)index < f->count));
	if (index >= 0)
		assert_true(f->targets[index].weight > 0);
	return index;
}

/* The nth of a fixed series of keys. */
static inline uint64_t key(uint64_t n)
{
	return hash_bytes(slice_of(&n, sizeof(n)), 1);
}

static inline void tally(struct fixture *f, size_t picks, unsigned *ret_counts)
{
	memset(ret_counts, 0, f->count * sizeof(*ret_counts));
	for (size_t n = 0; n < picks; n++) {
		int index = pick(f, key(n));

		assert_true(index >= 0);
		ret_counts[index]++;
	}
}

/* Pearson's statistic against shares by weight; targets of weight 0 must have none. */
static inline double chi_square(const struct fixture *f, const unsigned *counts)
{
	double picks = 0, total = 0, sum = 0;

	for (size_t i = 0; i < f->count; i++) {
		picks += counts[i];
		total += f->targets[i].weight;
	}
	for (size_t i = 0; i < f->count; i++) {
		double expected = picks * f->targets[i].weight / total;

		if (expected > 0)
			sum += (counts[i] - expected) * (counts[i] - expected) / expected;
		else
			assert_int_equal(counts[i], 0);
	}
	return sum;
}

#endif
