// SPDX-License-Identifier: Apache-2.0
#include "admin/admin_internal.h"
#include "unit/admin/fake_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct server server;

static int set_up(void **state)
{
	(void)state;
	fake_server_init(&server);
	return 0;
}

/* Return: the answer, free() it; NULL: more is wanted. */
static char *ask(const char *request, bool *ret_is_last)
{
	struct strbuf out = {0};
	bool is_last = false;
	size_t len = http_respond(&server, slice_from_str(request), &out, &is_last);

	assert_true(len <= strlen(request));
	if (ret_is_last)
		*ret_is_last = is_last;
	if (len == 0)
		assert_null(out.text);
	return len ? strbuf_take(&out) : NULL;
}

static void check(const char *request, const char *status_line, bool expected_last)
{
	bool is_last;
	char *answer = ask(request, &is_last);

	if (!answer || strncmp(answer, status_line, strlen(status_line)) != 0)
		fail_msg("%s gave %s", request, answer ? answer : "nothing");
	assert_int_equal(is_last, expected_last);
	assert_int_equal(strstr(answer, "\r\nConnection: close\r\n") != NULL, expected_last);
	free(answer);
}

#define OK  "HTTP/1.1 200 OK\r\n"
#define BAD "HTTP/1.1 400 Bad Request\r\n"

static void pages_are_found(void **state)
{
	(void)state;
	check("GET / HTTP/1.1\r\nHost: x\r\n\r\n", OK, false);
	check("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", OK, false);
	check("GET /metrics?x=/healthz HTTP/1.1\r\nHost: x\r\n\r\n", OK, false);
	check("GET http://x:9901/metrics HTTP/1.1\r\nHost: x:9901\r\n\r\n", OK, false);
	check("GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", OK, false);
	check("GET /metrics/ HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", false);
	check("GET /Metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", false);
}

static void methods_but_get_and_head_are_refused(void **state)
{
	char *answer = ask("DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n", NULL);

	(void)state;
	assert_non_null(strstr(answer, "HTTP/1.1 405 Method Not Allowed\r\n"));
	assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
	free(answer);
	check("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
	      "HTTP/1.1 405 Method Not Allowed\r\n", true);
}

static void head_has_the_length_but_not_the_body(void **state)
{
	char *answer = ask("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n", NULL);

	(void)state;
	assert_non_null(strstr(answer, "\r\nContent-Length: 8\r\n"));
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
	free(answer);
}

static void health_follows_draining(void **state)
{
	char *answer = ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", NULL);

	(void)state;
	assert_non_null(strstr(answer, "\r\n\r\nserving\n"));
	free(answer);
	server.is_draining = true;
	check("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 503 Service Unavailable\r\n",
	      false);
}

static void connection_persists_as_the_client_wishes(void **state)
{
	(void)state;
	check("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", OK, true);
	check("GET / HTTP/1.1\r\nHost: x\r\nconnection: foo ,CLOSE\r\n\r\n", OK, true);
	check("GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", OK, false);
	check("GET / HTTP/1.0\r\n\r\n", OK, true);
}

static void doubtful_requests_are_refused_and_end_the_connection(void **state)
{
	(void)state;
	check("GET / HTTP/1.1\r\n\r\n", BAD, true);
	check("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", BAD, true);
	check("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", BAD, true);
	check("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", BAD, true);
	check("GET / HTTP/1.1\r\nHost : x\r\n\r\n", BAD, true);
	check("GET http://x:9901/ HTTP/1.1\r\nHost: x\r\n\r\n", BAD, true);
	check("GET / HTTP/2.0\r\nHost: x\r\n\r\n", "HTTP/1.1 505 ", true);
	check("\x16\x03\x01\x02\r\n\r\n", BAD, true);
}

static void every_cut_of_a_request_waits_for_more(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

	(void)state;
	for (size_t len = 1; len < sizeof(request) - 1; len++) {
		char *cut = strndup(request, len);

		assert_null(ask(cut, NULL));
		free(cut);
	}
}

static void pipelined_requests_are_taken_one_by_one(void **state)
{
	static const char requests[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
				       "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
	struct strbuf out = {0};
	bool is_last;

	(void)state;
	assert_int_equal(http_respond(&server, slice_from_str(requests), &out, &is_last),
			 strlen("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
	strbuf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(pages_are_found, set_up),
		cmocka_unit_test_setup(methods_but_get_and_head_are_refused, set_up),
		cmocka_unit_test_setup(head_has_the_length_but_not_the_body, set_up),
		cmocka_unit_test_setup(health_follows_draining, set_up),
		cmocka_unit_test_setup(connection_persists_as_the_client_wishes, set_up),
		cmocka_unit_test_setup(doubtful_requests_are_refused_and_end_the_connection,
				       set_up),
		cmocka_unit_test_setup(every_cut_of_a_request_waits_for_more, set_up),
		cmocka_unit_test_setup(pipelined_requests_are_taken_one_by_one, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
