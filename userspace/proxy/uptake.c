// SPDX-License-Identifier: Apache-2.0
/* What a peer has acknowledged, by what the kernel has taken of ours and still holds. */
#include "proxy/uptake.h"

#include "io/stream.h"
#include "net/socket.h"

static uint64_t taken_of(const struct io_stream *stream, uint32_t held)
{
	return stream->bytes_out - held;
}

void uptake_begin(struct uptake *uptake, const struct io_stream *stream)
{
	uptake->taken = taken_of(stream, socket_unacknowledged(stream->fd));
	uptake->has_looked = true;
}

void uptake_begin_idle(struct uptake *uptake, const struct io_stream *stream)
{
	uptake->taken = stream->bytes_out;
	uptake->has_looked = true;
}

bool uptake_goes_on(struct uptake *uptake, const struct io_stream *stream)
{
	const struct uptake before = *uptake;
	uint32_t held = socket_unacknowledged(stream->fd);

	uptake->taken = taken_of(stream, held);
	uptake->has_looked = true;
	if (!held && !stream->queued)
		return false;
	return !before.has_looked || uptake->taken != before.taken;
}
