/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_IO_WATCH_H
#define SLUICE_IO_WATCH_H

#include "core/compiler.h"
#include "io/loop.h"

#include <stdint.h>

/*
 * Readiness of a descriptor that somebody else reads and writes: a resolver's socket, netlink,
 * signalfd. Level-triggered: on_ready comes again while the descriptor stays ready.
 */
#define IO_READABLE 1u
#define IO_WRITABLE 2u

struct io_watch {
	struct io_loop *loop;
	struct io_watch_state *state; /* the loop's */
	int fd;
	uint32_t events;
	/* @ready: the bits of @events that hold; an error or hang-up sets all that were asked for.
	 */
	void (*on_ready)(struct io_watch *watch, uint32_t ready);
};

/* @fd is borrowed. Starting a running watch changes its @events. Return: 0; -ENOMEM; -EPERM for a
 * descriptor that cannot be polled. */
int io_watch_start(struct io_watch *watch, struct io_loop *loop, int fd,
		   uint32_t events) WARN_UNUSED;

/* At once: no callback follows, and @fd may be closed. Idempotent. */
void io_watch_stop(struct io_watch *watch);

#endif
