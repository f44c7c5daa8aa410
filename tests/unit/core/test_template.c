// SPDX-License-Identifier: Apache-2.0
/* Templates: what is a variable, what is not, and what becomes of them. */
#include "core/template.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

enum { A = 1, LONG, FIELD };

static const struct template_name names[] = {
	[A] = {.name = "a"},
	[LONG] = {.name = "a_long_one"},
	[FIELD] = {.name = "field", .takes_argument = true},
};
static const struct template_names known = {.names = names, .count = ARRAY_SIZE(names)};

static struct slice value_of(void *context, uint32_t variable, struct slice argument)
{
	(*(unsigned *)context)++;
	switch (variable) {
	case A:
		return slice_from_str("1");
	case FIELD:
		return argument;
	default:
		return (struct slice){};
	}
}

static void expect_text(const char *text, const char *expected, unsigned asked)
{
	struct arena arena = {};
	struct template template;
	struct strbuf appended = {};
	const char *problem = NULL;
	unsigned count = 0;
	struct slice got;

	assert_int_equal(
		template_compile(slice_from_str(text), &known, &arena, &template, &problem), 0);
	assert_int_equal(template_render(&template, &arena, value_of, &count, &got), 0);
	assert_true(slice_equal_str(got, expected));
	assert_int_equal(count, asked);
	template_append(&template, value_of, &count, &appended);
	assert_true(slice_equal_str(slice_of(appended.text, appended.len), expected));
	strbuf_done(&appended);
	arena_done(&arena);
}

static void variables_are_filled_in(void **state)
{
	(void)state;
	expect_text("", "", 0);
	expect_text("plain $ } { $x", "plain $ } { $x", 0);
	expect_text("${a}", "1", 1);
	expect_text("<${a}${a}>", "<11>", 2);
	expect_text("${a_long_one}", "", 1);
	expect_text("x${field:User-Agent}y${a_long_one}", "xUser-Agenty", 2);
	expect_text("${field:a:b c}", "a:b c", 1);
}

static void expect_problem(const char *text, const char *expected)
{
	struct arena arena = {};
	struct template template;
	const char *problem = NULL;

	assert_int_equal(
		template_compile(slice_from_str(text), &known, &arena, &template, &problem),
		-EINVAL);
	assert_string_equal(problem, expected);
	arena_done(&arena);
}

static void what_is_no_variable_is_refused(void **state)
{
	char many[5 * TEMPLATE_PARTS_MAX] = "";

	(void)state;
	expect_problem("${a", "has a variable without an end");
	expect_problem("x${", "has a variable without an end");
	expect_problem("${}", "has a variable that is not known");
	expect_problem("${b}", "has a variable that is not known");
	expect_problem("${A}", "has a variable that is not known");
	expect_problem("${a:x}", "has a variable that is not known");
	expect_problem("${field}", "has a variable that is not known");
	expect_problem("${field:}", "has a variable that is not known");
	for (int i = 0; i <= TEMPLATE_PARTS_MAX; i++)
		memcpy(many + 4 * i, "${a}", 5);
	expect_problem(many, "has too many variables");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_are_filled_in),
		cmocka_unit_test(what_is_no_variable_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
