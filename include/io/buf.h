/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_IO_BUF_H
#define SLUICE_IO_BUF_H

#include "core/compiler.h"
#include "core/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct io_loop;

/*
 * Bytes received or to be sent. Bytes are at [start, end) of @base. A receive buffer comes from its
 * loop's pool, which is bounded: whoever holds one gives it back soon, by io_buf_release() or by
 * handing it to io_stream_send().
 */
struct io_buf {
	struct io_buf *next; /* the holder's, for queues */
	char *base;
	uint32_t start, end, cap;
	uint32_t id;    /* the pool's */
	uint8_t record; /* io/record.c's: a record of that type, by itself; 0: bytes */
};

/* An empty buffer with room for @cap bytes from the heap. Return: NULL: out of memory. */
struct io_buf *io_buf_new(struct io_loop *loop, uint32_t cap) WARN_UNUSED;

/*
 * An empty buffer with room for as much as @model holds: from the pool that fits, or from the heap
 * where that has none left. Return: NULL: out of memory.
 */
struct io_buf *io_buf_take_like(struct io_loop *loop, const struct io_buf *model) WARN_UNUSED;

/* The same for what is sent soon: from the pool of receive buffers while that has plenty. */
struct io_buf *io_buf_new_brief(struct io_loop *loop, uint32_t cap) WARN_UNUSED;

/* Whether others wait for it: then it should not be held for long. */
bool io_buf_is_pooled(const struct io_buf *buf);

/* Wherever it came from, it goes back. NULL is allowed. */
void io_buf_release(struct io_loop *loop, struct io_buf *buf);

static inline struct slice io_buf_bytes(const struct io_buf *buf)
{
	return slice_of(buf->base + buf->start, buf->end - buf->start);
}

#endif
