// SPDX-License-Identifier: Apache-2.0
#include "ctl/ctl_internal.h"
#include "unit/ctl/fake_daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static char *out_text, *err_text;

/* Runs sluicectl with a command line; @line ends with the words after `-s PATH`. */
static int run(const char *path, const char *line)
{
	char copy[256], *argv[16] = {(char *)"sluicectl", (char *)"-s", (char *)path};
	struct ctl_screen screen = {0};
	size_t size;
	int argc = 3, status;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	free(out_text);
	free(err_text);
	screen.out = open_memstream(&out_text, &size);
	screen.err = open_memstream(&err_text, &size);
	status = ctl_run(argc, argv, &screen);
	fclose(screen.out);
	fclose(screen.err);
	return status;
}

static int run_against(const char *answer, const char *line, const char *request)
{
	const char *const answers[] = {answer, NULL};
	struct fake_daemon daemon;
	int status;

	fake_daemon_start(&daemon, answers);
	status = run(daemon.path, line);
	fake_daemon_stop(&daemon);
	assert_string_equal(daemon.requests, request);
	return status;
}

static void success_exits_0(void **state)
{
	(void)state;
	assert_int_equal(run_against("{\"v\":1,\"ok\":true,\"result\":{\"generation\":2}}\n",
				     "reload", "{\"command\":\"reload\",\"v\":1}\n"),
			 CTL_EXIT_OK);
	assert_string_equal(out_text, "configuration loaded, generation 2\n");
	assert_string_equal(err_text, "");
}

static void json_prints_the_result_as_it_came(void **state)
{
	(void)state;
	assert_int_equal(run_against("{\"v\":1,\"ok\":true,\"result\":{\"b\":[1],\"a\":\"x\"}}\n",
				     "--json status", "{\"command\":\"status\",\"v\":1}\n"),
			 CTL_EXIT_OK);
	assert_string_equal(out_text, "{\n  \"b\": [\n    1\n  ],\n  \"a\": \"x\"\n}\n");
}

static void a_refusal_exits_1_with_the_daemons_words(void **state)
{
	(void)state;
	assert_int_equal(
		run_against("{\"v\":1,\"ok\":false,\"error\":{\"code\":\"not_found\","
			    "\"message\":\"there is no pool \\\"x\\\"\"}}\n",
			    "endpoint x 10.0.0.1:80 weight 3",
			    "{\"command\":\"endpoint\",\"pool\":\"x\",\"endpoint\":\"10.0.0.1:80\","
			    "\"action\":\"weight\",\"weight\":3,\"v\":1}\n"),
		CTL_EXIT_FAILED);
	assert_string_equal(out_text, "");
	assert_string_equal(err_text, "sluicectl: there is no pool \"x\"\n");
}

static void wrong_usage_exits_2(void **state)
{
	static const char *const lines[] = {
		"",
		"frob",
		"--frob status",
		"status extra",
		"status -n 3",
		"--timeout 5x status",
		"connections --state nope",
		"connections --limit 0",
		"endpoint pool 10.0.0.1:80",
		"endpoint pool 10.0.0.1:80 weigh 3",
		"top nope",
		"geo 1.2.3",
		"guard frob",
		"flows --instance ../x",
		"capture --seconds 0",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_int_equal(run("/nonexistent", lines[i]), CTL_EXIT_USAGE);
		assert_non_null(strstr(err_text, "Try 'sluicectl --help'."));
	}
	run("/nonexistent", "frob");
	assert_non_null(strstr(err_text, "unknown command 'frob'"));
}

static void no_daemon_exits_3_and_names_the_socket(void **state)
{
	(void)state;
	assert_int_equal(run("/nonexistent/s", "status"), CTL_EXIT_UNREACHABLE);
	assert_non_null(strstr(err_text, "/nonexistent/s: "));
	assert_int_equal(run("/nonexistent/s", "top -n 1"), CTL_EXIT_UNREACHABLE);
	assert_non_null(strstr(err_text, "/nonexistent/s: "));
}

static void filters_go_to_the_daemon(void **state)
{
	(void)state;
	assert_int_equal(
		run_against("{\"v\":1,\"ok\":true,\"result\":{}}\n",
			    "connections --pool p --state relay --limit 7",
			    "{\"command\":\"connections\",\"pool\":\"p\",\"state\":\"relay\","
			    "\"limit\":7,\"v\":1}\n"),
		CTL_EXIT_OK);
}

static void every_command_has_its_help(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
		char line[64], usage[64];

		snprintf(line, sizeof(line), "%s --help", command_name(i));
		snprintf(usage, sizeof(usage), "Usage: sluicectl [OPTIONS] %s", command_name(i));
		assert_int_equal(run("/nonexistent", line), CTL_EXIT_OK);
		assert_memory_equal(out_text, usage, strlen(usage));
	}
	assert_int_equal(run("/nonexistent", "-V"), CTL_EXIT_OK);
	assert_string_equal(out_text, "sluicectl " SLUICE_VERSION "\n");
}

static void top_without_a_terminal_prints_one_snapshot(void **state)
{
	static const char *const answers[] = {
		"{\"v\":1,\"ok\":true,\"result\":{\"version\":\"1\",\"state\":\"serving\"}}\n",
		"{\"v\":1,\"ok\":true,\"result\":{\"listeners\":[]}}\n",
		"{\"v\":1,\"ok\":true,\"result\":{\"pools\":[{\"name\":\"p\",\"endpoints\":["
		"{\"address\":\"a:1\",\"admin\":\"ready\",\"health\":\"up\",\"active\":1}]}]}}\n",
		"{\"v\":1,\"ok\":true,\"result\":{\"connections\":[]}}\n",
		"{\"v\":1,\"ok\":true,\"result\":{\"services\":[]}}\n",
		"{\"v\":1,\"ok\":true,\"result\":{\"mode\":\"off\",\"reasons\":[]}}\n",
		"{\"v\":1,\"ok\":true,\"result\":{\"talkers\":[]}}\n",
		NULL,
	};
	struct fake_daemon daemon;

	(void)state;
	fake_daemon_start(&daemon, answers);
	assert_int_equal(run(daemon.path, "top"), CTL_EXIT_OK);
	fake_daemon_stop(&daemon);
	assert_string_equal(
		out_text, "sluiced 1, serving for 0s, generation 0\n"
			  "0 connections, 0/s new; pools by name\n"
			  "\n"
			  "POOL  ENDPOINT  STATE  ACTIVE  CONN/S     IN    OUT  FAILED  TIME\n"
			  "p     a:1       up          1       0  0 B/s  0 B/s       0     -\n\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(success_exits_0),
		cmocka_unit_test(json_prints_the_result_as_it_came),
		cmocka_unit_test(a_refusal_exits_1_with_the_daemons_words),
		cmocka_unit_test(wrong_usage_exits_2),
		cmocka_unit_test(no_daemon_exits_3_and_names_the_socket),
		cmocka_unit_test(filters_go_to_the_daemon),
		cmocka_unit_test(every_command_has_its_help),
		cmocka_unit_test(top_without_a_terminal_prints_one_snapshot),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(out_text);
	free(err_text);
	return failed;
}
