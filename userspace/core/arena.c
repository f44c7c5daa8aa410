// SPDX-License-Identifier: Apache-2.0
/* Bump allocation in chained blocks: the memory of one configuration or one request. */
#include "core/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_SIZE ((size_t)4096)

struct arena_block {
	struct arena_block *next;
	size_t size; /* of bytes[] */
	alignas(max_align_t) char bytes[];
};

static size_t round_up(size_t size)
{
	return (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

/* A block of its own where @size is large, so that small ones stay dense. */
static int add_block(struct arena *arena, size_t size)
{
	size_t room = BLOCK_SIZE - sizeof(struct arena_block);
	struct arena_block *block;

	if (size > room)
		room = size;
	block = calloc(1, sizeof(*block) + room);
	if (!block)
		return -1;
	block->size = room;
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
	if ((!arena->head || arena->head->size - arena->used < size) && add_block(arena, size) < 0)
		return NULL;
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

void arena_done(struct arena *arena)
{
	while (arena->head) {
		struct arena_block *next = arena->head->next;

		free(arena->head);
		arena->head = next;
	}
	arena->used = 0;
}
