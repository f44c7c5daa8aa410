// SPDX-License-Identifier: Apache-2.0
#include "core/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void memory_is_zeroed_and_aligned(void **state)
{
	struct arena arena = {};

	(void)state;
	for (size_t size = 1; size < 6000; size += 37) {
		unsigned char *p = arena_alloc(&arena, size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
	}
	arena_done(&arena);
}

static void allocations_do_not_overlap(void **state)
{
	unsigned char *parts[300];
	struct arena arena = {};

	(void)state;
	for (size_t i = 0; i < 300; i++) {
		parts[i] = arena_alloc(&arena, 1 + i * 7);
		assert_non_null(parts[i]);
		memset(parts[i], (int)(i & 0xff), 1 + i * 7);
	}
	for (size_t i = 0; i < 300; i++)
		for (size_t at = 0; at < 1 + i * 7; at++)
			assert_int_equal(parts[i][at], i & 0xff);
	arena_done(&arena);
}

static void large_allocation_leaves_the_block_to_small_ones(void **state)
{
	struct arena arena = {};
	char *before = arena_alloc(&arena, alignof(max_align_t));

	(void)state;
	assert_non_null(before);
	assert_non_null(arena_alloc(&arena, 100000));
	assert_ptr_equal(arena_alloc(&arena, 1), before + alignof(max_align_t));
	arena_done(&arena);
}

static void impossible_sizes_give_nothing(void **state)
{
	struct arena arena = {};

	(void)state;
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_null(arena_alloc_array(&arena, SIZE_MAX / 4, 8));
	assert_null(arena_alloc_array(&arena, SIZE_MAX, SIZE_MAX));
	assert_non_null(arena_alloc(&arena, 0));
	assert_non_null(arena_alloc_array(&arena, 0, 8));
	arena_done(&arena);
}

static void copies_are_terminated(void **state)
{
	struct arena arena = {};
	char *copy;

	(void)state;
	copy = arena_strdup(&arena, slice_of("abcdef", 3));
	assert_string_equal(copy, "abc");
	copy = arena_strdup(&arena, (struct slice){});
	assert_string_equal(copy, "");
	copy = arena_strdup(&arena, slice_of("a\0b", 3));
	assert_memory_equal(copy, "a\0b", 4);
	arena_done(&arena);
}

static void printf_takes_what_it_needs(void **state)
{
	struct arena arena = {};
	char *text = arena_printf(&arena, "%s:%d %*s", "pool", 7, 5000, "x");

	(void)state;
	assert_non_null(text);
	assert_int_equal(strlen(text), 7 + 5000);
	assert_memory_equal(text, "pool:7  ", 8);
	assert_int_equal(text[7 + 4999], 'x');
	arena_done(&arena);
}

static void arena_may_be_used_again_after_done(void **state)
{
	struct arena arena = {};

	(void)state;
	arena_done(&arena);
	assert_non_null(arena_alloc(&arena, 10));
	arena_done(&arena);
	assert_null(arena.head);
	assert_string_equal(arena_printf(&arena, "%d", 1), "1");
	arena_done(&arena);
}

static void reset_keeps_a_clean_block(void **state)
{
	struct arena arena = {};
	const char *first, *again;

	(void)state;
	arena_reset(&arena);
	assert_null(arena.head);
	first = memset(arena_alloc(&arena, 100), 'x', 100);
	assert_non_null(arena_alloc(&arena, 100000));
	arena_reset(&arena);
	again = arena_alloc(&arena, 100);
	assert_ptr_equal(again, first);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(again[i], 0);
	/* A large block at the head is not the one that stays, and an older block is all dirty. */
	for (int i = 0; i < 50; i++)
		memset(arena_alloc(&arena, 1000), 'x', 1000);
	arena_reset(&arena);
	for (int i = 0; i < 4; i++) {
		const char *part = arena_alloc(&arena, 900);

		for (size_t n = 0; n < 900; n++)
			assert_int_equal(part[n], 0);
	}
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_and_aligned),
		cmocka_unit_test(allocations_do_not_overlap),
		cmocka_unit_test(large_allocation_leaves_the_block_to_small_ones),
		cmocka_unit_test(impossible_sizes_give_nothing),
		cmocka_unit_test(copies_are_terminated),
		cmocka_unit_test(printf_takes_what_it_needs),
		cmocka_unit_test(arena_may_be_used_again_after_done),
		cmocka_unit_test(reset_keeps_a_clean_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
