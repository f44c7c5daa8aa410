/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_ABI_SOCKMAP_H
#define SLUICE_ABI_SOCKMAP_H

#include <linux/types.h>

/*
 * Two connected sockets whose bytes the kernel moves from one to the other.
 *
 * A way is one direction of a pair: from the socket that bytes arrive on, its source, to its sink.
 * The array `ways` holds two in a row for each pair and is mapped into the daemon; `sources` leads
 * from a socket's cookie to the way that begins at it; `sockets` holds the sockets by cookie.
 */

/*
 * The gate of a way: bit 63 says that the program passes what arrives to the source's own reader,
 * the daemon; the bits below count the bytes that it has passed so. The program may close a way
 * (set the bit, together with the first bytes that it passes); only the daemon opens one, by a
 * compare-and-swap from the count that it has itself relayed: so no byte that was passed is
 * overtaken by one that is redirected.
 */
#define SOCKMAP_PASS (1ULL << 63)

/* Owner: the daemon, which zeroes it and names the sink before the sockets are added. */
struct sockmap_way {
	__u64 gate;       /* see above; writers: both, atomically */
	__u64 sink;       /* cookie; writer: the daemon */
	__u64 redirected; /* bytes; writer: the program, as of all below, under the source's lock */
	__u64 first_ns;   /* when the first bytes were redirected, CLOCK_MONOTONIC; 0: none yet */
	__u64 last_ns;    /* and the last */
	__u32 next_seq;   /* of the source: where the stream goes on; host order */
	__u32 sink_seq;   /* write_seq of the sink once all that was redirected is sent */
	__u8 is_started;  /* next_seq is valid */
	__u8 is_opened;   /* sink_seq is not valid yet; writer: also the daemon, before it opens */
	__u8 is_broken;   /* bytes are lost: both connections have to be reset */
	__u8 reserved[5];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct sockmap_way) == 64, "one cache line: each way has its own writer");

#endif
