// SPDX-License-Identifier: Apache-2.0
#include "core/earth.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void two_capitals_are_a_code(void **state)
{
	char text[EARTH_CODE_SIZE];

	(void)state;
	assert_int_equal(earth_code_parse(slice_from_str("DE")), EARTH_CODE('D', 'E'));
	assert_string_equal(earth_code_format(EARTH_CODE('D', 'E'), text), "DE");
	assert_string_equal(earth_code_format(0, text), "");
	assert_int_equal(earth_code_parse(slice_from_str("de")), 0);
	assert_int_equal(earth_code_parse(slice_from_str("D")), 0);
	assert_int_equal(earth_code_parse(slice_from_str("DEU")), 0);
	assert_int_equal(earth_code_parse(slice_from_str("D1")), 0);
}

static void every_assigned_code_is_a_country_and_no_other(void **state)
{
	size_t count = 0;

	(void)state;
	for (char a = 'A'; a <= 'Z'; a++)
		for (char b = 'A'; b <= 'Z'; b++)
			count += earth_is_country(EARTH_CODE(a, b));
	assert_int_equal(count, 249 + 1); /* of ISO 3166-1, and XK */
	assert_true(earth_is_country(EARTH_CODE('A', 'D')));
	assert_true(earth_is_country(EARTH_CODE('G', 'B')));
	assert_true(earth_is_country(EARTH_CODE('Z', 'W')));
	assert_false(earth_is_country(EARTH_CODE('U', 'K')));
	assert_false(earth_is_country(EARTH_CODE('E', 'U')));
	assert_false(earth_is_country(0));
	assert_true(earth_is_continent(EARTH_CODE('E', 'U')));
	assert_true(earth_is_continent(EARTH_CODE('S', 'A')));
	assert_false(earth_is_continent(EARTH_CODE('D', 'E')));
}

#define RADIUS_KM 6371.0088

static double km_between(const struct earth_point *a, const struct earth_point *b)
{
	const struct earth_direction from = earth_direction_of(a), to = earth_direction_of(b);

	return 2 * RADIUS_KM * asin(fmin(1, sqrt(earth_chord_squared(&from, &to)) / 2));
}

static void assert_km(struct earth_point a, struct earth_point b, double expected, double within)
{
	double km = km_between(&a, &b), back = km_between(&b, &a);

	if (fabs(km - expected) > within || km != back)
		fail_msg("%f km and %f km, not %f", km, back, expected);
}

static void chords_are_those_of_great_circles(void **state)
{
	const struct earth_point frankfurt = {50.1109, 8.6821}, new_york = {40.7128, -74.0060};
	const struct earth_point sydney = {-33.8688, 151.2093};
	const struct earth_point fiji = {-17.0, 179.9}, samoa = {-17.0, -179.9};

	(void)state;
	assert_km(frankfurt, frankfurt, 0, 1e-9);
	assert_km(frankfurt, new_york, 6207, 10);
	assert_km(new_york, sydney, 15989, 20);
	assert_km(fiji, samoa, 21.3, 0.1); /* over the date line, not around the earth */
	assert_km((struct earth_point){90, 0}, (struct earth_point){-90, 0}, 20015.1, 0.1);
	assert_km((struct earth_point){0, 0}, (struct earth_point){0, 180}, 20015.1, 0.1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_capitals_are_a_code),
		cmocka_unit_test(every_assigned_code_is_a_country_and_no_other),
		cmocka_unit_test(chords_are_those_of_great_circles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
