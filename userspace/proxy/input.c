// SPDX-License-Identifier: Apache-2.0
/* Received bytes in one piece. */
#include "proxy/input.h"

#include <errno.h>
#include <string.h>

/* Room for as much again, so that bytes which come one by one are copied a few times, not each
 * time. */
static struct io_buf *copy_to_heap(struct io_loop *loop, struct slice bytes, size_t more)
{
	struct io_buf *copy = io_buf_new(loop, (uint32_t)(2 * (bytes.len + more)));

	if (!copy)
		return NULL;
	memcpy(copy->base, bytes.ptr, bytes.len);
	copy->end = (uint32_t)bytes.len;
	return copy;
}

static bool has_room(const struct io_buf *buf, size_t more)
{
	return !io_buf_is_pooled(buf) && buf->cap - buf->end >= more;
}

static int make_room(struct io_loop *loop, struct input *input, size_t more)
{
	struct io_buf *copy;

	if (has_room(input->buf, more))
		return 0;
	copy = copy_to_heap(loop, io_buf_bytes(input->buf), more);
	if (!copy)
		return -ENOMEM;
	io_buf_release(loop, input->buf);
	input->buf = copy;
	return 0;
}

int input_append(struct io_loop *loop, struct input *input, struct io_buf *buf)
{
	struct slice bytes = io_buf_bytes(buf);
	int err;

	if (!input->buf) {
		input->buf = buf;
		return 0;
	}
	err = make_room(loop, input, bytes.len);
	if (!err) {
		memcpy(input->buf->base + input->buf->end, bytes.ptr, bytes.len);
		input->buf->end += (uint32_t)bytes.len;
	}
	io_buf_release(loop, buf);
	return err;
}

int input_keep(struct io_loop *loop, struct input *input)
{
	if (!input->buf || !io_buf_is_pooled(input->buf))
		return 0;
	return make_room(loop, input, 0);
}

void input_consume(struct io_loop *loop, struct input *input, size_t len)
{
	if (!input->buf)
		return;
	input->buf->start += (uint32_t)len;
	if (input->buf->start == input->buf->end)
		input_release(loop, input);
}

struct io_buf *input_take(struct input *input)
{
	struct io_buf *buf = input->buf;

	input->buf = NULL;
	return buf;
}

void input_release(struct io_loop *loop, struct input *input)
{
	io_buf_release(loop, input->buf);
	input->buf = NULL;
}
