/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_GUARD_H
#define TESTS_BENCH_GUARD_H

#include <linux/types.h>

/* Ethernet, IPv4, and the source's place in it. */
#define BRING_HEADERS   (14 + 20)
#define BRING_SOURCE_AT (14 + 12)

/* Strewn over half of the addresses, so that each has a /24 of its own. */
static inline __u32 bring_source(__u32 number)
{
	return 0x20000000u + number * 4099u;
}

#endif
