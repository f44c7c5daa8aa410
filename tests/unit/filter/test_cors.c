// SPDX-License-Identifier: Apache-2.0
/* The filter cors: origins, preflights, and what answers say. */
#include "fake_exchange.h"

#define GET(fields) "GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define PREFLIGHT(fields) \
	"OPTIONS / HTTP/1.1\r\nHost: a\r\nAccess-Control-Request-Method: PUT\r\n" fields "\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static const char usual[] =
	"[cors: {origins: ['https://app.example', 'https://*.shop.example', "
	"'http://[2001:db8::1]:8080'], methods: [GET, PUT], headers: [X-A, X-B], "
	"expose: X-C, credentials: true, max_age: 1h}]";

static const struct {
	const char *origin;
	bool may;
} origins[] = {
	{"https://app.example", true},
	{"HTTPS://App.Example", true},
	{"http://app.example", false},
	{"https://app.example:8443", false},
	{"https://app.example.evil", false},
	{"https://evil-app.example", false},
	{"https://a.shop.example", true},
	{"https://a.b.shop.example", true},
	{"https://shop.example", false},
	{"https://.shop.example", false},
	{"https://evil/.shop.example", false},
	{"https://evil@a.shop.example", false},
	{"https://evil:1.shop.example", false},
	{"https://evilshop.example", false},
	{"http://[2001:db8::1]:8080", true},
	{"null", false},
	{"*", false},
	{"", false},
};

static void answers_name_the_origin_that_may(void **state)
{
	struct fake_exchange fake;
	char request[256];

	(void)state;
	fake_init(&fake, usual);
	for (size_t i = 0; i < ARRAY_SIZE(origins); i++) {
		const struct http_field *field;

		snprintf(request, sizeof(request), GET("Origin: %s\r\n"), origins[i].origin);
		assert_int_equal(fake_ask(&fake, request), FILTER_CONTINUE);
		assert_int_equal(fake_answer(&fake, ANSWER, HTTP_METHOD_GET), FILTER_CONTINUE);
		expect_field(&fake.response.fields, "Vary", "Origin");
		field = http_fields_find(&fake.response.fields,
					 HTTP_FIELD_ACCESS_CONTROL_ALLOW_ORIGIN);
		if ((field != NULL) != origins[i].may)
			fail_msg("%s", origins[i].origin);
		if (!field)
			continue;
		assert_true(slice_equal_str(field->value, origins[i].origin));
		expect_field(&fake.response.fields, "Access-Control-Allow-Credentials", "true");
		expect_field(&fake.response.fields, "Access-Control-Expose-Headers", "X-C");
	}
	fake_done(&fake);
}

static void two_origins_are_none(void **state)
{
	struct fake_exchange fake;

	(void)state;
	fake_init(&fake, usual);
	fake_ask(&fake, GET("Origin: https://app.example\r\nOrigin: https://app.example\r\n"));
	fake_answer(&fake, ANSWER, HTTP_METHOD_GET);
	expect_field(&fake.response.fields, "Access-Control-Allow-Origin", NULL);
	fake_done(&fake);
}

static void what_the_backend_says_of_it_goes(void **state)
{
	struct fake_exchange fake;

	(void)state;
	fake_init(&fake, usual);
	fake_ask(&fake, GET("Origin: https://evil.example\r\n"));
	fake_answer(&fake,
		    "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\n"
		    "Access-Control-Allow-Credentials: true\r\nContent-Length: 0\r\n\r\n",
		    HTTP_METHOD_GET);
	expect_field(&fake.response.fields, "Access-Control-Allow-Origin", NULL);
	expect_field(&fake.response.fields, "Access-Control-Allow-Credentials", NULL);
	fake_done(&fake);
}

static void preflights_are_answered(void **state)
{
	struct fake_exchange fake;

	(void)state;
	fake_init(&fake, usual);
	assert_int_equal(fake_ask(&fake, PREFLIGHT("Origin: https://app.example\r\n")),
			 FILTER_ANSWER);
	assert_int_equal(fake.response.status, 204);
	assert_int_equal(filter_chain_on_response_head(fake.exchange), FILTER_CONTINUE);
	expect_field(&fake.response.fields, "Access-Control-Allow-Origin", "https://app.example");
	expect_field(&fake.response.fields, "Access-Control-Allow-Methods", "GET, PUT");
	expect_field(&fake.response.fields, "Access-Control-Allow-Headers", "X-A, X-B");
	expect_field(&fake.response.fields, "Access-Control-Max-Age", "3600");
	expect_field(&fake.response.fields, "Vary", "Origin");
	assert_int_equal(fake_ask(&fake, PREFLIGHT("Origin: https://evil.example\r\n")),
			 FILTER_ANSWER);
	assert_int_equal(fake.response.status, 403);
	/* OPTIONS that are none. */
	assert_int_equal(fake_ask(&fake, PREFLIGHT("")), FILTER_CONTINUE);
	assert_int_equal(fake_ask(&fake, "OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: "
					 "https://app.example\r\n\r\n"),
			 FILTER_CONTINUE);
	fake_done(&fake);
}

static void everybody_may_where_that_is_asked_for(void **state)
{
	struct fake_exchange fake;

	(void)state;
	fake_init(&fake, "[cors: {origins: '*', headers: '*'}]");
	fake_ask(&fake, PREFLIGHT("Origin: https://any.example\r\n"
				  "Access-Control-Request-Headers: x-a, x-b\r\n"));
	filter_chain_on_response_head(fake.exchange);
	expect_field(&fake.response.fields, "Access-Control-Allow-Origin", "*");
	expect_field(&fake.response.fields, "Access-Control-Allow-Headers", "x-a, x-b");
	expect_field(&fake.response.fields, "Vary", "Access-Control-Request-Headers");
	/* Only names come back. */
	fake_ask(&fake, PREFLIGHT("Origin: https://any.example\r\n"
				  "Access-Control-Request-Headers: x-a, <b>\r\n"));
	filter_chain_on_response_head(fake.exchange);
	expect_field(&fake.response.fields, "Access-Control-Allow-Headers", NULL);
	/* A cache may give the answer to anybody. */
	fake_ask(&fake, GET(""));
	fake_answer(&fake, ANSWER, HTTP_METHOD_GET);
	expect_field(&fake.response.fields, "Access-Control-Allow-Origin", "*");
	expect_field(&fake.response.fields, "Vary", NULL);
	fake_done(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_name_the_origin_that_may),
		cmocka_unit_test(two_origins_are_none),
		cmocka_unit_test(what_the_backend_says_of_it_goes),
		cmocka_unit_test(preflights_are_answered),
		cmocka_unit_test(everybody_may_where_that_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
