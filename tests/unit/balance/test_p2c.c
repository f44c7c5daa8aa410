// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "unit/balance/queueing.h"

#define NAME "p2c"

static uint32_t fullest_after_throwing(const char *name, size_t balls)
{
	uint32_t fullest = 0;
	struct fixture f;

	start(&f, name, TARGETS_MAX, NULL);
	for (size_t n = 0; n < balls; n++) {
		int index = pick(&f, 0);

		if (++f.targets[index].active > fullest)
			fullest = f.targets[index].active;
	}
	stop(&f);
	return fullest;
}

/*
 * Mitzenmacher 2001: n balls in n bins leave the fullest with log log n / log 2 + O(1), not with
 * log n / log log n. For n = 1,000 that is 4 at most, and 5 or 6.
 */
static void two_choices_fill_bins_as_the_paper_says(void **state)
{
	uint32_t two = fullest_after_throwing(NAME, TARGETS_MAX);
	uint32_t one = fullest_after_throwing("random", TARGETS_MAX);

	(void)state;
	assert_in_range(two, 2, 4);
	assert_in_range(one, 5, 8);
	assert_true(fullest_after_throwing(NAME, 50 * TARGETS_MAX) < 56);
	assert_true(fullest_after_throwing("random", 50 * TARGETS_MAX) > 65);
}

static void idle_equals_share_by_weight(void **state)
{
	static const uint32_t weights[] = {1, 1, 1, 1, 1};
	struct fixture f;
	unsigned counts[ARRAY_SIZE(weights)];

	(void)state;
	start(&f, NAME, ARRAY_SIZE(weights), weights);
	tally(&f, 100000, counts);
	assert_true(chi_square(&f, counts) < 18.5);
	stop(&f);
}

static void held_connections_follow_weights(void **state)
{
	static const uint32_t weights[] = {1, 2, 4, 0};
	struct fixture f;

	(void)state;
	start(&f, NAME, 4, weights);
	for (unsigned n = 0; n < 7000; n++)
		f.targets[pick(&f, 0)].active++;
	assert_in_range(f.targets[0].active, 900, 1100);
	assert_in_range(f.targets[1].active, 1850, 2150);
	assert_in_range(f.targets[2].active, 3800, 4200);
	stop(&f);
}

static unsigned share_of_second(uint32_t latency_0, uint32_t latency_1, uint32_t active_1)
{
	unsigned counts[2];
	struct fixture f;

	start(&f, NAME, 2, NULL);
	f.targets[0].latency_us = latency_0;
	f.targets[1].latency_us = latency_1;
	f.targets[1].active = active_1;
	tally(&f, 6400, counts);
	stop(&f);
	return counts[1];
}

static void slower_target_is_only_explored(void **state)
{
	unsigned share = share_of_second(1000, 50000, 0);

	(void)state;
	/* Half of one in 64. */
	assert_in_range(share, 25, 80);
}

static void unknown_latency_is_neither_shunned_nor_flooded(void **state)
{
	(void)state;
	assert_in_range(share_of_second(50000, 0, 0), 2900, 3500);
	assert_in_range(share_of_second(10, 0, 0), 2900, 3500);
	assert_in_range(share_of_second(50000, 0, 1), 25, 80);
}

static void spoilt_average_mends(void **state)
{
	struct fixture f;
	unsigned late = 0;

	(void)state;
	start(&f, NAME, 4, NULL);
	for (size_t i = 0; i < 4; i++)
		f.targets[i].latency_us = i ? 1000 : 10000000;
	for (unsigned n = 0; n < 100000; n++) {
		int index = pick(&f, 0);

		f.targets[index].latency_us = balance_ewma(f.targets[index].latency_us, 1000);
		late += n >= 50000 && index == 0;
	}
	assert_in_range(late, 11000, 14000);
	stop(&f);
}

static void queues_are_shorter_than_at_random(void **state)
{
	struct outcome two = simulate(NAME, 20, NULL, 90, 20000);
	struct outcome blind = simulate("random", 20, NULL, 90, 20000);

	(void)state;
	assert_true(two.longest * 2 < blind.longest);
	assert_true(two.mean_us * 2 < blind.mean_us);
}

static void slow_target_gets_less(void **state)
{
	static const uint64_t service_us[] = {1000, 1000, 1000, 10000};
	struct outcome two = simulate(NAME, 4, service_us, 60, 20000);
	struct outcome blind = simulate("random", 4, service_us, 30, 20000);

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_true(two.counts[3] * 4 < two.counts[i]);
	assert_true(two.mean_us < blind.mean_us);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_choices_fill_bins_as_the_paper_says),
		cmocka_unit_test(idle_equals_share_by_weight),
		cmocka_unit_test(held_connections_follow_weights),
		cmocka_unit_test(slower_target_is_only_explored),
		cmocka_unit_test(unknown_latency_is_neither_shunned_nor_flooded),
		cmocka_unit_test(spoilt_average_mends),
		cmocka_unit_test(queues_are_shorter_than_at_random),
		cmocka_unit_test(slow_target_gets_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
