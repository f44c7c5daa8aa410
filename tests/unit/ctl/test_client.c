// SPDX-License-Identifier: Apache-2.0
#include "ctl/ctl_internal.h"
#include "unit/ctl/fake_daemon.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* Calls "ping" once against @answer. */
static int call(const char *answer, uint32_t timeout_ms, json_t **result, struct strbuf *error)
{
	const char *const answers[] = {answer, NULL};
	struct fake_daemon daemon;
	struct client client;
	json_t *request = json_pack("{s:s}", "command", "ping");
	int r;

	fake_daemon_start(&daemon, answers);
	assert_int_equal(client_open(daemon.path, timeout_ms, &client), 0);
	r = client_call(&client, request, result, error);
	client_close(&client);
	fake_daemon_stop(&daemon);
	assert_string_equal(daemon.requests, "{\"command\":\"ping\",\"v\":1}\n");
	json_decref(request);
	return r;
}

static void result_comes_back(void **state)
{
	struct strbuf error = {0};
	json_t *result = NULL;

	(void)state;
	assert_int_equal(
		call("{\"v\":1,\"ok\":true,\"result\":{\"a\":1}}\n", 5000, &result, &error), 0);
	assert_int_equal(member_count(result, "a"), 1);
	json_decref(result);
}

static void refusal_carries_the_daemons_words(void **state)
{
	struct strbuf error = {0};
	json_t *result = NULL;

	(void)state;
	assert_int_equal(
		call("{\"v\":1,\"ok\":false,\"error\":{\"code\":\"x\",\"message\":\"no\"}}\n", 5000,
		     &result, &error),
		-EREMOTEIO);
	assert_string_equal(error.text, "no");
	assert_null(result);
	strbuf_done(&error);
}

static void answers_of_another_protocol_are_refused(void **state)
{
	static const char *const answers[] = {
		"hello\n",
		"{}\n",
		"[1]\n",
		"{\"v\":2,\"ok\":true,\"result\":{}}\n",
		"{\"v\":1,\"ok\":1,\"result\":{}}\n",
		"{\"v\":1,\"ok\":true,\"result\":[]}\n",
		"{\"v\":1,\"ok\":true}\n",
	};
	struct strbuf error = {0};
	json_t *result = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		assert_int_equal(call(answers[i], 5000, &result, &error), -EPROTO);
}

static void silence_and_hang_up_are_told_apart(void **state)
{
	struct strbuf error = {0};
	json_t *result = NULL;

	(void)state;
	assert_int_equal(call("{\"v\":1,", 5000, &result, &error), -ECONNRESET);
}

static void a_daemon_that_does_not_answer_times_out(void **state)
{
	int fds[2];
	struct client client;
	struct strbuf error = {0};
	json_t *result = NULL, *request = json_pack("{s:s}", "command", "ping");

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	client = (struct client){.fd = fds[0], .timeout_ms = 1};
	assert_int_equal(client_call(&client, request, &result, &error), -ETIMEDOUT);
	client_close(&client);
	close(fds[1]);
	json_decref(request);
}

static void answers_in_one_packet_are_kept_apart(void **state)
{
	static const char answers[] = "{\"v\":1,\"ok\":true,\"result\":{\"n\":1}}\n"
				      "{\"v\":1,\"ok\":true,\"result\":{\"n\":2}}\n";
	int fds[2];
	struct client client;
	struct strbuf error = {0};

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	client = (struct client){.fd = fds[0], .timeout_ms = 5000};
	assert_int_equal(write(fds[1], answers, strlen(answers)), strlen(answers));
	for (unsigned n = 1; n <= 2; n++) {
		json_t *result = NULL, *request = json_pack("{s:s}", "command", "ping");

		assert_int_equal(client_call(&client, request, &result, &error), 0);
		assert_int_equal(member_count(result, "n"), n);
		json_decref(result);
		json_decref(request);
	}
	client_close(&client);
	close(fds[1]);
}

static void absent_and_dead_sockets_are_explained(void **state)
{
	struct client client;
	struct strbuf text = {0};

	(void)state;
	assert_int_equal(client_open("/nonexistent/sluice.sock", 100, &client), -ENOENT);
	client_explain("/nonexistent/sluice.sock", -ENOENT, &text);
	assert_non_null(strstr(text.text, "/nonexistent/sluice.sock: there is no such socket"));
	strbuf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(result_comes_back),
		cmocka_unit_test(refusal_carries_the_daemons_words),
		cmocka_unit_test(answers_of_another_protocol_are_refused),
		cmocka_unit_test(silence_and_hang_up_are_told_apart),
		cmocka_unit_test(a_daemon_that_does_not_answer_times_out),
		cmocka_unit_test(answers_in_one_packet_are_kept_apart),
		cmocka_unit_test(absent_and_dead_sockets_are_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
