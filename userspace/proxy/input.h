/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_INPUT_H
#define SLUICE_PROXY_INPUT_H

#include "core/compiler.h"
#include "core/slice.h"
#include "io/buf.h"
#include "io/loop.h"

#include <stddef.h>

/*
 * What was received and not yet used, in one piece, as parsers want it. A zeroed one is empty.
 * What comes whole is looked at where it was received; what has to wait moves to the heap, so that
 * a peer that takes its time holds no receive buffer.
 */
struct input {
	struct io_buf *buf;
};

static inline struct slice input_bytes(const struct input *input)
{
	return input->buf ? io_buf_bytes(input->buf) : (struct slice){};
}

/* Takes ownership of @buf, also on failure. Return: 0; -ENOMEM: @buf was dropped. */
int input_append(struct io_loop *loop, struct input *input, struct io_buf *buf) WARN_UNUSED;

/* Nothing more is expected in this round. Return: 0; -ENOMEM: it stays where it is. */
int input_keep(struct io_loop *loop, struct input *input);

/* The first @len bytes were used; with the last one the buffer goes. */
void input_consume(struct io_loop *loop, struct input *input, size_t len);

/* The caller's from now on; NULL if it is empty. */
struct io_buf *input_take(struct input *input);

void input_release(struct io_loop *loop, struct input *input);

#endif
