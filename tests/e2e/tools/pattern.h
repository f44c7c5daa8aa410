/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PATTERN_H
#define TESTS_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * An endless stream of bytes that any place of can be computed: word i is splitmix64's output for
 * seed + i. A lost, repeated or moved byte therefore shows, whatever the sizes of reads and writes.
 */
static inline uint64_t pattern_word(uint64_t seed, uint64_t index)
{
	uint64_t z = seed + (index + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Writes the stream's bytes from @offset on. */
static inline void pattern_fill(uint64_t seed, uint64_t offset, char *buf, size_t len)
{
	while (len > 0) {
		uint64_t word = pattern_word(seed, offset / 8);
		size_t skip = offset % 8;
		size_t take = 8 - skip < len ? 8 - skip : len;

		memcpy(buf, (const char *)&word + skip, take);
		buf += take;
		offset += take;
		len -= take;
	}
}

#endif
