/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_IO_ACCEPTOR_H
#define SLUICE_IO_ACCEPTOR_H

#include "io/loop.h"
#include "io/timer.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Takes connections off a listening socket (multishot accept on io_uring). When descriptors or
 * memory run out (EMFILE, ENFILE, ENOBUFS, ENOMEM) it pauses for IO_ACCEPT_PAUSE_MS and goes on by
 * itself: connections wait in the backlog instead of failing.
 */
#define IO_ACCEPT_PAUSE_MS 100

struct io_acceptor;

struct io_acceptor_ops {
	/* A connection; @fd is the owner's, CLOEXEC and non-blocking. */
	void (*on_accept)(struct io_acceptor *acceptor, int fd);
	/* Accepting has paused because of @error (-errno); only for the log and counters. */
	void (*on_exhausted)(struct io_acceptor *acceptor, int error);
	void (*on_closed)(struct io_acceptor *acceptor);
};

struct io_acceptor {
	struct io_loop *loop;
	const struct io_acceptor_ops *ops;
	int fd;
	uint8_t flags;   /* io/acceptor.c's */
	uint8_t pending; /* operations that the kernel still holds */
	struct io_timer resume;
	struct io_task closed;
};

/* @fd is a listening socket, borrowed: close it after on_closed. Starts accepting. */
void io_acceptor_start(struct io_acceptor *acceptor, struct io_loop *loop, int fd,
		       const struct io_acceptor_ops *ops);

/* A limit was reached: leave connections in the backlog. A few that the kernel had already
 * accepted may still come. */
void io_acceptor_pause(struct io_acceptor *acceptor);
void io_acceptor_resume(struct io_acceptor *acceptor);

/*
 * One by one, at most one connection comes after io_acceptor_pause(): for owners close to a limit.
 * Otherwise (the default) the kernel may take all that wait in the backlog at once, which is
 * cheaper.
 */
void io_acceptor_set_one_by_one(struct io_acceptor *acceptor, bool is_one_by_one);

/* Ends in on_closed; connections that the kernel had already accepted come in on_accept first. */
void io_acceptor_close(struct io_acceptor *acceptor);

#endif
