/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_ERRAND_H
#define SLUICE_PROXY_ERRAND_H

#include "core/compiler.h"
#include "io/offload.h"

struct server;
struct snapshot;

/*
 * Work for the control thread that may block: it is done on another one. From then on it holds the
 * snapshot that was in force when it began, and with it the server, until errand_end().
 */
struct errand {
	struct io_job job;
	struct snapshot *snapshot;              /* NULL: it is not under way */
	void (*run)(struct errand *errand);     /* on a thread that may block */
	void (*on_back)(struct errand *errand); /* on the control thread */
};

/* Return: 0: on_back comes; -EBUSY or -EAGAIN: there is no thread, and nothing comes; either way it
 * is to be ended. Thread: control. */
int errand_begin(struct errand *errand, struct server *server) WARN_UNUSED;

/* One that was never begun, or was ended, is left alone. */
void errand_end(struct errand *errand);

#endif
