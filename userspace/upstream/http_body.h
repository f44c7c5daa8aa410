/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_HTTP_BODY_H
#define SLUICE_UPSTREAM_HTTP_BODY_H

#include "core/compiler.h"
#include "core/slice.h"
#include "core/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So much of a body is searched. */
#define HTTP_BODY_SEARCHED 65536

/*
 * A response body, taken out of its framing (Content-Length, chunked or up to the connection's end)
 * and searched for a text. Pure; byte by byte arrival is fine. Source: RFC 9112 sections 6.3
 * and 7.1.
 */
struct http_body {
	struct slice wanted; /* borrowed */
	struct strbuf text;  /* the body so far */
	uint64_t remaining;  /* bytes of the body, or of the present chunk */
	uint8_t digits;      /* of the present chunk's size */
	uint8_t state;       /* http_body.c's */
};

/**
 * @head:   of the response, checked by http_status_parse(); borrowed for the call.
 * @wanted: must outlive the body.
 * Return: 0; -EPROTO for a Content-Length or a transfer coding that cannot be read.
 */
int http_body_init(struct http_body *body, struct slice head, unsigned status,
		   struct slice wanted) WARN_UNUSED;

/**
 * @bytes: may be empty.
 * Return: 0: the text was found; -EAGAIN: more of the body may follow; -ENOENT: it was not in the
 * body, or not in the first HTTP_BODY_SEARCHED bytes; -EPROTO: bad chunks; -ENOMEM.
 */
int http_body_feed(struct http_body *body, struct slice bytes) WARN_UNUSED;

void http_body_done(struct http_body *body);

#endif
