// SPDX-License-Identifier: Apache-2.0
#include "ctl/ctl_internal.h"

#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void bytes_change_unit_before_they_read_1024(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1.0 KiB"},
		{1536, "1.5 KiB"},
		{1048575, "1.0 MiB"},
		{1288490189, "1.2 GiB"},
		{UINT64_MAX, "16.0 EiB"},
	};
	char text[TEXT_VALUE_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(text_bytes(cases[i].bytes, text), cases[i].text);
}

static void counts_are_exact_below_100000(void **state)
{
	char text[TEXT_VALUE_SIZE];

	(void)state;
	assert_string_equal(text_count(0, text), "0");
	assert_string_equal(text_count(99999, text), "99999");
	assert_string_equal(text_count(100000, text), "100.0k");
	assert_string_equal(text_count(999999, text), "1.0M");
	assert_string_equal(text_count(UINT64_MAX, text), "18.4E");
}

static void durations_have_two_units_at_most(void **state)
{
	static const struct {
		double seconds;
		const char *text;
	} cases[] = {
		{0, "0s"},         {-1, "0s"},       {0.000128, "0.13ms"}, {0.0123, "12.30ms"},
		{0.25, "250ms"},   {0.9999, "1.0s"}, {1, "1.0s"},          {59.97, "59.9s"},
		{60, "1m00s"},     {192.9, "3m12s"}, {3599.9, "59m59s"},   {3600, "1h00m"},
		{86399, "23h59m"}, {86400, "1d00h"}, {1051200, "12d04h"},
	};
	char text[TEXT_VALUE_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(text_duration(cases[i].seconds, text), cases[i].text);
}

static void rates_keep_a_digit_where_it_matters(void **state)
{
	char text[TEXT_VALUE_SIZE];

	(void)state;
	assert_string_equal(text_rate(0, text), "0");
	assert_string_equal(text_rate(0.42, text), "0.4");
	assert_string_equal(text_rate(128.4, text), "128");
	assert_string_equal(text_rate(12500, text), "12.5k");
	assert_string_equal(text_byte_rate(1258291.2, text), "1.2 MiB/s");
}

static void width_counts_characters_not_bytes(void **state)
{
	(void)state;
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("abc"), 3);
	assert_int_equal(text_width("é€"), 2);
	assert_int_equal(text_width("\xff\xc3"), 2);
}

static void check_fit(const char *text, size_t width, const char *expected)
{
	struct strbuf out = {0};

	assert_int_equal(text_append_fitted(&out, text, width), text_width(expected));
	assert_string_equal(out.text ? out.text : "", expected);
	strbuf_done(&out);
}

static void fitting_cuts_between_characters(void **state)
{
	(void)state;
	check_fit("abc", 3, "abc");
	check_fit("abcd", 3, "ab…");
	check_fit("éèàç", 3, "éè…");
	check_fit("abc", 1, "…");
	check_fit("abc", 0, "");
}

static void what_a_terminal_would_obey_becomes_a_question_mark(void **state)
{
	(void)state;
	check_fit("a\033[31mb", 20, "a?[31mb");
	check_fit("\xc2\x9b"
		  "2J",
		  20, "?2J");
	check_fit("x\xe2\x80\xaey", 20, "x?y");
	check_fit("\xff\xfe", 20, "??");
}

static void duration_option_has_units_and_bounds(void **state)
{
	uint32_t ms = 7;

	(void)state;
	assert_int_equal(text_parse_duration("5", &ms), 0);
	assert_int_equal(ms, 5000);
	assert_int_equal(text_parse_duration("1.5s", &ms), 0);
	assert_int_equal(ms, 1500);
	assert_int_equal(text_parse_duration("250ms", &ms), 0);
	assert_int_equal(ms, 250);
	assert_int_equal(text_parse_duration("2m", &ms), 0);
	assert_int_equal(ms, 120000);
	assert_int_equal(text_parse_duration("", &ms), -EINVAL);
	assert_int_equal(text_parse_duration("0", &ms), -EINVAL);
	assert_int_equal(text_parse_duration("-1", &ms), -EINVAL);
	assert_int_equal(text_parse_duration("nan", &ms), -EINVAL);
	assert_int_equal(text_parse_duration("61m", &ms), -EINVAL);
	assert_int_equal(text_parse_duration("5x", &ms), -EINVAL);
	assert_int_equal(ms, 120000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_change_unit_before_they_read_1024),
		cmocka_unit_test(counts_are_exact_below_100000),
		cmocka_unit_test(durations_have_two_units_at_most),
		cmocka_unit_test(rates_keep_a_digit_where_it_matters),
		cmocka_unit_test(width_counts_characters_not_bytes),
		cmocka_unit_test(fitting_cuts_between_characters),
		cmocka_unit_test(what_a_terminal_would_obey_becomes_a_question_mark),
		cmocka_unit_test(duration_option_has_units_and_bounds),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
