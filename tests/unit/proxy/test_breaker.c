// SPDX-License-Identifier: Apache-2.0
#include "proxy/breaker.h"
#include "proxy/retry_budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct config_breaker config = {.max_requests = 2};

static void it_opens_at_its_limit_and_closes_below(void **state)
{
	struct breaker breaker = {};
	struct breaker_places places[3] = {};
	struct breaker_row rows[BREAKER_GAUGES_COUNT];

	(void)state;
	assert_true(breaker_enter(&breaker, &config, BREAKER_REQUESTS, &places[0]));
	assert_true(breaker_enter(&breaker, &config, BREAKER_REQUESTS, &places[1]));
	assert_false(breaker_enter(&breaker, &config, BREAKER_REQUESTS, &places[2]));
	breaker_describe(&breaker, &config, rows);
	assert_true(rows[BREAKER_REQUESTS].is_open);
	assert_int_equal(rows[BREAKER_REQUESTS].refused, 1);
	breaker_leave_all(&breaker, &places[2]);
	breaker_leave_all(&breaker, &places[0]);
	breaker_describe(&breaker, &config, rows);
	assert_false(rows[BREAKER_REQUESTS].is_open);
	assert_int_equal(rows[BREAKER_REQUESTS].now, 1);
}

static void a_request_has_one_place_however_often_it_enters(void **state)
{
	struct breaker breaker = {};
	struct breaker_places places = {};

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(breaker_enter(&breaker, &config, BREAKER_REQUESTS, &places));
	assert_int_equal(breaker.now[BREAKER_REQUESTS], 1);
	breaker_leave_all(&breaker, &places);
	breaker_leave_all(&breaker, &places);
	assert_int_equal(breaker.now[BREAKER_REQUESTS], 0);
}

static void a_gauge_without_limit_is_never_open(void **state)
{
	struct breaker breaker = {};

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct breaker_places places = {};

		assert_true(breaker_enter(&breaker, &config, BREAKER_PENDING, &places));
	}
	assert_int_equal(breaker.now[BREAKER_PENDING], 0);
}

static unsigned spend_all(struct retry_budget *budget)
{
	unsigned count = 0;

	while (retry_budget_spend(budget, 20))
		count++;
	return count;
}

static void a_budget_begins_with_ten_and_earns_its_share(void **state)
{
	struct retry_budget budget = {};

	(void)state;
	assert_int_equal(spend_all(&budget), 10);
	for (int i = 0; i < 25; i++)
		retry_budget_earn(&budget, 20);
	assert_int_equal(spend_all(&budget), 5);
	for (int i = 0; i < 1000; i++)
		retry_budget_earn(&budget, 20);
	assert_int_equal(spend_all(&budget), 10);
}

static void no_share_means_no_retry(void **state)
{
	struct retry_budget budget = {};

	(void)state;
	assert_false(retry_budget_spend(&budget, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_opens_at_its_limit_and_closes_below),
		cmocka_unit_test(a_request_has_one_place_however_often_it_enters),
		cmocka_unit_test(a_gauge_without_limit_is_never_open),
		cmocka_unit_test(a_budget_begins_with_ten_and_earns_its_share),
		cmocka_unit_test(no_share_means_no_retry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
