// SPDX-License-Identifier: Apache-2.0
#include "core/clock.h"
#include "core/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void monotonic_time_never_goes_back(void **state)
{
	uint64_t last = clock_monotonic_ns();

	(void)state;
	for (unsigned n = 0; n < 10000; n++) {
		uint64_t now = clock_monotonic_ns();

		assert_true(now >= last);
		last = now;
	}
}

static void milliseconds_are_of_the_same_clock(void **state)
{
	uint64_t before = clock_monotonic_ns() / 1000000;
	uint64_t ms = clock_monotonic_ms();
	uint64_t after = clock_monotonic_ns() / 1000000;

	(void)state;
	assert_true(before <= ms && ms <= after);
}

static void wall_time_is_of_this_century(void **state)
{
	(void)state;
	assert_true(clock_wall_us() > UINT64_C(1600000000000000));
	assert_true(clock_wall_us() < UINT64_C(4102444800000000));
}

static void times_are_written_as_rfc_3339(void **state)
{
	static const struct {
		uint64_t us;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00.000000Z"},
		{1, "1970-01-01T00:00:00.000001Z"},
		{UINT64_C(951782399999999), "2000-02-28T23:59:59.999999Z"},
		{UINT64_C(951782400000000), "2000-02-29T00:00:00.000000Z"},
		{UINT64_C(1700000000123456), "2023-11-14T22:13:20.123456Z"},
		{UINT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z"},
	};
	char text[CLOCK_RFC3339_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(clock_format_rfc3339(cases[i].us, text), cases[i].text);
}

static void year_of_five_digits_stays_within_its_room(void **state)
{
	char text[CLOCK_RFC3339_SIZE];

	(void)state;
	assert_true(strlen(clock_format_rfc3339(UINT64_MAX, text)) < sizeof(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(monotonic_time_never_goes_back),
		cmocka_unit_test(milliseconds_are_of_the_same_clock),
		cmocka_unit_test(wall_time_is_of_this_century),
		cmocka_unit_test(times_are_written_as_rfc_3339),
		cmocka_unit_test(year_of_five_digits_stays_within_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
