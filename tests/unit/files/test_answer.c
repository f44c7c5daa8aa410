// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "files/answer.h"
#include "files/name.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define S(text) slice_from_str(text)

/* --- Names ---------------------------------------------------------------------- */

static void expect_name(const char *path, bool shows_hidden, const char *name)
{
	struct arena arena = {};
	char *found = NULL;
	int err = file_name_of(S(path), shows_hidden, &arena, &found);

	if (name)
		assert_int_equal(err, 0);
	else
		assert_int_equal(err, -ENOENT);
	if (name)
		assert_string_equal(found, name);
	arena_done(&arena);
}

static void name_is_the_path_without_its_root(void **state)
{
	(void)state;
	expect_name("/", false, "");
	expect_name("/a/b.txt", false, "a/b.txt");
	expect_name("//a//", false, "a//");
	expect_name("/100%25 5", false, "100% 5");
	expect_name("/%25", false, "%");
	expect_name("/a%2Fb", false, NULL);
	expect_name("/a%", false, NULL);
}

static void hidden_names_are_not_there(void **state)
{
	(void)state;
	expect_name("/.git/config", false, NULL);
	expect_name("/a/.b", false, NULL);
	expect_name("/.well-knownx", false, NULL);
	expect_name("/.well-known/a", false, ".well-known/a");
	expect_name("/a.b", false, "a.b");
	expect_name("/.git/config", true, ".git/config");
}

/* --- Answers -------------------------------------------------------------------- */

static const struct file file = {.fd = -1, .size = 1000, .modified = 784111777, .modified_ns = 1};
#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define ETAG     "\"2ebc98a1.1-3e8\""

struct asked {
	enum http_method method;
	const char *name, *value, *name2, *value2;
	struct file_traits traits;
};

struct got {
	struct arena arena;
	struct http_fields fields;
	struct file_answer answer;
};

static void ask(struct asked asked, struct got *ret)
{
	struct http_request request = {.method = asked.method ? asked.method : HTTP_METHOD_GET};

	*ret = (struct got){};
	ret->fields.arena = &ret->arena;
	request.fields.arena = &ret->arena;
	if (asked.name)
		assert_int_equal(http_fields_add(&request.fields, S(asked.name), S(asked.value)),
				 0);
	if (asked.name2)
		assert_int_equal(http_fields_add(&request.fields, S(asked.name2), S(asked.value2)),
				 0);
	assert_int_equal(file_answer_make(&request, &file, &asked.traits, 800000000, &ret->fields,
					  &ret->answer),
			 0);
}

static void expect(struct asked asked, unsigned status, uint64_t first, uint64_t length)
{
	struct got got;

	ask(asked, &got);
	assert_int_equal(got.answer.status, status);
	assert_int_equal(got.answer.first, first);
	assert_int_equal(got.answer.length, length);
	arena_done(&got.arena);
}

static bool has(const struct got *got, enum http_field_id id, const char *value)
{
	return slice_equal_str(http_fields_value(&got->fields, id), value);
}

#define EXPECT(status, first, length, ...) \
	expect((struct asked){__VA_ARGS__}, status, first, length)

static void whole_file_is_described(void **state)
{
	struct got got;

	(void)state;
	ask((struct asked){.traits = {.type = S("text/css"),
				      .coding = S("br"),
				      .cache_control = S("no-cache"),
				      .varies = true}},
	    &got);
	assert_int_equal(got.answer.status, 200);
	assert_true(got.answer.has_body);
	assert_true(has(&got, HTTP_FIELD_ETAG, "\"2ebc98a1.1-3e8-br\""));
	assert_true(has(&got, HTTP_FIELD_LAST_MODIFIED, MODIFIED));
	assert_true(has(&got, HTTP_FIELD_CONTENT_TYPE, "text/css"));
	assert_true(has(&got, HTTP_FIELD_CONTENT_ENCODING, "br"));
	assert_true(has(&got, HTTP_FIELD_CACHE_CONTROL, "no-cache"));
	assert_true(has(&got, HTTP_FIELD_VARY, "accept-encoding"));
	assert_true(has(&got, HTTP_FIELD_ACCEPT_RANGES, "bytes"));
	arena_done(&got.arena);
}

static void client_that_has_it_is_told_so(void **state)
{
	struct got got;

	(void)state;
	ask((struct asked){.name = "If-None-Match", .value = ETAG}, &got);
	assert_int_equal(got.answer.status, 304);
	assert_false(got.answer.has_body);
	assert_true(has(&got, HTTP_FIELD_ETAG, ETAG));
	assert_false(http_fields_has(&got.fields, HTTP_FIELD_CONTENT_TYPE));
	arena_done(&got.arena);
	EXPECT(304, 0, 0, .name = "If-Modified-Since", .value = MODIFIED);
	EXPECT(200, 0, 1000, .name = "If-None-Match", .value = "\"x\"");
	EXPECT(412, 0, 0, .name = "If-Match", .value = "\"x\"");
}

static void one_range_is_obeyed(void **state)
{
	struct got got;

	(void)state;
	ask((struct asked){.name = "Range", .value = "bytes=10-19"}, &got);
	assert_int_equal(got.answer.status, 206);
	assert_true(has(&got, HTTP_FIELD_CONTENT_RANGE, "bytes 10-19/1000"));
	arena_done(&got.arena);
	EXPECT(206, 10, 10, .name = "Range", .value = "bytes=10-19");
	EXPECT(206, 995, 5, .name = "Range", .value = "bytes=-5");
	EXPECT(200, 0, 1000, .name = "Range", .value = "bytes=0-1,5-6");
	EXPECT(200, 0, 1000, .name = "Range", .value = "lines=1-2");
	EXPECT(200, 0, 1000, .method = HTTP_METHOD_HEAD, .name = "Range", .value = "bytes=10-19");
	EXPECT(206, 10, 10, .name = "Range", .value = "bytes=10-19", .name2 = "If-Range",
	       .value2 = ETAG);
	EXPECT(200, 0, 1000, .name = "Range", .value = "bytes=10-19", .name2 = "If-Range",
	       .value2 = "\"x\"");
}

static void range_behind_the_end_is_refused(void **state)
{
	struct got got;

	(void)state;
	ask((struct asked){.name = "Range", .value = "bytes=1000-"}, &got);
	assert_int_equal(got.answer.status, 416);
	assert_true(has(&got, HTTP_FIELD_CONTENT_RANGE, "bytes */1000"));
	assert_false(http_fields_has(&got.fields, HTTP_FIELD_CONTENT_TYPE));
	arena_done(&got.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_is_the_path_without_its_root),
		cmocka_unit_test(hidden_names_are_not_there),
		cmocka_unit_test(whole_file_is_described),
		cmocka_unit_test(client_that_has_it_is_told_so),
		cmocka_unit_test(one_range_is_obeyed),
		cmocka_unit_test(range_behind_the_end_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
