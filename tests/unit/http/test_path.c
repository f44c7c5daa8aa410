// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "http/path.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define S(text) slice_from_str(text)

static void paths_have_one_spelling(void **state)
{
	static const struct {
		const char *path, *normal, *merged; /* NULL: refused */
	} cases[] = {
		{"/", "/", "/"},
		{"/a/b.c", "/a/b.c", "/a/b.c"},
		{"/a/", "/a/", "/a/"},
		{"/a//b", "/a//b", "/a/b"},
		{"//", "//", "/"},
		{"//a", "//a", "/a"},
		{"/a///", "/a///", "/a/"},
		{"/.", "/", "/"},
		{"/a/.", "/a/", "/a/"},
		{"/a/./b", "/a/b", "/a/b"},
		{"/a/..", "/", "/"},
		{"/a/../b", "/b", "/b"},
		{"/a/b/../../c", "/c", "/c"},
		{"/a/b/..", "/a/", "/a/"},
		{"/a//../b", NULL, NULL},
		{"/a//..", NULL, NULL},
		{"//..", NULL, NULL},
		{"/a//%2e%2e/b", NULL, NULL},
		{"/a//b/../../c", NULL, NULL},
		{"/a//./b", "/a//b", "/a/b"},
		{"/a/.//b", "/a//b", "/a/b"},
		{"/a//b/..", "/a//", "/a/"},
		{"///%2f//", "///%2F//", "/%2F/"},
		{"/..", NULL, NULL},
		{"/../a", NULL, NULL},
		{"/a/../..", NULL, NULL},
		{"/a/../../b", NULL, NULL},
		{"/%2e%2e/a", NULL, NULL},
		{"/a/%2E./b", "/b", "/b"},
		{"/a/%2e/b", "/a/b", "/a/b"},
		{"/...", "/...", "/..."},
		{"/..a/.b", "/..a/.b", "/..a/.b"},
		{"/%41%7e%c3%a9", "/A~\xc3\xa9", "/A~\xc3\xa9"},
		{"/a%2fb", "/a%2Fb", "/a%2Fb"},
		{"/a%2f%2fb%2f/c", "/a%2F%2Fb%2F/c", "/a%2F%2Fb%2F/c"},
		{"/a/.b%2f..c%2f...", "/a/.b%2F..c%2F...", "/a/.b%2F..c%2F..."},
		{"/a/..%2fb", NULL, NULL},
		{"/a/b%2f..", NULL, NULL},
		{"/a/b%2F%2e%2E%2fc", NULL, NULL},
		{"/a/b%2f./c", NULL, NULL},
		{"/a/b%2f..;x/c", NULL, NULL},
		{"/%2f..%2fa", NULL, NULL},
		{"/%252e%252e/", "/%252e%252e/", "/%252e%252e/"},
		{"/%3f%23", "/?#", "/?#"},
		{"/%00", NULL, NULL},
		{"/a%0a", NULL, NULL},
		{"/%7f", NULL, NULL},
		{"/%5c..", NULL, NULL},
		{"/a\\b", NULL, NULL},
		{"/a/..;/b", NULL, NULL},
		{"/a/.;x/b", NULL, NULL},
		{"/a/..%3bx", NULL, NULL},
		{"/a;b/c", "/a;b/c", "/a;b/c"},
		{"/%zz", NULL, NULL},
		{"/%4", NULL, NULL},
		{"", NULL, NULL},
		{"a", NULL, NULL},
		{"*", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct slice path = S(cases[i].path), normal, merged;
		char *buf = malloc(path.len ? path.len : 1);
		int err = http_path_normalize(path, buf, &normal);

		if (err != (cases[i].normal ? 0 : -EINVAL))
			print_error("%s: %d\n", cases[i].path, err);
		assert_int_equal(err, cases[i].normal ? 0 : -EINVAL);
		if (!err) {
			assert_true(slice_equal_str(normal, cases[i].normal));
			merged = http_path_merge(normal, buf);
			assert_true(slice_equal_str(merged, cases[i].merged));
		}
		free(buf);
	}
}

static void percent_encodings_are_decoded(void **state)
{
	char text[] = "%41b%2Fc%00%ff";

	(void)state;
	assert_int_equal(http_percent_decode(S(text), text), 6);
	assert_memory_equal(text, "Ab/c\0\xff", 6);
	assert_int_equal(http_percent_decode(S("%"), text), -EINVAL);
	assert_int_equal(http_percent_decode(S("a%4"), text), -EINVAL);
	assert_int_equal(http_percent_decode(S("%g1"), text), -EINVAL);
	assert_int_equal(http_percent_decode(S(""), text), 0);
}

static void queries_are_cut_into_pairs(void **state)
{
	struct slice query = S("&a=b=c&&d&=e&"), name, value;

	(void)state;
	assert_true(http_query_next(&query, &name, &value));
	assert_true(slice_equal_str(name, "a") && slice_equal_str(value, "b=c"));
	assert_true(http_query_next(&query, &name, &value));
	assert_true(slice_equal_str(name, "d") && value.len == 0);
	assert_true(http_query_next(&query, &name, &value));
	assert_true(name.len == 0 && slice_equal_str(value, "e"));
	assert_false(http_query_next(&query, &name, &value));
}

static void query_value_is_decoded(void **state)
{
	char buf[16];
	struct slice decoded;

	(void)state;
	assert_int_equal(http_query_decode(S("a+%2B%20b"), buf, &decoded), 0);
	assert_true(slice_equal_str(decoded, "a + b"));
	assert_int_equal(http_query_decode(S(""), buf, &decoded), 0);
	assert_int_equal(decoded.len, 0);
	assert_int_equal(http_query_decode(S("a%2"), buf, &decoded), -EINVAL);
}

static void path_is_encoded_for_sending(void **state)
{
	char buf[64];
	struct slice path = S("/a b\x7f\xff?#%2F%25;=@:!");

	(void)state;
	assert_true(slice_equal_str(slice_of(buf, http_path_encode(path, buf)),
				    "/a%20b%7F%FF%3F%23%2F%25;=@:!"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_have_one_spelling),
		cmocka_unit_test(percent_encodings_are_decoded),
		cmocka_unit_test(queries_are_cut_into_pairs),
		cmocka_unit_test(query_value_is_decoded),
		cmocka_unit_test(path_is_encoded_for_sending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
