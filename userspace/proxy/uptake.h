/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_UPTAKE_H
#define SLUICE_PROXY_UPTAKE_H

#include <stdbool.h>
#include <stdint.h>

struct io_stream;

/*
 * Whether a slow peer still takes what waits for it, here and in its socket. That the kernel takes
 * bytes of ours says too little: it holds megabytes for a peer, and has no room for more before a
 * third of them is gone. Looked at when a timeout is due; a zeroed one has never looked.
 */
struct uptake {
	uint64_t taken; /* by the peer, in bytes as on the wire, at the last look */
	bool has_looked;
};

/* A look where the wait begins: from now on progress counts. */
void uptake_begin(struct uptake *uptake, const struct io_stream *stream);

/* The same where nothing waits for the peer yet; asks nobody. */
void uptake_begin_idle(struct uptake *uptake, const struct io_stream *stream);

/*
 * Return: whether there is something to take, and some was taken since the last look, or none has
 * been. So one that has not begun with the wait grants it once more.
 */
bool uptake_goes_on(struct uptake *uptake, const struct io_stream *stream);

#endif
