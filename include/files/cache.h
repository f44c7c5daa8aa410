/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FILES_CACHE_H
#define SLUICE_FILES_CACHE_H

#include "core/compiler.h"
#include "core/list.h"
#include "files/root.h"

#include <stdint.h>

/*
 * What names of roots led to, for a while: open descriptors, and that there was nothing. Bounded;
 * what was looked at longest ago goes first. Whoever uses an entry holds a reference, which keeps
 * its descriptor open although the cache may have let go of it. Thread: one worker's.
 */
struct file_cache;

struct file_entry {
	struct list_node recent; /* the cache's, like what follows */
	struct file_entry *next;
	uint64_t hash, root;
	uint64_t valid_until_ms;
	uint32_t refs;
	int err;          /* -errno: there is no file to be had; 0 */
	struct file file; /* if there is no error; its descriptor is the entry's */
	char name[];
};

/* @max: entries. Return: NULL: out of memory. */
struct file_cache *file_cache_new(uint32_t max) WARN_UNUSED;
void file_cache_free(struct file_cache *cache); /* nobody holds an entry; NULL is allowed */

/* Return: a reference; NULL: not known, or no longer valid. */
struct file_entry *file_cache_find(struct file_cache *cache, const struct file_root *root,
				   const char *name, uint64_t now_ms);

/**
 * Remembers, in the place of what it knew of that name.
 * @err:  -errno of file_root_get(), or 0: @file is taken over, closed on failure.
 * Return: a reference; NULL: out of memory.
 */
struct file_entry *file_cache_add(struct file_cache *cache, const struct file_root *root,
				  const char *name, int err, const struct file *file,
				  uint64_t valid_until_ms) WARN_UNUSED;

/* Lets go of what is not valid any more, for nobody will find it; now and then. */
void file_cache_tend(struct file_cache *cache, uint64_t now_ms);

struct file_entry *file_entry_ref(struct file_entry *entry);
void file_entry_unref(struct file_entry *entry); /* NULL is allowed */

#endif
