/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FILES_ROOT_H
#define SLUICE_FILES_ROOT_H

#include "core/compiler.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A directory whose files are served, and nothing outside of it: the kernel itself resolves names
 * beneath the directory's descriptor, whatever they and symbolic links say. Immutable, counted by
 * reference; thread: any.
 */
struct file_root;

/**
 * @allows_links: symbolic links are followed as long as they lead to what is beneath.
 * Return: 0; -errno; -ENOTDIR. Blocks.
 */
int file_root_open(const char *path, bool allows_links, struct file_root **ret) WARN_UNUSED;
struct file_root *file_root_ref(struct file_root *root);
void file_root_unref(struct file_root *root); /* NULL is allowed */

/* Unique for the life of the process. */
uint64_t file_root_id(const struct file_root *root);

struct file {
	int fd; /* the caller's; -1 for a directory */
	bool is_directory;
	uint64_t size;
	int64_t modified;     /* seconds since 1970 */
	uint32_t modified_ns; /* of that second */
};

/**
 * @name: relative, "" for the directory itself.
 * @may_block: false: what the kernel does not have in memory is -EAGAIN.
 * Return: 0; -EAGAIN; -ENOENT, also for what is neither file nor directory; -EXDEV: it leads out of
 * the directory; -ELOOP: a link where there shall be none; other -errno.
 */
int file_root_get(const struct file_root *root, const char *name, bool may_block,
		  struct file *ret) WARN_UNUSED;

#endif
