// SPDX-License-Identifier: Apache-2.0
/*
 * Layers: how bytes of the wire reach a layer, and how what it makes of them reaches the stream's
 * owner or the send queue. stream.c and the back ends stay as they are for streams without one.
 */
#include "io/layer.h"

#include "io/io_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void io_layer_attach(struct io_stream *stream, struct io_layer *layer)
{
	assert(!stream->layer && !(stream->flags & STREAM_RECV_WANTED));
	stream->layer = layer;
	layer->stream = stream;
	stream->flags &= ~STREAM_RECV_DROPPED;
	stream->flags |= STREAM_LAYER_DUE | STREAM_LAYER_ALONE;
	io_stream_defer(stream);
}

/* --- From the wire ----------------------------------------------- */

/* What had been read before there was a layer goes first, then the end that had been seen. */
void io_layer_start(struct io_stream *stream)
{
	struct io_layer *layer = stream->layer;
	struct io_buf *buf = stream->unread;
	bool has_ended = stream->flags & STREAM_RECV_ENDED;

	stream->unread = NULL;
	stream->flags &= ~(STREAM_LAYER_DUE | STREAM_RECV_END_DUE | STREAM_RECV_ENDED);
	stream->flags |= STREAM_RECV_WANTED;
	layer->ops->on_start(layer);
	while (buf) {
		struct io_buf *next = buf->next;

		buf->next = NULL;
		io_layer_received(stream, buf);
		buf = next;
	}
	if (has_ended)
		io_stream_recv_ended(stream, stream->status);
	else
		stream->loop->backend->stream_recv(stream);
}

/* Once more: the kernel had already handed these over, but further ones are not asked for. */
static void stop_if_unheard(struct io_stream *stream)
{
	if (!(stream->flags & (STREAM_RECV_WANTED | STREAM_CLOSING)))
		stream->loop->backend->stream_recv(stream);
}

void io_layer_received(struct io_stream *stream, struct io_buf *buf)
{
	uint32_t len = buf->end - buf->start;

	if (stream->flags & (STREAM_CLOSING | STREAM_LAYER_ENDED)) {
		io_buf_release(stream->loop, buf);
		return;
	}
	if (stream->flags & STREAM_LAYER_DUE) {
		io_stream_unread(stream, buf);
		return;
	}
	if (stream->read_by)
		io_pump_judge_read(stream->read_by, len);
	stream->layer->ops->on_wire(stream->layer, buf);
	stop_if_unheard(stream);
}

/* --- To the owner ------------------------------------------------ */

/* Receiving goes on until something comes: mostly the owner asks for it soon. */
void io_layer_ready(struct io_layer *layer)
{
	layer->stream->flags &= ~(STREAM_LAYER_ALONE | STREAM_RECV_WANTED);
}

void io_layer_deliver(struct io_layer *layer, struct io_buf *buf)
{
	struct io_stream *stream = layer->stream;

	if (stream->flags & STREAM_CLOSING)
		io_buf_release(stream->loop, buf);
	else if (io_stream_is_unheard(stream) && !(stream->flags & STREAM_RECV_DROPPED))
		io_stream_unread(stream, buf);
	else
		io_stream_deliver(stream, buf);
}

void io_layer_end(struct io_layer *layer, int status)
{
	struct io_stream *stream = layer->stream;

	if (stream->flags & (STREAM_LAYER_ENDED | STREAM_CLOSING))
		return;
	stream->flags |= STREAM_LAYER_ENDED | STREAM_RECV_ENDED | STREAM_RECV_END_DUE;
	stream->status = (int16_t)status;
	stream->loop->backend->stream_recv(stream);
	io_stream_defer(stream);
}

/* --- To the wire ------------------------------------------------- */

/* A blocked queue must not hold receive buffers. Return: NULL: out of memory. */
static struct io_buf *lengthen_queue(struct io_stream *stream, size_t len)
{
	struct io_buf_pool *pool = &stream->loop->pools[IO_POOL_SMALL];
	struct io_buf *buf = NULL;

	if (!(stream->flags & STREAM_BLOCKED) && !io_buf_pool_is_scarce(pool))
		buf = io_buf_take(pool);
	if (!buf)
		buf = io_buf_new(stream->loop, len > IO_BLOCKED_BUFFER_SIZE
						       ? (uint32_t)len
						       : IO_BLOCKED_BUFFER_SIZE);
	if (buf)
		io_stream_append(stream, buf);
	return buf;
}

/* The kernel may hold the tail, but it reads only up to the end that it was told. */
int io_layer_write(struct io_layer *layer, const void *bytes, size_t len)
{
	struct io_stream *stream = layer->stream;
	const char *next = bytes;

	if (stream->send_error || stream->flags & (STREAM_CLOSING | STREAM_SHUT_DONE))
		return 0;
	while (len > 0) {
		struct io_buf *tail = stream->send_head ? stream->send_tail : NULL;
		size_t part;

		if (!tail || tail->end == tail->cap)
			tail = lengthen_queue(stream, len);
		if (!tail)
			return -ENOMEM;
		part = tail->cap - tail->end < len ? tail->cap - tail->end : len;
		memcpy(tail->base + tail->end, next, part);
		tail->end += (uint32_t)part;
		stream->queued += (uint32_t)part;
		stream->overhead += part;
		next += part;
		len -= part;
	}
	return 0;
}

/* What io_stream_send() has taken off, as if a layer were to make it longer. */
void io_layer_pass(struct io_layer *layer, struct io_buf *buf)
{
	layer->stream->overhead += buf->end - buf->start;
	io_stream_enqueue(layer->stream, buf);
}

bool io_layer_is_heard(const struct io_layer *layer)
{
	return !io_stream_is_unheard(layer->stream);
}

void io_layer_flush(struct io_layer *layer)
{
	struct io_stream *stream = layer->stream;

	if (stream->flags & STREAM_CLOSING)
		io_stream_defer(stream); /* which may have waited for a record */
	if (stream->queued && !stream->in_flight &&
	    !(stream->flags & (STREAM_BLOCKED | STREAM_CLOSING)))
		stream->loop->backend->stream_send(stream);
}

void io_layer_fail(struct io_layer *layer, int error)
{
	io_stream_send_failed(layer->stream, error);
}

/* With bytes of the owner in front of it that will not go out either, it would be a lie. */
void io_layer_say_goodbye(struct io_stream *stream)
{
	const uint32_t states = STREAM_LAYER_DUE | STREAM_LAYER_ALONE | STREAM_SHUT_WANTED;

	if (!stream->queued && !stream->send_error && !(stream->flags & states))
		stream->layer->ops->on_shutdown(stream->layer);
}
