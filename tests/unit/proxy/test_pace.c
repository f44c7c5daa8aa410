// SPDX-License-Identifier: Apache-2.0
#include "proxy/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct pace_limit limit = {.rate = 100, .window_ms = 10000};

/* Looks each second for @seconds, while @rate bytes come each. Return: when it was too slow; 0. */
static unsigned watch(struct pace *pace, unsigned rate, unsigned seconds)
{
	for (unsigned i = 1; i <= seconds; i++)
		if (pace_is_too_slow(pace, &limit, true, (uint64_t)i * rate, i * 1000))
			return i;
	return 0;
}

static void too_slow_is_found_after_one_window(void **state)
{
	struct pace pace = {};

	(void)state;
	assert_int_equal(watch(&pace, 99, 100), 11);
}

static void fast_enough_goes_on(void **state)
{
	struct pace pace = {};

	(void)state;
	assert_int_equal(watch(&pace, 100, 100), 0);
}

static void a_fast_beginning_does_not_make_up_for_a_stall(void **state)
{
	struct pace pace = {};
	unsigned found = 0;

	(void)state;
	for (unsigned i = 1; i <= 60 && !found; i++)
		if (pace_is_too_slow(&pace, &limit, true, i < 10 ? i * 1000000 : 10000000,
				     i * 1000))
			found = i;
	assert_int_equal(found, 21);
}

static void nobody_is_too_slow_who_is_not_waited_for(void **state)
{
	struct pace pace = {};

	(void)state;
	for (unsigned i = 1; i <= 60; i++)
		assert_false(pace_is_too_slow(&pace, &limit, i % 9, 0, i * 1000));
}

static void no_rate_means_no_limit(void **state)
{
	const struct pace_limit none = {.window_ms = 10};
	struct pace pace = {};

	(void)state;
	for (unsigned i = 1; i <= 60; i++)
		assert_false(pace_is_too_slow(&pace, &none, true, 0, i * 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_slow_is_found_after_one_window),
		cmocka_unit_test(fast_enough_goes_on),
		cmocka_unit_test(a_fast_beginning_does_not_make_up_for_a_stall),
		cmocka_unit_test(nobody_is_too_slow_who_is_not_waited_for),
		cmocka_unit_test(no_rate_means_no_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
