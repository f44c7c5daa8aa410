// SPDX-License-Identifier: Apache-2.0
/* Base64: one spelling for each text. */
#include "core/base64.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* The vectors of RFC 4648 section 10, and every byte of the alphabet. */
static const struct {
	const char *text, *decoded;
} good[] = {
	{"", ""},
	{"Zg==", "f"},
	{"Zm8=", "fo"},
	{"Zm9v", "foo"},
	{"Zm9vYg==", "foob"},
	{"Zm9vYmE=", "fooba"},
	{"Zm9vYmFy", "foobar"},
	{"+/+/", "\xfb\xff\xbf"},
};

static const char *const bad[] = {
	"Z",        "Zg",     "Zg=",  "Z===",     "====", "=",     "Zh==", "Zm9=",
	"Zg==Zg==", "Zm9v\n", "Zm v", "Zm9v====", "-_-_", "Zm9v=", "Z=g=",
};

static void texts_are_decoded(void **state)
{
	char buf[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(base64_decode(slice_from_str(good[i].text), buf, &len), 0);
		assert_true(slice_equal_str(slice_of(buf, len), good[i].decoded));
	}
}

static void other_spellings_are_refused(void **state)
{
	char buf[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (base64_decode(slice_from_str(bad[i]), buf, &len) != -EINVAL)
			fail_msg("%s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_decoded),
		cmocka_unit_test(other_spellings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
