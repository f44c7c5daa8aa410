// SPDX-License-Identifier: Apache-2.0
#include "core/clock.h"
#include "tls/tls_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static uint64_t now_ms = 1000000;

uint64_t __wrap_clock_monotonic_ms(void);

uint64_t __wrap_clock_monotonic_ms(void)
{
	return now_ms;
}

/* Numbers as far from each other as random ones are. */
static bool admit(struct tls_replays *replays, uint64_t number)
{
	unsigned char random[32] = {};
	uint64_t spread = (number + 1) * 0x9e3779b97f4a7c15ULL;

	memcpy(random, &spread, sizeof(spread));
	return tls_replays_admit(replays, random);
}

static void a_copy_is_refused_for_as_long_as_it_would_pass_for_fresh(void **state)
{
	struct tls_replays *replays = tls_replays_new();

	(void)state;
	assert_true(admit(replays, 1));
	assert_false(admit(replays, 1));
	assert_true(admit(replays, 2));
	for (int i = 0; i < 14; i++) {
		now_ms += 1000;
		assert_false(admit(replays, 1));
		assert_false(admit(replays, 2));
	}
	tls_replays_free(replays);
}

/* The tables may take turns right after it was taken. */
static void it_is_remembered_over_a_turn_and_forgotten_in_the_end(void **state)
{
	struct tls_replays *replays = tls_replays_new();

	(void)state;
	assert_true(admit(replays, 0));
	now_ms += 14999;
	assert_true(admit(replays, 1));
	now_ms += 14999;
	assert_false(admit(replays, 1));
	now_ms += 2 * 15000;
	assert_true(admit(replays, 1));
	tls_replays_free(replays);
}

static void what_cannot_be_remembered_is_not_taken(void **state)
{
	struct tls_replays *replays = tls_replays_new();
	uint64_t taken = 0;

	(void)state;
	while (taken < 1000000 && admit(replays, taken))
		taken++;
	assert_int_equal(taken, 131072 / 4 * 3);
	assert_false(admit(replays, 7));
	now_ms += 15000;
	assert_true(admit(replays, taken));
	assert_false(admit(replays, 7));
	tls_replays_free(replays);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_is_refused_for_as_long_as_it_would_pass_for_fresh),
		cmocka_unit_test(it_is_remembered_over_a_turn_and_forgotten_in_the_end),
		cmocka_unit_test(what_cannot_be_remembered_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
