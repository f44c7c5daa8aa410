// SPDX-License-Identifier: Apache-2.0
/*
 * Sends from a file by sendfile(2): the socket gets references to the pages of the kernel's cache,
 * or the kernel's TLS encrypts from there.
 */
#include "io/io_internal.h"

#include <errno.h>
#include <sys/sendfile.h>

bool io_stream_can_send_file(const struct io_stream *stream, uint64_t left)
{
	const struct io_layer *layer = stream->layer;

	return !layer || (layer->ops->kernel && layer->ops->kernel->can_send_file(layer, left));
}

static ssize_t send_from(int socket, int file, uint64_t offset, size_t len)
{
	off_t at = (off_t)offset;
	ssize_t sent;

	do
		sent = sendfile(socket, file, &at, len);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

ssize_t io_stream_send_file(struct io_stream *stream, int fd, uint64_t offset, size_t len)
{
	struct io_layer *layer = stream->layer;
	ssize_t sent;

	if (layer && layer->ops->kernel->on_file(layer) < 0)
		return -EOPNOTSUPP;
	sent = send_from(stream->fd, fd, offset, len);
	if (sent > 0) {
		stream->bytes_out += (uint64_t)sent;
		io_stream_tell_sent(stream);
	} else if (sent == -EAGAIN) {
		stream->loop->backend->stream_await_room(stream);
	} else if (sent < 0) {
		io_stream_send_failed(stream, (int)sent);
	}
	return sent;
}
