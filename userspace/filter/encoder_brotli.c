// SPDX-License-Identifier: Apache-2.0
/* The coding br (RFC 7932), by Google's encoder. */
#include "filter/encoder.h"

#include <brotli/encode.h>
#include <errno.h>

static void close_brotli(void *state)
{
	if (state)
		BrotliEncoderDestroyInstance(state);
}

static void *open_brotli(int level, void *kept)
{
	BrotliEncoderState *state = BrotliEncoderCreateInstance(NULL, NULL, NULL);

	(void)kept;
	if (!state)
		return NULL;
	BrotliEncoderSetParameter(state, BROTLI_PARAM_QUALITY, (uint32_t)level);
	BrotliEncoderSetParameter(state, BROTLI_PARAM_LGWIN, ENCODER_WINDOW_BITS);
	return state;
}

/* What the encoder has ready lies in its own memory: it is put from there. */
static int put_ready(BrotliEncoderState *state, encoder_put *put, void *context)
{
	int err = 0;

	while (!err && BrotliEncoderHasMoreOutput(state)) {
		size_t len = 0;
		const uint8_t *ready = BrotliEncoderTakeOutput(state, &len);

		err = put(context, slice_of(ready, len));
	}
	return err;
}

static int encode_brotli(void *state, struct slice bytes, enum filter_phase phase, encoder_put *put,
			 void *context)
{
	static const BrotliEncoderOperation operations[] = {
		[FILTER_MORE] = BROTLI_OPERATION_PROCESS,
		[FILTER_FLUSH] = BROTLI_OPERATION_FLUSH,
		[FILTER_END] = BROTLI_OPERATION_FINISH,
	};
	const uint8_t *next = (const uint8_t *)bytes.ptr;
	size_t left = bytes.len, none = 0;
	int err = 0;

	do {
		if (!BrotliEncoderCompressStream(state, operations[phase], &left, &next, &none,
						 NULL, NULL))
			return -EIO;
		err = put_ready(state, put, context);
	} while (!err && left);
	return err;
}

const struct encoder_kind encoder_brotli = {
	.name = "br",
	.open = open_brotli,
	.encode = encode_brotli,
	.close = close_brotli,
};
