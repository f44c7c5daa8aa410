// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "http/connection.h"
#include "http/fields.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define S(text) slice_from_str(text)

static void every_known_name_has_its_number(void **state)
{
	(void)state;
	for (unsigned id = HTTP_FIELD_OTHER + 1; id < HTTP_FIELD_COUNT; id++) {
		struct slice name = http_field_name(id);
		char changed[64];

		assert_int_equal(http_field_id(name), id);
		for (size_t i = 0; i < name.len; i++)
			changed[i] = (char)toupper((unsigned char)name.ptr[i]);
		assert_int_equal(http_field_id(slice_of(changed, name.len)), id);
		/* Any other byte in any place makes it another name. */
		for (size_t i = 0; i < name.len; i++) {
			char kept = changed[i];

			for (int c = 0; c < 256; c++) {
				changed[i] = (char)c;
				if (tolower(c) != name.ptr[i])
					assert_int_not_equal(
						http_field_id(slice_of(changed, name.len)), id);
			}
			changed[i] = kept;
		}
	}
	assert_int_equal(http_field_id(S("")), HTTP_FIELD_OTHER);
	assert_int_equal(http_field_id(S("x")), HTTP_FIELD_OTHER);
	assert_int_equal(http_field_name(HTTP_FIELD_OTHER).len, 0);
	assert_int_equal(http_field_flags(HTTP_FIELD_OTHER), 0);
	assert_true(http_field_flags(HTTP_FIELD_CONNECTION) & HTTP_FIELD_IS_OF_CONNECTION);
}

static void add(struct http_fields *fields, const char *name, const char *value)
{
	assert_int_equal(http_fields_add(fields, S(name), S(value)), 0);
}

/* The list as "name=value," text. */
static const char *text_of(const struct http_fields *fields)
{
	static char text[512];
	const struct http_field *field = NULL;
	size_t len = 0;

	text[0] = '\0';
	while ((field = http_fields_next(fields, field)))
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s=%.*s,",
					SLICE_FMT(field->name), SLICE_FMT(field->value));
	return text;
}

static void fields_are_found_by_id_and_name(void **state)
{
	struct arena arena = {};
	struct http_fields fields = {.arena = &arena};
	const struct http_field *field;

	(void)state;
	assert_null(http_fields_next(&fields, NULL));
	assert_null(http_fields_find(&fields, HTTP_FIELD_HOST));
	add(&fields, "Host", " a ");
	add(&fields, "X-A", "1");
	add(&fields, "Accept", "b");
	add(&fields, "x-a", "2");
	add(&fields, "aCCEPT", "c");
	field = http_fields_find(&fields, HTTP_FIELD_ACCEPT);
	assert_true(slice_equal_str(field->value, "b"));
	field = http_fields_find_next(&fields, field);
	assert_true(slice_equal_str(field->value, "c"));
	assert_null(http_fields_find_next(&fields, field));
	field = http_fields_find_name(&fields, S("X-a"));
	assert_true(slice_equal_str(field->value, "1"));
	field = http_fields_find_next(&fields, field);
	assert_true(slice_equal_str(field->value, "2"));
	assert_null(http_fields_find_next(&fields, field));
	assert_true(slice_equal_str(http_fields_value(&fields, HTTP_FIELD_HOST), "a"));
	assert_null(http_fields_value(&fields, HTTP_FIELD_DATE).ptr);
	assert_true(http_fields_has(&fields, HTTP_FIELD_HOST));
	assert_false(http_fields_has(&fields, HTTP_FIELD_DATE));
	http_fields_clear(&fields);
	assert_false(http_fields_has(&fields, HTTP_FIELD_HOST));
	arena_done(&arena);
}

static void fields_are_set_and_removed(void **state)
{
	struct arena arena = {};
	struct http_fields fields = {.arena = &arena};

	(void)state;
	add(&fields, "A", "1");
	add(&fields, "Via", "x");
	add(&fields, "a", "2");
	add(&fields, "b", "3");
	assert_int_equal(http_fields_set(&fields, S("a"), S("4")), 0);
	assert_string_equal(text_of(&fields), "a=4,Via=x,b=3,");
	assert_int_equal(http_fields_set_id(&fields, HTTP_FIELD_VIA, S("y")), 0);
	assert_int_equal(http_fields_set_id(&fields, HTTP_FIELD_DATE, S("now")), 0);
	assert_string_equal(text_of(&fields), "a=4,via=y,b=3,date=now,");
	assert_int_equal(http_fields_remove(&fields, HTTP_FIELD_VIA), 1);
	assert_int_equal(http_fields_remove(&fields, HTTP_FIELD_VIA), 0);
	assert_int_equal(http_fields_remove_name(&fields, S("A")), 1);
	assert_int_equal(http_fields_remove_name(&fields, S("none")), 0);
	assert_null(http_fields_find(&fields, HTTP_FIELD_VIA));
	assert_string_equal(text_of(&fields), "b=3,date=now,");
	arena_done(&arena);
}

static void fields_that_cgi_takes_for_known_ones_are_removed(void **state)
{
	static const char *const names[] = {
		"Transfer_Encoding", "CONTENT_LENGTH", "x_forwarded-For", "X-Forwarded_For",
		"Client_Cert",       "Keep_Alive",     "if_none_match",   "X_Request_ID",
	};
	static const char *const others[] = {
		"Content-Length", "X_Mine",          "_",
		"User_Agent",     "Content_Length_", "X_Name_that_is_longer_than_any_that_is_known",
	};
	struct arena arena = {};
	struct http_fields fields = {.arena = &arena};
	const struct http_field *field = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(http_fields_add(&fields, S(names[i]), S("1")), 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(http_fields_add(&fields, S(others[i]), S("1")), 0);
	http_fields_remove_disguised(&fields, HTTP_FIELD_IS_FIXED | HTTP_FIELD_IS_OF_CONNECTION);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		field = http_fields_next(&fields, field);
		assert_true(slice_equal_str(field->name, others[i]));
	}
	assert_null(http_fields_next(&fields, field));
	arena_done(&arena);
}

static void what_would_break_a_line_is_not_added(void **state)
{
	static const char *const names[] = {"", "a b", "a:", "a\r", "a\n", "\xc3\xa9", "(a)", " a"};
	static const char *const values[] = {"a\r\nb: c", "\n", "\r", "a\x01", "\x7f"};
	struct arena arena = {};
	struct http_fields fields = {.arena = &arena};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(http_fields_add(&fields, S(names[i]), S("v")), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		assert_int_equal(http_fields_add(&fields, S("n"), S(values[i])), -EINVAL);
		assert_int_equal(http_fields_set_id(&fields, HTTP_FIELD_VIA, S(values[i])),
				 -EINVAL);
	}
	assert_int_equal(http_fields_add(&fields, S("n"), slice_of("a\0b", 3)), -EINVAL);
	assert_int_equal(fields.count, 0);
	add(&fields, "n", "\t\xc3\xa9 \"\\");
	arena_done(&arena);
}

static void list_grows_and_joins(void **state)
{
	struct arena arena = {};
	struct http_field items[2];
	struct http_fields fields = {.items = items, .cap = 2, .arena = &arena};
	struct slice joined;

	(void)state;
	assert_int_equal(http_fields_join(&fields, HTTP_FIELD_ACCEPT, &joined), -ENOENT);
	add(&fields, "Accept", "a");
	assert_int_equal(http_fields_join(&fields, HTTP_FIELD_ACCEPT, &joined), 0);
	assert_true(slice_equal_str(joined, "a"));
	for (int i = 0; i < 100; i++)
		add(&fields, "X", "y");
	add(&fields, "Accept", "");
	add(&fields, "Accept", "b");
	assert_int_equal(fields.count, 103);
	assert_int_equal(http_fields_join(&fields, HTTP_FIELD_ACCEPT, &joined), 0);
	assert_true(slice_equal_str(joined, "a, , b"));
	fields.arena = NULL;
	assert_int_equal(http_fields_join(&fields, HTTP_FIELD_ACCEPT, &joined), -ENOMEM);
	arena_done(&arena);
}

static void connection_fields_are_stripped(void **state)
{
	struct arena arena = {};
	struct http_fields fields = {.arena = &arena};
	struct http_connection_options options;

	(void)state;
	add(&fields, "Connection", "close, X-Drop ,, Host,cookie, x-forwarded-for");
	add(&fields, "Host", "a");
	add(&fields, "x-drop", "1");
	add(&fields, "X-Drop", "2");
	add(&fields, "Keep-Alive", "timeout=5");
	add(&fields, "Proxy-Connection", "keep-alive");
	add(&fields, "Cookie", "c");
	add(&fields, "TE", "trailers");
	add(&fields, "Transfer-Encoding", "chunked");
	add(&fields, "connection", "UPGRADE, user-agent");
	add(&fields, "Upgrade", "websocket");
	add(&fields, "User-Agent", "u");
	add(&fields, "X-Forwarded-For", "192.0.2.1");
	assert_int_equal(http_connection_options(&fields, &options), 0);
	assert_true(options.close && options.upgrade && options.names_others);
	assert_false(options.keep_alive || options.te);
	http_fields_strip_connection(&fields);
	assert_string_equal(text_of(&fields), "Host=a,Cookie=c,X-Forwarded-For=192.0.2.1,");
	add(&fields, "Connection", "a b");
	assert_int_equal(http_connection_options(&fields, &options), -EINVAL);
	http_fields_strip_connection(&fields);
	assert_string_equal(text_of(&fields), "Host=a,Cookie=c,X-Forwarded-For=192.0.2.1,");
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_known_name_has_its_number),
		cmocka_unit_test(fields_are_found_by_id_and_name),
		cmocka_unit_test(fields_are_set_and_removed),
		cmocka_unit_test(fields_that_cgi_takes_for_known_ones_are_removed),
		cmocka_unit_test(what_would_break_a_line_is_not_added),
		cmocka_unit_test(list_grows_and_joins),
		cmocka_unit_test(connection_fields_are_stripped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
