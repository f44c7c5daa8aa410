// SPDX-License-Identifier: Apache-2.0
/* Passes a body from the buffers it came in to a stream, in the framing that the receiver wants. */
#include "proxy/body_pass.h"

#include "http/h1_write.h"

#include <errno.h>
#include <string.h>

/* A copy of so much costs less than a send of its own. */
#define COPIED_MAX 4096

static struct io_loop *loop_of(const struct body_sink *sink)
{
	return sink->stream->loop;
}

static void flush(struct body_sink *sink)
{
	if (sink->head)
		io_stream_send(sink->stream, sink->head);
	sink->head = NULL;
}

static void drop(struct body_sink *sink, struct io_buf *buf)
{
	io_buf_release(loop_of(sink), buf);
	io_buf_release(loop_of(sink), sink->head);
	sink->head = NULL;
}

static size_t room_in(const struct io_buf *buf)
{
	return buf ? buf->cap - buf->end : 0;
}

static void append(struct io_buf *buf, struct slice bytes)
{
	memcpy(buf->base + buf->end, bytes.ptr, bytes.len);
	buf->end += (uint32_t)bytes.len;
}

/* Room for @len bytes behind what is to go first. */
static int reserve(struct body_sink *sink, size_t len)
{
	if (room_in(sink->head) >= len)
		return 0;
	flush(sink);
	sink->head = io_buf_new_brief(loop_of(sink), (uint32_t)len);
	return sink->head ? 0 : -ENOMEM;
}

static int open_chunk(struct body_sink *sink, size_t size)
{
	if (reserve(sink, H1_CHUNK_OPEN_MAX) < 0)
		return -ENOMEM;
	sink->head->end += (uint32_t)h1_write_chunk_open(size, !sink->has_chunks,
							 sink->head->base + sink->head->end);
	sink->has_chunks = true;
	return 0;
}

/* The first @len bytes of *@buf, which is NULL afterwards if that was all of it. */
static int send_front(struct body_sink *sink, struct io_buf **buf, size_t len)
{
	struct io_buf *whole = *buf;
	struct slice bytes = slice_of(whole->base + whole->start, len);
	bool is_all = len == whole->end - whole->start;

	if (len <= COPIED_MAX && room_in(sink->head) >= len) {
		append(sink->head, bytes);
	} else if (is_all) {
		flush(sink);
		io_stream_send(sink->stream, whole);
		*buf = NULL;
		return 0;
	} else {
		if (reserve(sink, len) < 0)
			return -ENOMEM;
		append(sink->head, bytes);
	}
	whole->start += (uint32_t)len;
	return 0;
}

/* What ends a chunked body is put behind the trailer that was read: put_end(). */
static bool is_behind_trailer(const struct body_sink *sink, const struct h1_body *body)
{
	return sink->trailers && sink->form == BODY_AS_IT_CAME && body->trailer_len;
}

static int pass_span(struct body_sink *sink, const struct h1_body *body, const struct h1_span *span,
		     struct io_buf **buf)
{
	bool is_wanted = span->kind == H1_SPAN_PAYLOAD ||
			 (span->kind == H1_SPAN_FRAMING && sink->form == BODY_AS_IT_CAME &&
			  !is_behind_trailer(sink, body));

	if (is_wanted && sink->tap) {
		int err = sink->tap->on_bytes(sink->tap, sink, span->bytes, FILTER_MORE);

		if (err < 0)
			return err;
		is_wanted = !sink->tap->is_replacer;
	}
	if (!is_wanted) {
		(*buf)->start += (uint32_t)span->bytes.len;
		return 0;
	}
	if (sink->form == BODY_CHUNKED && open_chunk(sink, span->bytes.len) < 0)
		return -ENOMEM;
	return send_front(sink, buf, span->bytes.len);
}

static int next_span(const struct body_sink *sink, struct h1_body *body, struct slice bytes,
		     struct h1_span *ret)
{
	if (sink->form == BODY_AS_IT_CAME)
		return h1_body_pass(body, bytes, ret);
	return h1_body_next(body, bytes, ret);
}

int body_put(struct body_sink *sink, struct slice bytes)
{
	size_t size = bytes.len + (sink->form == BODY_CHUNKED ? H1_CHUNK_OPEN_MAX : 0);

	if (reserve(sink, size) < 0 ||
	    (sink->form == BODY_CHUNKED && open_chunk(sink, bytes.len) < 0))
		return -ENOMEM;
	append(sink->head, bytes);
	return 0;
}

static int write_end(const struct body_sink *sink, char *buf, size_t cap, size_t *ret_len)
{
	if (sink->form == BODY_CHUNKED)
		return h1_write_chunks_end(!sink->has_chunks, sink->trailers, buf, cap, ret_len);
	return h1_write_trailer(sink->trailers, buf, cap, ret_len);
}

static int put_end(struct body_sink *sink, const struct h1_body *body)
{
	size_t enough, len;
	int err;

	if (sink->form != BODY_CHUNKED && !is_behind_trailer(sink, body))
		return 0;
	if (sink->judge && sink->trailers)
		sink->judge(sink->context, sink->trailers);
	enough = 16 + (sink->trailers ? h1_write_bound(sink->trailers, 0) : 0);
	if (reserve(sink, enough) < 0)
		return -ENOMEM;
	err = write_end(sink, sink->head->base + sink->head->end, enough, &len);
	if (!err)
		sink->head->end += (uint32_t)len;
	return err;
}

/* All that has come was passed on. A buffer that was not full was the last one for now. */
static int pause(struct body_sink *sink, const struct h1_body *body, bool was_full)
{
	bool is_done = body->is_done;
	enum filter_phase phase = is_done ? FILTER_END : was_full ? FILTER_MORE : FILTER_FLUSH;
	int err = 0;

	if (sink->tap && phase != FILTER_MORE)
		err = sink->tap->on_bytes(sink->tap, sink, (struct slice){}, phase);
	return !err && is_done ? put_end(sink, body) : err;
}

int body_pass(struct body_sink *sink, struct h1_body *body, struct io_buf *buf,
	      struct io_buf **ret_rest)
{
	bool was_full = buf && buf->end == buf->cap;
	struct h1_span span;
	int err = 0;

	while (!err && buf && buf->start < buf->end && !body->is_done) {
		err = next_span(sink, body, io_buf_bytes(buf), &span);
		if (!err)
			err = pass_span(sink, body, &span, &buf);
	}
	if (!err)
		err = pause(sink, body, was_full);
	if (err) {
		drop(sink, buf);
		return err;
	}
	flush(sink);
	*ret_rest = NULL;
	if (buf && buf->start < buf->end)
		*ret_rest = buf;
	else
		io_buf_release(loop_of(sink), buf);
	return 0;
}

int body_pass_end(struct body_sink *sink, const struct h1_body *body)
{
	int err = pause(sink, body, false);

	if (err)
		drop(sink, NULL);
	else
		flush(sink);
	return err;
}
