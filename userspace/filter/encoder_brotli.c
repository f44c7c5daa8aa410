// SPDX-License-Identifier: Apache-2.0
/*
 * The coding br (RFC 7932), by Google's encoder.
 *
 * Without memory that one ends the process (BROTLI_ENCODER_EXIT_ON_OOM, as it is built by default).
 * So its memory comes from here: where there is none, we leave the encoder by a jump and take back
 * all that it had.
 */
#include "core/compiler.h"
#include "core/list.h"
#include "filter/encoder.h"

#include <brotli/encode.h>
#include <errno.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>

struct brotli {
	BrotliEncoderState *encoder; /* among the blocks */
	struct list_node blocks;
	jmp_buf no_memory;
};

/* --- Its memory ------------------------------------------------------------------- */

struct block {
	struct list_node node;
	alignas(max_align_t) char bytes[];
};

static void *take_block(void *opaque, size_t size)
{
	struct brotli *brotli = opaque;
	struct block *block = malloc(sizeof(*block) + size);

	if (!block)
		longjmp(brotli->no_memory, 1);
	list_push_back(&brotli->blocks, &block->node);
	return block->bytes;
}

static void give_block(void *opaque, void *bytes)
{
	struct block *block = bytes ? container_of(bytes, struct block, bytes) : NULL;

	(void)opaque;
	if (block)
		list_remove(&block->node);
	free(block);
}

static void close_brotli(void *state)
{
	struct brotli *brotli = state;

	if (!brotli)
		return;
	while (!list_is_empty(&brotli->blocks))
		give_block(brotli, list_entry(brotli->blocks.next, struct block, node)->bytes);
	free(brotli);
}

/* --- Coding ----------------------------------------------------------------------- */

static int open_encoder(struct brotli *brotli)
{
	if (setjmp(brotli->no_memory))
		return -ENOMEM;
	brotli->encoder = BrotliEncoderCreateInstance(take_block, give_block, brotli);
	return brotli->encoder ? 0 : -EIO;
}

static void *open_brotli(int level, void *kept)
{
	struct brotli *brotli = malloc(sizeof(*brotli));

	(void)kept;
	if (!brotli)
		return NULL;
	list_init(&brotli->blocks);
	if (open_encoder(brotli) < 0) {
		close_brotli(brotli);
		return NULL;
	}
	BrotliEncoderSetParameter(brotli->encoder, BROTLI_PARAM_QUALITY, (uint32_t)level);
	BrotliEncoderSetParameter(brotli->encoder, BROTLI_PARAM_LGWIN, ENCODER_WINDOW_BITS);
	return brotli;
}

/* Return: 0; -EIO; -ENOMEM: the encoder is in the midst of something, and good for nothing else. */
static int feed(struct brotli *brotli, BrotliEncoderOperation operation, struct slice *bytes)
{
	const uint8_t *next = (const uint8_t *)bytes->ptr;
	size_t none = 0;

	if (setjmp(brotli->no_memory))
		return -ENOMEM;
	if (!BrotliEncoderCompressStream(brotli->encoder, operation, &bytes->len, &next, &none,
					 NULL, NULL))
		return -EIO;
	bytes->ptr = (const char *)next;
	return 0;
}

/* What the encoder has ready lies in its own memory: it is put from there. */
static int put_ready(BrotliEncoderState *encoder, encoder_put *put, void *context)
{
	int err = 0;

	while (!err && BrotliEncoderHasMoreOutput(encoder)) {
		size_t len = 0;
		const uint8_t *ready = BrotliEncoderTakeOutput(encoder, &len);

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
	struct brotli *brotli = state;
	int err;

	do {
		err = feed(brotli, operations[phase], &bytes);
		if (!err)
			err = put_ready(brotli->encoder, put, context);
	} while (!err && bytes.len);
	return err;
}

const struct encoder_kind encoder_brotli = {
	.name = "br",
	.open = open_brotli,
	.encode = encode_brotli,
	.close = close_brotli,
};
