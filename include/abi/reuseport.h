/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_ABI_REUSEPORT_H
#define SLUICE_ABI_REUSEPORT_H

#include <linux/types.h>

/*
 * An element of the map `loads`: what one worker has on its hands. Its worker is the only writer,
 * by plain stores through mmap; a cache line each, so that workers do not disturb one another.
 */
struct reuseport_load {
	__u32 connections; /* open now; host order */
	__u32 padding[15];
};

_Static_assert(sizeof(struct reuseport_load) == 64, "a cache line");

#endif
