// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "core/regex.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct regex *compiled(const char *pattern)
{
	char problem[REGEX_PROBLEM_SIZE];
	struct regex *regex = NULL;

	assert_int_equal(regex_new(slice_from_str(pattern), &regex, problem), 0);
	return regex;
}

static int match(const char *pattern, struct slice subject)
{
	struct regex_scratch *scratch = regex_scratch_new();
	struct regex *regex = compiled(pattern);
	int result;

	assert_non_null(scratch);
	result = regex_match(regex, subject, scratch);
	regex_free(regex);
	regex_scratch_free(scratch);
	return result;
}

static void pattern_matches_anywhere_unless_anchored(void **state)
{
	(void)state;
	assert_int_equal(match("b+", slice_from_str("abc")), 1);
	assert_int_equal(match("^b", slice_from_str("abc")), 0);
	assert_int_equal(match("", (struct slice){}), 1);
	assert_int_equal(match("x", (struct slice){}), 0);
	assert_int_equal(match("a.c", slice_of("a\0c", 3)), 1);
	assert_int_equal(match("^.$", slice_of("\xc3", 1)), 1);
}

static void broken_pattern_says_where(void **state)
{
	char problem[REGEX_PROBLEM_SIZE];
	struct regex *regex = NULL;

	(void)state;
	assert_int_equal(regex_new(slice_from_str("a(b"), &regex, problem), -EINVAL);
	assert_string_equal(problem, "missing closing parenthesis at offset 3");
	assert_null(regex);
	assert_int_equal(regex_new(slice_from_str("(*UTF)a"), &regex, problem), -EINVAL);
}

static void groups_are_what_they_took(void **state)
{
	struct slice subject = slice_from_str("/user/42/");
	struct regex_scratch *scratch = regex_scratch_new();
	struct regex *regex = compiled("^/(\\w+)/(\\d+)(x)?/");

	(void)state;
	assert_int_equal(regex_groups(regex), 3);
	assert_int_equal(regex_match(regex, subject, scratch), 1);
	assert_true(slice_equal_str(regex_group(scratch, subject, 0), "/user/42/"));
	assert_true(slice_equal_str(regex_group(scratch, subject, 1), "user"));
	assert_true(slice_equal_str(regex_group(scratch, subject, 2), "42"));
	assert_int_equal(regex_group(scratch, subject, 3).len, 0);
	assert_int_equal(regex_group(scratch, subject, 9).len, 0);
	regex_free(regex);
	regex_scratch_free(scratch);
}

/* Each of these takes a time that doubles with every character of the subject, if it is let. */
static void catastrophic_pattern_ends(void **state)
{
	static const char *const patterns[] = {"^(a+)+$", "^(a|aa)+$", "^(a|a?)+$", "^(.*a){20}$",
					       "(a*)*\\d"};
	char subject[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		memset(subject, 'a', sizeof(subject));
		subject[sizeof(subject) - 1] = '!';
		assert_int_equal(match(patterns[i], slice_of(subject, sizeof(subject))), -E2BIG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pattern_matches_anywhere_unless_anchored),
		cmocka_unit_test(broken_pattern_says_where),
		cmocka_unit_test(groups_are_what_they_took),
		cmocka_unit_test(catastrophic_pattern_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
