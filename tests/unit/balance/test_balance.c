// SPDX-License-Identifier: Apache-2.0
/* What every algorithm promises, and the average. */
#include "core/compiler.h"
#include "unit/balance/fixture.h"

static const char *const names[] = {"round_robin", "random", "least_conn",
				    "p2c",         "maglev", "source"};

static void registry_finds_all_six_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_ptr_equal(balance_find(names[i]), balance_algorithms[i]);
	assert_null(balance_algorithms[ARRAY_SIZE(names)]);
	assert_null(balance_find("fastest"));
	assert_null(balance_find(""));
}

static void without_targets_none_is_picked(void **state)
{
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(&f, names[i], 0, NULL);
		assert_int_equal(pick(&f, 7), -EHOSTUNREACH);
		stop(&f);
	}
}

static void targets_may_all_go_without_a_build(void **state)
{
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(&f, names[i], 3, NULL);
		f.count = 0;
		assert_int_equal(pick(&f, 7), -EHOSTUNREACH);
		f.count = 3;
		assert_true(pick(&f, 7) >= 0);
		stop(&f);
	}
}

static void with_all_weights_zero_none_is_picked(void **state)
{
	static const uint32_t weights[] = {0, 0, 0};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(&f, names[i], 3, weights);
		assert_int_equal(pick(&f, 7), -EHOSTUNREACH);
		stop(&f);
	}
}

static void single_target_gets_everything(void **state)
{
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(&f, names[i], 1, NULL);
		for (uint64_t n = 0; n < 100; n++)
			assert_int_equal(pick(&f, key(n)), 0);
		stop(&f);
	}
}

static void weight_zero_at_build_is_never_picked(void **state)
{
	static const uint32_t weights[] = {3, 0, 1, 0, 256};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(&f, names[i], ARRAY_SIZE(weights), weights);
		for (uint64_t n = 0; n < 2000; n++) /* pick() looks at the weight */
			assert_true(pick(&f, key(n)) >= 0);
		stop(&f);
	}
}

static void target_left_out_for_one_pick_is_not_picked(void **state)
{
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(&f, names[i], 50, NULL);
		for (size_t left = 50; left > 0; left--) {
			for (uint64_t n = 0; n < 50; n++)
				assert_true(pick(&f, key(n)) >= 0);
			f.targets[left - 1].weight = 0;
		}
		assert_int_equal(pick(&f, 7), -EHOSTUNREACH);
		stop(&f);
	}
}

static void target_comes_back_with_a_rebuild(void **state)
{
	static const uint32_t weights[] = {1, 0};
	struct fixture f;
	unsigned counts[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(&f, names[i], 2, weights);
		tally(&f, 100, counts);
		set_weight(&f, 1, 1);
		build(&f);
		tally(&f, 1000, counts);
		assert_in_range(counts[1], 400, 600);
		stop(&f);
	}
}

static void greatest_weights_do_not_overflow(void **state)
{
	struct fixture f;
	unsigned counts[TARGETS_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(&f, names[i], TARGETS_MAX, NULL);
		for (size_t t = 0; t < f.count; t++) {
			set_weight(&f, t, t < 2 ? 256 : 1);
			f.targets[t].active = UINT32_MAX - (t < 2);
			f.targets[t].latency_us = UINT32_MAX;
		}
		build(&f);
		tally(&f, 2000, counts);
		assert_true(counts[0] + counts[1] > 500);
		stop(&f);
	}
}

/* Allocations until one fails; 0: none does. */
static unsigned failing_allocation;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	if (failing_allocation > 0 && --failing_allocation == 0)
		return NULL;
	return __real_calloc(count, size);
}

static void without_memory_the_old_build_stands(void **state)
{
	static const unsigned allocations[] = {1, 2, 0, 2, 2, 0}; /* of each algorithm's build */
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(&f, names[i], 3, NULL);
		f.targets[3] = f.targets[0];
		f.targets[3].id = target_id(3);
		for (unsigned n = 1; n <= allocations[i]; n++) {
			failing_allocation = n;
			assert_int_equal(f.algorithm->build(f.balancer, f.targets, 4, TABLE_SIZE),
					 -ENOMEM);
			assert_int_equal(failing_allocation, 0);
			assert_true(pick(&f, n) >= 0);
		}
		f.count = 4;
		build(&f);
		assert_true(pick(&f, 1) >= 0);
		stop(&f);
	}
}

static void done_leaves_a_balancer_that_can_be_built_again(void **state)
{
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(&f, names[i], 3, NULL);
		f.algorithm->done(f.balancer);
		build(&f);
		assert_true(pick(&f, 1) >= 0);
		stop(&f);
	}
}

static void average_takes_the_first_sample_as_it_is(void **state)
{
	(void)state;
	assert_int_equal(balance_ewma(0, 1000), 1000);
	assert_int_equal(balance_ewma(0, UINT32_MAX), UINT32_MAX);
}

static void average_moves_by_an_eighth_and_arrives(void **state)
{
	uint32_t average = 1000;

	(void)state;
	assert_int_equal(balance_ewma(1000, 1800), 1100);
	assert_int_equal(balance_ewma(1000, 200), 900);
	for (unsigned n = 0; n < 200; n++)
		average = balance_ewma(average, 2000);
	assert_int_equal(average, 2000);
	for (unsigned n = 0; n < 200; n++)
		average = balance_ewma(average, 3);
	assert_int_equal(average, 3);
}

static void average_is_never_unknown_again(void **state)
{
	(void)state;
	assert_int_equal(balance_ewma(0, 0), 1);
	assert_int_equal(balance_ewma(1, 0), 1);
	assert_int_equal(balance_ewma(UINT32_MAX, UINT32_MAX), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registry_finds_all_six_in_order),
		cmocka_unit_test(without_targets_none_is_picked),
		cmocka_unit_test(targets_may_all_go_without_a_build),
		cmocka_unit_test(with_all_weights_zero_none_is_picked),
		cmocka_unit_test(single_target_gets_everything),
		cmocka_unit_test(weight_zero_at_build_is_never_picked),
		cmocka_unit_test(target_left_out_for_one_pick_is_not_picked),
		cmocka_unit_test(target_comes_back_with_a_rebuild),
		cmocka_unit_test(greatest_weights_do_not_overflow),
		cmocka_unit_test(without_memory_the_old_build_stands),
		cmocka_unit_test(done_leaves_a_balancer_that_can_be_built_again),
		cmocka_unit_test(average_takes_the_first_sample_as_it_is),
		cmocka_unit_test(average_moves_by_an_eighth_and_arrives),
		cmocka_unit_test(average_is_never_unknown_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
