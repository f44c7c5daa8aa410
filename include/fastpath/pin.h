/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_PIN_H
#define SLUICE_FASTPATH_PIN_H

#include "core/compiler.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * Where spliced connections outlive the daemon: a directory on bpffs, one for each instance. The
 * daemon that has it open has it for itself. Thread: control.
 */
struct pin;

/**
 * Makes @directory and the one above it, mounts bpffs at /sys/fs/bpf where that is missing, and
 * locks it. To be called before root is given up: @uid and @gid (-1: stay) may write there then.
 * Return: 0; -EBUSY: another daemon has it; -ENODEV: there is no bpffs; -EACCES, -EPERM; another
 * -errno.
 */
int pin_open(const char *directory, uid_t uid, gid_t gid, struct pin **ret) WARN_UNUSED;

/* Whether a daemon of our network namespace has left something there, and none has it now. */
bool pin_is_abandoned(const char *directory);

/* What is pinned stays. NULL is allowed. */
void pin_close(struct pin *pin);

#endif
