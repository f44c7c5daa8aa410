/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FILTER_OFFLOAD_H
#define SLUICE_FILTER_OFFLOAD_H

#include "core/compiler.h"
#include "io/loop.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Work that takes too long for a worker, done by a thread of its own, in order. A job belongs to
 * the worker that has submitted it, except while the thread has it:
 *
 *   submit ─► QUEUED ─► RUNNING ─► its message in the worker's loop ─► the worker's again
 *      └ cancel ┴──────────┴► dropped: by cancel itself, or by the thread when it is done
 *
 * A job whose message is on its way can no longer be cancelled: it comes.
 */
struct offload;

enum offload_state { OFFLOAD_IDLE, OFFLOAD_QUEUED, OFFLOAD_RUNNING, OFFLOAD_DONE };

struct offload_job {
	struct io_message message; /* on_message: the result is there; the worker's thread */
	void (*run)(struct offload_job *job);  /* on the thread of the offload */
	void (*drop)(struct offload_job *job); /* frees it; any thread */
	struct io_loop *loop;                  /* where the message goes */
	struct offload_job *next;              /* the queue's, as the rest */
	enum offload_state state;
	bool is_cancelled;
};

/* @limit: jobs that may wait. Return: 0; -errno. Thread: control, as for the end. */
int offload_new(uint32_t limit, struct offload **ret) WARN_UNUSED;

/* Waits for the job that is running. No job may be left that was not cancelled. NULL is allowed. */
void offload_free(struct offload *offload);

/* Return: 0; -EBUSY: as many wait as may; the job is still the caller's. Thread: any. */
int offload_submit(struct offload *offload, struct offload_job *job) WARN_UNUSED;

/* Return: true: the job is gone, or goes; false: its message comes nevertheless. Thread: the
 * worker's that has submitted it, before the message has come. */
bool offload_cancel(struct offload *offload, struct offload_job *job) WARN_UNUSED;

#endif
