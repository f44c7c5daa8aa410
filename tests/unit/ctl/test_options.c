// SPDX-License-Identifier: Apache-2.0
#include "ctl/ctl_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char *line_copy;

/* Splits @line at blanks and parses it as the command line after the program's name. */
static int parse(const char *line, struct ctl_options *ret, struct strbuf *error)
{
	static char *argv[16];
	int argc = 1;

	free(line_copy);
	line_copy = strdup(line);
	argv[0] = (char *)"sluicectl";
	for (char *word = strtok(line_copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return options_parse(argc, argv, ret, error);
}

static struct ctl_options accept(const char *line)
{
	struct ctl_options options;
	struct strbuf error = {0};

	if (parse(line, &options, &error) < 0)
		fail_msg("'%s': %s", line, error.text);
	return options;
}

static void refuse(const char *line, const char *expected)
{
	struct ctl_options options;
	struct strbuf error = {0};

	assert_int_equal(parse(line, &options, &error), -EINVAL);
	assert_string_equal(error.text, expected);
	strbuf_done(&error);
}

static void every_command_is_known_by_its_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
		if (i == CTL_COMMAND_ENDPOINT)
			continue;
		assert_int_equal(accept(command_name(i)).command, i);
	}
}

static void orders_to_the_guard_are_read(void **state)
{
	struct ctl_options options = accept("guard block 192.0.2.0/24 for 12h abuse");

	(void)state;
	assert_string_equal(options.action, "block");
	assert_string_equal(options.network, "192.0.2.0/24");
	assert_int_equal(options.seconds, 12 * 3600);
	assert_string_equal(options.reason, "abuse");
	options = accept("guard allow 192.0.2.1");
	assert_int_equal(options.seconds, 0);
	assert_null(options.reason);
	assert_string_equal(accept("guard").action, "status");
	assert_string_equal(accept("guard mode monitor").mode, "monitor");
	assert_int_equal(accept("guard ban 192.0.2.1 for 366d").seconds, 31622400);
	assert_int_equal(accept("capture --seconds 5 --limit 7").seconds, 5);
	refuse("guard block 192.0.2.1 for 367d",
	       "for: '367d' is not a time such as 90s, 10m, 12h or 7d");
	refuse("guard block 192.0.2.1 for", "for: '' is not a time such as 90s, 10m, 12h or 7d");
	refuse("capture --seconds 0", "--seconds: '0' is not a number from 1 to 3600");
	refuse("guard --seconds 5", "guard does not take --seconds or --output");
}

static void orders_to_the_guard_are_checked(void **state)
{
	(void)state;
	assert_string_equal(accept("guard unblock 2001:db8::/32").network, "2001:db8::/32");
	assert_string_equal(accept("guard ban 2001:db8::1 for 5s").network, "2001:db8::1");
	assert_string_equal(accept("guard ban 2001:db8::/64 for 5s").network, "2001:db8::/64");
	refuse("guard mode nope", "guard mode: 'nope' is not off, monitor or enforce");
	refuse("guard block nope",
	       "guard block: 'nope' is not a network such as 192.0.2.0/24 or 2001:db8::/32");
	refuse("guard allow 192.0.2.1/24",
	       "guard allow: '192.0.2.1/24' is not a network such as 192.0.2.0/24 or "
	       "2001:db8::/32");
	refuse("guard unblock 192.0.2.0/33",
	       "guard unblock: '192.0.2.0/33' is not a network such as 192.0.2.0/24 or "
	       "2001:db8::/32");
	refuse("guard ban 192.0.2.0/24 for 5s",
	       "guard ban: '192.0.2.0/24' is not an address such as 192.0.2.1 or 2001:db8::1, or a "
	       "/64 of IPv6");
	refuse("guard ban 2001:db8::/32 for 5s",
	       "guard ban: '2001:db8::/32' is not an address such as 192.0.2.1 or 2001:db8::1, or "
	       "a /64 of IPv6");
}

static void addresses_are_read_and_checked(void **state)
{
	struct ctl_options options = accept("geo 192.0.2.1 2001:db8::1 --json");

	(void)state;
	assert_int_equal(options.naddresses, 2);
	assert_string_equal(options.addresses[0], "192.0.2.1");
	assert_string_equal(options.addresses[1], "2001:db8::1");
	assert_true(options.is_json);
	assert_int_equal(accept("geo").naddresses, 0);
	refuse("geo 192.0.2.1 192.0.2.256",
	       "geo: '192.0.2.256' is not an address such as 192.0.2.1 or 2001:db8::1");
	refuse("geo 192.0.2.0/24",
	       "geo: '192.0.2.0/24' is not an address such as 192.0.2.1 or 2001:db8::1");
	refuse("geo --limit 3", "geo does not take --limit");
}

static void state_is_one_of_those_that_there_are(void **state)
{
	(void)state;
	assert_string_equal(accept("connections --state http").state, "http");
	refuse("connections --state nope",
	       "--state: 'nope' is not one of proxy_header, client_hello, tls_handshake, queued, "
	       "connecting, http, relay, closing");
}

static void options_stand_on_either_side_of_the_command(void **state)
{
	struct ctl_options options = accept("--json pools -s /tmp/x --timeout=250ms --no-color");

	(void)state;
	assert_int_equal(options.command, CTL_COMMAND_POOLS);
	assert_true(options.is_json);
	assert_true(options.no_colour);
	assert_string_equal(options.socket, "/tmp/x");
	assert_int_equal(options.timeout_ms, 250);
}

static void socket_comes_from_option_then_environment_then_default(void **state)
{
	(void)state;
	unsetenv("SLUICE_SOCKET");
	assert_string_equal(accept("status").socket, CTL_DEFAULT_SOCKET);
	setenv("SLUICE_SOCKET", "/tmp/env", 1);
	assert_string_equal(accept("status").socket, "/tmp/env");
	assert_string_equal(accept("-s /tmp/opt status").socket, "/tmp/opt");
	setenv("SLUICE_SOCKET", "", 1);
	assert_string_equal(accept("status").socket, CTL_DEFAULT_SOCKET);
	unsetenv("SLUICE_SOCKET");
}

static void endpoint_takes_an_action(void **state)
{
	struct ctl_options options = accept("endpoint web 10.0.0.1:80 drain");

	(void)state;
	assert_string_equal(options.pool, "web");
	assert_string_equal(options.endpoint, "10.0.0.1:80");
	assert_string_equal(options.action, "drain");
	options = accept("endpoint web 10.0.0.1:80 weight 256");
	assert_int_equal(options.weight, 256);
}

static void endpoint_refuses_what_is_no_action(void **state)
{
	static const char usage[] = "endpoint takes: POOL ADDRESS ready|drain|maint|weight N";

	(void)state;
	refuse("endpoint", usage);
	refuse("endpoint web a:1", usage);
	refuse("endpoint web a:1 weight", usage);
	refuse("endpoint web a:1 drain now", usage);
	refuse("endpoint web a:1 kill", "endpoint: 'kill' is not ready, drain, maint or weight");
	refuse("endpoint web a:1 weight 257", "weight: '257' is not a number from 0 to 256");
	refuse("endpoint web a:1 weight 1x", "weight: '1x' is not a number from 0 to 256");
}

static void filters_belong_to_connections_alone(void **state)
{
	struct ctl_options options = accept(
		"connections --limit 5 --listener l --pool p --endpoint e --state relay");

	(void)state;
	assert_int_equal(options.limit, 5);
	assert_string_equal(options.listener, "l");
	assert_string_equal(options.pool, "p");
	assert_string_equal(options.endpoint, "e");
	assert_string_equal(options.state, "relay");
	refuse("--limit 5 pools", "pools does not take --limit");
	refuse("status -n 3", "status does not take -n");
	refuse("connections --limit 0", "--limit: '0' is not a number from 1 to 65536");
}

static void top_may_begin_with_any_panel(void **state)
{
	(void)state;
	assert_int_equal(accept("top").panel, TOP_POOLS);
	assert_int_equal(accept("top services -n 2").panel, TOP_SERVICES);
	refuse("top pool", "top: 'pool' is not pools, listeners, connections, services or guard");
	refuse("top guard now", "top takes no 'now'");
}

static void wrong_usage_is_named(void **state)
{
	(void)state;
	refuse("", "a command is missing");
	refuse("statsu", "unknown command 'statsu'");
	refuse("status now", "status takes no 'now'");
	refuse("--frob status", "unknown option '--frob'");
	refuse("guard ban 192.0.2.1 for -1s", "unknown option '-1'");
	refuse("status --json=yes", "unknown option '--json=yes'");
	refuse("status -s", "-s needs a value");
	refuse("status --timeout never",
	       "--timeout: 'never' is not a duration such as 5s or 500ms");
}

static void help_needs_no_arguments(void **state)
{
	struct ctl_options options = accept("--help");

	(void)state;
	assert_true(options.wants_help);
	assert_false(options.has_command);
	options = accept("endpoint --help");
	assert_true(options.wants_help);
	assert_int_equal(options.command, CTL_COMMAND_ENDPOINT);
	assert_true(accept("-V").wants_version);
}

static void flows_have_options_of_their_own(void **state)
{
	struct ctl_options options = accept("flows");

	(void)state;
	assert_string_equal(options.instance, "default");
	assert_string_equal(options.pin_path, CTL_DEFAULT_PINS);
	options = accept("flows --instance edge-1 --pin-path /run/bpf --verdicts");
	assert_string_equal(options.instance, "edge-1");
	assert_string_equal(options.pin_path, "/run/bpf");
	assert_true(options.wants_verdicts && !options.wants_discard);
	refuse("flows --instance ../x", "--instance: '../x' is not the name of an instance");
	refuse("pools --discard",
	       "pools does not take --instance, --pin-path, --verdicts or --discard");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_is_known_by_its_name),
		cmocka_unit_test(flows_have_options_of_their_own),
		cmocka_unit_test(orders_to_the_guard_are_read),
		cmocka_unit_test(orders_to_the_guard_are_checked),
		cmocka_unit_test(addresses_are_read_and_checked),
		cmocka_unit_test(state_is_one_of_those_that_there_are),
		cmocka_unit_test(options_stand_on_either_side_of_the_command),
		cmocka_unit_test(socket_comes_from_option_then_environment_then_default),
		cmocka_unit_test(endpoint_takes_an_action),
		cmocka_unit_test(endpoint_refuses_what_is_no_action),
		cmocka_unit_test(filters_belong_to_connections_alone),
		cmocka_unit_test(top_may_begin_with_any_panel),
		cmocka_unit_test(wrong_usage_is_named),
		cmocka_unit_test(help_needs_no_arguments),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(line_copy);
	return failed;
}
