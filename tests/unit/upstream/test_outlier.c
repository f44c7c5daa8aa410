// SPDX-License-Identifier: Apache-2.0
#include "upstream/upstream_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct config_outlier config = {
	.consecutive_failures = 3,
	.base_ejection_ms = 1000,
	.max_ejection_ms = 5000,
	.max_ejected_percent = 50,
};

static const struct outlier_census one_of_four = {.endpoints = 4, .available = 3};

static bool fail_once(struct endpoint *endpoint, uint64_t now_ms)
{
	return outlier_count_failure(&config, endpoint, &endpoint->failures, now_ms);
}

static void third_failure_in_a_row_is_enough(void **state)
{
	struct endpoint endpoint = {};

	(void)state;
	assert_false(fail_once(&endpoint, 10));
	assert_false(fail_once(&endpoint, 10));
	assert_true(fail_once(&endpoint, 10));
}

static void success_ends_the_row(void **state)
{
	struct endpoint endpoint = {};

	(void)state;
	fail_once(&endpoint, 10);
	fail_once(&endpoint, 10);
	outlier_count_success(&config, &endpoint, &endpoint.failures, 10);
	assert_false(fail_once(&endpoint, 10));
}

static void connects_do_not_end_a_row_of_resets(void **state)
{
	struct endpoint endpoint = {};
	bool is_enough = false;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		outlier_count_success(&config, &endpoint, &endpoint.failures, 10);
		is_enough = outlier_count_failure(&config, &endpoint, &endpoint.early_resets, 10);
	}
	assert_true(is_enough);
}

static const struct config_outlier errors_config = {
	.consecutive_errors = 3,
	.error_share_percent = 50,
	.error_window_ms = 1000,
	.error_minimum = 10,
};

static bool answer(struct endpoint *endpoint, bool is_error, uint64_t now_ms)
{
	return outlier_count_answer(&errors_config, endpoint, is_error, now_ms);
}

static void third_error_in_a_row_is_enough(void **state)
{
	struct endpoint endpoint = {};

	(void)state;
	assert_false(answer(&endpoint, true, 10));
	assert_false(answer(&endpoint, true, 10));
	assert_false(answer(&endpoint, false, 10));
	assert_false(answer(&endpoint, true, 10));
	assert_false(answer(&endpoint, true, 10));
	assert_true(answer(&endpoint, true, 10));
}

/* Every other one fails: never three in a row. */
static void half_of_the_answers_is_enough_once_there_are_ten(void **state)
{
	struct endpoint endpoint = {};

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		assert_false(answer(&endpoint, i % 2, 10));
	assert_true(answer(&endpoint, true, 10));
}

static void errors_of_an_earlier_window_do_not_count(void **state)
{
	struct endpoint endpoint = {};

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		assert_false(answer(&endpoint, i % 2, 10));
	for (unsigned i = 0; i < 9; i++)
		assert_false(answer(&endpoint, i == 4, 1010));
	assert_false(answer(&endpoint, true, 1010));
}

static void errors_while_it_is_ejected_say_nothing_new(void **state)
{
	struct endpoint endpoint = {.ejected_until_ms = 100};

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_false(answer(&endpoint, true, 10));
}

static void no_limit_means_never_enough(void **state)
{
	struct config_outlier off = config;
	struct endpoint endpoint = {};

	(void)state;
	off.consecutive_failures = 0;
	for (unsigned i = 0; i < 10; i++)
		assert_false(outlier_count_failure(&off, &endpoint, &endpoint.failures, 10));
}

static void ejection_doubles_up_to_the_longest(void **state)
{
	static const uint32_t expected[] = {1000, 2000, 4000, 5000, 5000};
	struct endpoint endpoint = {};
	uint64_t now_ms = 100;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_int_equal(outlier_eject(&config, &endpoint, &one_of_four, now_ms),
				 expected[i]);
		now_ms = atomic_load(&endpoint.ejected_until_ms);
	}
}

static void duration_does_not_overflow(void **state)
{
	(void)state;
	assert_int_equal(outlier_duration_ms(&config, UINT32_MAX), 5000);
}

static void ejected_endpoint_is_not_ejected_for_longer(void **state)
{
	struct endpoint endpoint = {};

	(void)state;
	assert_int_equal(outlier_eject(&config, &endpoint, &one_of_four, 100), 1000);
	for (unsigned i = 0; i < 6; i++)
		assert_false(fail_once(&endpoint, 500));
	assert_int_equal(outlier_eject(&config, &endpoint, &one_of_four, 500), 0);
	assert_int_equal(atomic_load(&endpoint.ejected_until_ms), 1100);
	assert_int_equal(atomic_load(&endpoint.ejections), 1);
}

static void time_alone_brings_it_back(void **state)
{
	struct endpoint endpoint = {.weight = 1};

	(void)state;
	assert_int_equal(outlier_eject(&config, &endpoint, &one_of_four, 100), 1000);
	assert_false(endpoint_is_available(&endpoint, 1099));
	assert_true(endpoint_is_available(&endpoint, 1100));
}

static void share_bounds_how_many_go(void **state)
{
	static const struct {
		struct outlier_census census;
		bool may_go;
	} cases[] = {
		{{.endpoints = 4, .ejected = 1, .available = 2}, true},
		{{.endpoints = 4, .ejected = 2, .available = 1}, false},
		/* Half of three is one. */
		{{.endpoints = 3, .ejected = 0, .available = 2}, true},
		{{.endpoints = 3, .ejected = 1, .available = 1}, false},
		/* Nobody else could serve. */
		{{.endpoints = 1, .ejected = 0, .available = 0}, false},
		{{.endpoints = 4, .ejected = 0, .available = 0}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct endpoint endpoint = {};
		uint32_t duration = outlier_eject(&config, &endpoint, &cases[i].census, 100);

		assert_int_equal(duration != 0, cases[i].may_go);
	}
}

static void one_may_go_however_small_the_share(void **state)
{
	struct config_outlier small = config;
	struct endpoint endpoint = {};

	(void)state;
	small.max_ejected_percent = 0;
	assert_int_equal(outlier_eject(&small, &endpoint, &one_of_four, 100), 1000);
}

static void good_time_as_long_as_the_ejection_ends_the_doubling(void **state)
{
	struct endpoint endpoint = {};

	(void)state;
	assert_int_equal(outlier_eject(&config, &endpoint, &one_of_four, 100), 1000);
	assert_int_equal(outlier_eject(&config, &endpoint, &one_of_four, 1100), 2000);
	/* Back at 3100. */
	outlier_count_success(&config, &endpoint, &endpoint.failures, 5099);
	assert_int_equal(atomic_load(&endpoint.ejections), 2);
	outlier_count_success(&config, &endpoint, &endpoint.failures, 5100);
	assert_int_equal(outlier_eject(&config, &endpoint, &one_of_four, 6000), 1000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(third_failure_in_a_row_is_enough),
		cmocka_unit_test(success_ends_the_row),
		cmocka_unit_test(connects_do_not_end_a_row_of_resets),
		cmocka_unit_test(third_error_in_a_row_is_enough),
		cmocka_unit_test(half_of_the_answers_is_enough_once_there_are_ten),
		cmocka_unit_test(errors_of_an_earlier_window_do_not_count),
		cmocka_unit_test(errors_while_it_is_ejected_say_nothing_new),
		cmocka_unit_test(no_limit_means_never_enough),
		cmocka_unit_test(ejection_doubles_up_to_the_longest),
		cmocka_unit_test(duration_does_not_overflow),
		cmocka_unit_test(ejected_endpoint_is_not_ejected_for_longer),
		cmocka_unit_test(time_alone_brings_it_back),
		cmocka_unit_test(share_bounds_how_many_go),
		cmocka_unit_test(one_may_go_however_small_the_share),
		cmocka_unit_test(good_time_as_long_as_the_ejection_ends_the_doubling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
