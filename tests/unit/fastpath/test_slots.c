// SPDX-License-Identifier: Apache-2.0
/* The queue of free pairs. */
#include "fastpath/fastpath_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW 100000

static void every_slot_is_given_once(void **state)
{
	struct slots *slots = slots_new(3);
	uint32_t a, b, c, none;

	(void)state;
	assert_true(slots_take(slots, NOW, &a));
	assert_true(slots_take(slots, NOW, &b));
	assert_true(slots_take(slots, NOW, &c));
	assert_false(slots_take(slots, NOW, &none));
	assert_true(a != b && b != c && a != c && a < 3 && b < 3 && c < 3);
	slots_free(slots);
}

static void slot_rests_before_it_is_used_again(void **state)
{
	struct slots *slots = slots_new(1);
	uint32_t slot;

	(void)state;
	assert_true(slots_take(slots, NOW, &slot));
	slots_give(slots, NOW, slot);
	assert_false(slots_take(slots, NOW + SLOT_REST_MS - 1, &slot));
	assert_true(slots_take(slots, NOW + SLOT_REST_MS, &slot));
	slots_free(slots);
}

static void slot_that_has_rested_longest_is_next(void **state)
{
	struct slots *slots = slots_new(2);
	uint32_t a, b, next;

	(void)state;
	assert_true(slots_take(slots, NOW, &a));
	assert_true(slots_take(slots, NOW, &b));
	slots_give(slots, NOW, b);
	slots_give(slots, NOW + 1, a);
	assert_true(slots_take(slots, NOW + 2 * SLOT_REST_MS, &next));
	assert_int_equal(next, b);
	assert_true(slots_take(slots, NOW + 2 * SLOT_REST_MS, &next));
	assert_int_equal(next, a);
	slots_free(slots);
}

static void slots_that_are_taken_already_are_never_given(void **state)
{
	const bool is_taken[4] = {true, false, true, false};
	struct slots *slots = slots_new(4);
	uint32_t slot;

	(void)state;
	slots_remove(slots, is_taken);
	assert_true(slots_take(slots, NOW, &slot));
	assert_int_equal(slot, 1);
	assert_true(slots_take(slots, NOW, &slot));
	assert_int_equal(slot, 3);
	assert_false(slots_take(slots, NOW, &slot));
	slots_give(slots, NOW, 2);
	assert_true(slots_take(slots, NOW + SLOT_REST_MS, &slot));
	assert_int_equal(slot, 2);
	slots_free(slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_slot_is_given_once),
		cmocka_unit_test(slot_rests_before_it_is_used_again),
		cmocka_unit_test(slot_that_has_rested_longest_is_next),
		cmocka_unit_test(slots_that_are_taken_already_are_never_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
