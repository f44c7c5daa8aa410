/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_ARENA_H
#define SLUICE_CORE_ARENA_H

#include "core/compiler.h"
#include "core/slice.h"

#include <stddef.h>

/*
 * Memory that goes all at once: allocations are bumps in chained blocks, freed together by
 * arena_done(). A zeroed arena is empty and ready. Thread: one owner at a time.
 */
struct arena {
	struct arena_block *head;
	size_t used; /* bytes taken in @head */
};

/**
 * Zeroed memory, aligned for any type.
 * Return: the memory, valid until arena_done(); NULL when the system has none. @size 0 gives a
 * pointer that must not be read.
 */
void *arena_alloc(struct arena *arena, size_t size) WARN_UNUSED;

/* Room for @count elements of @size each; NULL also where the product overflows. */
void *arena_alloc_array(struct arena *arena, size_t count, size_t size) WARN_UNUSED;

/* A copy of @bytes, terminated by a NUL. */
char *arena_strdup(struct arena *arena, struct slice bytes) WARN_UNUSED;

char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF(2, 3) WARN_UNUSED;

/* As arena_done(), but a block is kept, so that what fits into it next time costs no allocation. */
void arena_reset(struct arena *arena);

/* Frees everything; the arena is empty and may be used again. */
void arena_done(struct arena *arena);

#endif
