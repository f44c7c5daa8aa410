// SPDX-License-Identifier: Apache-2.0
/* Encoders that a thread keeps between bodies; they go with the thread. */
#include "filter/encoder_pool.h"

#include <pthread.h>
#include <stdlib.h>

#define KEPT_MAX 8

struct kept {
	const struct encoder_kind *kind; /* NULL: free */
	int level;
	void *state;
};

struct pool {
	uint32_t active;
	struct kept kept[KEPT_MAX];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

static void free_pool(void *context)
{
	struct pool *pool = context;

	for (size_t i = 0; i < KEPT_MAX; i++)
		if (pool->kept[i].kind)
			pool->kept[i].kind->close(pool->kept[i].state);
	free(pool);
}

static void make_key(void)
{
	if (pthread_key_create(&key, free_pool) != 0)
		abort();
}

static struct pool *own_pool(void)
{
	struct pool *pool;

	pthread_once(&once, make_key);
	pool = pthread_getspecific(key);
	if (pool)
		return pool;
	pool = calloc(1, sizeof(*pool));
	if (pool && pthread_setspecific(key, pool) != 0) {
		free(pool);
		return NULL;
	}
	return pool;
}

static void *take_kept(struct pool *pool, const struct encoder_kind *kind, int level)
{
	for (size_t i = 0; i < KEPT_MAX; i++) {
		struct kept *kept = &pool->kept[i];

		if (kept->kind != kind || kept->level != level)
			continue;
		kept->kind = NULL;
		return kept->state;
	}
	return NULL;
}

void *encoder_pool_take(const struct encoder_kind *kind, int level, uint32_t max_active)
{
	struct pool *pool = own_pool();
	void *state;

	if (!pool || pool->active >= max_active)
		return NULL;
	state = kind->open(level, take_kept(pool, kind, level));
	if (state)
		pool->active++;
	return state;
}

void encoder_pool_give(const struct encoder_kind *kind, int level, void *state)
{
	struct pool *pool = own_pool();

	pool->active--;
	for (size_t i = 0; kind->is_reusable && i < KEPT_MAX; i++) {
		if (pool->kept[i].kind)
			continue;
		pool->kept[i] = (struct kept){kind, level, state};
		return;
	}
	kind->close(state);
}
