// SPDX-License-Identifier: Apache-2.0
/*
 * Maglev hashing: a table of M slots, M prime, that all targets fill in turns, each by its own
 * order of preference. O(1) a pick; O(M log M) to build, some milliseconds at M = 65,537, and
 * nothing where neither ids nor full weights changed, so that slow start costs and moves nothing.
 *
 * Sources: Eisenbud et al., NSDI 2016, section 3.4. Weights as Katran's MaglevHashV2 has them: in
 * each round a target gains its weight and takes a slot when it holds the greatest weight.
 *
 * Bounds, for equal weights. Load: the targets' slots differ by at most one, thus by at most 1 %
 * for M ≥ 100 N. Disruption: when one of N targets goes, its M/N slots move, as they must; of the
 * others at most 1 % do for N ≤ 1,000 and M = 65,537 (at worst 0.93 %, at N = 500). When 1 % or 5 %
 * of 1,000 targets go at once, 3.3 % or 8.2 % of all slots change, less with a larger table, as in
 * the paper's section 5.3. tests/unit/balance/test_maglev.c holds the table to all of this.
 */
#include "balance/balance_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Keys of a target that is left out for the moment try so many other slots before a walk. */
#define REHASH_MAX 16

struct maglev {
	uint32_t *table; /* slot → index of the target */
	uint32_t size;   /* 0: no target was up */
	size_t count;
	uint64_t fingerprint; /* of what the table was built from */
};

/* One target while the table is filled. */
struct filler {
	uint64_t id;
	uint32_t index;
	uint32_t weight;
	uint64_t gained;
	uint32_t slot, skip; /* its order of preference: slot, slot + skip, … modulo the size */
};

static struct maglev *maglev_of(struct balancer *balancer)
{
	return (struct maglev *)(void *)balancer;
}

static bool is_prime(uint32_t n)
{
	if (n < 2 || n % 2 == 0)
		return n == 2;
	for (uint32_t d = 3; (uint64_t)d * d <= n; d += 2)
		if (n % d == 0)
			return false;
	return true;
}

static uint64_t fingerprint_of(const struct balance_target *targets, size_t count, uint32_t size)
{
	uint64_t print = balance_mix(size + UINT64_C(1));

	for (size_t i = 0; i < count; i++) {
		print = balance_mix(print ^ targets[i].id);
		print = balance_mix(print + balance_hash_weight(&targets[i]));
	}
	return print;
}

/* By id, which every node knows, and not by the order that its configuration or DNS gave. */
static int compare_id(const void *a, const void *b)
{
	const struct filler *left = a, *right = b;

	return left->id < right->id ? -1 : left->id > right->id;
}

static size_t collect(const struct balance_target *targets, size_t count, uint32_t size,
		      struct filler *fillers)
{
	size_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t id = targets[i].id;
		uint32_t weight = balance_hash_weight(&targets[i]);

		if (weight == 0)
			continue;
		fillers[n++] = (struct filler){
			.id = id,
			.index = i,
			.weight = weight,
			.slot = (uint32_t)(balance_mix(id) % size),
			.skip = (uint32_t)(balance_mix(~id) % (size - 1)) + 1,
		};
	}
	qsort(fillers, n, sizeof(*fillers), compare_id);
	return n;
}

#define FREE UINT32_MAX

/* The filler's most wanted slot that is free; there is one. */
static void take_slot(struct filler *filler, uint32_t *table, uint32_t size)
{
	while (table[filler->slot] != FREE)
		filler->slot = (uint32_t)(((uint64_t)filler->slot + filler->skip) % size);
	table[filler->slot] = filler->index;
}

static void fill(uint32_t *table, uint32_t size, struct filler *fillers, size_t count)
{
	uint32_t greatest = 0, taken = 0;

	for (uint32_t i = 0; i < size; i++)
		table[i] = FREE;
	for (size_t i = 0; i < count; i++)
		if (fillers[i].weight > greatest)
			greatest = fillers[i].weight;
	for (size_t i = 0; taken < size; i = i + 1 < count ? i + 1 : 0) {
		fillers[i].gained += fillers[i].weight;
		if (fillers[i].gained < greatest)
			continue;
		fillers[i].gained -= greatest;
		take_slot(&fillers[i], table, size);
		taken++;
	}
}

static int maglev_build(struct balancer *balancer, const struct balance_target *targets,
			size_t count, uint32_t table_size)
{
	struct maglev *state = maglev_of(balancer);
	struct maglev fresh = {.count = count};
	struct filler *fillers;
	size_t nfillers;

	if (!is_prime(table_size) || table_size < 3)
		return -EINVAL;
	fresh.fingerprint = fingerprint_of(targets, count, table_size);
	if (state->table && state->count == count && state->fingerprint == fresh.fingerprint)
		return 0;
	fillers = calloc(count ? count : 1, sizeof(*fillers));
	fresh.table = calloc(table_size, sizeof(*fresh.table));
	if (!fillers || !fresh.table) {
		free(fillers);
		free(fresh.table);
		return -ENOMEM;
	}
	nfillers = collect(targets, count, table_size, fillers);
	if (nfillers > 0) {
		fill(fresh.table, table_size, fillers, nfillers);
		fresh.size = table_size;
	}
	free(fillers);
	free(state->table);
	*state = fresh;
	return 0;
}

/* The last resort where nearly all are left out: the first one up, from a place the key decides. */
static int walk(const struct balance_target *targets, size_t count, uint64_t hash)
{
	size_t start = (size_t)(hash % count);

	for (size_t n = 0; n < count; n++) {
		size_t i = (start + n) % count;

		if (targets[i].weight > 0)
			return (int)i;
	}
	return -EHOSTUNREACH;
}

static int maglev_pick(struct balancer *balancer, const struct balance_target *targets,
		       size_t count, uint64_t hash, struct rng *rng)
{
	const struct maglev *state = maglev_of(balancer);

	(void)rng;
	if (count == 0)
		return -EHOSTUNREACH;
	assert(count == state->count);
	if (state->size == 0)
		return -EHOSTUNREACH;
	for (unsigned n = 0; n < REHASH_MAX; n++) {
		uint32_t index = state->table[hash % state->size];

		if (targets[index].weight > 0)
			return (int)index;
		hash = balance_mix(hash + 1);
	}
	return walk(targets, count, hash);
}

static void maglev_done(struct balancer *balancer)
{
	struct maglev *state = maglev_of(balancer);

	free(state->table);
	*state = (struct maglev){};
}

const struct balance_algorithm balance_maglev = {
	.name = "maglev",
	.state_size = sizeof(struct maglev),
	.build = maglev_build,
	.pick = maglev_pick,
	.done = maglev_done,
};
