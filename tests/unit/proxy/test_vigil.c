// SPDX-License-Identifier: Apache-2.0
/* When a joined connection is over, by what its record says at which time. */
#include "proxy/vigil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MINUTE UINT64_C(60000)
#define HOUR   (60 * MINUTE)

static const struct vigil_limits limits = {.idle_ms = HOUR, .keepalive_ms = MINUTE};
static const struct vigil_limits no_limits = {};

static void end_is_told_by_the_record(void **state)
{
	struct splice_traffic by_client = {.is_reset_by_client = true, .is_over = true};
	struct splice_traffic by_backend = {.is_reset_by_backend = true, .is_over = true};
	struct splice_traffic superseded = {.is_superseded = true, .is_over = true};
	struct splice_traffic over = {.is_over = true, .idle_ms = 400};
	struct vigil vigil = {};
	struct vigil_verdict verdict;

	(void)state;
	verdict = vigil_look(&vigil, &by_client, &limits, 5);
	assert_true(!verdict.wait_ms && verdict.end == CONNECTION_END_CLIENT_RESET);
	assert_false(verdict.is_reset);
	verdict = vigil_look(&vigil, &by_backend, &limits, 5);
	assert_true(!verdict.wait_ms && verdict.end == CONNECTION_END_BACKEND_RESET);
	verdict = vigil_look(&vigil, &superseded, &limits, 5);
	assert_true(!verdict.wait_ms && verdict.end == CONNECTION_END_DONE);
	verdict = vigil_look(&vigil, &over, &limits, 5);
	assert_int_equal(verdict.wait_ms, 600);
	over.idle_ms = 1000;
	verdict = vigil_look(&vigil, &over, &limits, 605);
	assert_true(!verdict.wait_ms && verdict.end == CONNECTION_END_DONE);
}

static void packets_without_a_byte_leave_it_idle(void **state)
{
	struct splice_traffic traffic = {.bytes_up = 10, .idle_ms = 20};
	struct vigil vigil = {};
	struct vigil_verdict verdict;

	(void)state;
	assert_int_not_equal(vigil_look(&vigil, &traffic, &limits, 1000).wait_ms, 0);
	traffic.idle_ms = 1; /* something was answered a moment ago */
	assert_int_equal(vigil_look(&vigil, &traffic, &limits, 980 + HOUR - 5).wait_ms, 5);
	verdict = vigil_look(&vigil, &traffic, &limits, 980 + HOUR);
	assert_true(!verdict.wait_ms && verdict.end == CONNECTION_END_IDLE_TIMEOUT);
	assert_true(verdict.is_reset);
}

static void byte_begins_the_time_anew(void **state)
{
	struct splice_traffic traffic = {.bytes_down = 10};
	struct vigil vigil = {};

	(void)state;
	(void)vigil_look(&vigil, &traffic, &limits, 1000);
	traffic.bytes_down++;
	traffic.idle_ms = 100;
	assert_int_not_equal(vigil_look(&vigil, &traffic, &limits, 1000 + HOUR).wait_ms, 0);
	traffic.idle_ms = HOUR + 100;
	assert_int_equal(vigil_look(&vigil, &traffic, &limits, 900 + 2 * HOUR).wait_ms, 0);
}

static void silent_end_is_asked_and_given_up(void **state)
{
	struct splice_traffic traffic = {.silent_down_ms = MINUTE - 1};
	struct vigil vigil = {};
	struct vigil_verdict verdict;
	uint64_t now_ms = 100000;
	int asked = 0;

	(void)state;
	verdict = vigil_look(&vigil, &traffic, &limits, now_ms);
	assert_int_equal(verdict.wait_ms, 1);
	assert_false(verdict.wants_probe);
	do {
		now_ms += verdict.wait_ms;
		traffic.silent_down_ms += verdict.wait_ms;
		verdict = vigil_look(&vigil, &traffic, &limits, now_ms);
		asked += verdict.wants_probe;
	} while (verdict.wait_ms);
	assert_int_equal(asked, 3);
	assert_int_equal(verdict.end, CONNECTION_END_BACKEND_RESET);
	assert_true(verdict.is_reset);
	assert_in_range(traffic.silent_down_ms, 2 * MINUTE, 2 * MINUTE + 20000);
}

static void answer_ends_the_asking(void **state)
{
	struct splice_traffic traffic = {.silent_up_ms = MINUTE, .silent_down_ms = 3};
	struct vigil vigil = {};

	(void)state;
	assert_true(vigil_look(&vigil, &traffic, &limits, 100000).wants_probe);
	assert_false(vigil_look(&vigil, &traffic, &limits, 100001).wants_probe);
	traffic.silent_up_ms = 5;
	assert_int_equal(vigil_look(&vigil, &traffic, &limits, 120000).wait_ms, 10000);
}

static void without_limits_it_lasts(void **state)
{
	struct splice_traffic traffic = {
		.silent_up_ms = 1000 * HOUR, .silent_down_ms = 1000 * HOUR, .idle_ms = 1000 * HOUR};
	struct vigil vigil = {};
	struct vigil_verdict verdict = vigil_look(&vigil, &traffic, &no_limits, 2000 * HOUR);

	(void)state;
	assert_int_equal(verdict.wait_ms, 10000);
	assert_false(verdict.wants_probe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(end_is_told_by_the_record),
		cmocka_unit_test(packets_without_a_byte_leave_it_idle),
		cmocka_unit_test(byte_begins_the_time_anew),
		cmocka_unit_test(silent_end_is_asked_and_given_up),
		cmocka_unit_test(answer_ends_the_asking),
		cmocka_unit_test(without_limits_it_lasts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
