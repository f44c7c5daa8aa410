/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_SINK_H
#define SLUICE_CORE_SINK_H

#include "core/compiler.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Where lines go that nobody waits for: a reader that is behind costs lines, never a thread's time.
 * A descriptor that was inherited cannot simply be made non-blocking: that is a property of the
 * open file, which a shell or another process may share.
 */
struct sink {
	int fd;
	bool is_owned;
	atomic_bool is_pipe; /* or a terminal or socket: takes a piece at a time */
	enum {
		SINK_WRITE, /* a file, or non-blocking by itself */
		SINK_SEND,  /* a socket: the journal's */
		SINK_POLL,  /* a pipe or terminal that we may not open by ourselves */
	} way;
};

/* @fd is borrowed; where it would block, the same pipe or terminal is opened anew, if we may. */
void sink_open(int fd, struct sink *ret);

/* A descriptor that does not block, of a file or a FIFO; it is ours now. */
void sink_take(int fd, struct sink *ret);

/**
 * In the place of @sink comes @fresh, under the same descriptor: who writes at this moment reaches
 * the one or the other. Both were taken; @fresh is closed.
 * Return: 0; -errno: all is as it was.
 */
int sink_replace(struct sink *sink, struct sink *fresh) WARN_UNUSED;

void sink_close(struct sink *sink);

/**
 * Writes some of @bytes. To a pipe at most PIPE_BUF go at once, which it takes as a whole or not at
 * all (pipe(7)): pieces that end with a line do not mix with other threads'.
 * Return: bytes written; -EAGAIN: the reader is behind; -errno. Thread: any. Never blocks but for a
 * disk.
 */
ssize_t sink_write(const struct sink *sink, const char *bytes, size_t len);

#endif
