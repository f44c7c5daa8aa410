// SPDX-License-Identifier: Apache-2.0
/*
 * Moves a pump's bytes by splice(2): from the source into a pipe and from there to the sink, as
 * references to pages.
 *
 *   pipe empty ──source readable──► fill, flush ──all taken──► pipe empty
 *                                       └──sink full──► pipe holds bytes, the source is stopped
 *   pipe holds bytes ──sink writable──► flush
 *
 * The pipe is filled only while it is empty: then -EAGAIN can only mean the source, and a FIN or
 * an error of the source is found only after all before it has gone to the sink.
 */
#include "io/splice.h"

#include "io/io_internal.h"

#include <errno.h>
#include <fcntl.h>

/* Fills in a row that one small buffer could have held, before receiving is the better way. */
#define LEAVE_SPLICE 16

#define SPLICE_FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

void io_splice_enter(struct io_pump *pump)
{
	struct io_stream *from = pump->from;

	if (from->unread || (from->flags | pump->to->flags) & STREAM_CLOSING)
		return;
	pump->pipe = io_pipe_take(pump);
	if (!pump->pipe)
		return;
	pump->streak = 0;
	from->flags |= STREAM_SPLICED;
	list_remove(&from->node);
	from->loop->backend->stream_recv(from);
}

void io_splice_leave(struct io_pump *pump)
{
	struct io_stream *from = pump->from;

	io_pipe_release(from->loop, pump->pipe);
	pump->pipe = NULL;
	pump->streak = 0;
	from->flags &= ~(STREAM_SPLICED | STREAM_LARGE);
	from->loop->backend->stream_recv(from);
}

bool io_splice_is_drained(const struct io_pump *pump)
{
	return !pump->to->queued && !pump->pipe->held;
}

/* Return: bytes; 0 at the end; -errno. */
static ssize_t move(int from, int to, size_t len)
{
	ssize_t moved;

	do
		moved = splice(from, NULL, to, NULL, len, SPLICE_FLAGS);
	while (moved < 0 && errno == EINTR);
	return moved < 0 ? -errno : moved;
}

/* The pipe is not empty. */
static void flush(struct io_pump *pump)
{
	struct io_pipe *pipe = pump->pipe;
	struct io_stream *to = pump->to;
	ssize_t len;

	do {
		len = move(pipe->fds[0], to->fd, pipe->held);
		if (len <= 0)
			break;
		pipe->held -= (uint32_t)len;
		to->bytes_out += (uint64_t)len;
	} while (pipe->held);
	if (pipe->held)
		io_pump_pause(pump);
	if (len == -EAGAIN)
		to->loop->backend->stream_await_room(to);
	else if (len <= 0)
		io_stream_send_failed(to, len < 0 ? (int)len : -EIO);
	io_pump_progress(pump);
}

/* Traffic that has turned small costs less by receiving into small buffers. */
static void judge_size(struct io_pump *pump, size_t len)
{
	if (len >= pump->from->loop->pools[IO_POOL_SMALL].size)
		pump->streak = 0;
	else if (++pump->streak >= LEAVE_SPLICE && io_splice_is_drained(pump))
		io_splice_leave(pump);
}

int io_pump_readable(struct io_pump *pump)
{
	struct io_pipe *pipe = pump->pipe;
	struct io_stream *from = pump->from;
	ssize_t len;

	if (!io_splice_is_drained(pump) || pump->to->send_error) {
		io_pump_pause(pump);
		return 0;
	}
	len = move(from->fd, pipe->fds[1], pipe->size);
	if (len > 0) {
		pipe->held = (uint32_t)len;
		from->bytes_in += (uint64_t)len;
		io_pump_saw_bytes(pump);
		flush(pump);
		judge_size(pump, (size_t)len);
	} else if (len == -EINVAL) {
		io_splice_leave(pump); /* a socket that cannot be spliced */
	} else if (len != -EAGAIN) {
		io_stream_recv_ended(from, (int)len);
	}
	return len == -EAGAIN ? -EAGAIN : 0;
}

void io_pump_writable(struct io_pump *pump)
{
	if (pump->pipe && pump->pipe->held && !pump->to->queued)
		flush(pump);
}
