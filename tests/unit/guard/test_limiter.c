// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "guard/bans.h"
#include "guard/limiter.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SECOND 1000000000ULL

static void key_of(uint32_t number, uint8_t ret[16])
{
	memset(ret, 0, 16);
	ret[10] = ret[11] = 0xff;
	memcpy(ret + 12, &number, 4);
}

static unsigned take_many(struct guard_limiter *limiter, uint32_t source,
			  const struct guard_rate *rate, uint64_t from_ns, uint64_t step_ns,
			  unsigned count)
{
	unsigned taken = 0;
	uint8_t key[16];

	key_of(source, key);
	for (unsigned i = 0; i < count; i++)
		taken += (unsigned)guard_limiter_take(limiter, key, rate, from_ns + i * step_ns);
	return taken;
}

static void burst_passes_and_then_the_rate(void **state)
{
	struct guard_limiter *limiter = guard_limiter_new(1024, 7);
	struct guard_rate rate = guard_rate_of(100, 1000);

	(void)state;
	assert_in_range(take_many(limiter, 1, &rate, SECOND, 0, 500), 100, 101);
	/* Five hundred in a second, of which a hundred fit. */
	assert_in_range(take_many(limiter, 1, &rate, SECOND, SECOND / 500, 500), 98, 101);
	/* Full again after a quiet second; others have their own. */
	assert_in_range(take_many(limiter, 1, &rate, 4 * SECOND, 0, 500), 100, 101);
	assert_in_range(take_many(limiter, 2, &rate, 4 * SECOND, 0, 500), 100, 101);
	guard_limiter_free(limiter);
}

static void even_a_slow_rate_passes_one(void **state)
{
	struct guard_limiter *limiter = guard_limiter_new(1024, 7);
	struct guard_rate rate = guard_rate_of(1, 10);

	(void)state;
	assert_int_equal(take_many(limiter, 1, &rate, SECOND, 0, 10), 1);
	assert_int_equal(take_many(limiter, 1, &rate, 2 * SECOND + 1000, 0, 10), 1);
	guard_limiter_free(limiter);
}

static void clock_that_wraps_gives_a_full_bucket(void **state)
{
	struct guard_limiter *limiter = guard_limiter_new(1024, 7);
	struct guard_rate rate = guard_rate_of(100, 1000);
	uint64_t wrap_ns = 1ULL << (32 + GUARD_TICK_BITS);

	(void)state;
	for (uint64_t after = wrap_ns / 4; after < 3 * wrap_ns; after += wrap_ns / 7) {
		take_many(limiter, 1, &rate, SECOND, 0, 500);
		assert_in_range(take_many(limiter, 1, &rate, SECOND + after, 0, 500), 100, 101);
	}
	guard_limiter_free(limiter);
}

/* A flood of sources that are seen once each takes no place from one that is busy. */
static void flood_of_sources_forgets_the_quiet_ones(void **state)
{
	struct guard_limiter *limiter = guard_limiter_new(1024, 7);
	struct guard_rate rate = guard_rate_of(10, 1000);
	unsigned taken = 0;

	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		uint64_t now = SECOND + i * 10000ULL; /* 0.2 s in all */

		take_many(limiter, 1000 + i, &rate, now, 0, 1);
		if (i % 10 == 0)
			taken += take_many(limiter, 1, &rate, now, 0, 1);
	}
	/* Of 2,000 tries; its place is lost at times, as four are enough in a bucket of 1,024. */
	assert_in_range(taken, 10, 1000);
	guard_limiter_free(limiter);
}

static void no_rate_costs_nothing(void **state)
{
	struct guard_rate rate = guard_rate_of(0, 1000);

	(void)state;
	assert_int_equal(rate.cost, 0);
	rate = guard_rate_of(100000000, 10);
	assert_true(rate.cost >= 1 && rate.burst >= rate.cost);
	rate = guard_rate_of(1, 60000);
	assert_true(rate.burst < 1u << 30 && rate.cost <= rate.burst);
}

static void count_over(const struct guard_ban_entry *ban, void *context)
{
	(void)ban;
	(*(unsigned *)context)++;
}

static void ban_ends_and_is_never_made_shorter(void **state)
{
	struct guard_bans *bans = guard_bans_new();
	unsigned over = 0;
	uint8_t key[16];

	(void)state;
	key_of(1, key);
	assert_int_equal(guard_bans_put(bans, key, 100, "x"), 0);
	assert_int_equal(guard_bans_put(bans, key, 50, "y"), -EEXIST);
	assert_int_equal(guard_bans_put(bans, key, 200, "z"), 0);
	assert_int_equal(guard_bans_count(bans), 1);
	assert_true(guard_bans_has(bans, key, 199));
	assert_false(guard_bans_has(bans, key, 200));
	guard_bans_expire(bans, 199, count_over, &over);
	assert_int_equal(over, 0);
	guard_bans_expire(bans, 200, count_over, &over);
	assert_int_equal(over, 1);
	assert_int_equal(guard_bans_count(bans), 0);
	assert_false(guard_bans_remove(bans, key));
	guard_bans_free(bans);
}

static void bans_are_bounded(void **state)
{
	struct guard_bans *bans = guard_bans_new();
	unsigned count = 0;
	uint8_t key[16];

	(void)state;
	for (uint32_t i = 0; i < GUARD_BANS_MAX; i++) {
		key_of(i, key);
		assert_int_equal(guard_bans_put(bans, key, 100, "x"), 0);
	}
	key_of(GUARD_BANS_MAX, key);
	assert_int_equal(guard_bans_put(bans, key, 100, "x"), -ENOSPC);
	guard_bans_for_each(bans, count_over, &count);
	assert_int_equal(count, GUARD_BANS_MAX);
	key_of(5, key);
	assert_true(guard_bans_remove(bans, key));
	assert_int_equal(guard_bans_put(bans, key, 100, "x"), 0);
	guard_bans_free(bans);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(burst_passes_and_then_the_rate),
		cmocka_unit_test(even_a_slow_rate_passes_one),
		cmocka_unit_test(clock_that_wraps_gives_a_full_bucket),
		cmocka_unit_test(flood_of_sources_forgets_the_quiet_ones),
		cmocka_unit_test(no_rate_costs_nothing),
		cmocka_unit_test(ban_ends_and_is_never_made_shorter),
		cmocka_unit_test(bans_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
