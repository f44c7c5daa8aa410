// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "http/upgrade.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct message {
	struct arena arena;
	struct http_fields fields;
};

static void add(struct message *message, const char *value)
{
	message->fields.arena = &message->arena;
	assert_int_equal(
		http_fields_add_id(&message->fields, HTTP_FIELD_UPGRADE, slice_from_str(value)), 0);
}

static void expect_offer(const char *first, const char *second, const char *expected)
{
	struct message message = {};
	struct slice offer;

	add(&message, first);
	if (second)
		add(&message, second);
	assert_int_equal(http_upgrade_offer(&message.fields, &offer), 0);
	if (!slice_equal_str(offer, expected))
		fail_msg("%s: offers %.*s", first, SLICE_FMT(offer));
	arena_done(&message.arena);
}

static void protocols_of_their_own_are_offered(void **state)
{
	(void)state;
	expect_offer("websocket", NULL, "websocket");
	expect_offer("IRC/6.9, RTA/x11", NULL, "IRC/6.9, RTA/x11");
	expect_offer("websocket", "tcp", "websocket, tcp");
	expect_offer("h2cx, xh2c, https", NULL, "h2cx, xh2c, https");
}

static void protocols_that_carry_requests_are_not(void **state)
{
	(void)state;
	expect_offer("h2c", NULL, "");
	expect_offer("H2C", NULL, "");
	expect_offer("HTTP/2.0", NULL, "");
	expect_offer("TLS/1.0, HTTP/1.1", NULL, "");
	expect_offer("h2c,websocket", NULL, "websocket");
	expect_offer("a,h2c,b", "h2c", "a, b");
	expect_offer(" , ,h2c\t,", NULL, "");
}

static void nothing_is_offered_without_a_field(void **state)
{
	struct http_fields none = {};
	struct slice offer = slice_from_str("x");

	(void)state;
	assert_int_equal(http_upgrade_offer(&none, &offer), 0);
	assert_int_equal(offer.len, 0);
}

static void list_to_be_made_needs_memory(void **state)
{
	struct message message = {};
	struct slice offer;

	(void)state;
	add(&message, "h2c, x");
	message.fields.arena = NULL;
	assert_int_equal(http_upgrade_offer(&message.fields, &offer), -ENOMEM);
	arena_done(&message.arena);
}

static bool is_offered(const char *chosen, const char *offer)
{
	struct message message = {};
	bool result;

	if (chosen)
		add(&message, chosen);
	result = http_upgrade_was_offered(&message.fields, slice_from_str(offer));
	arena_done(&message.arena);
	return result;
}

static void choice_is_one_of_what_was_offered(void **state)
{
	(void)state;
	assert_true(is_offered("WebSocket", "websocket"));
	assert_true(is_offered("b", "a, b"));
	assert_true(is_offered("b, a", "a, b"));
	assert_true(is_offered(NULL, "websocket"));
	assert_false(is_offered("h2c", "websocket"));
	assert_false(is_offered("websocket, h2c", "websocket"));
	assert_false(is_offered("h2c", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protocols_of_their_own_are_offered),
		cmocka_unit_test(protocols_that_carry_requests_are_not),
		cmocka_unit_test(nothing_is_offered_without_a_field),
		cmocka_unit_test(list_to_be_made_needs_memory),
		cmocka_unit_test(choice_is_one_of_what_was_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
