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
/* io_uring has 16 bits for a buffer's number and rings of at most 2^15. */
#define MAX_COUNT 32768
/* Short messages use a few cache lines at the start of each buffer; at a distance of a power of two
 * they would all fall into the same few sets of the cache. */
#define COLOUR 192

int io_buf_pool_init(struct io_buf_pool *pool, const struct io_options *options)
{
	uint32_t count = options->buffer_count ? options->buffer_count : DEFAULT_COUNT;
	size_t stride;

	pool->size = options->buffer_size ? options->buffer_size : DEFAULT_SIZE;
	pool->count = count < MAX_COUNT ? count : MAX_COUNT;
	stride = ((size_t)pool->size + 63) / 64 * 64 + COLOUR;
	pool->bufs = calloc(pool->count, sizeof(*pool->bufs));
	if (!pool->bufs)
		return -ENOMEM;
	pool->memory_size = stride * pool->count;
	pool->memory = mmap(NULL, pool->memory_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->memory == MAP_FAILED) {
		free(pool->bufs);
		return -ENOMEM;
	}
	for (uint32_t i = pool->count; i-- > 0;) {
		pool->bufs[i] = (struct io_buf){.next = pool->free,
						.base = pool->memory + stride * i,
						.cap = pool->size,
						.id = i};
		pool->free = &pool->bufs[i];
	}
	pool->free_count = pool->count;
	return 0;
}

void io_buf_pool_done(struct io_buf_pool *pool)
{
	munmap(pool->memory, pool->memory_size);
	free(pool->bufs);
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

bool io_buf_is_pooled(const struct io_buf *buf)
{
	return buf->id != IO_BUF_FROM_HEAP;
}

void io_buf_release(struct io_loop *loop, struct io_buf *buf)
{
	if (!buf)
		return;
	if (buf->id == IO_BUF_FROM_HEAP) {
		free(buf);
		return;
	}
	buf->next = loop->pool.free;
	loop->pool.free = buf;
	loop->pool.free_count++;
}
