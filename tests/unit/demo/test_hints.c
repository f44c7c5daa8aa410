// SPDX-License-Identifier: Apache-2.0
#include "demo/hints.h"
#include "demo/origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct address parse(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(slice_from_str(text), &address), 0);
	return address;
}

static void only_loopback_endpoints_are_played_each_once(void **state)
{
	struct config_endpoint first[] = {
		{.address = parse("127.0.0.1:9001")},
		{.address = parse("192.0.2.1:80")},
		{.address = parse("[::1]:9001")},
		{.address = parse("unix:/run/x")},
		{.host = "dns.example"},
	};
	struct config_endpoint second[] = {
		{.address = parse("127.0.0.1:9001")},
		{.address = parse("127.0.0.2:9001")},
	};
	struct config_pool pools[] = {
		{.endpoints = first, .nendpoints = 5},
		{.endpoints = second, .nendpoints = 2},
	};
	struct config config = {.pools = pools, .npools = 2};
	struct address found[8];
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_int_equal(demo_origin_addresses(&config, found, 8), 3);
	assert_string_equal(address_format(&found[0], text), "127.0.0.1:9001");
	assert_string_equal(address_format(&found[1], text), "[::1]:9001");
	assert_string_equal(address_format(&found[2], text), "127.0.0.2:9001");
	assert_int_equal(demo_origin_addresses(&config, found, 2), 2);
}

static char *hints_for(const struct config *config)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	demo_print_hints(out, config);
	fclose(out);
	return text;
}

static void hints_name_addresses_that_a_client_can_use(void **state)
{
	struct config_bind bind = {.address = parse("0.0.0.0:8080")};
	struct config_listener listener = {.name = "web", .binds = &bind, .nbinds = 1};
	struct config config = {.path = "quickstart.yaml", .listeners = &listener, .nlisteners = 1};
	char *text;

	(void)state;
	config.admin.listen = parse("[::]:9901");
	config.admin.socket = "/tmp/s.sock";
	text = hints_for(&config);
	assert_non_null(strstr(text, "curl -s http://127.0.0.1:8080/"));
	assert_non_null(strstr(text, "curl http://[::1]:9901/metrics"));
	assert_non_null(strstr(text, "sluicectl --socket /tmp/s.sock status"));
	free(text);
}

static void hints_leave_out_what_is_off(void **state)
{
	struct config config = {.path = "quickstart.yaml"};
	char *text = hints_for(&config);

	(void)state;
	assert_null(strstr(text, "sluicectl"));
	assert_null(strstr(text, "curl"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_loopback_endpoints_are_played_each_once),
		cmocka_unit_test(hints_name_addresses_that_a_client_can_use),
		cmocka_unit_test(hints_leave_out_what_is_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
