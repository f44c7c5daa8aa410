/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_BRING_H
#define TESTS_BENCH_BRING_H

/* What bring.bpf.c brings, and testrun.c tells it. Numbers in host order. */
#include <linux/types.h>

/* Ethernet, IPv6 or IPv4, TCP with timestamps; of UDP the last ones are payload. */
#define BRING_HEADERS      (14 + 40 + 32)
#define BRING_HEADERS_IPV4 (14 + 20 + 32)

/* Of which client a flow is. */
struct bring_clients {
	__u32 first, stride; /* addresses */
	__u32 port_bits;     /* 2^port_bits flows are one client's */
};

static inline __u32 bring_client(const struct bring_clients *clients, __u32 flow)
{
	return clients->first + (flow >> clients->port_bits) * clients->stride;
}

static inline __u16 bring_port(const struct bring_clients *clients, __u32 flow)
{
	return (__u16)(40000 + (flow & ((1u << clients->port_bits) - 1)));
}

/* Set before load. */
struct bring_rodata {
	__u32 nflows, size; /* size: of the whole frame */
	__u32 headers;      /* bytes of them; one of the above */
	__u32 source_at, port_at;
	struct bring_clients clients;
};

#endif
