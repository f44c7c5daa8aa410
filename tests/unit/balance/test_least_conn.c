// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "unit/balance/queueing.h"

#define NAME "least_conn"

static void fewest_connections_win(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, NAME, 4, NULL);
	f.targets[0].active = 3;
	f.targets[1].active = 2;
	f.targets[2].active = 1;
	f.targets[3].active = 2;
	for (unsigned n = 0; n < 50; n++)
		assert_int_equal(pick(&f, 0), 2);
	stop(&f);
}

static void connections_count_by_weight(void **state)
{
	static const uint32_t weights[] = {1, 10};
	struct fixture f;

	(void)state;
	start(&f, NAME, 2, weights);
	f.targets[0].active = 1;
	f.targets[1].active = 9;
	assert_int_equal(pick(&f, 0), 1);
	f.targets[1].active = 11;
	assert_int_equal(pick(&f, 0), 0);
	stop(&f);
}

static void held_connections_settle_in_proportion(void **state)
{
	static const uint32_t weights[] = {1, 2, 5, 0};
	struct fixture f;

	(void)state;
	start(&f, NAME, 4, weights);
	for (unsigned n = 0; n < 8000; n++)
		f.targets[pick(&f, 0)].active++;
	assert_in_range(f.targets[0].active, 999, 1001);
	assert_in_range(f.targets[1].active, 1999, 2001);
	assert_in_range(f.targets[2].active, 4999, 5001);
	assert_int_equal(f.targets[3].active, 0);
	stop(&f);
}

static void idle_targets_share_by_weight(void **state)
{
	static const uint32_t weights[] = {1, 1, 3, 1, 4};
	struct fixture f;
	unsigned counts[ARRAY_SIZE(weights)];

	(void)state;
	start(&f, NAME, ARRAY_SIZE(weights), weights);
	tally(&f, 100000, counts);
	assert_true(chi_square(&f, counts) < 18.5);
	stop(&f);
}

static void tied_targets_share_among_busier_ones(void **state)
{
	struct fixture f;
	unsigned counts[6];

	(void)state;
	start(&f, NAME, 6, NULL);
	for (size_t i = 0; i < 6; i++)
		f.targets[i].active = i % 2 ? 4 : 5;
	tally(&f, 30000, counts);
	assert_int_equal(counts[0] + counts[2] + counts[4], 0);
	for (size_t i = 1; i < 6; i += 2)
		assert_in_range(counts[i], 9600, 10400);
	stop(&f);
}

static void queues_are_shorter_than_at_random(void **state)
{
	struct outcome least = simulate(NAME, 20, NULL, 90, 20000);
	struct outcome blind = simulate("random", 20, NULL, 90, 20000);

	(void)state;
	assert_true(least.longest * 2 < blind.longest);
	assert_true(least.mean_us * 2 < blind.mean_us);
}

static void slow_target_gets_less(void **state)
{
	static const uint64_t service_us[] = {1000, 1000, 1000, 10000};
	struct outcome outcome = simulate(NAME, 4, service_us, 80, 20000);

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_true(outcome.counts[3] * 4 < outcome.counts[i]);
	assert_true(outcome.counts[3] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fewest_connections_win),
		cmocka_unit_test(connections_count_by_weight),
		cmocka_unit_test(held_connections_settle_in_proportion),
		cmocka_unit_test(idle_targets_share_by_weight),
		cmocka_unit_test(tied_targets_share_among_busier_ones),
		cmocka_unit_test(queues_are_shorter_than_at_random),
		cmocka_unit_test(slow_target_gets_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
