// SPDX-License-Identifier: Apache-2.0
/* traceparent: what is read, what is refused, at each length. */
#include "core/compiler.h"
#include "http/trace_context.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN  "00f067aa0ba902b7"
#define GOOD  "00-" TRACE "-" SPAN "-01"

/* In memory of its own, so that a read beyond its end is seen. */
static int parse(const char *text, size_t len, struct trace_context *ret)
{
	char *copy = malloc(len + !len);
	int err;

	assert_non_null(copy);
	memcpy(copy, text, len);
	err = trace_context_parse(slice_of(copy, len), ret);
	free(copy);
	return err;
}

static void good_field_is_read_and_written_back(void **state)
{
	char text[TRACE_CONTEXT_SIZE];
	struct trace_context context;

	(void)state;
	assert_int_equal(parse(GOOD, strlen(GOOD), &context), 0);
	assert_string_equal(context.trace_id, TRACE);
	assert_string_equal(context.span_id, SPAN);
	assert_int_equal(context.flags, TRACE_FLAG_RECORDED);
	trace_context_format(&context, text);
	assert_string_equal(text, GOOD);
}

static void every_shorter_field_is_refused(void **state)
{
	struct trace_context context;

	(void)state;
	for (size_t len = 0; len < strlen(GOOD); len++)
		assert_int_equal(parse(GOOD, len, &context), -EINVAL);
}

static void what_is_malformed_is_refused(void **state)
{
	static const char *const bad[] = {
		GOOD "0",
		GOOD "-00",
		"ff-" TRACE "-" SPAN "-01",
		"0g-" TRACE "-" SPAN "-01",
		"cc-" TRACE "-" SPAN "-01.what",
		"00_" TRACE "-" SPAN "-01",
		"00-" TRACE "_" SPAN "-01",
		"00-" TRACE "-" SPAN "_01",
		"00-" TRACE "-" SPAN "-0G",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
		"00-00000000000000000000000000000000-" SPAN "-01",
		"00-" TRACE "-0000000000000000-01",
	};
	struct trace_context context;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (parse(bad[i], strlen(bad[i]), &context) != -EINVAL)
			fail_msg("%s was taken", bad[i]);
}

static void later_versions_are_read_as_far_as_they_are_known(void **state)
{
	struct trace_context context;

	(void)state;
	assert_int_equal(parse("cc-" TRACE "-" SPAN "-03", 55, &context), 0);
	assert_int_equal(context.flags, 3);
	assert_int_equal(parse("cc-" TRACE "-" SPAN "-01-what-else", 65, &context), 0);
}

static void ids_are_never_all_zero(void **state)
{
	char text[TRACE_CONTEXT_SIZE];
	struct trace_context context = {};

	(void)state;
	trace_context_new_trace(&context, 0, 0);
	trace_context_new_span(&context, 0);
	trace_context_format(&context, text);
	assert_int_equal(parse(text, strlen(text), &context), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_field_is_read_and_written_back),
		cmocka_unit_test(every_shorter_field_is_refused),
		cmocka_unit_test(what_is_malformed_is_refused),
		cmocka_unit_test(later_versions_are_read_as_far_as_they_are_known),
		cmocka_unit_test(ids_are_never_all_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
