/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_IO_SPLICE_H
#define SLUICE_IO_SPLICE_H

#include "core/compiler.h"
#include "core/list.h"
#include "io/timer.h"

#include <stdbool.h>
#include <stdint.h>

struct io_loop;
struct io_pump;

/* --- Pipes (pipe.c) ---------------------------------------------- */

struct io_pipe {
	struct list_node node; /* the pool's */
	struct io_pump *pump;  /* who uses it */
	int fds[2];            /* as pipe2(2) has them: read, write */
	uint32_t size;         /* bytes, with every page full */
	uint32_t held;         /* bytes in it */
};

/* Zeroed and initialized, it has no pipes. */
struct io_pipe_pool {
	struct list_node spare, used;
	uint32_t count;
	struct io_timer timer; /* runs while there are any */
};

void io_pipe_pool_init(struct io_pipe_pool *pool);
void io_pipe_pool_done(struct io_pipe_pool *pool);

/* Return: an empty pipe, for @pump alone; NULL if there is none to be had, for whatever reason. */
struct io_pipe *io_pipe_take(struct io_pump *pump) WARN_UNUSED;

/* One that still holds bytes is closed, and they are lost. */
void io_pipe_release(struct io_loop *loop, struct io_pipe *pipe);

/* --- Splicing: a pump with a pipe (splice.c) --------------------- */

/*
 * From now on the back end tells when @pump->from is readable, instead of receiving. What it had
 * received already still arrives and goes out first. Does nothing if there is no pipe.
 */
void io_splice_enter(struct io_pump *pump);

/* Back to receiving into small buffers. What the pipe holds is dropped. */
void io_splice_leave(struct io_pump *pump);

/* Whether nothing waits for the sink, so that the source may be read. */
bool io_splice_is_drained(const struct io_pump *pump);

#endif
