// SPDX-License-Identifier: Apache-2.0
/* The coding zstd (RFC 8878), by its authors' library. */
#include "filter/encoder.h"

#include <errno.h>
#include <zstd.h>

static void close_zstd(void *state)
{
	ZSTD_freeCCtx(state);
}

static void *open_zstd(int level, void *kept)
{
	ZSTD_CCtx *state = kept;

	if (state) {
		ZSTD_CCtx_reset(state, ZSTD_reset_session_only);
		return state;
	}
	state = ZSTD_createCCtx();
	if (!state)
		return NULL;
	ZSTD_CCtx_setParameter(state, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(state, ZSTD_c_windowLog, ENCODER_WINDOW_BITS);
	return state;
}

static int encode_zstd(void *state, struct slice bytes, enum filter_phase phase, encoder_put *put,
		       void *context)
{
	static const ZSTD_EndDirective directives[] = {
		[FILTER_MORE] = ZSTD_e_continue,
		[FILTER_FLUSH] = ZSTD_e_flush,
		[FILTER_END] = ZSTD_e_end,
	};
	ZSTD_inBuffer in = {.src = bytes.ptr, .size = bytes.len};
	char room[ENCODER_OUT];
	size_t left;
	int err = 0;

	do {
		ZSTD_outBuffer out = {.dst = room, .size = sizeof(room)};

		left = ZSTD_compressStream2(state, &out, &in, directives[phase]);
		if (ZSTD_isError(left))
			return -EIO;
		if (out.pos)
			err = put(context, slice_of(room, out.pos));
	} while (!err && (in.pos < in.size || (phase != FILTER_MORE && left)));
	return err;
}

const struct encoder_kind encoder_zstd = {
	.name = "zstd",
	.open = open_zstd,
	.encode = encode_zstd,
	.close = close_zstd,
	.is_reusable = true,
};
