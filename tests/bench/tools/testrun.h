/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_TESTRUN_H
#define TESTS_BENCH_TESTRUN_H

/*
 * What a packet costs in the program at TC or XDP: BPF_PROG_TEST_RUN, net of what brings the
 * packets. testrun_open(), sizes and settings of maps, testrun_load(), elements of maps,
 * testrun_measure(), testrun_close(). Errors end the process.
 */
#include "bring.h"

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>

#define TESTRUN_FRAME_MAX 1514
#define TESTRUN_PACKETS   400000

struct testrun_hook; /* TC or XDP */

struct testrun {
	const struct testrun_hook *hook;
	struct bpf_object *measured, *bring;
	unsigned char frame[TESTRUN_FRAME_MAX];
	__u32 size;
	bool is_ipv6;
	__u32 ifindex;  /* that packets come from at TC; 0: lo, as at XDP always */
	__u32 npackets; /* a round; 0: TESTRUN_PACKETS */
	void (*before_round)(const struct testrun *run); /* NULL is allowed */
};

/* @program: an object with tc_ingress or xdp_ingress. @bringer: bring.bpf.o. */
void testrun_open(struct testrun *run, const char *program, const char *bringer);
void testrun_close(struct testrun *run);
const char *testrun_hook_name(const struct testrun *run);
bool testrun_has_skb(const struct testrun *run); /* the same one in all turns */

/* A network of the process's own; tables of devices begin anew. Return: of a device that is not lo.
 */
__u32 testrun_enter_network(void);

/* --- Frames ----------------------------------------------------------------------------------- */

/* Ethernet and IPv4; the transport header is the caller's, from testrun_l4() on. */
void testrun_start_frame(struct testrun *run, __u32 size, __u8 protocol, __u32 destination);
/* The same of IPv6: behind the first 16 bits of @network the source has the client's number, and so
 * a /48 of its own; the destination is the network after it. */
void testrun_start_frame6(struct testrun *run, __u32 size, __u8 protocol, __u32 network);
void *testrun_l4(struct testrun *run);

/* --- Maps of the program ---------------------------------------------------------------------- */

int testrun_map(const struct testrun *run, const char *name);
void testrun_size_map(struct testrun *run, const char *name, __u32 nelements);
void testrun_put(const struct testrun *run, const char *name, __u32 index, const void *value);
void *testrun_mmap(const struct testrun *run, const char *name, size_t size);
void testrun_map_address(__u8 to[16], __u32 address); /* v4-mapped */

/* --- Runs ------------------------------------------------------------------------------------- */

void testrun_load(struct testrun *run, const struct bring_clients *clients, __u32 nflows);
/* Packets like the frame, as it is now, of flows drawn at random. */
void testrun_warm(struct testrun *run, __u32 npackets);

struct testrun_ns {
	double program;     /* a packet; the best of @rounds */
	double bring;       /* without it */
	const char *action; /* what became of the last packet */
};

struct testrun_ns testrun_measure(struct testrun *run, unsigned rounds);

#endif
