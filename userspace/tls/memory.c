// SPDX-License-Identifier: Apache-2.0
/*
 * Pieces that OpenSSL has given back, on shelves by size: the last one given is the first one
 * taken. Small sizes have a shelf each; larger ones share some, and the first piece there is taken
 * if its size is the very one.
 */
#include "tls/memory.h"

#include "core/compiler.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define KEEPS (!IS_WATCHED_FOR_MEMORY && !IS_WATCHED_FOR_THREADS)

/* As malloc's sizes go: 24, 40, 56, … */
#define STEP    16
#define FIRST   8
#define SMALL   64   /* in steps: 1,032 bytes */
#define LARGEST 2304 /* 36 KiB, above a buffer of records */
#define SHARED  16
/* Of a shelf of one size: 4 KiB; of all that are shared: 256 KiB. */
#define SHELF_MAX  256
#define SHARED_MAX 16384

struct piece {
	struct piece *next;
	size_t steps; /* of those on shared shelves */
};

struct shelf {
	struct piece *first;
	size_t steps; /* of all */
};

struct kept {
	struct shelf own[SMALL + 1], shared[SHARED];
	size_t steps; /* on the shared ones */
};

static __thread struct kept *kept;

/* As many as hold @size. */
static size_t steps_for(size_t size)
{
	return size <= STEP + FIRST ? 1 : (size - FIRST + STEP - 1) / STEP;
}

/* Return: NULL: there is none of that size. */
static void *take_large(size_t steps)
{
	struct shelf *shelf = &kept->shared[steps % SHARED];
	struct piece *piece = shelf->first;

	if (!piece || piece->steps != steps)
		return NULL;
	shelf->first = piece->next;
	kept->steps -= steps;
	return piece;
}

static void *take(size_t steps)
{
	struct shelf *shelf = &kept->own[steps];
	struct piece *piece = shelf->first;

	if (!piece)
		return NULL;
	shelf->first = piece->next;
	shelf->steps -= steps;
	return piece;
}

/* Return: whether it is kept. */
static bool give_large(struct piece *piece, size_t steps)
{
	struct shelf *shelf = &kept->shared[steps % SHARED];

	if (steps > LARGEST || kept->steps + steps > SHARED_MAX)
		return false;
	*piece = (struct piece){.next = shelf->first, .steps = steps};
	shelf->first = piece;
	kept->steps += steps;
	return true;
}

static bool give(struct piece *piece, size_t steps)
{
	struct shelf *shelf = &kept->own[steps];

	if (steps == 0 || shelf->steps >= SHELF_MAX)
		return false;
	piece->next = shelf->first;
	shelf->first = piece;
	shelf->steps += steps;
	return true;
}

static void *on_malloc(size_t size, const char *file, int line)
{
	size_t steps = steps_for(size);
	void *piece = NULL;

	(void)file;
	(void)line;
	if (kept)
		piece = steps <= SMALL ? take(steps) : take_large(steps);
	return piece ? piece : malloc(size);
}

static void *on_realloc(void *piece, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return realloc(piece, size);
}

static void on_free(void *piece, const char *file, int line)
{
	size_t steps;

	(void)file;
	(void)line;
	if (!piece)
		return;
	if (kept) {
		steps = (malloc_usable_size(piece) - FIRST) / STEP;
		if (steps <= SMALL ? give(piece, steps) : give_large(piece, steps))
			return;
	}
	free(piece);
}

void tls_memory_init(void)
{
	CRYPTO_set_mem_functions(on_malloc, on_realloc, on_free);
}

void tls_memory_begin(void)
{
	if (KEEPS && !kept)
		kept = calloc(1, sizeof(*kept));
}

static void clear(struct shelf *shelf)
{
	while (shelf->first) {
		struct piece *piece = shelf->first;

		shelf->first = piece->next;
		free(piece);
	}
}

void tls_memory_end(void)
{
	for (size_t i = 0; kept && i < ARRAY_SIZE(kept->own); i++)
		clear(&kept->own[i]);
	for (size_t i = 0; kept && i < ARRAY_SIZE(kept->shared); i++)
		clear(&kept->shared[i]);
	free(kept);
	kept = NULL;
}
