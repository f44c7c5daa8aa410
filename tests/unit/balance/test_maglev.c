// SPDX-License-Identifier: Apache-2.0
/* Figures in comments are of Eisenbud et al., NSDI 2016. The table is seen through keys 0..M-1. */
#include "core/compiler.h"
#include "unit/balance/fixture.h"

#define NAME "maglev"
/* The greatest share of slots that move though neither their old nor their new target changed. */
#define DISRUPTION 0.01

/* The id of the target that each slot belongs to. */
static uint64_t *read_table(struct fixture *f, uint32_t size)
{
	uint64_t *ids = calloc(size, sizeof(*ids));

	assert_non_null(ids);
	for (uint32_t slot = 0; slot < size; slot++)
		ids[slot] = f->targets[pick(f, slot)].id;
	return ids;
}

/* Slots that moved, without those that left or reached @id; 0 counts all. */
static double moved_share(const uint64_t *before, const uint64_t *after, uint32_t size, uint64_t id)
{
	uint32_t moved = 0;

	for (uint32_t slot = 0; slot < size; slot++)
		moved += before[slot] != after[slot] &&
			 (id == 0 || (before[slot] != id && after[slot] != id));
	return moved / (double)size;
}

static void count_slots(struct fixture *f, unsigned *ret_counts)
{
	memset(ret_counts, 0, f->count * sizeof(*ret_counts));
	for (uint32_t slot = 0; slot < TABLE_SIZE; slot++)
		ret_counts[pick(f, slot)]++;
}

/* Section 3.4: M > 100 N keeps the difference in share within 1 %. Ours: one slot. */
static void equal_targets_differ_by_one_slot(void **state)
{
	static const size_t sizes[] = {1, 2, 7, 100, 655};
	unsigned counts[TARGETS_MAX];

	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(sizes); n++) {
		unsigned even = TABLE_SIZE / (unsigned)sizes[n];
		struct fixture f;

		start(&f, NAME, sizes[n], NULL);
		count_slots(&f, counts);
		for (size_t i = 0; i < f.count; i++)
			assert_in_range(counts[i], even, even + 1);
		assert_true(1.0 / even <= 0.0101);
		stop(&f);
	}
}

static void slots_follow_weights(void **state)
{
	static const uint32_t weights[] = {256, 128, 3, 1, 0, 100, 55};
	unsigned counts[ARRAY_SIZE(weights)];
	double total = 0;
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(weights); i++)
		total += weights[i];
	start(&f, NAME, ARRAY_SIZE(weights), weights);
	count_slots(&f, counts);
	for (size_t i = 0; i < f.count; i++) {
		double exact = TABLE_SIZE * weights[i] / total;

		assert_true(counts[i] >= exact - 2 && counts[i] <= exact + 2);
	}
	stop(&f);
}

static void keys_share_equally(void **state)
{
	unsigned counts[100];
	struct fixture f;

	(void)state;
	start(&f, NAME, 100, NULL);
	tally(&f, 200000, counts);
	assert_true(chi_square(&f, counts) < 148.2);
	stop(&f);
}

static void one_target_gone_moves_few_other_slots(void **state)
{
	static const size_t sizes[] = {2, 3, 5, 10, 50, 100, 200, 500, 1000};

	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(sizes); n++) {
		uint64_t *before, *after;
		struct fixture f;

		start(&f, NAME, sizes[n], NULL);
		before = read_table(&f, TABLE_SIZE);
		set_weight(&f, sizes[n] / 2, 0);
		build(&f);
		after = read_table(&f, TABLE_SIZE);
		assert_true(moved_share(before, after, TABLE_SIZE, f.targets[sizes[n] / 2].id) <=
			    DISRUPTION);
		set_weight(&f, sizes[n] / 2, 1);
		build(&f);
		free(after);
		after = read_table(&f, TABLE_SIZE);
		assert_memory_equal(before, after, TABLE_SIZE * sizeof(*before));
		free(before);
		free(after);
		stop(&f);
	}
}

static double disruption_by_failures(uint32_t size, size_t failures)
{
	uint64_t *before, *after;
	struct fixture f;
	double moved;

	start(&f, NAME, 1000, NULL);
	assert_int_equal(f.algorithm->build(f.balancer, f.targets, f.count, size), 0);
	before = read_table(&f, size);
	for (size_t i = 0; i < failures; i++)
		set_weight(&f, i * 97 % 1000, 0);
	assert_int_equal(f.algorithm->build(f.balancer, f.targets, f.count, size), 0);
	after = read_table(&f, size);
	moved = moved_share(before, after, size, 0);
	free(before);
	free(after);
	stop(&f);
	return moved;
}

/* Section 5.3: with 1,000 backends a table of 655,373 is disturbed less by failures than 65,537. */
static void larger_table_is_more_resilient(void **state)
{
	static const size_t failures[] = {10, 50};

	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(failures); n++) {
		double least = (double)failures[n] / 1000;
		double small = disruption_by_failures(65537, failures[n]);
		double large = disruption_by_failures(655373, failures[n]);

		assert_true(large < small);
		assert_true(large >= least * 0.98);
		assert_true(small <= least + 0.035);
		assert_true(large <= least + 0.015);
	}
}

static void changed_weight_moves_little_more_than_it_must(void **state)
{
	uint64_t *before, *after;
	struct fixture f;
	double must;

	(void)state;
	start(&f, NAME, 20, NULL);
	for (size_t i = 0; i < 20; i++)
		set_weight(&f, i, 100);
	build(&f);
	before = read_table(&f, TABLE_SIZE);
	set_weight(&f, 3, 80);
	build(&f);
	after = read_table(&f, TABLE_SIZE);
	must = 1 / 20.0 - 80 / 1980.0;
	assert_true(moved_share(before, after, TABLE_SIZE, 0) > must * 0.95);
	assert_true(moved_share(before, after, TABLE_SIZE, f.targets[3].id) <= DISRUPTION);
	free(before);
	free(after);
	stop(&f);
}

static void order_of_targets_does_not_matter(void **state)
{
	static const uint32_t weights[] = {1, 2, 3, 4, 5, 6, 7, 8};
	uint64_t *before, *after;
	struct fixture f;

	(void)state;
	start(&f, NAME, ARRAY_SIZE(weights), weights);
	before = read_table(&f, TABLE_SIZE);
	for (size_t i = 0; i < f.count / 2; i++) {
		struct balance_target target = f.targets[i];

		f.targets[i] = f.targets[f.count - 1 - i];
		f.targets[f.count - 1 - i] = target;
	}
	build(&f);
	after = read_table(&f, TABLE_SIZE);
	assert_memory_equal(before, after, TABLE_SIZE * sizeof(*before));
	free(before);
	free(after);
	stop(&f);
}

static void slow_start_moves_nothing(void **state)
{
	uint64_t *before, *after;
	struct fixture f;

	(void)state;
	start(&f, NAME, 10, NULL);
	before = read_table(&f, TABLE_SIZE);
	f.targets[4].weight = 1;
	build(&f);
	after = read_table(&f, TABLE_SIZE);
	assert_memory_equal(before, after, TABLE_SIZE * sizeof(*before));
	free(before);
	free(after);
	stop(&f);
}

static void only_keys_of_one_left_out_go_elsewhere_and_spread(void **state)
{
	unsigned counts[10] = {};
	int before[5000];
	struct fixture f;

	(void)state;
	start(&f, NAME, 10, NULL);
	for (size_t n = 0; n < ARRAY_SIZE(before); n++)
		before[n] = pick(&f, key(n));
	f.targets[6].weight = 0;
	for (size_t n = 0; n < ARRAY_SIZE(before); n++) {
		int now = pick(&f, key(n));

		assert_int_equal(now, pick(&f, key(n)));
		if (before[n] == 6)
			counts[now]++;
		else
			assert_int_equal(now, before[n]);
	}
	for (size_t i = 0; i < 10; i++)
		assert_in_range(counts[i], i == 6 ? 0 : 30, i == 6 ? 0 : 80);
	stop(&f);
}

static void failed_build_leaves_the_table(void **state)
{
	static const uint32_t no_primes[] = {0, 1, 2, 4, 9, 65536, 65539 * 3};
	struct fixture f;

	(void)state;
	start(&f, NAME, 3, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(no_primes); i++)
		assert_int_equal(f.algorithm->build(f.balancer, f.targets, 3, no_primes[i]),
				 -EINVAL);
	assert_true(pick(&f, 1) >= 0);
	stop(&f);
}

/* The same on every node, compiler and release: a change here moves clients between nodes. */
static void mapping_is_the_golden_one(void **state)
{
	static const int golden[] = {1, 1, 2, 4, 1, 2, 3, 3, 3, 3, 1, 3, 1, 4, 4, 4, 3, 2, 0, 3,
				     3, 4, 3, 4, 4, 4, 4, 2, 3, 4, 3, 3, 2, 3, 4, 3, 3, 4, 3, 0};
	static const uint32_t weights[] = {1, 2, 3, 4, 5};
	struct fixture f;

	(void)state;
	start(&f, NAME, ARRAY_SIZE(weights), weights);
	for (size_t n = 0; n < ARRAY_SIZE(golden); n++)
		assert_int_equal(pick(&f, key(n)), golden[n]);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_targets_differ_by_one_slot),
		cmocka_unit_test(slots_follow_weights),
		cmocka_unit_test(keys_share_equally),
		cmocka_unit_test(one_target_gone_moves_few_other_slots),
		cmocka_unit_test(larger_table_is_more_resilient),
		cmocka_unit_test(changed_weight_moves_little_more_than_it_must),
		cmocka_unit_test(order_of_targets_does_not_matter),
		cmocka_unit_test(slow_start_moves_nothing),
		cmocka_unit_test(only_keys_of_one_left_out_go_elsewhere_and_spread),
		cmocka_unit_test(failed_build_leaves_the_table),
		cmocka_unit_test(mapping_is_the_golden_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
