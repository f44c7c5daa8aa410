// SPDX-License-Identifier: Apache-2.0
/*
 * Records of a layer that are no bytes of the owner's, where the kernel makes the records: alerts
 * and KeyUpdate of TLS. Each is one sendmsg(2) with its type beside it, and goes out by itself:
 * what was queued before it is the kernel's then, what follows is not. Source: Linux,
 * Documentation/networking/tls.rst.
 */
#include "io/io_internal.h"

#include <errno.h>
#include <linux/tls.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

int io_layer_write_record(struct io_layer *layer, uint8_t type, const void *bytes, size_t len)
{
	struct io_stream *stream = layer->stream;
	struct io_buf *buf;

	if (stream->send_error || stream->flags & (STREAM_CLOSING | STREAM_SHUT_DONE))
		return 0;
	/* Full, so that nobody appends to it. */
	buf = io_buf_new(stream->loop, (uint32_t)len);
	if (!buf)
		return -ENOMEM;
	memcpy(buf->base, bytes, len);
	buf->end = (uint32_t)len;
	buf->record = type;
	stream->queued += (uint32_t)len;
	stream->overhead += len;
	io_stream_append(stream, buf);
	return 0;
}

/* Return: 0; -errno. */
static int hand_over(int fd, const struct io_buf *buf)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(buf->record))] = {0};
	struct iovec vector = {.iov_base = buf->base, .iov_len = buf->end};
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room),
	};
	struct cmsghdr *control = CMSG_FIRSTHDR(&message);
	ssize_t sent;

	*control = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(buf->record)),
		.cmsg_level = SOL_TLS,
		.cmsg_type = TLS_SET_RECORD_TYPE,
	};
	memcpy(CMSG_DATA(control), &buf->record, sizeof(buf->record));
	do
		sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	return (size_t)sent == vector.iov_len ? 0 : -EIO;
}

/* Return: 0; -EBUSY: the layer will flush; -EAGAIN: the socket has no room; another -errno. */
static int send_next(struct io_stream *stream)
{
	const struct io_layer_kernel_ops *kernel = stream->layer->ops->kernel;
	const struct io_buf *buf = stream->send_head;
	int err;

	if (!kernel->may_send_record(stream->layer, buf->record))
		return -EBUSY;
	err = hand_over(stream->fd, buf);
	if (!err)
		err = kernel->on_record(stream->layer, buf->record);
	return err;
}

bool io_record_send_due(struct io_stream *stream)
{
	while (io_record_is_next(stream)) {
		int err = send_next(stream);

		if (err == -EBUSY)
			return false;
		if (err == -EAGAIN) {
			stream->loop->backend->stream_await_room(stream);
			return false;
		}
		if (err) {
			io_stream_send_failed(stream, err);
			return false;
		}
		io_stream_took(stream, stream->send_head->end);
	}
	return stream->queued;
}

/* A layer says by itself when it has waited long enough. */
bool io_record_holds_close(struct io_stream *stream)
{
	int err = 0;

	while (!err && !stream->send_error && io_record_is_next(stream)) {
		err = send_next(stream);
		if (!err)
			io_stream_took(stream, stream->send_head->end);
	}
	return err == -EBUSY;
}
