// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "unit/balance/fixture.h"

#define NAME  "random"
#define PICKS 200000

/* Quantiles of chi-square at 0.999, by degrees of freedom: seeds are fixed, so no test flickers. */
#define CHI_4  18.5
#define CHI_99 148.2

static void equal_targets_share_equally(void **state)
{
	struct fixture f;
	unsigned counts[100];

	(void)state;
	start(&f, NAME, 100, NULL);
	tally(&f, PICKS, counts);
	assert_true(chi_square(&f, counts) < CHI_99);
	stop(&f);
}

static void shares_follow_weights(void **state)
{
	static const uint32_t weights[] = {256, 0, 100, 10, 1, 33};
	struct fixture f;
	unsigned counts[ARRAY_SIZE(weights)];

	(void)state;
	start(&f, NAME, ARRAY_SIZE(weights), weights);
	tally(&f, PICKS, counts);
	assert_true(chi_square(&f, counts) < CHI_4);
	stop(&f);
}

static void changed_weights_count_after_a_build(void **state)
{
	static const uint32_t weights[] = {1, 1, 1, 1, 1};
	struct fixture f;
	unsigned counts[ARRAY_SIZE(weights)];

	(void)state;
	start(&f, NAME, ARRAY_SIZE(weights), weights);
	set_weight(&f, 2, 7);
	build(&f);
	tally(&f, PICKS, counts);
	assert_true(chi_square(&f, counts) < CHI_4);
	stop(&f);
}

/* Once with few left out (drawn past), once with nearly all (walked). */
static void those_left_keep_their_shares(void **state)
{
	static const uint32_t weights[] = {3, 200, 5, 256, 8, 256, 2, 256, 9};
	static const size_t left_out[][3] = {{0, 0, 0}, {3, 5, 7}};
	unsigned counts[ARRAY_SIZE(weights)];

	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(left_out); n++) {
		struct fixture f;

		start(&f, NAME, ARRAY_SIZE(weights), weights);
		for (size_t i = 0; i < 3; i++)
			f.targets[left_out[n][i]].weight = 0;
		tally(&f, PICKS, counts);
		assert_true(chi_square(&f, counts) < 24.3);
		stop(&f);
	}
}

static void same_seed_gives_the_same_picks(void **state)
{
	struct fixture a, b;

	(void)state;
	start(&a, NAME, 10, NULL);
	start(&b, NAME, 10, NULL);
	for (uint64_t n = 0; n < 1000; n++)
		assert_int_equal(pick(&a, n), pick(&b, ~n));
	stop(&a);
	stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_targets_share_equally),
		cmocka_unit_test(shares_follow_weights),
		cmocka_unit_test(changed_weights_count_after_a_build),
		cmocka_unit_test(those_left_keep_their_shares),
		cmocka_unit_test(same_seed_gives_the_same_picks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
