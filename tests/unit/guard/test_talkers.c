// SPDX-License-Identifier: Apache-2.0
/* What the sketch's counts say of a source's rate. */
#include "abi/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define EPOCH_NS (1ULL << GUARD_TALKER_EPOCH_BITS)
#define STEP_NS  1000000ULL
#define RATE     16000u /* a second, of which one in sixteen is counted */

static void even_sender_has_its_rate_at_any_time_of_an_epoch(void **state)
{
	uint64_t now_ns = 0;
	uint32_t samples = 0;

	(void)state;
	while (now_ns < 8 * EPOCH_NS) {
		uint64_t epoch = now_ns / EPOCH_NS;

		now_ns += STEP_NS;
		samples >>= now_ns / EPOCH_NS - epoch;
		samples += RATE / GUARD_TALKER_SAMPLE / 1000;
		if (epoch >= 6)
			assert_in_range(guard_talker_rate(samples, now_ns), RATE * 97 / 100,
					RATE * 101 / 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(even_sender_has_its_rate_at_any_time_of_an_epoch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
