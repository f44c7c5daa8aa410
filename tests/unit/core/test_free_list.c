// SPDX-License-Identifier: Apache-2.0
#include "core/free_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define SIZE 40

static void assert_zero(const unsigned char *object)
{
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(object[i], 0);
}

static void what_was_given_back_is_zero_when_it_is_taken_again(void **state)
{
	struct free_list list = {.size = SIZE, .max = 2};

	(void)state;
	for (int i = 0; i < 3; i++) {
		unsigned char *object = free_list_take(&list);

		assert_non_null(object);
		assert_zero(object);
		memset(object, 0xff, SIZE);
		free_list_give(&list, object);
	}
	free_list_clear(&list);
	assert_int_equal(list.count, 0);
}

static void no_more_than_its_limit_is_kept(void **state)
{
	struct free_list list = {.size = SIZE, .max = 2};
	void *objects[5];

	(void)state;
	for (size_t i = 0; i < 5; i++)
		objects[i] = free_list_take(&list);
	for (size_t i = 0; i < 5; i++)
		free_list_give(&list, objects[i]);
	free_list_give(&list, NULL);
	assert_true(list.count <= 2);
	free_list_clear(&list);
	free_list_clear(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_given_back_is_zero_when_it_is_taken_again),
		cmocka_unit_test(no_more_than_its_limit_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
