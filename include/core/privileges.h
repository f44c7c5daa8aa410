/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_PRIVILEGES_H
#define SLUICE_CORE_PRIVILEGES_H

#include "core/compiler.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Who the process is and what it may do. Linux keeps capabilities by thread: call everything here
 * before the first thread is made. Source: capabilities(7).
 */
struct privileges {
	bool has_user, has_group;
	uid_t uid;
	gid_t gid;
};

/**
 * Looks names up. Either may be NULL; the group of a user without one is the user's own.
 * Return: 0; -ENOENT if there is no such user or group.
 */
int privileges_lookup(const char *user, const char *group, struct privileges *ret) WARN_UNUSED;

/**
 * Becomes that user and group for good, without supplementary groups, and keeps only the
 * capabilities in @kept (bits by CAP_* number) as far as the process has them. No program that is
 * executed later can gain any (no_new_privs).
 * Return: 0; -EPERM if the process may not change; another -errno.
 */
int privileges_drop(const struct privileges *privileges, uint64_t kept) WARN_UNUSED;

/* Whether capability @cap is in force. */
bool privileges_has(int cap);

#endif
