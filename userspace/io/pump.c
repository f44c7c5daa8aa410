// SPDX-License-Identifier: Apache-2.0
/*
 * One direction of a relay, and its choice between small buffers, large buffers and splice(2).
 * Received buffers go to the sink's queue as they are; the source is stopped while more than @limit
 * bytes wait there. splice.c moves the bytes of a pump that has a pipe.
 */
#include "io/pump.h"

#include "io/io_internal.h"

#define PUMP_PAUSED    (1u << 0) /* too much waits for the sink */
#define PUMP_EOF       (1u << 1) /* the source has ended, the sink's queue has not run empty yet */
#define PUMP_RESTS     (1u << 2) /* its owner wants the source left alone */
#define PUMP_HOLDS     (1u << 3) /* its owner wants to know before anything is handed on */
#define PUMP_HOLDS_END (1u << 4) /* before a FIN is */

/* Reads in a row before a pump changes to large buffers, and back. */
#define ENTER_LARGE 8
#define LEAVE_LARGE 64
/* Reads of at least so many bytes, and so many bytes in them, before splice(2) takes over. */
#define SPLICE_READ  131072
#define ENTER_SPLICE (4u << 20)

static void detach(struct io_pump *pump)
{
	if (pump->from->read_by != pump)
		return;
	if (pump->pipe)
		io_splice_leave(pump);
	pump->from->read_by = NULL;
	pump->to->written_by = NULL;
	pump->from->flags &= ~STREAM_LARGE;
	io_stream_recv_drop(pump->from);
}

static void end(struct io_pump *pump, enum io_pump_end how, int error)
{
	detach(pump);
	pump->on_end(pump, how, error);
}

void io_pump_start(struct io_pump *pump)
{
	pump->from->read_by = pump;
	pump->to->written_by = pump;
	pump->bytes_before = pump->to->bytes_out + pump->to->queued - pump->to->overhead;
	pump->last_activity_ms = io_loop_now_ms(pump->from->loop);
	if (pump->to->send_error)
		io_stream_tell_sent(pump->to);
	io_stream_recv_start(pump->from);
}

void io_pump_cancel(struct io_pump *pump)
{
	detach(pump);
}

void io_pump_stream_closes(struct io_pump *pump)
{
	if (pump->pipe)
		io_splice_leave(pump);
}

/* Messages that end before half a large buffer is full gain nothing; a long one's end may come. */
static void choose_splice(struct io_pump *pump, uint32_t len)
{
	if (pump->pipe || pump->from->layer || pump->to->layer)
		return;
	pump->bulk = len < SPLICE_READ ? pump->bulk / 2 : pump->bulk + len;
	if (pump->bulk < ENTER_SPLICE)
		return;
	pump->bulk = 0;
	io_splice_enter(pump);
}

/*
 * Reads that fill their buffers in a row mean a long transfer: larger buffers take more with each
 * call. Reads that would have fitted into a small one in a row end it. A limit below a large
 * buffer's size is meant to save memory, and is kept.
 */
void io_pump_judge_read(struct io_pump *pump, uint32_t len)
{
	struct io_stream *from = pump->from;
	bool is_large = from->flags & STREAM_LARGE;
	bool is_full = len >= from->loop->pools[IO_POOL_SMALL].size;

	if (unlikely(is_full && pump->limit < from->loop->pools[IO_POOL_LARGE].size))
		return;
	if (likely(is_full == is_large)) {
		pump->streak = 0;
		if (is_large)
			choose_splice(pump, len);
		return;
	}
	if (++pump->streak < (is_large ? LEAVE_LARGE : ENTER_LARGE))
		return;
	pump->streak = 0;
	if (is_large)
		pump->bulk = 0;
	io_stream_use_large_buffers(from, !is_large);
}

void io_pump_rest(struct io_pump *pump)
{
	pump->flags |= PUMP_RESTS;
	io_stream_recv_stop(pump->from);
	io_stream_tell_rest(pump->from);
}

void io_pump_began(struct io_pump *pump)
{
	if (!(pump->flags & PUMP_EOF))
		pump->on_first(pump);
}

void io_pump_rested(struct io_pump *pump)
{
	if (pump->flags & PUMP_RESTS)
		pump->on_rest(pump);
}

static void go_on(struct io_pump *pump)
{
	if (pump->from->read_by == pump && !(pump->flags & (PUMP_PAUSED | PUMP_EOF)))
		io_stream_recv_start(pump->from);
}

void io_pump_resume(struct io_pump *pump)
{
	pump->flags &= ~(PUMP_RESTS | PUMP_HOLDS | PUMP_HOLDS_END);
	go_on(pump);
}

void io_pump_hold(struct io_pump *pump, enum io_pump_hold what)
{
	pump->flags &= ~(PUMP_RESTS | PUMP_HOLDS | PUMP_HOLDS_END);
	pump->flags |= what == IO_PUMP_HOLD_ALL ? PUMP_HOLDS : PUMP_HOLDS_END;
	go_on(pump);
}

static bool must_hold(const struct io_pump *pump, const struct io_buf *buf, int status)
{
	bool is_fin = !buf && status == 0;

	return pump->flags & (is_fin ? PUMP_HOLDS | PUMP_HOLDS_END : PUMP_HOLDS);
}

/* An error is told once more when the source is started again; a FIN is read again. */
static void hold(struct io_pump *pump, struct io_buf *buf, int status)
{
	if (buf)
		io_stream_put_back(pump->from, buf);
	else if (status == 0)
		io_stream_forget_end(pump->from);
	io_stream_recv_stop(pump->from);
	pump->on_held(pump);
}

bool io_pump_is_spliced(const struct io_pump *pump)
{
	return pump->pipe;
}

bool io_pump_is_empty(const struct io_pump *pump)
{
	if (pump->pipe && !io_splice_is_drained(pump))
		return false;
	return !pump->from->unread && !pump->from->pending && !pump->to->queued &&
	       !pump->to->pending && !pump->to->send_error && !(pump->flags & PUMP_EOF);
}

/* Large reads for a sink that is slower than the source would only fill memory. */
void io_pump_pause(struct io_pump *pump)
{
	if (pump->to->flags & STREAM_BLOCKED)
		pump->from->flags &= ~STREAM_LARGE;
	pump->flags |= PUMP_PAUSED;
	io_stream_recv_stop(pump->from);
}

void io_pump_saw_bytes(struct io_pump *pump)
{
	const struct io_loop *loop = pump->from->loop;

	if (unlikely(!pump->first_byte_us)) {
		pump->first_byte_us = io_loop_now_us(loop);
		if (pump->on_first)
			io_stream_tell_first(pump->from);
	}
	pump->last_activity_ms = io_loop_now_ms(loop);
}

static void received_bytes(struct io_pump *pump, struct io_buf *buf)
{
	uint32_t len = buf->end - buf->start;

	io_pump_saw_bytes(pump);
	io_stream_send(pump->to, buf);
	if (likely(!pump->from->layer))
		io_pump_judge_read(pump, len);
	if (pump->to->queued > pump->limit)
		io_pump_pause(pump);
}

void io_pump_received(struct io_pump *pump, struct io_buf *buf, int status)
{
	if (unlikely(must_hold(pump, buf, status))) {
		hold(pump, buf, status);
		return;
	}
	if (buf) {
		received_bytes(pump, buf);
		return;
	}
	if (status < 0) {
		end(pump, IO_PUMP_RECV_ERROR, status);
		return;
	}
	pump->flags |= PUMP_EOF;
	if (pump->to->send_error)
		return;
	if (pump->to->queued)
		io_stream_expect_shutdown(pump->to);
	else
		end(pump, IO_PUMP_EOF, 0);
}

static bool may_go_on(const struct io_pump *pump)
{
	return pump->pipe ? io_splice_is_drained(pump) : pump->to->queued <= pump->limit / 2;
}

void io_pump_progress(struct io_pump *pump)
{
	const struct io_stream *to = pump->to;
	/* A layer's overhead counts from when it is queued: then this is less than before. */
	uint64_t taken = to->bytes_out - to->overhead - pump->bytes_before;

	if ((int64_t)(taken - pump->bytes) > 0)
		pump->bytes = taken;
	pump->last_activity_ms = io_loop_now_ms(to->loop);
	if (pump->flags & PUMP_PAUSED && may_go_on(pump)) {
		pump->flags &= ~PUMP_PAUSED;
		/* The end may have come all the same; starting again would tell it a second time.
		 */
		if (!(pump->flags & (PUMP_EOF | PUMP_RESTS)))
			io_stream_recv_start(pump->from);
	}
}

bool io_pump_awaits_drain(const struct io_pump *pump)
{
	return pump->flags & PUMP_EOF;
}

void io_pump_sent(struct io_pump *pump, int status)
{
	if (status < 0)
		end(pump, IO_PUMP_SEND_ERROR, status);
	else if (pump->flags & PUMP_EOF)
		end(pump, IO_PUMP_EOF, 0);
}
