// SPDX-License-Identifier: Apache-2.0
/* A request as it will be sent to a mirror, collected within limits. */
#include "proxy/mirror_copy.h"

#include "http/h1_write.h"

#include <errno.h>
#include <string.h>

/* A body that comes in small pieces does not take a buffer for each. */
#define BUFFER_MIN 4096

/* Behind the others. Return: 0; -ENOBUFS; -ENOMEM. */
static int add_buffer(struct mirror_copy *copy, size_t size)
{
	struct io_buf *buf;

	if (size > copy->sum_max - *copy->sum)
		return -ENOBUFS;
	buf = io_buf_new(copy->loop, (uint32_t)size);
	if (!buf)
		return -ENOMEM;
	copy->held += size;
	*copy->sum += size;
	if (copy->last)
		copy->last->next = buf;
	else
		copy->first = buf;
	copy->last = buf;
	return 0;
}

static bool is_chunked(const struct mirror_copy *copy)
{
	return copy->body.trailers != NULL;
}

static int write_head(struct mirror_copy *copy, const struct http_request *request,
		      struct slice target, bool is_last)
{
	const struct h1_wire wire = {
		.framing = request->framing,
		.accepts_trailers = request->accepts_trailers,
		.is_last = is_last,
	};
	size_t bound = h1_write_bound(&request->fields, target.len + request->method_text.len);
	int err = add_buffer(copy, bound + H1_CHUNK_OPEN_MAX);
	size_t len;

	if (err)
		return err;
	err = h1_write_request(request, target, &wire, copy->first->base, bound, &len);
	if (!err)
		copy->first->end = (uint32_t)len;
	return err;
}

int mirror_copy_init(struct mirror_copy *copy, const struct mirror_copy_options *options)
{
	const struct http_framing *framing = &options->request->framing;

	*copy = (struct mirror_copy){
		.loop = options->loop,
		.body = *options->body,
		.trailers = {.arena = options->arena},
		.judge = options->judge,
		.context = options->context,
		.max_body = options->max_body,
		.sum = options->sum,
		.sum_max = options->sum_max,
	};
	if (framing->kind == HTTP_FRAMING_LENGTH && framing->length > copy->max_body)
		return -EFBIG;
	copy->body.trailers = framing->kind == HTTP_FRAMING_CHUNKED ? &copy->trailers : NULL;
	return write_head(copy, options->request, options->target, options->is_last);
}

static int append(struct mirror_copy *copy, struct slice bytes)
{
	struct io_buf *last = copy->last;
	size_t room = last == copy->first ? 0 : last->cap - last->end;
	size_t fits = bytes.len < room ? bytes.len : room;
	size_t rest = bytes.len - fits;
	int err;

	memcpy(last->base + last->end, bytes.ptr, fits);
	last->end += (uint32_t)fits;
	if (!rest)
		return 0;
	err = add_buffer(copy, rest > BUFFER_MIN ? rest : BUFFER_MIN);
	if (err)
		return err;
	memcpy(copy->last->base, bytes.ptr + fits, rest);
	copy->last->end = (uint32_t)rest;
	return 0;
}

/* What stands around the content of a chunked body. */
static int enclose(struct mirror_copy *copy)
{
	struct io_buf *head = copy->first;
	uint64_t size = copy->body.payload;
	size_t enough, len;
	int err;

	if (copy->judge)
		copy->judge(copy->context, &copy->trailers);
	enough = 16 + h1_write_bound(&copy->trailers, 0);
	if (size)
		head->end += (uint32_t)h1_write_chunk_open(size, true, head->base + head->end);
	err = add_buffer(copy, enough);
	if (!err)
		err = h1_write_chunks_end(size == 0, &copy->trailers, copy->last->base, enough,
					  &len);
	if (!err)
		copy->last->end = (uint32_t)len;
	return err;
}

static int take(struct mirror_copy *copy, const struct h1_span *span)
{
	if (span->kind != H1_SPAN_PAYLOAD)
		return 0;
	return copy->body.payload > copy->max_body ? -EFBIG : append(copy, span->bytes);
}

int mirror_copy_add(struct mirror_copy *copy, struct slice bytes)
{
	struct h1_span span;
	int err = 0;

	while (!err && bytes.len && !copy->body.is_done) {
		err = h1_body_next(&copy->body, bytes, &span);
		if (!err)
			err = take(copy, &span);
		if (!err)
			bytes = slice_skip(bytes, span.bytes.len);
	}
	if (!err && copy->body.is_done && is_chunked(copy))
		err = enclose(copy);
	return err;
}

/* --- The end ---------------------------------------------------------------------- */

static struct io_buf *shift(struct mirror_copy *copy)
{
	struct io_buf *buf = copy->first;

	copy->first = buf->next;
	buf->next = NULL;
	return buf;
}

void mirror_copy_send(struct mirror_copy *copy, struct io_stream *stream)
{
	while (copy->first) {
		copy->sent += io_buf_bytes(copy->first).len;
		io_stream_send(stream, shift(copy));
	}
	copy->last = NULL;
}

void mirror_copy_done(struct mirror_copy *copy)
{
	while (copy->first)
		io_buf_release(copy->loop, shift(copy));
	if (copy->sum)
		*copy->sum -= copy->held;
	*copy = (struct mirror_copy){};
}
