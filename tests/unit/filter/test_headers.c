// SPDX-License-Identifier: Apache-2.0
/* The filter headers, and what it costs: nothing on the heap. */
#include "fake_exchange.h"

static unsigned allocations;

void *__real_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
void *__real_realloc(void *ptr, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	allocations++;
	return __real_calloc(count, size);
}

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
	allocations++;
	return __real_realloc(ptr, size);
}

static const char filters[] =
	"[{headers: {request: {remove: [X-Gone], set: [{name: X-Client, value: '${client_ip}'}, "
	"{name: X-Empty, value: '${header:Nothing}'}], add: [{name: X-More, value: '${method} "
	"${path}'}]}, response: {remove: Server, set: [{name: X-A, value: b}]}}}]";

static const char request[] = "GET /p HTTP/1.1\r\nHost: a\r\nX-Gone: 1\r\nx-gone: 2\r\n"
			      "X-Client: 6.6.6.6\r\nX-Empty: forged\r\nX-More: 1\r\n"
			      "X_Client: 6.6.6.6\r\nx_empty: forged\r\nx_gone: 3\r\n\r\n";
static const char response[] = "HTTP/1.1 200 OK\r\nServer: s\r\nX-A: 1\r\nX-A: 2\r\n"
			       "Content-Length: 0\r\n\r\n";

static void fields_are_removed_set_and_added(void **state)
{
	struct fake_exchange fake;

	(void)state;
	fake_init(&fake, filters);
	assert_int_equal(fake_ask(&fake, request), FILTER_CONTINUE);
	expect_field(&fake.request.fields, "X-Gone", NULL);
	expect_field(&fake.request.fields, "X-Client", "192.0.2.1");
	expect_field(&fake.request.fields, "X-Empty", NULL);
	expect_field(&fake.request.fields, "X-More", "1");
	/* CGI could not tell them from ours. */
	expect_field(&fake.request.fields, "X_Gone", NULL);
	expect_field(&fake.request.fields, "X_Client", NULL);
	expect_field(&fake.request.fields, "X_Empty", NULL);
	assert_int_equal(http_fields_remove_name(&fake.request.fields, slice_from_str("X-More")),
			 2);
	assert_int_equal(fake_answer(&fake, response, HTTP_METHOD_GET), FILTER_CONTINUE);
	expect_field(&fake.response.fields, "Server", NULL);
	expect_field(&fake.response.fields, "X-A", "b");
	assert_int_equal(http_fields_remove_name(&fake.response.fields, slice_from_str("X-A")), 1);
	fake_done(&fake);
}

static const char busy_request[] =
	"GET /p HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\nX-Client: 6.6.6.6\r\n\r\n";

static void expect_no_allocations(const char *list, const char *head)
{
	struct fake_exchange fake;

	fake_init(&fake, list);
	fake_ask(&fake, head);
	assert_true(allocations > 0);
	allocations = 0;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(fake_ask(&fake, head), FILTER_CONTINUE);
		assert_int_equal(fake_answer(&fake, response, HTTP_METHOD_GET), FILTER_CONTINUE);
	}
	assert_int_equal(allocations, 0);
	fake_done(&fake);
}

static void requests_after_the_first_allocate_nothing(void **state)
{
	(void)state;
	expect_no_allocations(filters, request);
}

static void nor_do_they_with_the_other_small_filters(void **state)
{
	(void)state;
	expect_no_allocations("[access: {allow: 192.0.2.0/24}, limits: {max_uri: 100, max_fields: "
			      "50, max_body: 1}, cors: {origins: ['https://app.example'], "
			      "credentials: true, expose: X-A}, rate_limit: {requests: 100000}]",
			      busy_request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_removed_set_and_added),
		cmocka_unit_test(requests_after_the_first_allocate_nothing),
		cmocka_unit_test(nor_do_they_with_the_other_small_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
