// SPDX-License-Identifier: Apache-2.0
#include "demo/demo_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static struct strbuf response;
static size_t used;
static bool is_last;

static int forget_response(void **state)
{
	(void)state;
	strbuf_done(&response);
	return 0;
}

static int answer(const char *request, size_t len)
{
	return demo_answer(slice_of(request, len), "alpha", "192.0.2.1:1234", &response, &used,
			   &is_last);
}

static void assert_answer(const char *request, const char *expected, bool expected_last)
{
	strbuf_done(&response);
	assert_int_equal(answer(request, strlen(request)), 0);
	if (!strstr(response.text, expected))
		fail_msg("'%s' lacks '%s'", response.text, expected);
	assert_int_equal(is_last, expected_last);
}

static void page_names_origin_and_peer(void **state)
{
	(void)state;
	assert_answer(GET, "hello from alpha\n", false);
	assert_answer(GET, "192.0.2.1:1234", false);
	assert_int_equal(used, strlen(GET));
}

static void length_is_that_of_the_body(void **state)
{
	char *body;
	char field[64];

	(void)state;
	assert_answer(GET, "HTTP/1.1 200 OK\r\n", false);
	body = strstr(response.text, "\r\n\r\n") + 4;
	snprintf(field, sizeof(field), "\r\nContent-Length: %zu\r\n", strlen(body));
	assert_non_null(strstr(response.text, field));
}

static void healthz_is_ok(void **state)
{
	(void)state;
	assert_answer("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\nok\n", false);
}

static void head_has_no_body(void **state)
{
	(void)state;
	assert_answer("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", false);
	assert_string_equal(strstr(response.text, "\r\n\r\n"), "\r\n\r\n");
	assert_null(strstr(response.text, "Content-Length: 0"));
}

static void every_shorter_request_waits_for_more(void **state)
{
	(void)state;
	for (size_t len = 0; len < strlen(GET); len++)
		assert_int_equal(answer(GET, len), -EAGAIN);
	assert_int_equal(response.len, 0);
}

static void second_request_is_left_for_later(void **state)
{
	(void)state;
	assert_answer(GET GET, "200 OK", false);
	assert_int_equal(used, strlen(GET));
}

static void client_that_asks_to_close_gets_a_last_answer(void **state)
{
	(void)state;
	assert_answer("GET / HTTP/1.1\r\nHost: a\r\nconnection:  Close\r\n\r\n",
		      "Connection: close", true);
	assert_answer("GET / HTTP/1.0\r\n\r\n", "Connection: close", true);
	assert_answer("GET / HTTP/1.1\r\nHost: a\r\nX-Connection: close\r\n\r\n", "200 OK", false);
}

static void what_is_not_served_is_refused_and_ends(void **state)
{
	(void)state;
	assert_answer("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "405 Method",
		      true);
	assert_int_equal(used,
			 strlen("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
	assert_answer("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "400 Bad", true);
	assert_answer("nonsense\r\n\r\n", "400 Bad Request", true);
}

static void endless_head_is_refused(void **state)
{
	static char head[DEMO_HEAD_MAX] = "GET / HTTP/1.1\r\nX: ";
	size_t start = strlen(head);

	(void)state;
	memset(head + start, 'x', sizeof(head) - start);
	assert_int_equal(answer(head, sizeof(head) - 1), -EAGAIN);
	assert_int_equal(answer(head, sizeof(head)), 0);
	assert_non_null(strstr(response.text, "431 "));
	assert_true(is_last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(page_names_origin_and_peer, forget_response),
		cmocka_unit_test_teardown(length_is_that_of_the_body, forget_response),
		cmocka_unit_test_teardown(healthz_is_ok, forget_response),
		cmocka_unit_test_teardown(head_has_no_body, forget_response),
		cmocka_unit_test_teardown(every_shorter_request_waits_for_more, forget_response),
		cmocka_unit_test_teardown(second_request_is_left_for_later, forget_response),
		cmocka_unit_test_teardown(client_that_asks_to_close_gets_a_last_answer,
					  forget_response),
		cmocka_unit_test_teardown(what_is_not_served_is_refused_and_ends, forget_response),
		cmocka_unit_test_teardown(endless_head_is_refused, forget_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
