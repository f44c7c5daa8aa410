// SPDX-License-Identifier: Apache-2.0
/* Bump allocation in chained blocks: the memory of one configuration or one request. */
#include "core/arena.h"

#include <errno.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_block {
	struct arena_block *next;
	size_t size; /* of bytes[] */
	alignas(max_align_t) char bytes[];
};

#define BLOCK_ROOM (4096 - sizeof(struct arena_block))
/* From here on a new block would leave too much of the old one unused. */
#define LARGE (BLOCK_ROOM / 4)

static size_t round_up(size_t size)
{
	return (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

static struct arena_block *new_block(size_t room)
{
	struct arena_block *block = calloc(1, sizeof(*block) + room);

	if (block)
		block->size = room;
	return block;
}

/* A block of its own, behind the one that small allocations go on filling. */
static void *alloc_large(struct arena *arena, size_t size)
{
	struct arena_block *block = new_block(size);

	if (!block)
		return NULL;
	if (arena->head) {
		block->next = arena->head->next;
		arena->head->next = block;
	} else {
		arena->head = block;
		arena->used = size;
	}
	return block->bytes;
}

static int add_block(struct arena *arena)
{
	struct arena_block *block = new_block(BLOCK_ROOM);

	if (!block)
		return -ENOMEM;
	block->next = arena->head;
	arena->head = block;
	arena->used = 0;
	return 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	char *ptr;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = round_up(size);
	if (!arena->head || arena->head->size - arena->used < size) {
		if (size > LARGE)
			return alloc_large(arena, size);
		if (add_block(arena) < 0)
			return NULL;
	}
	ptr = arena->head->bytes + arena->used;
	arena->used += size;
	return ptr;
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	return arena_alloc(arena, total);
}

char *arena_strdup(struct arena *arena, struct slice bytes)
{
	char *copy = arena_alloc(arena, bytes.len + 1);

	if (copy && bytes.len)
		memcpy(copy, bytes.ptr, bytes.len);
	return copy;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		return NULL;
	text = arena_alloc(arena, (size_t)len + 1);
	if (!text)
		return NULL;
	va_start(args, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, args);
	va_end(args);
	return text;
}

/* The newest block of standard size, or NULL; all others are freed. */
static struct arena_block *keep_one(struct arena *arena)
{
	struct arena_block *kept = NULL;

	while (arena->head) {
		struct arena_block *next = arena->head->next;

		if (!kept && arena->head->size == BLOCK_ROOM)
			kept = arena->head;
		else
			free(arena->head);
		arena->head = next;
	}
	return kept;
}

void arena_reset(struct arena *arena)
{
	/* Of an older block it is not known how much was used. */
	size_t dirty = arena->head && arena->head->size == BLOCK_ROOM ? arena->used : BLOCK_ROOM;
	struct arena_block *kept = keep_one(arena);

	if (kept) {
		memset(kept->bytes, 0, dirty);
		kept->next = NULL;
	}
	arena->head = kept;
	arena->used = 0;
}

void arena_done(struct arena *arena)
{
	while (arena->head) {
		struct arena_block *next = arena->head->next;

		free(arena->head);
		arena->head = next;
	}
	arena->used = 0;
}
