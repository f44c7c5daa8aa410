/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_FILE_LOOKUP_H
#define SLUICE_PROXY_FILE_LOOKUP_H

#include "core/compiler.h"
#include "files/cache.h"

struct file_job;
struct worker;

/* From a name to a file: what the worker remembers, what the kernel has in memory, or else a thread
 * that may wait for the disk. Zeroed but for @on_found. Thread: the worker's. */
struct file_lookup {
	/* What a thread has found, a reference; NULL: out of memory. */
	void (*on_found)(struct file_lookup *lookup, struct file_entry *entry);
	struct file_job *job; /* under way; NULL: none */
};

/**
 * One at a time. @name is copied.
 * @ret: a reference; the entry may be that there is no such file.
 * Return: 0; -EINPROGRESS: on_found follows; -EBUSY: too many wait for the disk; -ENOMEM.
 */
int file_lookup(struct file_lookup *lookup, struct worker *worker, struct file_root *root,
		const char *name, struct file_entry **ret) WARN_UNUSED;

/* on_found does not come any more. Idempotent. */
void file_lookup_cancel(struct file_lookup *lookup);

#endif
