// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "route/rewrite.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

struct outcome {
	int err;
	char path[256], plain[256];
};

static void rewrite(const struct config_route *route, const char *path, struct outcome *ret)
{
	struct regex_scratch *scratch = regex_scratch_new();
	struct slice made = {}, plain = {}, prefixes[2] = {};
	struct arena arena = {};
	struct rewrite how;

	assert_non_null(scratch);
	assert_true(route->npath_prefix <= ARRAY_SIZE(prefixes));
	for (size_t i = 0; i < route->npath_prefix; i++)
		prefixes[i] = slice_from_str(route->path_prefix[i]);
	assert_int_equal(rewrite_init(&how, route, prefixes), 0);
	assert_true(rewrite_has_path(&how));
	*ret = (struct outcome){};
	ret->err = rewrite_path(&how, slice_from_str(path), &arena, scratch, &made, &plain);
	assert_true(made.len < sizeof(ret->path) && plain.len < sizeof(ret->plain));
	if (made.len)
		memcpy(ret->path, made.ptr, made.len);
	if (plain.len)
		memcpy(ret->plain, plain.ptr, plain.len);
	rewrite_done(&how);
	regex_scratch_free(scratch);
	arena_done(&arena);
}

static void expect(const struct config_route *route, const char *path, const char *sent,
		   const char *plain)
{
	struct outcome outcome;

	rewrite(route, path, &outcome);
	assert_int_equal(outcome.err, 0);
	assert_string_equal(outcome.path, sent);
	assert_string_equal(outcome.plain, plain);
}

static int failure(const struct config_route *route, const char *path)
{
	struct outcome outcome;

	rewrite(route, path, &outcome);
	return outcome.err;
}

static void whole_path_is_replaced(void **state)
{
	const struct config_route route = {.rewrite.path = "/a%20b"};

	(void)state;
	expect(&route, "/x/y", "/a%20b", "/a b");
	assert_int_equal(failure(&route, "*"), -ENOENT);
	assert_int_equal(failure(&route, ""), -ENOENT);
}

static void longest_matched_prefix_is_replaced(void **state)
{
	static const char *prefixes[] = {"/api", "/api/v1"};
	const struct config_route route = {
		.path_prefix = prefixes, .npath_prefix = 2, .rewrite.prefix = "/new/"};

	(void)state;
	expect(&route, "/api/v1/x", "/new/x", "/new/x");
	expect(&route, "/api/v1", "/new", "/new");
	expect(&route, "/api/v10/x", "/new/v10/x", "/new/v10/x");
	expect(&route, "/apis", "/new/apis", "/new/apis");
}

static void prefix_may_go_altogether(void **state)
{
	static const char *prefixes[] = {"/api"};
	const struct config_route route = {
		.path_prefix = prefixes, .npath_prefix = 1, .rewrite.prefix = "/"};

	(void)state;
	expect(&route, "/api/x", "/x", "/x");
	expect(&route, "/api/", "/", "/");
	expect(&route, "/api", "/", "/");
}

static void groups_of_a_pattern_go_where_they_are_named(void **state)
{
	const struct config_route route = {
		.rewrite = {.regex = "^/u/(\\d+)/([^/]*)$", .to = "/user.php/$2/$1/$$$0x$"}};

	(void)state;
	expect(&route, "/u/42/name", "/user.php/name/42/$/u/42/namex$",
	       "/user.php/name/42/$/u/42/namex$");
	assert_int_equal(failure(&route, "/u/x/name"), -ENOENT);
}

/* What was decoded for comparing must not change its meaning on the way out. */
static void what_comes_from_the_request_is_encoded_anew(void **state)
{
	static const char *prefixes[] = {"/a"};
	const struct config_route prefix = {
		.path_prefix = prefixes, .npath_prefix = 1, .rewrite.prefix = "/b"};
	const struct config_route regex = {.rewrite = {.regex = "^/a/(.*)$", .to = "/b/$1"}};

	(void)state;
	expect(&prefix, "/a/ ?#\"<>\xc3\xa4%2F%25", "/b/%20%3F%23%22%3C%3E%C3%A4%2F%25",
	       "/b/ ?#\"<>\xc3\xa4%2F%25");
	expect(&regex, "/a/x y?z", "/b/x%20y%3Fz", "/b/x y?z");
}

/* It is the same path to the route that holds; an address in it must stay one. */
static void slashes_that_count_as_one_go_with_a_prefix(void **state)
{
	static const char *prefixes[] = {"/to/it"};
	const struct config_route route = {
		.path_prefix = prefixes, .npath_prefix = 1, .rewrite.prefix = "/"};

	(void)state;
	expect(&route, "/to/it/http://a.example//b", "/http://a.example//b", "/http:/a.example/b");
	expect(&route, "//to///it/x", "/x", "/x");
	expect(&route, "//to///it", "/", "/");
	expect(&route, "//to//its", "//to//its", "/to/its");
	expect(&route, "/to/it//x", "//x", "/x");
}

static void pattern_sees_slashes_as_they_came_and_then_as_one(void **state)
{
	const struct config_route route = {.rewrite = {.regex = "^/to/(.*)$", .to = "/$1"}};

	(void)state;
	expect(&route, "/to/http://a//b", "/http://a//b", "/http:/a/b");
	expect(&route, "//to//x//y", "/x/y", "/x/y");
	assert_int_equal(failure(&route, "//too//x"), -ENOENT);
}

static void pieces_make_no_dot_segment(void **state)
{
	const struct config_route route = {.rewrite = {.regex = "^/a(.*)$", .to = "/$1"}};
	const struct config_route inside = {.rewrite = {.regex = "^/a(.*)$", .to = "/x/$1"}};
	const struct config_route one = {.rewrite = {.regex = "^/a(.*)$", .to = "/x/.$1"}};

	(void)state;
	assert_int_equal(failure(&route, "/a../etc"), -EINVAL);
	assert_int_equal(failure(&inside, "/a../etc"), -EINVAL);
	assert_int_equal(failure(&inside, "/a.."), -EINVAL);
	assert_int_equal(failure(&one, "/a"), -EINVAL);
	assert_int_equal(failure(&one, "/a."), -EINVAL);
	expect(&one, "/a..", "/x/...", "/x/...");
}

static void pattern_that_takes_too_long_is_told(void **state)
{
	const struct config_route route = {.rewrite = {.regex = "^/(a+)+$", .to = "/"}};
	char path[4000];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 2] = '!';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(failure(&route, path), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_path_is_replaced),
		cmocka_unit_test(longest_matched_prefix_is_replaced),
		cmocka_unit_test(prefix_may_go_altogether),
		cmocka_unit_test(groups_of_a_pattern_go_where_they_are_named),
		cmocka_unit_test(what_comes_from_the_request_is_encoded_anew),
		cmocka_unit_test(slashes_that_count_as_one_go_with_a_prefix),
		cmocka_unit_test(pattern_sees_slashes_as_they_came_and_then_as_one),
		cmocka_unit_test(pieces_make_no_dot_segment),
		cmocka_unit_test(pattern_that_takes_too_long_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
