/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_MIRROR_COPY_H
#define SLUICE_PROXY_MIRROR_COPY_H

#include "core/compiler.h"
#include "http/h1_body.h"
#include "http/message.h"
#include "io/stream.h"
#include "proxy/body_pass.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A request's copy while its body comes: the head as a backend gets it, and the content, in buffers
 * of the heap that grow with what has come. A body in chunks becomes one chunk. A zeroed one is
 * empty. Thread: the loop's.
 */
struct mirror_copy {
	struct io_loop *loop;
	struct io_buf *first, *last; /* the head is the first */
	struct h1_body body;         /* what has come of it; is_done: the copy is whole */
	struct http_fields trailers;
	body_judge *judge; /* of the trailers */
	void *context;     /* the judge's */
	uint64_t max_body;
	size_t held;          /* bytes of memory */
	uint64_t sent;        /* bytes that were queued */
	size_t *sum, sum_max; /* of all copies, and its limit */
};

struct mirror_copy_options {
	struct io_loop *loop;
	const struct http_request *request; /* for the call; the rest as long as the body comes */
	struct slice target;
	const struct h1_body *body; /* before its first byte */
	struct arena *arena;        /* of trailers */
	body_judge *judge;          /* of the trailers; NULL: nobody */
	void *context;              /* the judge's */
	uint64_t max_body;
	bool is_last; /* the connection ends behind the answer */
	size_t *sum, sum_max;
};

/* Return: 0; -EFBIG: a body above @max_body; -ENOBUFS: copies hold as much as they may; -ENOMEM. */
int mirror_copy_init(struct mirror_copy *copy,
		     const struct mirror_copy_options *options) WARN_UNUSED;

/* Bytes that follow the head, perhaps more than are the body's. Return: as above; -EPROTO. */
int mirror_copy_add(struct mirror_copy *copy, struct slice bytes) WARN_UNUSED;

/* It is whole, and goes. What it holds is counted until it is done with. */
void mirror_copy_send(struct mirror_copy *copy, struct io_stream *stream);

void mirror_copy_done(struct mirror_copy *copy);

#endif
