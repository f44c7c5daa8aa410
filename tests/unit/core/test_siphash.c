// SPDX-License-Identifier: Apache-2.0
/* SipHash-2-4 against the vectors of its authors. */
#include "core/siphash.h"
#include "core/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* Of the input 00 01 02 … of so many bytes under the key 00 … 0f. */
static const struct {
	size_t len;
	uint64_t hash;
} vectors[] = {
	{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
	{8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}, {63, 0x958a324ceb064572},
};

static void hashes_are_those_of_the_paper(void **state)
{
	const struct siphash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
	unsigned char input[64];

	(void)state;
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (unsigned char)i;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
		assert_int_equal(siphash(slice_of(input, vectors[i].len), &key), vectors[i].hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(hashes_are_those_of_the_paper)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
