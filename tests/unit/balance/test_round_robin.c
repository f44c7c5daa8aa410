// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "unit/balance/fixture.h"

#define NAME "round_robin"

/* Whether the picks are @cycle, from wherever in it: workers begin at different places. */
static bool follows(struct fixture *f, const char *cycle)
{
	size_t len = strlen(cycle), at;
	char seen[2 * 64 + 1] = {};

	for (size_t n = 0; n < 2 * len; n++)
		seen[n] = (char)('a' + pick(f, 0));
	for (at = 0; at < len; at++)
		if (strncmp(seen + at, cycle, len) == 0)
			break;
	return at < len && strncmp(seen, seen + len, len) == 0;
}

static void equal_targets_take_turns(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, NAME, 5, NULL);
	assert_true(follows(&f, "abcde"));
	stop(&f);
}

static void weighted_turns_are_as_nginx_has_them(void **state)
{
	static const uint32_t heavy[] = {5, 1, 1}, graded[] = {4, 3, 2};
	struct fixture f;

	(void)state;
	start(&f, NAME, 3, heavy);
	assert_true(follows(&f, "aabacaa"));
	stop(&f);
	start(&f, NAME, 3, graded);
	assert_true(follows(&f, "abcabacba"));
	stop(&f);
}

static void shares_are_exact_after_each_cycle(void **state)
{
	static const uint32_t weights[] = {256, 100, 3, 1, 0, 40};
	struct fixture f;
	unsigned counts[ARRAY_SIZE(weights)];

	(void)state;
	start(&f, NAME, ARRAY_SIZE(weights), weights);
	tally(&f, 3 * 400, counts);
	for (size_t i = 0; i < ARRAY_SIZE(weights); i++)
		assert_int_equal(counts[i], 3 * weights[i]);
	stop(&f);
}

/* Smooth: after n picks nobody is a whole turn ahead of its share by more than the others can be.
 */
static void no_target_runs_ahead_of_its_share(void **state)
{
	static const uint32_t weights[] = {10, 7, 2, 1};
	unsigned counts[ARRAY_SIZE(weights)] = {};
	struct fixture f;

	(void)state;
	start(&f, NAME, ARRAY_SIZE(weights), weights);
	for (unsigned n = 1; n <= 200; n++) {
		counts[pick(&f, 0)]++;
		for (size_t i = 0; i < f.count; i++) {
			double share = n * weights[i] / 20.0;

			assert_true(counts[i] < share + 2 && counts[i] > share - 2);
		}
	}
	stop(&f);
}

static void rebuild_does_not_restart_the_round(void **state)
{
	static const uint32_t sets[][4] = {{1, 1, 1, 1}, {4, 2, 1, 1}};
	unsigned counts[4];

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(sets); s++) {
		struct fixture f;

		start(&f, NAME, 4, sets[s]);
		memset(counts, 0, sizeof(counts));
		for (unsigned n = 0; n < 80; n++) {
			counts[pick(&f, 0)]++;
			build(&f);
		}
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(counts[i], 80 * sets[s][i] / (s ? 8 : 4));
		stop(&f);
	}
}

/* One target's slow start makes weights differ for a while; the others must not notice. */
static void round_goes_on_when_weights_differ_and_agree_again(void **state)
{
	unsigned counts[4] = {};
	struct fixture f;

	(void)state;
	start(&f, NAME, 4, NULL);
	for (unsigned n = 0; n < 400; n++) {
		f.targets[3].weight = n % 2 ? BALANCE_WEIGHT_SCALE : BALANCE_WEIGHT_SCALE - 1;
		build(&f);
		counts[pick(&f, 0)]++;
	}
	for (size_t i = 0; i < 4; i++)
		assert_in_range(counts[i], 98, 102);
	stop(&f);
}

static void round_goes_on_when_a_target_leaves_and_comes_back(void **state)
{
	struct balance_target gone;
	struct fixture f;
	int last;

	(void)state;
	start(&f, NAME, 4, NULL);
	while (pick(&f, 0) != 1)
		;
	gone = f.targets[0];
	memmove(f.targets, f.targets + 1, 3 * sizeof(gone));
	f.count = 3;
	build(&f);
	last = pick(&f, 0);
	assert_int_equal(f.targets[last].id, target_id(2));
	memmove(f.targets + 1, f.targets, 3 * sizeof(gone));
	f.targets[0] = gone;
	f.count = 4;
	build(&f);
	for (size_t i = 0; i < 12; i++)
		last = pick(&f, 0);
	assert_int_equal(f.targets[last].id, target_id(2));
	stop(&f);
}

static void lowered_weight_does_not_leave_a_debt(void **state)
{
	static const uint32_t weights[] = {256, 1, 1};
	unsigned counts[3];
	struct fixture f;

	(void)state;
	start(&f, NAME, 3, weights);
	while (pick(&f, 0) != 1)
		;
	set_weight(&f, 0, 1);
	build(&f);
	tally(&f, 30, counts);
	for (size_t i = 0; i < 3; i++)
		assert_in_range(counts[i], 8, 12);
	stop(&f);
}

static void target_left_out_gives_its_turns_to_all_others(void **state)
{
	static const uint32_t weights[] = {2, 1, 1};
	unsigned counts[3];
	struct fixture f;

	(void)state;
	start(&f, NAME, 3, weights);
	f.targets[1].weight = 0;
	tally(&f, 300, counts);
	assert_in_range(counts[0], 199, 201);
	assert_in_range(counts[2], 99, 101);
	stop(&f);
}

static void workers_begin_at_different_targets(void **state)
{
	unsigned first[4] = {};

	(void)state;
	for (uint64_t seed = 0; seed < 400; seed++) {
		struct fixture f;

		start(&f, NAME, 4, NULL);
		rng_seed(&f.rng, seed);
		first[pick(&f, 0)]++;
		stop(&f);
	}
	for (size_t i = 0; i < 4; i++)
		assert_in_range(first[i], 70, 130);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_targets_take_turns),
		cmocka_unit_test(weighted_turns_are_as_nginx_has_them),
		cmocka_unit_test(shares_are_exact_after_each_cycle),
		cmocka_unit_test(no_target_runs_ahead_of_its_share),
		cmocka_unit_test(rebuild_does_not_restart_the_round),
		cmocka_unit_test(round_goes_on_when_weights_differ_and_agree_again),
		cmocka_unit_test(round_goes_on_when_a_target_leaves_and_comes_back),
		cmocka_unit_test(lowered_weight_does_not_leave_a_debt),
		cmocka_unit_test(target_left_out_gives_its_turns_to_all_others),
		cmocka_unit_test(workers_begin_at_different_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
