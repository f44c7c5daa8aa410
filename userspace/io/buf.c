// SPDX-License-Identifier: Apache-2.0
/*
 * Buffers: a loop's bounded pool for receiving, and the heap for all else. Pool memory is mapped at
 * once and touched only as far as the traffic needs, because the free ones form a stack.
 */
#include "io/buf.h"

#include "io/io_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define DEFAULT_SIZE  16384
#define DEFAULT_COUNT 1024
/* For long transfers; docs/benchmarks.md has the measurements behind the size. */
#define LARGE_SIZE  262144
#define LARGE_COUNT 32
/* io_uring has 16 bits for a buffer's number and rings of at most 2^15. */
#define MAX_COUNT 32768
/* Short messages use a few cache lines at the start of each buffer; at a distance of a power of two
 * they would all fall into the same few sets of the cache. */
#define COLOUR 192

static int pool_init(struct io_buf_pool *pool, uint32_t number, uint32_t size, uint32_t count)
{
	size_t stride = ((size_t)size + 63) / 64 * 64 + COLOUR;

	pool->bufs = calloc(count, sizeof(*pool->bufs));
	if (!pool->bufs)
		return -ENOMEM;
	pool->size = size;
	pool->count = pool->free_count = count;
	pool->memory_size = stride * count;
	pool->memory = mmap(NULL, pool->memory_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->memory == MAP_FAILED) {
		free(pool->bufs);
		return -ENOMEM;
	}
	for (uint32_t i = count; i-- > 0;) {
		pool->bufs[i] = (struct io_buf){.next = pool->free,
						.base = pool->memory + stride * i,
						.cap = size,
						.id = number << IO_POOL_SHIFT | i};
		pool->free = &pool->bufs[i];
	}
	return 0;
}

static void pool_done(struct io_buf_pool *pool)
{
	munmap(pool->memory, pool->memory_size);
	free(pool->bufs);
}

int io_buf_pools_init(struct io_buf_pool pools[IO_POOLS], const struct io_options *options)
{
	uint32_t size = options->buffer_size ? options->buffer_size : DEFAULT_SIZE;
	uint32_t count = options->buffer_count ? options->buffer_count : DEFAULT_COUNT;
	int error;

	if (count > MAX_COUNT)
		count = MAX_COUNT;
	error = pool_init(&pools[IO_POOL_SMALL], IO_POOL_SMALL, size, count);
	if (error)
		return error;
	error = pool_init(&pools[IO_POOL_LARGE], IO_POOL_LARGE, LARGE_SIZE, LARGE_COUNT);
	if (error)
		pool_done(&pools[IO_POOL_SMALL]);
	return error;
}

void io_buf_pools_done(struct io_buf_pool pools[IO_POOLS])
{
	pool_done(&pools[IO_POOL_SMALL]);
	pool_done(&pools[IO_POOL_LARGE]);
}

struct io_buf *io_buf_new(struct io_loop *loop, uint32_t cap)
{
	struct io_buf *buf = malloc(sizeof(*buf) + cap);

	(void)loop;
	if (!buf)
		return NULL;
	*buf = (struct io_buf){.base = (char *)(buf + 1), .cap = cap, .id = IO_BUF_FROM_HEAP};
	return buf;
}

struct io_buf *io_buf_take_like(struct io_loop *loop, const struct io_buf *model)
{
	uint32_t len = model->end - model->start;
	unsigned number = len <= loop->pools[IO_POOL_SMALL].size ? IO_POOL_SMALL : IO_POOL_LARGE;
	struct io_buf *buf = NULL;

	if (len <= loop->pools[number].size)
		buf = io_buf_take(&loop->pools[number]);
	return buf ? buf : io_buf_new(loop, len);
}

struct io_buf *io_buf_new_brief(struct io_loop *loop, uint32_t cap)
{
	struct io_buf_pool *pool = &loop->pools[IO_POOL_SMALL];

	if (cap <= pool->size && !io_buf_pool_is_scarce(pool))
		return io_buf_take(pool);
	return io_buf_new(loop, cap);
}

bool io_buf_is_pooled(const struct io_buf *buf)
{
	return buf->id != IO_BUF_FROM_HEAP;
}

void io_buf_release(struct io_loop *loop, struct io_buf *buf)
{
	struct io_buf_pool *pool;

	if (!buf)
		return;
	if (buf->id == IO_BUF_FROM_HEAP) {
		free(buf);
		return;
	}
	pool = &loop->pools[buf->id >> IO_POOL_SHIFT];
	buf->next = pool->free;
	pool->free = buf;
	pool->free_count++;
}
