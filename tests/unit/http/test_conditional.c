// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "http/conditional.h"
#include "http/date.h"
#include "http/range.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define S(text)  slice_from_str(text)
#define SOME_DAY INT64_C(784111777)  /* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW      INT64_C(1795000000) /* in 2026 */

/* --- Dates ------------------------------------------------------------------------------ */

static void dates_of_three_forms_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {
		{"Sun, 06 Nov 1994 08:49:37 GMT", SOME_DAY},
		{"Sunday, 06-Nov-94 08:49:37 GMT", SOME_DAY},
		{"Sun Nov  6 08:49:37 1994", SOME_DAY},
		{"Thu, 01 Jan 1970 00:00:00 GMT", 0},
		{"Wed, 31 Dec 1969 23:59:59 GMT", -1},
		{"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},
		{"Fri Dec 31 23:59:60 1999", 946684799},
		{"Thursday, 01-Jan-70 00:00:00 GMT", 3155760000}, /* 2070: 44 years ahead */
		{"Friday, 01-Jan-77 00:00:00 GMT", 220924800},    /* 1977, not 2077 */
		{"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
	};
	int64_t seconds;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(http_date_parse(S(cases[i].text), NOW, &seconds), 0);
		assert_int_equal(seconds, cases[i].seconds);
	}
}

static void malformed_dates_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"0",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
		"sun, 06 nov 1994 08:49:37 gmt",
		"Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 31 Nov 1994 08:49:37 GMT",
		"Sun, 29 Feb 2023 08:49:37 GMT",
		"Sun, 29 Feb 1900 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:60:00 GMT",
		"Sun, 06 Nov 1994 08:49:61 GMT",
		"Sun, 06 Nov 94 08:49:37 GMT",
		"Sun, 06 Foo 1994 08:49:37 GMT",
		"Foo, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08-49-37 GMT",
		"Sun, 06-Nov-94 08:49:37 GMT",
		"Sun Nov 6 08:49:37 1994",
		"1994-11-06T08:49:37Z",
	};
	int64_t seconds;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(http_date_parse(S(texts[i]), NOW, &seconds), -EINVAL);
}

static void dates_are_written_as_they_are_read(void **state)
{
	char text[HTTP_DATE_LEN], expected[64];
	int64_t seconds;

	(void)state;
	for (int64_t at = -5000000000; at < 60000000000; at += 86399 * 1009) {
		time_t time = at;
		struct tm tm;

		http_date_format(at, text);
		assert_int_equal(http_date_parse(slice_of(text, sizeof(text)), NOW, &seconds), 0);
		assert_int_equal(seconds, at);
		strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT",
			 gmtime_r(&time, &tm));
		assert_memory_equal(text, expected, sizeof(text));
	}
}

/* --- Ranges ------------------------------------------------------------------------------- */

static void ranges_are_read(void **state)
{
	static const struct {
		const char *value;
		int count;
		struct http_range ranges[2];
	} cases[] = {
		{"bytes=0-499", 1, {{0, 499}}},
		{"bytes=500-", 1, {{500, 999}}},
		{"bytes=-500", 1, {{500, 999}}},
		{"bytes=-2000", 1, {{0, 999}}},
		{"bytes=990-2000", 1, {{990, 999}}},
		{"bytes=0-0,-1", 2, {{0, 0}, {999, 999}}},
		{"Bytes= 0-0 , 5-6", 2, {{0, 0}, {5, 6}}},
		{"bytes=0-0, 2000-3000", 1, {{0, 0}}},
		{"bytes=1000-", -ERANGE, {}},
		{"bytes=-0", -ERANGE, {}},
		{"bytes=0-,0-", 0, {}},
		{"bytes=0-1,2-3,4-5", 0, {}},
		{"bytes=5-4", 0, {}},
		{"bytes=a-b", 0, {}},
		{"bytes=1", 0, {}},
		{"bytes=-", 0, {}},
		{"bytes=--1", 0, {}},
		{"bytes=1-2-3", 0, {}},
		{"bytes=", 0, {}},
		{"bytes", 0, {}},
		{"items=0-5", 0, {}},
		{"", 0, {}},
		{"bytes=18446744073709551616-", 0, {}},
		{"bytes=0-99999999999999999999", 0, {}},
	};
	struct http_range ranges[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int count = http_range_parse(S(cases[i].value), 1000, ranges, 2);

		if (count != cases[i].count)
			print_error("%s: %d\n", cases[i].value, count);
		assert_int_equal(count, cases[i].count);
		for (int n = 0; n < count; n++) {
			assert_int_equal(ranges[n].first, cases[i].ranges[n].first);
			assert_int_equal(ranges[n].last, cases[i].ranges[n].last);
		}
	}
	assert_int_equal(http_range_parse(S("bytes=0-"), 0, ranges, 2), -ERANGE);
	assert_int_equal(http_range_parse(S("bytes=-5"), 0, ranges, 2), -ERANGE);
}

static void content_ranges_are_read_and_written(void **state)
{
	static const char *const bad[] = {
		"bytes 0-499", "bytes 5-4/10", "bytes 0-10/10", "bytes */*",
		"bytes=0-1/2", "items 0-1/2",  "bytes 0-1/x",   "",
		"bytes "};
	const struct http_range range = {5, 9};
	struct http_content_range read;
	char text[HTTP_CONTENT_RANGE_SIZE];
	size_t len;

	(void)state;
	len = http_content_range_format(&range, 20, text);
	assert_string_equal(text, "bytes 5-9/20");
	assert_int_equal(http_content_range_parse(slice_of(text, len), &read), 0);
	assert_true(read.first == 5 && read.last == 9 && read.has_size && read.size == 20);
	len = http_content_range_format(NULL, UINT64_MAX / 2, text);
	assert_int_equal(http_content_range_parse(slice_of(text, len), &read), 0);
	assert_true(read.is_unsatisfied && read.size == UINT64_MAX / 2);
	assert_int_equal(http_content_range_parse(S("bytes 0-1/*"), &read), 0);
	assert_false(read.has_size);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(http_content_range_parse(S(bad[i]), &read), -EINVAL);
}

/* --- Conditions ----------------------------------------------------------------------------- */

#define OLDER     "Sun, 06 Nov 1994 08:49:36 GMT"
#define SAME      "Sun, 06 Nov 1994 08:49:37 GMT"
#define PERFORM   HTTP_CONDITION_PERFORM
#define UNCHANGED HTTP_CONDITION_NOT_MODIFIED
#define FAILED    HTTP_CONDITION_FAILED

static void conditions_are_judged_in_order(void **state)
{
	static const struct {
		enum http_method method;
		const char *match, *unmodified, *none_match, *modified;
		enum http_condition result;
	} cases[] = {
		{HTTP_METHOD_GET, NULL, NULL, NULL, NULL, PERFORM},
		{HTTP_METHOD_GET, NULL, NULL, "\"v1\"", NULL, UNCHANGED},
		{HTTP_METHOD_GET, NULL, NULL, "W/\"v1\"", NULL, UNCHANGED},
		{HTTP_METHOD_GET, NULL, NULL, "\"a\", \"b,c\", \"v1\"", NULL, UNCHANGED},
		{HTTP_METHOD_GET, NULL, NULL, "\"v2\"", NULL, PERFORM},
		{HTTP_METHOD_GET, NULL, NULL, "v1", NULL, PERFORM},
		{HTTP_METHOD_HEAD, NULL, NULL, "*", NULL, UNCHANGED},
		{HTTP_METHOD_PUT, NULL, NULL, "*", NULL, FAILED},
		{HTTP_METHOD_PUT, NULL, NULL, "\"v1\"", NULL, FAILED},
		/* If-None-Match makes If-Modified-Since count for nothing. */
		{HTTP_METHOD_GET, NULL, NULL, "\"v2\"", SAME, PERFORM},
		{HTTP_METHOD_GET, NULL, NULL, NULL, SAME, UNCHANGED},
		{HTTP_METHOD_GET, NULL, NULL, NULL, OLDER, PERFORM},
		{HTTP_METHOD_GET, NULL, NULL, NULL, "yesterday", PERFORM},
		{HTTP_METHOD_POST, NULL, NULL, NULL, SAME, PERFORM},
		{HTTP_METHOD_PUT, "\"v1\"", NULL, NULL, NULL, PERFORM},
		{HTTP_METHOD_PUT, "W/\"v1\"", NULL, NULL, NULL, FAILED},
		{HTTP_METHOD_PUT, "\"v2\"", NULL, NULL, NULL, FAILED},
		{HTTP_METHOD_PUT, "*", NULL, NULL, NULL, PERFORM},
		{HTTP_METHOD_PUT, "\"v1\"", OLDER, NULL, NULL, PERFORM},
		{HTTP_METHOD_PUT, NULL, OLDER, NULL, NULL, FAILED},
		{HTTP_METHOD_PUT, NULL, SAME, NULL, NULL, PERFORM},
		{HTTP_METHOD_PUT, NULL, "yesterday", NULL, NULL, PERFORM},
		{HTTP_METHOD_GET, "\"v1\"", NULL, "\"v1\"", NULL, UNCHANGED},
	};
	const struct http_validators have = {
		.etag = {.opaque = S("v1")}, .modified = SOME_DAY, .exists = true};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_field items[8];
		struct http_request request = {.method = cases[i].method,
					       .fields = {.items = items, .cap = 8}};
		const struct {
			enum http_field_id id;
			const char *value;
		} fields[] = {{HTTP_FIELD_IF_MATCH, cases[i].match},
			      {HTTP_FIELD_IF_UNMODIFIED_SINCE, cases[i].unmodified},
			      {HTTP_FIELD_IF_NONE_MATCH, cases[i].none_match},
			      {HTTP_FIELD_IF_MODIFIED_SINCE, cases[i].modified}};

		for (size_t n = 0; n < ARRAY_SIZE(fields); n++)
			if (fields[n].value)
				assert_int_equal(http_fields_add_id(&request.fields, fields[n].id,
								    S(fields[n].value)),
						 0);
		if (http_condition_judge(&request, &have, NOW) != cases[i].result)
			print_error("case %zu\n", i);
		assert_int_equal(http_condition_judge(&request, &have, NOW), cases[i].result);
	}
}

static void what_is_not_there_matches_nothing(void **state)
{
	struct http_field items[2];
	struct http_request request = {.method = HTTP_METHOD_PUT,
				       .fields = {.items = items, .cap = 2}};
	const struct http_validators nothing = {.modified = INT64_MIN};

	(void)state;
	assert_int_equal(http_fields_add_id(&request.fields, HTTP_FIELD_IF_NONE_MATCH, S("*")), 0);
	assert_int_equal(http_condition_judge(&request, &nothing, NOW), PERFORM);
	http_fields_clear(&request.fields);
	assert_int_equal(http_fields_add_id(&request.fields, HTTP_FIELD_IF_MATCH, S("*")), 0);
	assert_int_equal(http_condition_judge(&request, &nothing, NOW), FAILED);
}

static void if_range_wants_the_very_same(void **state)
{
	static const struct {
		const char *value;
		bool holds;
	} cases[] = {{NULL, true}, {"\"v1\"", true}, {"W/\"v1\"", false}, {"\"v2\"", false},
		     {SAME, true}, {OLDER, false},   {"junk", false}};
	const struct http_validators have = {
		.etag = {.opaque = S("v1")}, .modified = SOME_DAY, .exists = true};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_field items[1];
		struct http_request request = {.fields = {.items = items, .cap = 1}};

		if (cases[i].value)
			assert_int_equal(http_fields_add_id(&request.fields, HTTP_FIELD_IF_RANGE,
							    S(cases[i].value)),
					 0);
		assert_int_equal(http_if_range_holds(&request, &have, NOW), cases[i].holds);
	}
}

/* What changed in this second may change in it once more. */
static void date_of_this_second_is_no_strong_validator(void **state)
{
	struct http_field items[1];
	struct http_request request = {.fields = {.items = items, .cap = 1}};
	const struct http_validators have = {.modified = SOME_DAY, .exists = true};

	(void)state;
	assert_int_equal(http_fields_add_id(&request.fields, HTTP_FIELD_IF_RANGE, S(SAME)), 0);
	assert_false(http_if_range_holds(&request, &have, SOME_DAY));
	assert_true(http_if_range_holds(&request, &have, SOME_DAY + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_of_three_forms_are_read),
		cmocka_unit_test(malformed_dates_are_refused),
		cmocka_unit_test(dates_are_written_as_they_are_read),
		cmocka_unit_test(ranges_are_read),
		cmocka_unit_test(content_ranges_are_read_and_written),
		cmocka_unit_test(conditions_are_judged_in_order),
		cmocka_unit_test(what_is_not_there_matches_nothing),
		cmocka_unit_test(if_range_wants_the_very_same),
		cmocka_unit_test(date_of_this_second_is_no_strong_validator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
