// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "core/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* The sequence of @code as RFC 3629 section 3 builds it, whether or not the code is allowed. */
static size_t encode(uint32_t code, char *ret)
{
	if (code < 0x80) {
		ret[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		ret[0] = (char)(0xc0 | code >> 6);
		ret[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		ret[0] = (char)(0xe0 | code >> 12);
		ret[1] = (char)(0x80 | (code >> 6 & 0x3f));
		ret[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	ret[0] = (char)(0xf0 | code >> 18);
	ret[1] = (char)(0x80 | (code >> 12 & 0x3f));
	ret[2] = (char)(0x80 | (code >> 6 & 0x3f));
	ret[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

static void every_code_point_and_nothing_else_is_utf8(void **state)
{
	(void)state;
	for (uint32_t code = 0; code < 0x120000; code++) {
		bool is_allowed = code < 0x110000 && (code < 0xd800 || code > 0xdfff);
		char text[4];
		size_t len = encode(code, text);

		assert_int_equal(utf8_length(text, len), is_allowed ? len : 0);
	}
}

static void cut_sequences_are_not(void **state)
{
	static const uint32_t codes[] = {0xe9, 0x20ac, 0x1f600};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		char text[4];
		size_t len = encode(codes[i], text);

		for (size_t left = 1; left < len; left++)
			assert_int_equal(utf8_length(text, left), 0);
	}
}

static void malformed_sequences_are_not(void **state)
{
	static const char *const texts[] = {
		"\x80",         "\xbf",         "\xc0\x80",         "\xc1\xbf",
		"\xc3\x28",     "\xe0\x9f\xbf", "\xe2\x28\xa1",     "\xe2\x82\x28",
		"\xed\xa0\x80", "\xfe",         "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
		"\xff",         "\xf5\x80\x80", "\xf0\x9f\x98\x28", "\xf0\x28\x8c\xbc",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(utf8_length(texts[i], strlen(texts[i])), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_point_and_nothing_else_is_utf8),
		cmocka_unit_test(cut_sequences_are_not),
		cmocka_unit_test(malformed_sequences_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
