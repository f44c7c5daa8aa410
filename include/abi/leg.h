/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_ABI_LEG_H
#define SLUICE_ABI_LEG_H

#include "abi/flow.h"

/*
 * How the two sockets of a pair stand, read in one system call: what is asked of a kernel socket by
 * options takes some ten of them, and another packet comes in between. Not pinned, no ABI of
 * FLOW_ABI_VERSION's: a daemon runs its own program only.
 */

/* Sequence numbers in host order. */
struct leg_numbers {
	__u64 bytes_received, bytes_acked; /* of payload; a SYN of ours counts as acked */
	__u32 rcv_nxt;                     /* behind the last byte that came in order */
	__u32 copied_seq;                  /* behind the last byte that was read */
	__u32 snd_una;                     /* first byte that the peer has not acknowledged */
	__u32 write_seq;                   /* behind the last byte that was written */
	__u32 clock_offset;                /* TSval less milliseconds of CLOCK_MONOTONIC */
	__u8 state;                        /* of TCP; 0: this is no TCP socket */
	__u8 has_gap;                      /* bytes came out of order and wait */
	__u8 padding[2];
};

_Static_assert(sizeof(struct leg_numbers) == 40, "no hidden padding");

/* The program's context: the descriptors in, the rest out. */
struct legs_query {
	__s32 fd[FLOW_DIRECTIONS]; /* the client's leg, the backend's */
	struct leg_numbers leg[FLOW_DIRECTIONS];
};

#endif
