/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_IO_OFFLOAD_H
#define SLUICE_IO_OFFLOAD_H

#include "core/compiler.h"
#include "io/loop.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Threads for what would hold up a loop: what blocks on a disk, or takes long to compute. A job
 * runs on one of them, in turn, and ends in a callback on the loop it came from. The threads start
 * with the first jobs. A job is its owner's, except while a thread has it:
 *
 *   submit ─► QUEUED ─► RUNNING ─► DONE, on its way to the loop ─► on_done: the owner's again
 *      └ cancel ┴──────────┴► on_drop, by cancel itself or by the thread when it is done
 *
 * A job that is DONE can no longer be cancelled: it comes.
 */
struct io_offload;

enum io_job_state { IO_JOB_IDLE, IO_JOB_QUEUED, IO_JOB_RUNNING, IO_JOB_DONE };

struct io_job {
	struct io_message done; /* the module's, like what follows */
	struct io_job *next;
	struct io_loop *loop;
	enum io_job_state state;
	bool is_cancelled;
	void (*run)(struct io_job *job);     /* on some thread; may block */
	void (*on_done)(struct io_job *job); /* on the loop's; the job is the owner's again */
	/* It was cancelled, and is free to go; any thread. NULL: it never is. */
	void (*on_drop)(struct io_job *job);
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

/* Return: true: the job is dropped, now or once its run has ended, and its loop may go; false:
 * on_done comes nevertheless. Thread: the loop's, between submit and on_done. */
bool io_offload_cancel(struct io_offload *offload, struct io_job *job) WARN_UNUSED;

#endif
