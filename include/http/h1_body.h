/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_H1_BODY_H
#define SLUICE_HTTP_H1_BODY_H

#include "core/arena.h"
#include "core/compiler.h"
#include "core/slice.h"
#include "http/fields.h"
#include "http/h1_parse.h"
#include "http/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bodies of HTTP/1 messages, taken apart where they lie: the decoder tells what each run of bytes
 * is, and copies nothing but trailers. Source: RFC 9112 sections 6 and 7.
 *
 * A proxy between two HTTP/1 connections that both use chunks can send the chunks as they came:
 * payload and framing are checked to the last byte, and h1_body_pass() gives them in runs as long
 * as possible, leaving out only extensions and trailers. Where the framing changes (to or from a
 * length, HTTP/2, or a filter that rewrites the body), h1_body_next() gives the payload.
 */

enum h1_span_kind {
	H1_SPAN_PAYLOAD, /* bytes of the content */
	H1_SPAN_FRAMING, /* chunk sizes and line ends: canonical, may be sent as they are */
	H1_SPAN_DROPPED, /* chunk extensions and trailers: not to be sent */
};

struct h1_span {
	enum h1_span_kind kind;
	struct slice bytes; /* of the input, from its beginning */
};

struct h1_body_limits {
	uint64_t payload;    /* bytes of content; 0: no limit. More is -EFBIG (413) */
	uint32_t extensions; /* bytes of extensions of one chunk; and of the whole body times 64 */
	uint32_t trailer;    /* bytes of the trailer */
	uint32_t trailers;   /* number of trailer fields */
};

/* No limit, 256, 8192, 64. */
extern const struct h1_body_limits h1_body_limits_default;

struct h1_body {
	enum h1_defect defect; /* after -EPROTO */
	bool is_done;          /* all of it was seen; what follows belongs to the next message */
	uint64_t payload;      /* bytes of content seen so far */
	/* The rest is the decoder's own. */
	uint8_t state;       /* enum body_state */
	uint8_t digits;      /* of the present chunk's size */
	uint64_t remaining;  /* bytes of the body, or of the present chunk */
	uint64_t extension;  /* bytes of extensions: of the present chunk, */
	uint64_t extensions; /* and of all */
	const struct h1_body_limits *limits;
	struct http_fields *trailers;
	char *trailer; /* the trailer as received, in the arena of @trailers */
	uint32_t trailer_len, trailer_cap;
};

/**
 * Begins a body; is_done is set at once where there is none.
 * @framing:  of its head. HTTP_FRAMING_TUNNEL is read as UNTIL_CLOSE.
 * @limits:   outlives the body; NULL: the default.
 * @trailers: receives the trailer fields; its arena keeps their bytes. Fields that must not be
 * there (RFC 9110 6.5.1) are left out. NULL only if @framing is not chunked. Return: 0; -EFBIG: a
 * length above the limit.
 */
int h1_body_init(struct h1_body *body, struct http_framing framing,
		 const struct h1_body_limits *limits, struct http_fields *trailers) WARN_UNUSED;

/**
 * What comes first in @bytes.
 * @bytes: not empty; what follows the bytes that the span of the last call took.
 * @ret:   at least one byte, of one kind.
 * Return: 0; -EPROTO: refused, see body->defect; -EFBIG: more content than the limit. After a
 * failure, or once is_done, it must not be called again.
 */
int h1_body_next(struct h1_body *body, struct slice bytes, struct h1_span *ret) WARN_UNUSED;

/**
 * The same for chunks that are sent as they came: framing and payload count as one kind (FRAMING,
 * and PAYLOAD where the body is not chunked), so a run ends only at an extension, a trailer, the
 * body's end or that of @bytes. body->payload tells how much of it was content.
 * Bytes before a defect come as a run, the error with the next call.
 */
int h1_body_pass(struct h1_body *body, struct slice bytes, struct h1_span *ret) WARN_UNUSED;

/* How many bytes of content are certain to come without framing between them: the rest of a length
 * or of a chunk, UINT64_MAX until close. For splicing and for larger reads. */
uint64_t h1_body_certain(const struct h1_body *body);

/* The connection has ended. Return: 0 if that is the body's end (until close, or done already);
 * -EPIPE: it is cut short. */
int h1_body_end(struct h1_body *body) WARN_UNUSED;

#endif
