/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_HTTP_BODY_H
#define SLUICE_UPSTREAM_HTTP_BODY_H

#include "core/compiler.h"
#include "core/slice.h"
#include "core/strbuf.h"
#include "http/h1_body.h"

/* So much of a body is searched. */
#define HTTP_BODY_SEARCHED 65536

/*
 * A response's content, searched for a text. Pure; byte by byte arrival is fine.
 */
struct http_body {
	struct slice wanted; /* borrowed */
	struct strbuf text;  /* the content so far */
	struct h1_body framing;
	struct http_fields trailers;
};

/**
 * @framing: of the response's head.
 * @arena:   for trailers; outlives the body, as does @wanted.
 */
void http_body_init(struct http_body *body, struct http_framing framing, struct arena *arena,
		    struct slice wanted);

/**
 * @bytes: may be empty.
 * Return: 0: the text was found; -EAGAIN: more of the body may follow; -ENOENT: it was not in the
 * body, or not in the first HTTP_BODY_SEARCHED bytes; -EPROTO: bad chunks; -ENOMEM.
 */
int http_body_feed(struct http_body *body, struct slice bytes) WARN_UNUSED;

void http_body_done(struct http_body *body);

#endif
