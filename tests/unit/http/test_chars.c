// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "http/http_internal.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static bool is_one_of(int c, const char *set)
{
	return c != 0 && strchr(set, c) != NULL;
}

static bool is_alnum(int c)
{
	return c < 0x80 && isalnum(c);
}

static void table_says_what_the_grammars_say(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		bool is_visible = c > ' ' && c < 0x7f;
		const bool expected[] = {
			/* RFC 9110 section 5.6.2 */
			is_alnum(c) || is_one_of(c, "!#$%&'*+-.^_`|~"),
			/* RFC 9110 section 5.5 */
			is_visible || c == ' ' || c == '\t' || c >= 0x80,
			is_visible && !is_one_of(c, "\"<>\\#%?"),
			is_visible && !is_one_of(c, "\"<>#%"),
			/* RFC 3986 section 2.3 */
			is_alnum(c) || is_one_of(c, "-._~"),
			is_alnum(c) && isxdigit(c),
			/* RFC 6265 section 4.1.1 */
			is_visible && !is_one_of(c, "\",;\\"),
		};

		for (unsigned bit = 0; bit < ARRAY_SIZE(expected); bit++)
			assert_int_equal(http_is((char)c, 1u << bit), expected[bit]);
	}
}

static void hexadecimal_digits_have_values(void **state)
{
	const char *digits = "0123456789abcdef";

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		assert_int_equal(http_hex_value(digits[i]), i);
		assert_int_equal(http_hex_value((char)toupper(digits[i])), i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_says_what_the_grammars_say),
		cmocka_unit_test(hexadecimal_digits_have_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
