/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FILTER_ENCODER_H
#define SLUICE_FILTER_ENCODER_H

#include "core/compiler.h"
#include "core/slice.h"
#include "filter/filter.h"

#include <stdint.h>

/*
 * Content codings (RFC 9110 section 8.4.1): bytes in, coded bytes out, one file a coding. A state
 * is of bounded size, about 300 KiB to 2.5 MiB by coding and level, and is one body's at a time.
 */

/* Takes coded bytes, borrowed for the call. Return: 0; -errno, which ends the coding. */
typedef int encoder_put(void *context, struct slice bytes);

struct encoder_kind {
	const char *name; /* as in Content-Encoding */
	/* A state for a body at @level; @kept: one that was used before and of the same level;
	 * NULL: none. Return: NULL: out of memory, @kept is gone too. */
	void *(*open)(int level, void *kept);
	/* Return: 0; -errno of @put; -EIO: the library failed. */
	int (*encode)(void *state, struct slice bytes, enum filter_phase phase, encoder_put *put,
		      void *context);
	void (*close)(void *state); /* NULL is allowed */
	bool is_reusable;           /* a state may be @kept */
};

/* Bytes of coded output that are put at once. */
#define ENCODER_OUT 16384

/* The window of brotli and zstd: 256 KiB are within what every client has to have. */
#define ENCODER_WINDOW_BITS 18

extern const struct encoder_kind encoder_gzip, encoder_brotli, encoder_zstd;

#endif
