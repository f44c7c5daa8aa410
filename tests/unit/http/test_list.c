// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "http/cookie.h"
#include "http/error_page.h"
#include "http/list.h"
#include "http/media_type.h"
#include "http/negotiate.h"
#include "http/status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define S(text) slice_from_str(text)

static void assert_slice(struct slice s, const char *expected)
{
	if (!slice_equal_str(s, expected))
		print_error("'%.*s', expected '%s'\n", SLICE_FMT(s), expected);
	assert_true(slice_equal_str(s, expected));
}

static void lists_are_cut_at_commas(void **state)
{
	struct slice list = S(" ,a , \"b,\\\",c\" ,,d=\"x\";y,\t"), member;

	(void)state;
	assert_true(http_list_next(&list, &member));
	assert_slice(member, "a");
	assert_true(http_list_next(&list, &member));
	assert_slice(member, "\"b,\\\",c\"");
	assert_true(http_list_next(&list, &member));
	assert_slice(member, "d=\"x\";y");
	assert_false(http_list_next(&list, &member));
	list = S("\"never closed, a");
	assert_true(http_list_next(&list, &member));
	assert_false(http_list_next(&list, &member));
	assert_true(http_list_has(S("a, Keep-Alive"), S("keep-alive")));
	assert_false(http_list_has(S("a, keep-alive-x"), S("keep-alive")));
	list = (struct slice){};
	assert_false(http_list_next(&list, &member));
}

static void parameters_are_read(void **state)
{
	struct slice member = S("text/html ; a=b;;Q=\"x;\\\"y\" ; c=d");
	struct http_param param;
	char buf[16];

	(void)state;
	assert_slice(http_member_take(&member), "text/html");
	assert_int_equal(http_param_next(&member, &param), 1);
	assert_slice(param.name, "a");
	assert_slice(param.value, "b");
	assert_int_equal(http_param_next(&member, &param), 1);
	assert_slice(param.name, "Q");
	assert_true(param.is_quoted);
	assert_slice(param.value, "x;\\\"y");
	assert_slice(http_unquote(param.value, buf), "x;\"y");
	assert_int_equal(http_param_next(&member, &param), 1);
	assert_int_equal(http_param_next(&member, &param), 0);
}

static void malformed_parameters_are_said(void **state)
{
	static const char *const params[] = {"a",     "=b",       "a=",   "a b=c", "a=b c",
					     "a=\"b", "a=\"b\"c", "a= b", "a=(b)"};
	struct http_param param;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(params); i++) {
		struct slice rest = S(params[i]);

		assert_int_equal(http_param_next(&rest, &param), -EINVAL);
	}
}

static void weights_are_thousandths(void **state)
{
	static const struct {
		const char *text;
		int weight;
	} cases[] = {
		{"0", 0},           {"1", 1000},         {"0.5", 500},        {"0.001", 1},
		{"1.000", 1000},    {"0.", 0},           {"1.", 1000},        {"0.25", 250},
		{"1.001", -EINVAL}, {"2", -EINVAL},      {"0.1234", -EINVAL}, {"", -EINVAL},
		{".5", -EINVAL},    {"-1", -EINVAL},     {"0,5", -EINVAL},    {"0.a", -EINVAL},
		{"00", -EINVAL},    {"1.0000", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(http_weight_parse(S(cases[i].text)), cases[i].weight);
}

/* A list with one field of that value; NULL: none. */
static void with_field(struct http_fields *fields, enum http_field_id id, const char *value)
{
	static struct http_field items[2];

	*fields = (struct http_fields){.items = items, .cap = 2};
	if (value)
		assert_int_equal(http_fields_add_id(fields, id, S(value)), 0);
}

static void codings_are_chosen_by_weight(void **state)
{
	static const struct slice offers[] = {{"zstd", 4}, {"br", 2}, {"gzip", 4}};
	static const struct {
		const char *accept;
		size_t chosen;
		unsigned identity;
	} cases[] = {
		{NULL, 3, 1},
		{"", 3, 1},
		{"gzip", 2, 1},
		{"x-gzip", 2, 1},
		{"GZIP, br", 1, 1},
		{"gzip;q=1.0, br;q=0.9", 2, 1},
		{"gzip;q=0, br;q=0", 3, 1},
		{"*", 0, 1000},
		{"*;q=0.1, gzip", 2, 100},
		{"identity, gzip;q=0.5", 2, 1000},
		{"*;q=0", 3, 0},
		{"identity;q=0, zstd", 0, 0},
		{"gzip;q=x", 3, 1},
		{"gzip;q=\"1\"", 3, 1},
		{"br;q=0.5;x=y, zstd;q=0.4", 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_fields fields;

		with_field(&fields, HTTP_FIELD_ACCEPT_ENCODING, cases[i].accept);
		assert_int_equal(http_choose_coding(&fields, offers, 3), cases[i].chosen);
		assert_int_equal(http_accepts_coding(&fields, S("identity")), cases[i].identity);
	}
}

static void pages_follow_accept(void **state)
{
	static const struct {
		const char *accept, *type;
	} cases[] = {
		{NULL, "text/plain; charset=utf-8"},
		{"*/*", "text/plain; charset=utf-8"},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		 "text/html; charset=utf-8"},
		{"application/json", "application/json"},
		{"application/json, text/plain;q=0.5, */*;q=0.1", "application/json"},
		{"text/*", "text/plain; charset=utf-8"},
		{"image/png", "text/plain; charset=utf-8"},
		{"text/plain;q=0, text/*", "text/html; charset=utf-8"},
	};
	static const unsigned statuses[] = {400, 403, 404, 408, 413, 414,
					    429, 431, 500, 502, 503, 504};
	const struct http_page *page;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_fields fields;

		with_field(&fields, HTTP_FIELD_ACCEPT, cases[i].accept);
		page = http_error_page(404, &fields);
		assert_slice(page->type, cases[i].type);
		assert_non_null(memmem(page->body.ptr, page->body.len, "404", 3));
	}
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		struct slice phrase = http_status_phrase(statuses[i]);

		page = http_error_page(statuses[i], NULL);
		assert_int_equal(page->status, statuses[i]);
		assert_non_null(memmem(page->body.ptr, page->body.len, phrase.ptr, phrase.len));
		assert_int_equal(page->body.ptr[page->body.len - 1], '\n');
	}
	assert_int_equal(http_error_page(299, NULL)->status, 500);
	assert_slice(http_status_phrase(299), "Unknown");
}

static void media_types_are_read(void **state)
{
	static const char *const bad[] = {"", "text", "/html", "text/", "te xt/html", "text/ht ml"};
	struct http_media_type type;

	(void)state;
	assert_int_equal(
		http_media_type_parse(S("Text/HTML ; charset=\"utf-8\";boundary=x"), &type), 0);
	assert_slice(type.essence, "Text/HTML");
	assert_slice(type.subtype, "HTML");
	assert_slice(http_media_type_param(&type, S("Charset")), "utf-8");
	assert_slice(http_media_type_param(&type, S("none")), "");
	assert_true(http_media_type_matches(&type, S("text/html")));
	assert_true(http_media_type_matches(&type, S("text/*")));
	assert_true(http_media_type_matches(&type, S("*/*")));
	assert_false(http_media_type_matches(&type, S("*/html")));
	assert_false(http_media_type_matches(&type, S("text/plain")));
	assert_false(http_media_type_matches(&type, S("text")));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(http_media_type_parse(S(bad[i]), &type), -EINVAL);
	assert_slice(http_media_type_of_file(S("a.b.PNG")), "image/png");
	assert_slice(http_media_type_of_file(S("png")), "application/octet-stream");
	assert_slice(http_media_type_of_file(S("a.")), "application/octet-stream");
	assert_slice(http_media_type_of_file(S("")), "application/octet-stream");
}

static void cookies_are_found_and_removed(void **state)
{
	struct arena arena = {};
	struct http_fields fields = {.arena = &arena};
	struct slice value;

	(void)state;
	assert_int_equal(http_fields_add(&fields, S("Cookie"), S("a=1; sid=\"x=y\" ;; =z; b;A=2")),
			 0);
	assert_int_equal(http_fields_add(&fields, S("Cookie"), S("sid=second;c=3")), 0);
	assert_int_equal(http_fields_add(&fields, S("Cookie"), S("sid=only")), 0);
	assert_int_equal(http_cookie_find(&fields, S("sid"), &value), 0);
	assert_slice(value, "x=y");
	assert_int_equal(http_cookie_find(&fields, S("A"), &value), 0);
	assert_slice(value, "2");
	assert_int_equal(http_cookie_find(&fields, S("c"), &value), 0);
	assert_int_equal(http_cookie_find(&fields, S("si"), &value), -ENOENT);
	assert_int_equal(http_cookie_find(&fields, S("b"), &value), -ENOENT);
	assert_int_equal(http_cookie_remove(&fields, S("sid")), 0);
	assert_int_equal(http_cookie_find(&fields, S("sid"), &value), -ENOENT);
	assert_int_equal(http_fields_join(&fields, HTTP_FIELD_COOKIE, &value), 0);
	assert_slice(value, "a=1; =z; b; A=2, c=3");
	assert_int_equal(http_cookie_remove(&fields, S("none")), 0);
	arena_done(&arena);
}

static void set_cookies_are_made(void **state)
{
	struct arena arena = {};
	struct http_set_cookie cookie = {.name = S("sid"), .value = S("x"), .max_age = -1};
	struct slice text;

	(void)state;
	assert_int_equal(http_set_cookie_format(&cookie, &arena, &text), 0);
	assert_slice(text, "sid=x");
	cookie.path = S("/");
	cookie.domain = S("a.example");
	cookie.max_age = 60;
	cookie.is_secure = cookie.is_http_only = true;
	cookie.same_site = HTTP_SAME_SITE_LAX;
	assert_int_equal(http_set_cookie_format(&cookie, &arena, &text), 0);
	assert_slice(text, "sid=x; Path=/; Domain=a.example; Max-Age=60; Secure; HttpOnly; "
			   "SameSite=Lax");
	cookie.path = S("/;x");
	assert_int_equal(http_set_cookie_format(&cookie, &arena, &text), -EINVAL);
	cookie.path = S("/");
	cookie.value = S("a b");
	assert_int_equal(http_set_cookie_format(&cookie, &arena, &text), -EINVAL);
	cookie.value = S("a");
	cookie.name = S("s;d");
	assert_int_equal(http_set_cookie_format(&cookie, &arena, &text), -EINVAL);
	arena_done(&arena);
}

static void error_page_tells_the_request(void **state)
{
	static const struct {
		const char *accept, *end;
	} forms[] = {
		{"text/plain", "There is nothing at this address.\nRequest ID: 42\n"},
		{"text/html", "<p><small>Request ID: 42</small></p>\n</html>\n"},
		{"application/json", "address.\",\"request_id\":\"42\"}\n"},
	};
	struct arena arena = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct http_fields fields = {.arena = &arena};
		struct http_page page;
		size_t len = strlen(forms[i].end);

		assert_int_equal(http_fields_add(&fields, slice_from_str("accept"),
						 slice_from_str(forms[i].accept)),
				 0);
		page = *http_error_page(404, &fields);
		assert_int_equal(http_error_page_sign(&page, slice_from_str("42"), &arena), 0);
		assert_true(page.body.len > len);
		assert_true(
			slice_equal_str(slice_skip(page.body, page.body.len - len), forms[i].end));
	}
	arena_done(&arena);
}

static void status_without_a_page_has_its_phrase(void **state)
{
	struct arena arena = {};
	struct http_page page;

	(void)state;
	assert_int_equal(http_error_page_plain(418, &arena, &page), 0);
	assert_int_equal(page.status, 418);
	assert_true(slice_starts_with(page.body, slice_from_str("418 ")));
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_cut_at_commas),
		cmocka_unit_test(parameters_are_read),
		cmocka_unit_test(malformed_parameters_are_said),
		cmocka_unit_test(weights_are_thousandths),
		cmocka_unit_test(codings_are_chosen_by_weight),
		cmocka_unit_test(pages_follow_accept),
		cmocka_unit_test(error_page_tells_the_request),
		cmocka_unit_test(status_without_a_page_has_its_phrase),
		cmocka_unit_test(media_types_are_read),
		cmocka_unit_test(cookies_are_found_and_removed),
		cmocka_unit_test(set_cookies_are_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
