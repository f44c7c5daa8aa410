// SPDX-License-Identifier: Apache-2.0
/* The coding gzip (RFC 1952), by zlib. */
#include "filter/encoder.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

/* 15 bits of window; 16 more say that gzip is meant, not zlib. */
#define WINDOW_BITS  (15 + 16)
#define MEMORY_LEVEL 8

static void close_gzip(void *state)
{
	if (state)
		deflateEnd(state);
	free(state);
}

static void *open_gzip(int level, void *kept)
{
	z_stream *stream = kept;

	if (stream) {
		deflateReset(stream);
		return stream;
	}
	stream = calloc(1, sizeof(*stream));
	if (stream && deflateInit2(stream, level, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
				   Z_DEFAULT_STRATEGY) != Z_OK) {
		free(stream);
		return NULL;
	}
	return stream;
}

static int encode_gzip(void *state, struct slice bytes, enum filter_phase phase, encoder_put *put,
		       void *context)
{
	static const int flushes[] = {
		[FILTER_MORE] = Z_NO_FLUSH,
		[FILTER_FLUSH] = Z_SYNC_FLUSH,
		[FILTER_END] = Z_FINISH,
	};
	z_stream *stream = state;
	unsigned char out[ENCODER_OUT];
	int result, err = 0;

	stream->next_in = (unsigned char *)(uintptr_t)bytes.ptr;
	stream->avail_in = (unsigned)bytes.len;
	do {
		stream->next_out = out;
		stream->avail_out = sizeof(out);
		result = deflate(stream, flushes[phase]);
		if (result == Z_STREAM_ERROR)
			return -EIO;
		if (stream->avail_out < sizeof(out))
			err = put(context, slice_of(out, sizeof(out) - stream->avail_out));
	} while (!err && stream->avail_out == 0);
	return err;
}

const struct encoder_kind encoder_gzip = {
	.name = "gzip",
	.open = open_gzip,
	.encode = encode_gzip,
	.close = close_gzip,
	.is_reusable = true,
};
