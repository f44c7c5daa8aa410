// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "core/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* By the reference program: printf %s TEXT | xxhsum -H3. Nodes of a cluster rest on these. */
static void hashes_are_those_of_xxh3(void **state)
{
	static const struct {
		const char *text;
		uint64_t hash;
	} cases[] = {
		{"", UINT64_C(0x2d06800538d394c2)},
		{"a", UINT64_C(0xe6c632b61e964e1f)},
		{"abc", UINT64_C(0x78af5f94892f3950)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_true(hash_bytes(slice_from_str(cases[i].text), 0) == cases[i].hash);
}

static void empty_slice_without_a_pointer_is_the_empty_text(void **state)
{
	(void)state;
	assert_true(hash_bytes((struct slice){}, 5) == hash_bytes(slice_from_str(""), 5));
}

static void seed_and_every_byte_count(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t len = 1; len <= sizeof(text); len++) {
		uint64_t plain = hash_bytes(slice_of(text, len), 0);

		assert_true(hash_bytes(slice_of(text, len), 1) != plain);
		text[len - 1] = 'y';
		assert_true(hash_bytes(slice_of(text, len), 0) != plain);
		text[len - 1] = 'x';
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_those_of_xxh3),
		cmocka_unit_test(empty_slice_without_a_pointer_is_the_empty_text),
		cmocka_unit_test(seed_and_every_byte_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
