/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_REUSEPORT_H
#define SLUICE_FASTPATH_REUSEPORT_H

#include "core/compiler.h"

#include <stdint.h>

/*
 * Spreads new connections over workers by how many each has open, instead of by hash alone, and
 * hands the connections of a closed listening socket on to the other workers' sockets.
 *
 * The workers' loads are one table for the process. Each listening address that has one
 * SO_REUSEPORT socket a worker is a group. Needs CAP_BPF and a kernel of 5.14 or later; without
 * them everything goes on by the kernel's hash, so that callers log the error once and carry on.
 *
 * Thread: the control thread, but for the stores into reuseport_load().
 */
struct reuseport_loads;
struct reuseport_group;

/**
 * @workers: at least 1.
 * Return: 0; -ENOMEM; -EPERM without the privilege; another -errno from the kernel.
 */
int reuseport_loads_new(unsigned workers, struct reuseport_loads **ret) WARN_UNUSED;

/* The kernel's own references keep attached groups working. NULL is allowed. */
void reuseport_loads_free(struct reuseport_loads *loads);

/**
 * Where @worker publishes how many connections it has open: it stores (relaxed) after each change.
 * Valid until reuseport_loads_free(); on its own cache line. Thread: the worker alone writes.
 */
_Atomic uint32_t *reuseport_load(struct reuseport_loads *loads, unsigned worker);

/**
 * @loads: borrowed for the call.
 * Return: 0; -ENOMEM; -EPERM; -EINVAL where the kernel knows no migration; another -errno.
 */
int reuseport_group_new(const struct reuseport_loads *loads,
			struct reuseport_group **ret) WARN_UNUSED;

/* Attached sockets stay attached. NULL is allowed. */
void reuseport_group_free(struct reuseport_group *group);

/**
 * Says that @fd is @worker's socket of the group. It must be listening already; until it is added
 * it gets no connections once the group is attached. Closing it takes it out. Return: 0; -EINVAL if
 * it does not listen or lacks SO_REUSEPORT; -EBUSY if it is in another group.
 */
int reuseport_group_add(struct reuseport_group *group, unsigned worker, int fd) WARN_UNUSED;

/**
 * From now on the group decides, for all sockets bound to the address of @fd, later ones included.
 * Attach after the first sockets were added: an empty group leaves the choice to the hash.
 * Return: 0; -errno.
 */
int reuseport_group_attach(struct reuseport_group *group, int fd) WARN_UNUSED;

#endif
