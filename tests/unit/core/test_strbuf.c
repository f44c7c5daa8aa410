// SPDX-License-Identifier: Apache-2.0
#include "core/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void text_grows_and_stays_terminated(void **state)
{
	struct strbuf buf = {};

	(void)state;
	for (size_t n = 1; n <= 3000; n++) {
		strbuf_append_str(&buf, "x");
		assert_int_equal(buf.len, n);
		assert_int_equal(buf.text[n], '\0');
	}
	strbuf_done(&buf);
	assert_null(buf.text);
}

static void appends_of_every_kind_join(void **state)
{
	struct strbuf buf = {};

	(void)state;
	strbuf_append(&buf, slice_of("abcdef", 2));
	strbuf_append(&buf, (struct slice){});
	strbuf_printf(&buf, "%d%s", 12, "");
	strbuf_append_str(&buf, "!");
	assert_string_equal(buf.text, "ab12!");
	strbuf_done(&buf);
}

static void printf_fills_the_buffer_to_its_edge(void **state)
{
	(void)state;
	for (int len = 250; len < 262; len++) {
		struct strbuf buf = {};

		strbuf_printf(&buf, "%*s", len, "");
		assert_int_equal(buf.len, len);
		strbuf_printf(&buf, "%*d", len, 7);
		assert_int_equal(strlen(buf.text), 2 * len);
		strbuf_done(&buf);
	}
}

static void bytes_may_hold_nul(void **state)
{
	struct strbuf buf = {};

	(void)state;
	strbuf_append(&buf, slice_of("a\0b", 3));
	assert_int_equal(buf.len, 3);
	assert_memory_equal(buf.text, "a\0b", 4);
	strbuf_done(&buf);
}

static void taken_text_is_the_callers(void **state)
{
	struct strbuf buf = {};
	char *text;

	(void)state;
	strbuf_append_str(&buf, "mine");
	text = strbuf_take(&buf);
	assert_string_equal(text, "mine");
	assert_null(buf.text);
	assert_int_equal(buf.len, 0);
	free(text);
	text = strbuf_take(&buf);
	assert_string_equal(text, "");
	free(text);
}

static void failure_is_remembered(void **state)
{
	struct strbuf buf = {};

	(void)state;
	strbuf_append_str(&buf, "kept");
	strbuf_append(&buf, slice_of("", SIZE_MAX / 2));
	assert_true(buf.is_failed);
	strbuf_append_str(&buf, "more");
	strbuf_printf(&buf, "%d", 1);
	assert_string_equal(buf.text, "kept");
	assert_null(strbuf_take(&buf));
	assert_false(buf.is_failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_grows_and_stays_terminated),
		cmocka_unit_test(appends_of_every_kind_join),
		cmocka_unit_test(printf_fills_the_buffer_to_its_edge),
		cmocka_unit_test(bytes_may_hold_nul),
		cmocka_unit_test(taken_text_is_the_callers),
		cmocka_unit_test(failure_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
