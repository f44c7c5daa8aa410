// SPDX-License-Identifier: Apache-2.0
/*
 * Streams: the send queue, what is told to whom and when, and the way to on_closed. The back ends
 * move the bytes; what falls due without an event of the kernel runs from the stream's task.
 */
#include "io/stream.h"

#include "io/io_internal.h"

#include <assert.h>
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

static void run_due(struct io_task *task);

void io_stream_init(struct io_stream *stream, struct io_loop *loop, int fd,
		    const struct io_stream_ops *ops)
{
	*stream = (struct io_stream){.loop = loop, .ops = ops, .fd = fd};
	stream->task.on_run = run_due;
}

void io_stream_connect(struct io_stream *stream, const struct address *address)
{
	stream->flags |= STREAM_CONNECTING;
	stream->loop->backend->stream_connect(stream, address);
}

void io_stream_defer(struct io_stream *stream)
{
	io_loop_defer(stream->loop, &stream->task);
}

bool io_stream_is_closing(const struct io_stream *stream)
{
	return stream->flags & STREAM_CLOSING;
}

/* --- Receiving --------------------------------------------------- */

static void deliver(struct io_stream *stream, struct io_buf *buf, int status)
{
	if (stream->read_by)
		io_pump_received(stream->read_by, buf, status);
	else if (stream->flags & STREAM_RECV_DROPPED)
		io_buf_release(stream->loop, buf);
	else
		stream->ops->on_recv(stream, buf, status);
}

static void append_unread(struct io_stream *stream, struct io_buf *buf)
{
	struct io_buf **tail = &stream->unread;

	while (*tail)
		tail = &(*tail)->next;
	buf->next = NULL;
	*tail = buf;
	io_stream_defer(stream);
}

void io_stream_deliver(struct io_stream *stream, struct io_buf *buf)
{
	stream->bytes_in += buf->end - buf->start;
	stream->loop->delivered_us = stream->loop->now_us;
	if (unlikely(stream->unread))
		append_unread(stream, buf);
	else
		deliver(stream, buf, 0);
}

void io_stream_received(struct io_stream *stream, struct io_buf *buf)
{
	if (unlikely(stream->flags & STREAM_CLOSING))
		io_buf_release(stream->loop, buf);
	else if (unlikely(stream->layer))
		io_layer_received(stream, buf);
	else
		io_stream_deliver(stream, buf);
}

void io_stream_unread(struct io_stream *stream, struct io_buf *buf)
{
	stream->bytes_in += buf->end - buf->start;
	append_unread(stream, buf);
}

void io_stream_put_back(struct io_stream *stream, struct io_buf *buf)
{
	buf->next = stream->unread;
	stream->unread = buf;
}

void io_stream_forget_end(struct io_stream *stream)
{
	stream->flags &= ~(STREAM_RECV_ENDED | STREAM_RECV_END_DUE);
}

/* The kernel tells of a reset once; had the sender heard it, this would look like a FIN. */
static void tell_end(struct io_stream *stream)
{
	if (stream->status == 0 && stream->send_error == -ECONNRESET)
		stream->status = -ECONNRESET;
	stream->flags &= ~STREAM_RECV_WANTED;
	deliver(stream, NULL, stream->status);
}

void io_stream_recv_ended(struct io_stream *stream, int status)
{
	struct io_layer *layer = stream->layer;

	if (unlikely(layer) && stream->flags & STREAM_RECV_ENDED)
		return; /* the layer has said so already */
	stream->flags |= STREAM_RECV_ENDED;
	stream->status = (int16_t)status;
	if (stream->flags & STREAM_CLOSING)
		return;
	if (unlikely(layer)) {
		if (!(stream->flags & STREAM_LAYER_DUE))
			layer->ops->on_wire_end(layer, status);
		return;
	}
	/* A send that learnt of a reset may complete later in this round. */
	if (stream->unread || (status == 0 && stream->in_flight)) {
		stream->flags |= STREAM_RECV_END_DUE;
		io_stream_defer(stream);
		return;
	}
	tell_end(stream);
}

void io_stream_recv_start(struct io_stream *stream)
{
	if (stream->flags & STREAM_CLOSING)
		return;
	stream->flags &= ~STREAM_RECV_DROPPED;
	stream->flags |= STREAM_RECV_WANTED;
	if (stream->flags & STREAM_RECV_ENDED)
		stream->flags |= STREAM_RECV_END_DUE;
	if (stream->unread || stream->flags & STREAM_RECV_ENDED || io_layer_is_holding(stream))
		io_stream_defer(stream);
	stream->loop->backend->stream_recv(stream);
}

void io_stream_use_large_buffers(struct io_stream *stream, bool is_large)
{
	if (is_large)
		stream->flags |= STREAM_LARGE;
	else
		stream->flags &= ~STREAM_LARGE;
	list_remove(&stream->node);
	stream->loop->backend->stream_recv(stream);
}

void io_stream_recv_stop(struct io_stream *stream)
{
	if (!(stream->flags & STREAM_RECV_WANTED))
		return;
	stream->flags &= ~STREAM_RECV_WANTED;
	list_remove(&stream->node);
	stream->loop->backend->stream_recv(stream);
}

bool io_stream_is_receiving(const struct io_stream *stream)
{
	return io_stream_may_recv(stream) && !list_is_linked(&stream->node);
}

bool io_stream_lacks_buffer(const struct io_stream *stream)
{
	return io_stream_may_recv(stream) && list_is_linked(&stream->node);
}

void io_stream_recv_drop(struct io_stream *stream)
{
	stream->flags |= STREAM_RECV_DROPPED;
	io_stream_recv_stop(stream);
}

static void deliver_unread(struct io_stream *stream)
{
	while (stream->unread && stream->flags & STREAM_RECV_WANTED &&
	       !(stream->flags & STREAM_CLOSING)) {
		struct io_buf *buf = stream->unread;

		stream->unread = buf->next;
		buf->next = NULL;
		deliver(stream, buf, 0);
	}
}

static void deliver_end(struct io_stream *stream)
{
	if (stream->unread || stream->flags & STREAM_CLOSING || io_stream_withholds_end(stream))
		return;
	stream->flags &= ~STREAM_RECV_END_DUE;
	tell_end(stream);
}

void io_stream_tell_first(struct io_stream *stream)
{
	stream->flags |= STREAM_FIRST_DUE;
	io_stream_defer(stream);
}

static void deliver_first(struct io_stream *stream)
{
	stream->flags &= ~STREAM_FIRST_DUE;
	if (stream->read_by)
		io_pump_began(stream->read_by);
}

void io_stream_tell_rest(struct io_stream *stream)
{
	stream->flags |= STREAM_REST_DUE;
	if (!stream->pending)
		io_stream_defer(stream);
}

static void deliver_rest(struct io_stream *stream)
{
	if (!(stream->flags & STREAM_REST_DUE) || stream->pending || stream->flags & STREAM_CLOSING)
		return;
	stream->flags &= ~STREAM_REST_DUE;
	if (stream->read_by)
		io_pump_rested(stream->read_by);
}

/* --- Sending ----------------------------------------------------- */

void io_stream_append(struct io_stream *stream, struct io_buf *buf)
{
	assert(!stream->send_head || stream->send_tail);
	buf->next = NULL;
	if (stream->send_head)
		stream->send_tail->next = buf;
	else
		stream->send_head = buf;
	stream->send_tail = buf;
}

/* Nearly full, and one of many: not worth a copy. */
static bool is_affordable(const struct io_stream *stream, const struct io_buf *buf)
{
	return buf->end - buf->start > buf->cap / 2 &&
	       !io_buf_pool_is_scarce(&stream->loop->pools[buf->id >> IO_POOL_SHIFT]);
}

/* Without memory the receive buffer stays where it is: slower for others, but right. */
static void append_on_heap(struct io_stream *stream, struct io_buf *buf)
{
	uint32_t len = buf->end - buf->start;
	struct io_buf *tail = stream->send_head ? stream->send_tail : NULL;

	if (buf->id == IO_BUF_FROM_HEAP || is_affordable(stream, buf)) {
		io_stream_append(stream, buf);
		return;
	}
	/* The kernel may hold the tail, but it reads only up to the end that it was told. */
	if (!tail || tail->id != IO_BUF_FROM_HEAP || tail->cap - tail->end < len) {
		tail = io_buf_new(stream->loop,
				  len > IO_BLOCKED_BUFFER_SIZE ? len : IO_BLOCKED_BUFFER_SIZE);
		if (!tail) {
			io_stream_append(stream, buf);
			return;
		}
		io_stream_append(stream, tail);
	}
	memcpy(tail->base + tail->end, buf->base + buf->start, len);
	tail->end += len;
	io_buf_release(stream->loop, buf);
}

void io_stream_block(struct io_stream *stream)
{
	struct io_buf *buf = stream->send_head;

	stream->flags |= STREAM_BLOCKED;
	stream->send_head = NULL;
	while (buf) {
		struct io_buf *next = buf->next;

		append_on_heap(stream, buf);
		buf = next;
	}
}

void io_stream_enqueue(struct io_stream *stream, struct io_buf *buf)
{
	stream->queued += buf->end - buf->start;
	if (stream->flags & (STREAM_BLOCKED | STREAM_CONNECTING)) {
		append_on_heap(stream, buf);
		return;
	}
	io_stream_append(stream, buf);
	if (!stream->in_flight)
		stream->loop->backend->stream_send(stream);
}

void io_stream_send(struct io_stream *stream, struct io_buf *buf)
{
	uint32_t len = buf->end - buf->start;

	assert(!(stream->flags & STREAM_SHUT_WANTED));
	if (stream->send_error || stream->flags & STREAM_CLOSING || len == 0) {
		io_buf_release(stream->loop, buf);
		return;
	}
	if (unlikely(stream->layer)) {
		stream->overhead -= len;
		stream->layer->ops->on_send(stream->layer, buf);
		return;
	}
	io_stream_enqueue(stream, buf);
}

unsigned io_stream_gather(const struct io_stream *stream, struct iovec *ret, uint32_t *ret_bytes)
{
	unsigned count = 0;

	*ret_bytes = 0;
	for (struct io_buf *buf = stream->send_head; buf && !buf->record && count < IO_SEND_VECTORS;
	     buf = buf->next) {
		uint32_t len = buf->end - buf->start;

		ret[count++] = (struct iovec){.iov_base = buf->base + buf->start, .iov_len = len};
		*ret_bytes += len;
	}
	return count;
}

void io_stream_expect_shutdown(struct io_stream *stream)
{
	stream->flags |= STREAM_LAST_QUEUED;
	if (stream->in_flight == stream->queued && stream->loop->backend->stream_cork)
		stream->loop->backend->stream_cork(stream);
}

int io_stream_more(const struct io_stream *stream, uint32_t bytes)
{
	return stream->flags & STREAM_LAST_QUEUED && bytes == stream->queued ? MSG_MORE : 0;
}

void io_stream_drop_queue(struct io_stream *stream)
{
	while (stream->send_head) {
		struct io_buf *next = stream->send_head->next;

		io_buf_release(stream->loop, stream->send_head);
		stream->send_head = next;
	}
	stream->queued = 0;
}

/* shutdown(2) on both back ends: io_uring would hand it to a thread. */
static void shut_if_drained(struct io_stream *stream)
{
	const uint32_t states = STREAM_SHUT_WANTED | STREAM_SHUT_DONE | STREAM_CONNECTING |
				STREAM_CLOSING;

	if (stream->queued || (stream->flags & states) != STREAM_SHUT_WANTED)
		return;
	stream->flags |= STREAM_SHUT_DONE;
	shutdown(stream->fd, SHUT_WR);
}

static bool wants_on_sent(const struct io_stream *stream)
{
	if (stream->flags & STREAM_LAYER_ALONE)
		return false;
	return !stream->written_by || io_pump_awaits_drain(stream->written_by);
}

void io_stream_tell_sent(struct io_stream *stream)
{
	stream->flags |= STREAM_SENT_DUE;
	io_stream_defer(stream);
}

void io_stream_got_room(struct io_stream *stream)
{
	if (unlikely(io_record_is_next(stream)) && !stream->in_flight)
		stream->loop->backend->stream_send(stream);
	else if (stream->written_by)
		io_pump_writable(stream->written_by);
	else if (!stream->queued)
		io_stream_tell_sent(stream);
}

void io_stream_took(struct io_stream *stream, size_t count)
{
	stream->queued -= (uint32_t)count;
	stream->bytes_out += count;
	while (count) {
		struct io_buf *buf = stream->send_head;
		uint32_t len = buf->end - buf->start;

		if (count < len) {
			buf->start += (uint32_t)count;
			break;
		}
		count -= len;
		stream->send_head = buf->next;
		io_buf_release(stream->loop, buf);
	}
	if (stream->flags & STREAM_CLOSING)
		return;
	if (stream->written_by)
		io_pump_progress(stream->written_by);
	if (stream->queued)
		return;
	shut_if_drained(stream);
	if (wants_on_sent(stream))
		io_stream_tell_sent(stream);
}

/* What is in flight the kernel still reads: it goes when that is over. */
void io_stream_send_failed(struct io_stream *stream, int error)
{
	stream->send_error = (int16_t)error;
	stream->flags &= ~STREAM_BLOCKED;
	if (!stream->in_flight)
		io_stream_drop_queue(stream);
	if (!(stream->flags & STREAM_CLOSING))
		io_stream_tell_sent(stream);
}

static void deliver_sent(struct io_stream *stream)
{
	stream->flags &= ~STREAM_SENT_DUE;
	if ((stream->queued && !stream->send_error) || stream->flags & STREAM_LAYER_ALONE)
		return;
	if (stream->written_by)
		io_pump_sent(stream->written_by, stream->send_error);
	else
		stream->ops->on_sent(stream, stream->send_error);
}

void io_stream_shutdown(struct io_stream *stream)
{
	stream->flags |= STREAM_SHUT_WANTED;
	if (stream->layer && !stream->send_error)
		stream->layer->ops->on_shutdown(stream->layer);
	shut_if_drained(stream);
}

/* --- Life -------------------------------------------------------- */

void io_stream_connected(struct io_stream *stream, int status)
{
	stream->flags &= ~(STREAM_CONNECTING | STREAM_CONNECT_DUE);
	if (stream->flags & STREAM_CLOSING)
		return;
	if (status < 0) {
		stream->send_error = (int16_t)status;
		io_stream_drop_queue(stream);
		stream->flags |= STREAM_RECV_ENDED;
		stream->status = (int16_t)status;
	}
	stream->ops->on_connect(stream, status);
	if (status < 0 || stream->flags & STREAM_CLOSING)
		return;
	if (stream->queued && !stream->in_flight)
		stream->loop->backend->stream_send(stream);
	shut_if_drained(stream);
	stream->loop->backend->stream_recv(stream);
}

void io_stream_close(struct io_stream *stream, enum io_close_how how)
{
	struct linger reset = {.l_onoff = 1};

	if (stream->flags & STREAM_CLOSING)
		return;
	if (stream->layer && how == IO_CLOSE_FIN)
		io_layer_say_goodbye(stream);
	stream->flags |= STREAM_CLOSING;
	if (how == IO_CLOSE_RESET) {
		setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		stream->send_error = -ECONNABORTED;
	}
	list_remove(&stream->node);
	if (stream->read_by)
		io_pump_stream_closes(stream->read_by);
	if (stream->written_by)
		io_pump_stream_closes(stream->written_by);
	stream->loop->backend->stream_close(stream);
	io_stream_defer(stream);
}

void io_stream_operation_ended(struct io_stream *stream)
{
	if (!stream->pending && stream->flags & (STREAM_CLOSING | STREAM_REST_DUE))
		io_stream_defer(stream);
}

static void finish_close(struct io_stream *stream)
{
	if (stream->pending || io_record_holds_close(stream))
		return;
	io_stream_drop_queue(stream);
	while (stream->unread) {
		struct io_buf *next = stream->unread->next;

		io_buf_release(stream->loop, stream->unread);
		stream->unread = next;
	}
	close(stream->fd);
	stream->fd = -1;
	if (stream->layer)
		stream->layer->ops->on_close(stream->layer);
	stream->ops->on_closed(stream);
}

/* Each step may close the stream; then its task has been queued again. */
static void run_due(struct io_task *task)
{
	struct io_stream *stream = container_of(task, struct io_stream, task);

	if (stream->flags & STREAM_CLOSING) {
		finish_close(stream);
		return;
	}
	if (stream->flags & STREAM_CONNECT_DUE)
		io_stream_connected(stream, stream->status);
	if (stream->flags & STREAM_LAYER_DUE)
		io_layer_start(stream);
	if (stream->flags & STREAM_SENT_DUE && !(stream->flags & STREAM_CLOSING))
		deliver_sent(stream);
	if (stream->flags & STREAM_FIRST_DUE && !(stream->flags & STREAM_CLOSING))
		deliver_first(stream);
	if (unlikely(io_layer_is_holding(stream)) && io_layer_is_heard(stream->layer))
		stream->layer->ops->kernel->on_heard(stream->layer);
	deliver_unread(stream);
	if (stream->flags & STREAM_RECV_END_DUE && !(stream->flags & STREAM_CLOSING))
		deliver_end(stream);
	deliver_rest(stream);
	if (io_stream_may_recv(stream))
		stream->loop->backend->stream_resume(stream);
}
