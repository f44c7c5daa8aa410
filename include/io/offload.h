/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_IO_OFFLOAD_H
#define SLUICE_IO_OFFLOAD_H

#include "core/compiler.h"
#include "io/loop.h"

#include <stdint.h>

/*
 * Threads for what may block on a disk: a job runs on one of them, and ends in a callback on the
 * loop it came from. The threads start with the first job.
 */
struct io_offload;

struct io_job {
	struct io_message done; /* the module's, like what follows */
	struct io_job *next;
	struct io_loop *loop;
	void (*run)(struct io_job *job);     /* on some thread; may block */
	void (*on_done)(struct io_job *job); /* on the loop's; the job is the owner's again */
};

/**
 * @threads: at most so many. @backlog: so many jobs may wait for one.
 * Return: NULL: out of memory.
 */
struct io_offload *io_offload_new(uint32_t threads, uint32_t backlog) WARN_UNUSED;

/* Runs what waits to its end, and joins the threads; the loops still have to hear of it. NULL is
 * allowed. Thread: control, when nobody submits any more. */
void io_offload_free(struct io_offload *offload);

/* Takes @job until on_done. Return: 0; -EBUSY: too many wait; -EAGAIN: no thread can be had; in
 * both cases nothing comes. Thread: any, which is that of @loop. */
int io_offload_submit(struct io_offload *offload, struct io_loop *loop,
		      struct io_job *job) WARN_UNUSED;

#endif
