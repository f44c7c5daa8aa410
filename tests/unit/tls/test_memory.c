// SPDX-License-Identifier: Apache-2.0
#include "tls/memory.h"

#include "core/compiler.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define IS_WATCHED (IS_WATCHED_FOR_MEMORY || IS_WATCHED_FOR_THREADS)

#define MANY 2000

/* What has gone back to malloc. */
static unsigned freed;

void __real_free(void *piece);

void __wrap_free(void *piece)
{
	freed += piece != NULL;
	__real_free(piece);
}

static int begin(void **state)
{
	(void)state;
	tls_memory_begin();
	freed = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	tls_memory_end();
	return 0;
}

static unsigned freed_of_many(size_t size)
{
	static void *pieces[MANY];

	for (size_t i = 0; i < MANY; i++)
		assert_non_null(pieces[i] = OPENSSL_malloc(size));
	freed = 0;
	for (size_t i = 0; i < MANY; i++)
		OPENSSL_free(pieces[i]);
	return freed;
}

static void pieces_hold_what_was_asked_for(void **state)
{
	void *pieces[64] = {};
	uint32_t random = 1;

	(void)state;
	for (size_t i = 0; i < 100000; i++) {
		void **piece = &pieces[i % ARRAY_SIZE(pieces)];
		size_t size = 1 + (random >> 8) % (i % 10 ? 1200 : 60000);

		random = random * 1664525 + 1013904223;
		OPENSSL_free(*piece);
		*piece = i % 3 ? OPENSSL_malloc(size) : OPENSSL_zalloc(size);
		memset(*piece, 0xa5, size);
		if (i % 7 == 0)
			*piece = OPENSSL_realloc(*piece, size * 2);
		assert_int_equal(*(unsigned char *)*piece, 0xa5);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		OPENSSL_free(pieces[i]);
}

static void *give_back(void *piece)
{
	OPENSSL_free(piece);
	return NULL;
}

static void a_thread_that_keeps_nothing_frees(void **state)
{
	void *piece = OPENSSL_malloc(100);
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, give_back, piece), 0);
	pthread_join(thread, NULL);
	assert_int_equal(freed, 1);
}

#if IS_WATCHED

static void nothing_is_kept_where_a_sanitizer_watches(void **state)
{
	(void)state;
	assert_int_equal(freed_of_many(40), MANY);
}

#else

static void the_last_piece_of_a_size_comes_back(void **state)
{
	static const size_t sizes[] = {1, 24, 100, 1000, 7616, 16384};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *piece = OPENSSL_malloc(sizes[i]), *other, *again;
		uintptr_t place = (uintptr_t)piece;

		OPENSSL_free(piece);
		other = OPENSSL_malloc(sizes[i] + 100);
		again = OPENSSL_malloc(sizes[i]);
		assert_int_equal((uintptr_t)again, place);
		OPENSSL_free(again);
		OPENSSL_free(other);
	}
	assert_int_equal(freed, 0);
}

static void what_is_kept_is_bounded(void **state)
{
	(void)state;
	assert_in_range(freed_of_many(40), MANY - 300, MANY - 1);
	assert_in_range(freed_of_many(1000), MANY - 20, MANY - 1);
	assert_in_range(freed_of_many(16384), MANY - 16, MANY - 1);
	assert_int_equal(freed_of_many(100000), MANY);
}

static void what_is_kept_goes_at_the_end(void **state)
{
	(void)state;
	OPENSSL_free(OPENSSL_malloc(40));
	OPENSSL_free(OPENSSL_malloc(20000));
	assert_int_equal(freed, 0);
	tls_memory_end();
	assert_int_equal(freed, 3); /* and the shelves */
	OPENSSL_free(OPENSSL_malloc(40));
	assert_int_equal(freed, 4);
}

#endif

#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(pieces_hold_what_was_asked_for),
		EACH(a_thread_that_keeps_nothing_frees),
#if IS_WATCHED
		EACH(nothing_is_kept_where_a_sanitizer_watches),
#else
		EACH(the_last_piece_of_a_size_comes_back),
		EACH(what_is_kept_is_bounded),
		EACH(what_is_kept_goes_at_the_end),
#endif
	};

	tls_memory_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
