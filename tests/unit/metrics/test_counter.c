// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "metrics/counter.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define WRITERS 4
#define ADDS    10000

static void zeroed_counter_is_0_and_adds_up(void **state)
{
	struct counter counter = {};

	(void)state;
	assert_int_equal(counter_read(&counter), 0);
	counter_add(&counter, 3);
	counter_add(&counter, UINT64_C(1) << 40);
	assert_int_equal(counter_read(&counter), (UINT64_C(1) << 40) + 3);
}

static void *add_shared(void *counter)
{
	for (unsigned n = 0; n < ADDS; n++)
		counter_add_shared(counter, 2);
	return NULL;
}

static void shared_adds_are_not_lost(void **state)
{
	struct counter counter = {};
	pthread_t threads[WRITERS];

	(void)state;
	for (unsigned i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_shared, &counter), 0);
	for (unsigned i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(counter_read(&counter), 2 * WRITERS * ADDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_counter_is_0_and_adds_up),
		cmocka_unit_test(shared_adds_are_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
