// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "guard/list.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void assert_parsed(const char *text, size_t count, const char *errors)
{
	struct guard_list list = {};
	struct strbuf out = {};
	int r = guard_list_parse(&list, "bad.txt", slice_from_str(text), GUARD_WHY_BLOCK, &out);

	assert_int_equal(r, *errors ? -EINVAL : 0);
	assert_string_equal(out.text ? out.text : "", errors);
	assert_int_equal(list.count, count);
	guard_list_done(&list);
	strbuf_done(&out);
}

static void file_has_networks_comments_and_times(void **state)
{
	(void)state;
	assert_parsed("", 0, "");
	assert_parsed("\n\n# nothing\n   ; nothing either\r\n", 0, "");
	assert_parsed("192.0.2.0/24\n192.0.2.7 # one\n2001:db8::/32 ; SBL1\r\n", 3, "");
	assert_parsed("192.0.2.1", 1, "");
	assert_parsed("\t192.0.2.1\tuntil 2030-01-01\n10.0.0.0/8 until 2030-01-01T12:00:00Z#x", 2,
		      "");
}

static void time_is_kept_with_its_network(void **state)
{
	struct guard_list list = {};
	struct strbuf out = {};

	(void)state;
	assert_int_equal(guard_list_parse(&list, "x",
					  slice_from_str("10.0.0.0/8 until 2030-01-01T12:00:00Z"),
					  GUARD_WHY_ALLOW, &out),
			 0);
	assert_int_equal(list.entries[0].expires_s, 1893499200);
	assert_int_equal(list.entries[0].why, GUARD_WHY_ALLOW);
	guard_list_done(&list);
}

static void every_bad_line_is_told_and_the_rest_taken(void **state)
{
	(void)state;
	assert_parsed("10.0.0.300\n10.0.0.1\n", 1,
		      "bad.txt:1: \"10.0.0.300\" is not a network; expected an address or network "
		      "such as 192.0.2.0/24\n");
	assert_parsed(
		"\n10.0.0.0/33\n10.0.0.1/8\n", 0,
		"bad.txt:2: \"10.0.0.0/33\" has a prefix length that is too long; expected "
		"an address or network such as 192.0.2.0/24\n"
		"bad.txt:3: \"10.0.0.1/8\" has bits set beyond its prefix length; expected an "
		"address or network such as 192.0.2.0/24\n");
	assert_parsed("10.0.0.1 until tomorrow", 0,
		      "bad.txt:1: \"tomorrow\" is not a time; expected 2026-12-31 or "
		      "2026-12-31T12:00:00Z\n");
	assert_parsed("10.0.0.1 until", 0,
		      "bad.txt:1: \"\" is not a time; expected 2026-12-31 or "
		      "2026-12-31T12:00:00Z\n");
	assert_parsed("10.0.0.1, 10.0.0.2", 0,
		      "bad.txt:1: \"10.0.0.1,\" is not a network; expected an address or network "
		      "such as 192.0.2.0/24\n");
	assert_parsed("10.0.0.1 10.0.0.2", 0,
		      "bad.txt:1: \"10.0.0.2\" follows the network; expected \"until\" and a time, "
		      "or a comment after #\n");
}

static void a_day_that_does_not_exist_is_refused(void **state)
{
	(void)state;
	assert_parsed("10.0.0.1 until 2026-02-30\n"
		      "10.0.0.2 until 2026-04-31T12:00:00Z\n"
		      "10.0.0.3 until 2100-02-29\n"
		      "10.0.0.4 until 2026-12-31T24:00:00Z\n"
		      "10.0.0.5 until 2028-02-29\n",
		      1,
		      "bad.txt:1: \"2026-02-30\" is not a time; expected 2026-12-31 or "
		      "2026-12-31T12:00:00Z\n"
		      "bad.txt:2: \"2026-04-31T12:00:00Z\" is not a time; expected 2026-12-31 or "
		      "2026-12-31T12:00:00Z\n"
		      "bad.txt:3: \"2100-02-29\" is not a time; expected 2026-12-31 or "
		      "2026-12-31T12:00:00Z\n"
		      "bad.txt:4: \"2026-12-31T24:00:00Z\" is not a time; expected 2026-12-31 or "
		      "2026-12-31T12:00:00Z\n");
}

static void errors_are_bounded_and_printable(void **state)
{
	struct guard_list list = {};
	struct strbuf text = {}, out = {};

	(void)state;
	for (int i = 0; i < 103; i++)
		strbuf_append_str(&text, "\x1b[31mred\n");
	assert_int_equal(
		guard_list_parse(&list, "x", slice_of(text.text, text.len), GUARD_WHY_BLOCK, &out),
		-EINVAL);
	assert_non_null(strstr(out.text, "x:1: \"?[31mred\" is"));
	assert_non_null(strstr(out.text, "x:100: "));
	assert_null(strstr(out.text, "x:101: "));
	assert_non_null(strstr(out.text, "x: 3 bad lines more\n"));
	strbuf_done(&text);
	strbuf_done(&out);
}

static void network_that_is_one_too_many_is_named(void **state)
{
	struct guard_list list = {.count = GUARD_LIST_MAX, .cap = GUARD_LIST_MAX};
	struct strbuf out = {};

	(void)state;
	assert_int_equal(guard_list_parse(&list, "long.txt", slice_from_str("192.0.2.0/24 # more"),
					  GUARD_WHY_BLOCK, &out),
			 -EINVAL);
	assert_string_equal(out.text, "long.txt:1: \"192.0.2.0/24\" is one network too many; "
				      "expected at most 2000000\n");
	assert_int_equal(list.count, GUARD_LIST_MAX);
	strbuf_done(&out);
}

static void file_that_cannot_be_read_is_named(void **state)
{
	struct guard_list list = {};
	struct strbuf out = {};

	(void)state;
	assert_int_equal(guard_list_read(&list, "/nonexistent/x", GUARD_WHY_BLOCK, &out), -EINVAL);
	assert_string_equal(out.text, "/nonexistent/x: the list cannot be read: No such file or "
				      "directory\n");
	strbuf_done(&out);
	assert_int_equal(guard_list_read(&list, "/tmp", GUARD_WHY_BLOCK, &out), -EINVAL);
	assert_string_equal(out.text, "/tmp: the list cannot be read: not a plain file\n");
	strbuf_done(&out);
}

static void file_is_read(void **state)
{
	char path[] = "/tmp/guard_list_XXXXXX";
	int fd = mkstemp(path);
	struct guard_list list = {};
	struct strbuf out = {};

	(void)state;
	assert_int_equal(write(fd, "10.0.0.1\n10.0.0.2", 17), 17);
	close(fd);
	assert_int_equal(guard_list_read(&list, path, GUARD_WHY_BLOCK, &out), 0);
	assert_int_equal(list.count, 2);
	unlink(path);
	guard_list_done(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_has_networks_comments_and_times),
		cmocka_unit_test(time_is_kept_with_its_network),
		cmocka_unit_test(every_bad_line_is_told_and_the_rest_taken),
		cmocka_unit_test(a_day_that_does_not_exist_is_refused),
		cmocka_unit_test(errors_are_bounded_and_printable),
		cmocka_unit_test(network_that_is_one_too_many_is_named),
		cmocka_unit_test(file_that_cannot_be_read_is_named),
		cmocka_unit_test(file_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
