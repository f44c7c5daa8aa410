// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "net/http_head.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void status_is_read_from_whole_heads(void **state)
{
	static const struct {
		const char *head;
		unsigned status;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\n\r\n", 200},
		{"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n", 503},
		{"HTTP/1.1 204 \r\nA:\r\nb: \tc\r\n\r\n", 204},
		{"HTTP/1.1 404\r\n\r\n", 404},
		{"HTTP/1.1 100 Continue\r\n\r\n", 100},
		{"HTTP/1.1 599 \xc3\xa9\r\nX-Y_z!: \xff\r\n\r\n", 599},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t whole = strlen(cases[i].head), len = 0;
		unsigned status = 0;

		for (size_t n = 0; n < whole; n++)
			assert_int_equal(
				http_status_parse(slice_of(cases[i].head, n), &status, &len),
				-EAGAIN);
		assert_int_equal(status, 0);
		assert_int_equal(http_status_parse(slice_from_str(cases[i].head), &status, &len),
				 0);
		assert_int_equal(status, cases[i].status);
		assert_int_equal(len, whole);
	}
}

static void malformed_status_heads_are_refused(void **state)
{
	static const char *const heads[] = {
		"HTTP/2.0 200 OK\r\n\r\n",     "HTTP/1.2 200 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",    "HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000\r\n\r\n",       "HTTP/1.1 099 \r\n\r\n",
		"HTTP/1.1 600 \r\n\r\n",       "HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1 200 OK\n\n",         "HTTP/1.1 200 OK\r\nA: b\n\r\n",
		"HTTP/1.1 200 OK\rA: b\r\n",   "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: b\r\n",  "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n",
		"HTTP/1.1 200 OK\r\nAb\r\n",   "HTTP/1.1 200 O\001K\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: \x7f",  "ICY 200 OK\r\n\r\n",
		"\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n",
	};
	unsigned status;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		assert_int_equal(http_status_parse(slice_from_str(heads[i]), &status, &len),
				 -EPROTO);
}

static void another_protocol_is_refused_at_its_first_byte(void **state)
{
	unsigned status;
	size_t len;

	(void)state;
	assert_int_equal(http_status_parse(slice_from_str("S"), &status, &len), -EPROTO);
	assert_int_equal(http_status_parse(slice_from_str("\x15\x03"), &status, &len), -EPROTO);
	assert_int_equal(http_status_parse(slice_from_str("HTTQ"), &status, &len), -EPROTO);
}

static void request_line_is_split(void **state)
{
	static const char head[] = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n";
	static const char with_body[] = "POST * HTTP/1.0\r\n\r\nbody";
	struct slice method = {}, target = {};
	size_t len = 0;

	(void)state;
	for (size_t n = 0; n < sizeof(head) - 1; n++)
		assert_int_equal(http_request_parse(slice_of(head, n), &method, &target, &len),
				 -EAGAIN);
	assert_int_equal(http_request_parse(slice_from_str(head), &method, &target, &len), 0);
	assert_true(slice_equal_str(method, "GET"));
	assert_true(slice_equal_str(target, "/metrics?x=1"));
	assert_int_equal(len, sizeof(head) - 1);

	assert_int_equal(http_request_parse(slice_from_str(with_body), &method, &target, &len), 0);
	assert_true(slice_equal_str(method, "POST"));
	assert_true(slice_equal_str(target, "*"));
	assert_int_equal(len, sizeof(with_body) - 1 - 4);
}

static void malformed_requests_are_refused(void **state)
{
	static const char *const heads[] = {
		"GET /\r\n\r\n",
		"GET  / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1 \r\n\r\n",
		" GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/2.0\r\n\r\n",
		"GET / http/1.1\r\n\r\n",
		"GET /\xc3\xa9 HTTP/1.1\r\n\r\n",
		"GET\t/ HTTP/1.1\r\n\r\n",
		"G(T / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"GET / HTTP/1.1\n\n",
		"\r\n",
		"\x16\x03\x01",
	};
	struct slice method, target;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		assert_int_equal(
			http_request_parse(slice_from_str(heads[i]), &method, &target, &len),
			-EPROTO);
}

/* A head of exactly @size bytes. */
static char *head_of(size_t size)
{
	static const char start[] = "HTTP/1.1 200 OK\r\nA: ";
	char *head = malloc(size);

	assert_non_null(head);
	memset(head, 'a', size);
	memcpy(head, start, sizeof(start) - 1);
	memcpy(head + size - 4, "\r\n\r\n", 4);
	return head;
}

static void head_of_the_limit_is_the_longest(void **state)
{
	char *longest = head_of(HTTP_HEAD_MAX), *longer = head_of(HTTP_HEAD_MAX + 1);
	unsigned status;
	size_t len;

	(void)state;
	assert_int_equal(http_status_parse(slice_of(longest, HTTP_HEAD_MAX), &status, &len), 0);
	assert_int_equal(len, HTTP_HEAD_MAX);
	assert_int_equal(http_status_parse(slice_of(longer, HTTP_HEAD_MAX - 1), &status, &len),
			 -EAGAIN);
	assert_int_equal(http_status_parse(slice_of(longer, HTTP_HEAD_MAX), &status, &len),
			 -EPROTO);
	assert_int_equal(http_status_parse(slice_of(longer, HTTP_HEAD_MAX + 1), &status, &len),
			 -EPROTO);
	free(longest);
	free(longer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_is_read_from_whole_heads),
		cmocka_unit_test(malformed_status_heads_are_refused),
		cmocka_unit_test(another_protocol_is_refused_at_its_first_byte),
		cmocka_unit_test(request_line_is_split),
		cmocka_unit_test(malformed_requests_are_refused),
		cmocka_unit_test(head_of_the_limit_is_the_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
