/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_BODY_PASS_H
#define SLUICE_PROXY_BODY_PASS_H

#include "core/compiler.h"
#include "filter/filter.h"
#include "http/h1_body.h"
#include "io/stream.h"

#include <stdbool.h>

enum body_form {
	BODY_AS_IT_CAME, /* the framing is checked and passed on */
	BODY_PLAIN,      /* content alone */
	BODY_CHUNKED,    /* content in chunks of our own */
};

struct body_sink;

/* Who looks at a body's content on its way, or takes it and writes another by body_put(). */
struct body_tap {
	/* Return: 0; -errno ends the body. */
	int (*on_bytes)(struct body_tap *tap, struct body_sink *sink, struct slice bytes,
			enum filter_phase phase);
	void *context;
	bool is_replacer; /* the bytes go no further */
};

typedef void body_judge(void *context, struct http_fields *trailers);

/* Where a body goes. A head that was not sent yet goes first, and small bodies in its buffer. */
struct body_sink {
	struct io_stream *stream;
	struct io_buf *head; /* NULL: none; empty again after each call */
	enum body_form form;
	bool has_chunks;              /* BODY_CHUNKED: one was opened */
	struct http_fields *trailers; /* of the body, to go behind it; NULL: none shall */
	/* Takes out of them what may not go on; NULL: nobody does. */
	body_judge *judge;
	void *context;        /* the judge's */
	struct body_tap *tap; /* NULL: nobody; forms BODY_CHUNKED and BODY_PLAIN, or a length */
};

/**
 * Passes on what @buf holds of @body; mostly the buffer itself, without a copy.
 * @buf:      taken over; NULL: only the head goes.
 * @ret_rest: what follows the body's end, the caller's; NULL: nothing.
 * Return: 0; -EPROTO: see body->defect; -EFBIG; -ENOMEM: in these cases everything was let go, what
 * came before may have been sent.
 */
int body_pass(struct body_sink *sink, struct h1_body *body, struct io_buf *buf,
	      struct io_buf **ret_rest) WARN_UNUSED;

/* Content from elsewhere, copied. Return: 0; -ENOMEM. */
int body_put(struct body_sink *sink, struct slice bytes) WARN_UNUSED;

/* @body has ended without a length, and says so: tells the tap, writes the last chunk. Return: 0;
 * -ENOMEM or the tap's error. */
int body_pass_end(struct body_sink *sink, const struct h1_body *body) WARN_UNUSED;

#endif
