// SPDX-License-Identifier: Apache-2.0
/* The filters access and limits: who may pass, and with what. */
#include "fake_exchange.h"

static const struct {
	const char *filters, *client;
	unsigned status; /* 0: passes */
} clients[] = {
	{"[access]", "192.0.2.1", 0},
	{"[access: {allow: 192.0.2.0/24}]", "192.0.2.1", 0},
	{"[access: {allow: 192.0.2.0/24}]", "198.51.100.1", 403},
	{"[access: {deny: 192.0.2.0/24}]", "192.0.2.1", 403},
	{"[access: {deny: 192.0.2.0/24}]", "198.51.100.1", 0},
	{"[access: {allow: 192.0.2.0/24, deny: 192.0.2.1}]", "192.0.2.1", 403},
	{"[access: {allow: 192.0.2.0/24, deny: 192.0.2.1}]", "192.0.2.2", 0},
	{"[access: {allow: 192.0.2.1, deny: 192.0.2.0/24}]", "192.0.2.1", 0},
	{"[access: {allow: 192.0.2.1, deny: 192.0.2.1}]", "192.0.2.1", 403},
	{"[access: {allow: 0.0.0.0/0}]", "2001:db8::1", 403},
	{"[access: {allow: ['2001:db8::/32', 10.0.0.0/8]}]", "2001:db8::1", 0},
	{"[access: {deny: 192.0.2.0/24}]", "::ffff:192.0.2.1", 403},
	{"[access: {deny: 192.0.2.0/24, status: 404}]", "192.0.2.1", 404},
};

#define REQUEST "GET /12345 HTTP/1.1\r\nHost: a\r\n\r\n"

static void clients_pass_by_their_network(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		struct fake_exchange fake;
		enum filter_verdict verdict;

		fake_init(&fake, clients[i].filters);
		assert_int_equal(
			address_parse_ip(slice_from_str(clients[i].client), 1, &fake.client), 0);
		verdict = fake_ask(&fake, REQUEST);
		if (verdict != (clients[i].status ? FILTER_ANSWER : FILTER_CONTINUE))
			fail_msg("case %zu", i);
		if (clients[i].status)
			assert_int_equal(fake.response.status, clients[i].status);
		fake_done(&fake);
	}
}

static const struct {
	const char *options, *request;
	unsigned status;
	const char *detail;
} requests[] = {
	{"{}", REQUEST, 0, NULL},
	{"{max_uri: 6}", REQUEST, 0, NULL},
	{"{max_uri: 5}", REQUEST, 414, "limits.max_uri"},
	{"{max_fields: 1}", REQUEST, 0, NULL},
	{"{max_fields: 1}", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n", 431, "limits.max_fields"},
	{"{max_field: 6}", "GET / HTTP/1.1\r\nHost: a\r\nA: 12345\r\n\r\n", 0, NULL},
	{"{max_field: 6}", "GET / HTTP/1.1\r\nHost: a\r\nA: 123456\r\n\r\n", 431,
	 "limits.max_field"},
	{"{methods: [GET, POST]}", REQUEST, 0, NULL},
	{"{methods: [POST, PUT]}", REQUEST, 405, "limits.methods"},
};

static void requests_pass_by_their_size_and_method(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct fake_exchange fake;
		char text[128];

		snprintf(text, sizeof(text), "[limits: %s]", requests[i].options);
		fake_init(&fake, text);
		if (fake_ask(&fake, requests[i].request) !=
		    (requests[i].status ? FILTER_ANSWER : FILTER_CONTINUE))
			fail_msg("case %zu", i);
		if (requests[i].status) {
			assert_int_equal(fake.response.status, requests[i].status);
			assert_string_equal(filter_chain_detail(fake.exchange), requests[i].detail);
		}
		if (requests[i].status == 405)
			expect_field(&fake.response.fields, "Allow", "POST");
		fake_done(&fake);
	}
}

static void the_least_limit_of_a_body_holds(void **state)
{
	struct fake_exchange fake;

	(void)state;
	fake_init(&fake, "[limits: {max_body: 10}, limits: {max_body: 5}, limits: {max_body: 7}, "
			 "limits]");
	assert_int_equal(fake_ask(&fake, REQUEST), FILTER_CONTINUE);
	assert_int_equal(fake.exchange->max_request_body, 5);
	fake_done(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_pass_by_their_network),
		cmocka_unit_test(requests_pass_by_their_size_and_method),
		cmocka_unit_test(the_least_limit_of_a_body_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
