// SPDX-License-Identifier: Apache-2.0
#include "admin/admin_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static struct control_request take(const char *line)
{
	struct control_request request;
	struct control_error error = {0};

	if (control_request_parse(slice_from_str(line), &request, &error) < 0)
		fail_msg("%s: %s", line, error.message);
	return request;
}

static void refuse(const char *line, enum control_error_code code, const char *message)
{
	struct control_request request;
	struct control_error error = {0};

	assert_int_equal(control_request_parse(slice_from_str(line), &request, &error), -EINVAL);
	assert_int_equal(error.code, code);
	if (message)
		assert_string_equal(error.message, message);
}

static void every_command_is_known_by_its_name(void **state)
{
	static const char *const names[] = {
#define X(name, text) text,
		CONTROL_COMMANDS(X)
#undef X
	};

	(void)state;
	for (unsigned i = 0; i < CONTROL_COMMAND_COUNT; i++) {
		struct control_request request;
		char line[64];

		if (i == CONTROL_ENDPOINT || i == CONTROL_GUARD)
			continue;
		snprintf(line, sizeof(line), "{\"v\":1,\"command\":\"%s\"}", names[i]);
		request = take(line);
		assert_int_equal(request.command, i);
		assert_int_equal(request.limit, CONTROL_CONNECTIONS_LIMIT);
		control_request_done(&request);
	}
}

static void filters_are_read(void **state)
{
	struct control_request request = take(
		"{\"v\":1,\"command\":\"connections\",\"listener\":\"l\",\"pool\":\"p\","
		"\"endpoint\":\"e\",\"state\":\"client_hello\",\"limit\":65536}");

	(void)state;
	assert_string_equal(request.listener, "l");
	assert_string_equal(request.pool, "p");
	assert_string_equal(request.endpoint, "e");
	assert_true(request.has_state);
	assert_int_equal(request.state, CONNECTION_CLIENT_HELLO);
	assert_int_equal(request.limit, 65536);
	control_request_done(&request);
}

static void orders_to_the_guard_are_read_and_checked(void **state)
{
	struct control_request request = take(
		"{\"v\":1,\"command\":\"guard\",\"action\":\"ban\",\"network\":\"192.0.2.1\","
		"\"seconds\":60,\"reason\":\"x\"}");

	(void)state;
	assert_int_equal(request.guard_action, GUARD_ACTION_BAN);
	assert_int_equal(request.network.bits, 32);
	assert_int_equal(request.seconds, 60);
	assert_string_equal(request.reason, "x");
	control_request_done(&request);
	refuse("{\"v\":1,\"command\":\"guard\"}", CONTROL_ERROR_BAD_ARGUMENT,
	       "guard needs \"action\"");
	refuse("{\"v\":1,\"command\":\"guard\",\"action\":\"block\"}", CONTROL_ERROR_BAD_ARGUMENT,
	       "guard: \"network\" goes with block, allow, ban and unblock, and only there");
	refuse("{\"v\":1,\"command\":\"guard\",\"action\":\"block\",\"network\":\"10.0.0.1/8\"}",
	       CONTROL_ERROR_BAD_ARGUMENT,
	       "guard: \"network\" must be an address or network such as 192.0.2.0/24");
	refuse("{\"v\":1,\"command\":\"guard\",\"action\":\"mode\"}", CONTROL_ERROR_BAD_ARGUMENT,
	       "guard: \"mode\" goes with the action \"mode\", and only there");
	refuse("{\"v\":1,\"command\":\"guard\",\"action\":\"ban\",\"network\":\"10.0.0.1\"}",
	       CONTROL_ERROR_BAD_ARGUMENT, "guard: ban and capture need \"seconds\"");
	refuse("{\"v\":1,\"command\":\"guard\",\"action\":\"mode\",\"mode\":\"on\"}",
	       CONTROL_ERROR_BAD_ARGUMENT, "guard: \"mode\" must be off, monitor or enforce");
}

#define BAN(network)                                                                             \
	"{\"v\":1,\"command\":\"guard\",\"action\":\"ban\",\"seconds\":1,\"network\":\"" network \
	"\"}"

static void a_ban_is_of_one_source(void **state)
{
	static const char expected[] = "guard: ban takes one IPv4 address or a /64 of IPv6; block "
				       "takes any network";
	struct control_request request = take(BAN("2001:db8::/64"));

	(void)state;
	control_request_done(&request);
	request = take(BAN("2001:db8::1"));
	control_request_done(&request);
	refuse(BAN("10.0.0.0/8"), CONTROL_ERROR_BAD_ARGUMENT, expected);
	refuse(BAN("0.0.0.0/0"), CONTROL_ERROR_BAD_ARGUMENT, expected);
	refuse(BAN("2001:db8::/32"), CONTROL_ERROR_BAD_ARGUMENT, expected);
	refuse(BAN("2001:db8::/80"), CONTROL_ERROR_BAD_ARGUMENT, expected);
}

static void addresses_are_read_and_checked(void **state)
{
	static const char expected[] =
		"geo: \"addresses\" must be a list of at most 1000 IP addresses";
	struct control_request request = take(
		"{\"v\":1,\"command\":\"geo\",\"addresses\":[\"192.0.2.1\",\"::1\"]}");

	(void)state;
	assert_int_equal(json_array_size(request.addresses), 2);
	control_request_done(&request);
	request = take("{\"v\":1,\"command\":\"geo\"}");
	assert_null(request.addresses);
	control_request_done(&request);
	refuse("{\"v\":1,\"command\":\"geo\",\"addresses\":[\"192.0.2.1:80\"]}",
	       CONTROL_ERROR_BAD_ARGUMENT, expected);
	refuse("{\"v\":1,\"command\":\"geo\",\"addresses\":\"192.0.2.1\"}",
	       CONTROL_ERROR_BAD_ARGUMENT, expected);
	refuse("{\"v\":1,\"command\":\"geo\",\"addresses\":[1]}", CONTROL_ERROR_BAD_ARGUMENT,
	       expected);
}

static void orders_are_read(void **state)
{
	struct control_request request = take("{\"v\":1,\"command\":\"endpoint\",\"pool\":\"p\","
					      "\"endpoint\":\"e\",\"action\":\"maint\"}");

	(void)state;
	assert_int_equal(request.action, ENDPOINT_MAINT);
	assert_false(request.sets_weight);
	control_request_done(&request);
	request = take("{\"v\":1,\"command\":\"endpoint\",\"pool\":\"p\",\"endpoint\":\"e\","
		       "\"action\":\"weight\",\"weight\":0}");
	assert_true(request.sets_weight);
	assert_int_equal(request.weight, 0);
	control_request_done(&request);
}

static void what_is_not_an_object_is_refused(void **state)
{
	static const char *const lines[] = {
		"",
		" ",
		"null",
		"[1]",
		"{",
		"{}{}",
		"{\"v\":1,}",
		"{\"v\":1,\"v\":1}",
		"\xff\xfe",
		"\"x\"",
		"{\"v\":1,\"command\":\"p\\u0000\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		refuse(lines[i], CONTROL_ERROR_BAD_JSON, NULL);
}

static void other_versions_are_refused(void **state)
{
	(void)state;
	refuse("{}", CONTROL_ERROR_BAD_VERSION, "\"v\" must be 1");
	refuse("{\"v\":2,\"command\":\"ping\"}", CONTROL_ERROR_BAD_VERSION, "\"v\" must be 1");
	refuse("{\"v\":\"1\",\"command\":\"ping\"}", CONTROL_ERROR_BAD_VERSION, "\"v\" must be 1");
	refuse("{\"v\":1.0,\"command\":\"ping\"}", CONTROL_ERROR_BAD_VERSION, "\"v\" must be 1");
}

static void unknown_commands_and_members_are_refused(void **state)
{
	(void)state;
	refuse("{\"v\":1}", CONTROL_ERROR_UNKNOWN_COMMAND, "there is no command \"\"");
	refuse("{\"v\":1,\"command\":7}", CONTROL_ERROR_UNKNOWN_COMMAND,
	       "there is no command \"\"");
	refuse("{\"v\":1,\"command\":\"Ping\"}", CONTROL_ERROR_UNKNOWN_COMMAND,
	       "there is no command \"Ping\"");
	refuse("{\"v\":1,\"command\":\"pools\",\"limit\":3}", CONTROL_ERROR_BAD_ARGUMENT,
	       "pools does not know \"limit\"");
	refuse("{\"v\":1,\"command\":\"connections\",\"polo\":\"x\"}", CONTROL_ERROR_BAD_ARGUMENT,
	       "connections does not know \"polo\"");
}

static void values_out_of_range_are_refused(void **state)
{
	static const char *const members[] = {
		"\"limit\":0",        "\"limit\":65537", "\"limit\":\"9\"",   "\"limit\":1e3",
		"\"state\":\"gone\"", "\"state\":1",     "\"listener\":\"\"", "\"pool\":null",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		char line[128];

		snprintf(line, sizeof(line), "{\"v\":1,\"command\":\"connections\",%s}",
			 members[i]);
		refuse(line, CONTROL_ERROR_BAD_ARGUMENT, NULL);
	}
}

static void half_an_order_is_refused(void **state)
{
	static const char *const members[] = {
		"\"pool\":\"p\",\"endpoint\":\"e\"",
		"\"pool\":\"p\",\"action\":\"drain\"",
		"\"endpoint\":\"e\",\"action\":\"drain\"",
		"\"pool\":\"p\",\"endpoint\":\"e\",\"action\":\"stop\"",
		"\"pool\":\"p\",\"endpoint\":\"e\",\"action\":\"weight\"",
		"\"pool\":\"p\",\"endpoint\":\"e\",\"action\":\"weight\",\"weight\":257",
		"\"pool\":\"p\",\"endpoint\":\"e\",\"action\":\"weight\",\"weight\":-1",
		"\"pool\":\"p\",\"endpoint\":\"e\",\"action\":\"drain\",\"weight\":1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		char line[160];

		snprintf(line, sizeof(line), "{\"v\":1,\"command\":\"endpoint\",%s}", members[i]);
		refuse(line, CONTROL_ERROR_BAD_ARGUMENT, NULL);
	}
}

static void every_cut_of_a_request_is_refused(void **state)
{
	static const char line[] = "{\"v\":1,\"command\":\"endpoint\",\"pool\":\"p\","
				   "\"endpoint\":\"e\",\"action\":\"drain\"}";

	(void)state;
	for (size_t len = 0; len < sizeof(line) - 1; len++) {
		char *cut = strndup(line, len); /* so that reading beyond is seen */
		struct control_request request;
		struct control_error error;

		assert_int_equal(control_request_parse(slice_of(cut, len), &request, &error),
				 -EINVAL);
		free(cut);
	}
}

static void replies_are_lines_of_json(void **state)
{
	struct strbuf out = {0};

	(void)state;
	reply_ok_begin(&out);
	reply_text(&out, "a", "x\"\n\xff");
	reply_begin(&out, "list", '[');
	reply_count(&out, NULL, 1);
	reply_begin(&out, NULL, '{');
	reply_end(&out, '{');
	reply_text(&out, NULL, NULL);
	reply_end(&out, '[');
	reply_seconds(&out, "s", 1000064);
	reply_bool(&out, "b", false);
	reply_ok_end(&out);
	assert_string_equal(out.text,
			    "{\"v\":1,\"ok\":true,\"result\":{\"a\":\"x\\\"\\u000a\\ufffd\","
			    "\"list\":[1,{},\"\"],\"s\":1.000064,\"b\":false}}\n");
	strbuf_done(&out);
	reply_error(&out, CONTROL_ERROR_NOT_FOUND, "no");
	assert_string_equal(out.text, "{\"v\":1,\"ok\":false,\"error\":{\"code\":\"not_found\","
				      "\"message\":\"no\"}}\n");
	strbuf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_is_known_by_its_name),
		cmocka_unit_test(filters_are_read),
		cmocka_unit_test(orders_are_read),
		cmocka_unit_test(orders_to_the_guard_are_read_and_checked),
		cmocka_unit_test(a_ban_is_of_one_source),
		cmocka_unit_test(addresses_are_read_and_checked),
		cmocka_unit_test(what_is_not_an_object_is_refused),
		cmocka_unit_test(other_versions_are_refused),
		cmocka_unit_test(unknown_commands_and_members_are_refused),
		cmocka_unit_test(values_out_of_range_are_refused),
		cmocka_unit_test(half_an_order_is_refused),
		cmocka_unit_test(every_cut_of_a_request_is_refused),
		cmocka_unit_test(replies_are_lines_of_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
