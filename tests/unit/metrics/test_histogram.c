// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "metrics/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define LAST (HISTOGRAM_BUCKETS - 1)

static size_t bucket_that_takes(uint64_t us)
{
	struct histogram histogram = {};
	size_t found = HISTOGRAM_BUCKETS;

	histogram_observe(&histogram, us);
	assert_int_equal(histogram_count(&histogram), 1);
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (counter_read(&histogram.buckets[i]) == 1)
			found = i;
	return found;
}

static void bounds_double_up_to_134_s(void **state)
{
	(void)state;
	assert_int_equal(histogram_bound_us(0), 64);
	for (size_t i = 1; i < LAST; i++)
		assert_int_equal(histogram_bound_us(i), 2 * histogram_bound_us(i - 1));
	assert_int_equal(histogram_bound_us(LAST - 1), 134217728);
	assert_true(histogram_bound_us(LAST) == UINT64_MAX);
	assert_true(histogram_bound_us(LAST + 1) == UINT64_MAX);
}

static void bounds_belong_to_their_bucket(void **state)
{
	(void)state;
	assert_int_equal(bucket_that_takes(0), 0);
	assert_int_equal(bucket_that_takes(1), 0);
	for (size_t i = 0; i < LAST; i++) {
		assert_int_equal(bucket_that_takes(histogram_bound_us(i)), i);
		assert_int_equal(bucket_that_takes(histogram_bound_us(i) + 1), i + 1);
	}
	assert_int_equal(bucket_that_takes(UINT64_MAX), LAST);
}

static void sum_is_of_what_was_observed(void **state)
{
	struct histogram histogram = {};

	(void)state;
	histogram_observe(&histogram, 100);
	histogram_observe(&histogram, 2000000);
	assert_int_equal(counter_read(&histogram.sum_us), 2000100);
	assert_int_equal(histogram_count(&histogram), 2);
}

static void merge_adds_bucket_by_bucket(void **state)
{
	struct histogram a = {}, b = {};

	(void)state;
	histogram_observe(&a, 10);
	histogram_observe(&a, 100);
	histogram_observe(&b, 100);
	histogram_observe(&b, UINT32_MAX);
	histogram_merge(&a, &b);
	assert_int_equal(counter_read(&a.buckets[0]), 1);
	assert_int_equal(counter_read(&a.buckets[1]), 2);
	assert_int_equal(counter_read(&a.buckets[LAST]), 1);
	assert_int_equal(counter_read(&a.sum_us), UINT64_C(210) + UINT32_MAX);
	assert_int_equal(histogram_count(&b), 2);
}

static void quantile_of_nothing_is_0(void **state)
{
	struct histogram histogram = {};

	(void)state;
	assert_int_equal(histogram_quantile_us(&histogram, 0.5), 0);
}

static void quantile_is_the_bound_at_or_above_the_value(void **state)
{
	struct histogram histogram = {};

	(void)state;
	for (unsigned n = 0; n < 90; n++)
		histogram_observe(&histogram, 50);
	for (unsigned n = 0; n < 9; n++)
		histogram_observe(&histogram, 1000);
	histogram_observe(&histogram, 5000);
	assert_int_equal(histogram_quantile_us(&histogram, 0.001), 64);
	assert_int_equal(histogram_quantile_us(&histogram, 0.5), 64);
	assert_int_equal(histogram_quantile_us(&histogram, 0.9), 64);
	assert_int_equal(histogram_quantile_us(&histogram, 0.901), 1024);
	assert_int_equal(histogram_quantile_us(&histogram, 0.99), 1024);
	assert_int_equal(histogram_quantile_us(&histogram, 0.999), 8192);
	assert_int_equal(histogram_quantile_us(&histogram, 1.0), 8192);
}

static void quantile_beyond_the_last_bound_has_none(void **state)
{
	struct histogram histogram = {};

	(void)state;
	histogram_observe(&histogram, UINT64_C(200000000));
	assert_true(histogram_quantile_us(&histogram, 0.5) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_double_up_to_134_s),
		cmocka_unit_test(bounds_belong_to_their_bucket),
		cmocka_unit_test(sum_is_of_what_was_observed),
		cmocka_unit_test(merge_adds_bucket_by_bucket),
		cmocka_unit_test(quantile_of_nothing_is_0),
		cmocka_unit_test(quantile_is_the_bound_at_or_above_the_value),
		cmocka_unit_test(quantile_beyond_the_last_bound_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
