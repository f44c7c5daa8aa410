// SPDX-License-Identifier: Apache-2.0
/* What is written is read back by jansson, which knows nothing of us. */
#include "core/json.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static json_t *write_and_read(struct slice text)
{
	struct strbuf buf = {};
	json_error_t error;
	json_t *value;

	json_append_string(&buf, text);
	assert_false(buf.is_failed);
	value = json_loadb(buf.text, buf.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	assert_non_null(value);
	assert_true(json_is_string(value));
	strbuf_done(&buf);
	return value;
}

static void assert_reads(struct slice text, struct slice expected)
{
	json_t *value = write_and_read(text);

	assert_int_equal(json_string_length(value), expected.len);
	assert_memory_equal(json_string_value(value), expected.ptr, expected.len);
	json_decref(value);
}

static void utf8_survives_a_round_trip(void **state)
{
	static const char text[] = "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f gr\xc3\xbc\xc3\x9f \xe2\x82\xac "
				   "\xf0\x9f\x98\x80";

	(void)state;
	assert_reads(slice_from_str(text), slice_from_str(text));
	assert_reads(slice_of("a\0b", 3), slice_of("a\0b", 3));
	assert_reads((struct slice){}, slice_from_str(""));
}

static void escapes_are_the_shortest_that_are_needed(void **state)
{
	struct strbuf buf = {};

	(void)state;
	json_append_string(&buf, slice_from_str("a/\"\\\n\x7f"));
	assert_string_equal(buf.text, "\"a/\\\"\\\\\\u000a\\u007f\"");
	strbuf_done(&buf);
}

static void other_bytes_become_replacement_characters(void **state)
{
	(void)state;
	assert_reads(slice_from_str("a\xff"), slice_from_str("a\xef\xbf\xbd"));
	assert_reads(slice_from_str("\xc3"), slice_from_str("\xef\xbf\xbd"));
	assert_reads(slice_from_str("\xed\xa0\x80"),
		     slice_from_str("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
	assert_reads(slice_from_str("\xe2\x82x"), slice_from_str("\xef\xbf\xbd\xef\xbf\xbdx"));
}

static void any_two_bytes_give_valid_json(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 0x10000; n++) {
		char text[] = {(char)(n >> 8), (char)n};

		json_decref(write_and_read(slice_of(text, sizeof(text))));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_survives_a_round_trip),
		cmocka_unit_test(escapes_are_the_shortest_that_are_needed),
		cmocka_unit_test(other_bytes_become_replacement_characters),
		cmocka_unit_test(any_two_bytes_give_valid_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
