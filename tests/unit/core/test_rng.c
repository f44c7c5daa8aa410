// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "core/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* xoshiro256** on a state by splitmix64(0), from a second implementation. */
static void sequence_is_that_of_the_source(void **state)
{
	static const uint64_t expected[] = {
		UINT64_C(0x99ec5f36cb75f2b4),
		UINT64_C(0xbf6e1f784956452a),
		UINT64_C(0x1a5f849d4933e6e0),
		UINT64_C(0x6aa594f1262d2d2c),
	};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 0);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_true(rng_next(&rng) == expected[i]);
}

static void random_seeds_differ(void **state)
{
	struct rng a, b;

	(void)state;
	rng_seed_random(&a);
	rng_seed_random(&b);
	assert_true(rng_next(&a) != rng_next(&b));
}

static void below_stays_below(void **state)
{
	static const uint32_t bounds[] = {1, 2, 3, 1000, UINT32_C(1) << 31, UINT32_MAX};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++)
		for (unsigned n = 0; n < 1000; n++)
			assert_true(rng_below(&rng, bounds[i]) < bounds[i]);
}

static void below_reaches_all_alike(void **state)
{
	unsigned counts[7] = {};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 2);
	for (unsigned n = 0; n < 70000; n++)
		counts[rng_below(&rng, 7)]++;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		assert_in_range(counts[i], 9650, 10350);
}

/* At 3/4 of the range a remainder would give the lower third half of all. */
static void below_has_no_modulo_bias(void **state)
{
	const uint32_t third = UINT32_C(1) << 30;
	unsigned lower = 0;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 3);
	for (unsigned n = 0; n < 30000; n++)
		lower += rng_below(&rng, 3 * third) < third;
	assert_in_range(lower, 9700, 10300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequence_is_that_of_the_source),
		cmocka_unit_test(random_seeds_differ),
		cmocka_unit_test(below_stays_below),
		cmocka_unit_test(below_reaches_all_alike),
		cmocka_unit_test(below_has_no_modulo_bias),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
