/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_ADMISSION_H
#define SLUICE_PROXY_ADMISSION_H

#include "core/compiler.h"
#include "proxy/worker.h"

/*
 * Who gets in. Connections are accepted while the limits of the daemon and of the listener allow
 * it; beyond, accepting stops and connections wait in the kernel's backlog. Those that the kernel
 * had already accepted are parked and served first when there is room again. Thread: the worker's.
 */
void admission_init(struct worker *worker);

/* Acceptors for the new bindings of @snapshot; for admission_adopt() or admission_discard().
 * Return: 0; -ENOMEM, with some of them there. Thread: control. */
int admission_prepare(const struct snapshot *snapshot, struct list_node *ret_fresh) WARN_UNUSED;
void admission_discard(struct list_node *fresh); /* thread: any */

/* Accepts on the bindings of @view, on new ones with @fresh, which it takes; closes those that it
 * no longer names. */
void admission_adopt(struct worker *worker, struct worker_view *view, struct list_node *fresh);

/* A place has become free. */
void admission_unpark(struct worker *worker);

/* Nobody waits any longer: those parked are closed. */
void admission_drop_parked(struct worker *worker);

/* No more connections: what waits in a backlog is still served. */
void admission_close(struct worker *worker);

#endif
