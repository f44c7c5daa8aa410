/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_PACKET_H
#define TESTS_BENCH_PACKET_H

#include <linux/types.h>

/* Ethernet, IPv4, TCP with timestamps. */
#define PACKET_HEADERS   (14 + 20 + 32)
#define PACKET_SOURCE_AT (14 + 12)
#define PACKET_PORT_AT   (14 + 20)

/* Clients of many addresses, each with some connections. */
static inline __u32 packet_client(__u32 flow)
{
	return 0x0a000000u + (flow >> 4);
}

static inline __u16 packet_port(__u32 flow)
{
	return (__u16)(40000 + (flow & 15));
}

#endif
