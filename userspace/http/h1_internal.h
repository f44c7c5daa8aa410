/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_H1_INTERNAL_H
#define SLUICE_HTTP_H1_INTERNAL_H

#include "http/h1_parse.h"

#include <errno.h>
#include <stdbool.h>

/*
 * What the parsers of requests, responses and trailers share. A head is read by phases; parser->at
 * is the next byte to look at, and a phase that runs out of bytes goes on from there.
 */
enum h1_phase {
	H1_BEGIN,
	H1_METHOD, /* requests */
	H1_TARGET,
	H1_VERSION, /* "HTTP/1.1"; in requests with its CR LF */
	H1_STATUS,  /* responses: " 200" */
	H1_REASON,
	H1_FIELD_BEGIN,
	H1_FIELD_NAME,
	H1_FIELD_VALUE,
	H1_END,
	H1_FAILED,
};

/* Remembers a defect. Return: -EPROTO. */
static inline int h1_refuse(struct h1_parser *parser, enum h1_defect defect)
{
	parser->defect = defect;
	parser->phase = H1_FAILED;
	return -EPROTO;
}

/* Where the line's bytes end for the phase: its limit, or the end of what there is. */
static inline const char *h1_line_end(const struct h1_parser *parser, struct slice bytes,
				      uint32_t limit)
{
	size_t cap = (size_t)parser->line + limit + 1;

	return bytes.ptr + (cap < bytes.len ? cap : bytes.len);
}

/* A scan went to @end without finding what ends it. Return: -EAGAIN, or -EPROTO at the limit. */
static inline int h1_want_more(struct h1_parser *parser, const char *at, struct slice bytes,
			       uint32_t limit, enum h1_defect too_long)
{
	parser->at = (uint32_t)(at - bytes.ptr);
	return parser->at - parser->line > limit ? h1_refuse(parser, too_long) : -EAGAIN;
}

/* What is wrong with a byte that no line may have. */
static inline enum h1_defect h1_line_defect(char c, enum h1_defect other)
{
	return c == '\n' ? H1_DEFECT_BARE_LF : c == '\r' ? H1_DEFECT_BARE_CR : other;
}

/**
 * Expects CR LF at parser->at. Return: 0, and parser->at is behind it; -EAGAIN; -EPROTO, with
 * @other if there is neither.
 */
int h1_take_line_end(struct h1_parser *parser, struct slice bytes, enum h1_defect other);

/* @bytes cut to the limit of the head; sets parser->limits where none are. */
struct slice h1_within_limit(struct h1_parser *parser, struct slice bytes);

/* -EAGAIN becomes -EPROTO where no more bytes may come. */
int h1_refuse_endless(struct h1_parser *parser, int err, struct slice bytes);

/* "HTTP/1.1" or "HTTP/1.0" from parser->start on. Return: 0, and parser->at is behind it; -EAGAIN;
 * -EPROTO. */
int h1_take_version(struct h1_parser *parser, struct slice bytes, enum http_version *ret);

/* Field lines and the empty one that ends them, from H1_FIELD_BEGIN on; parser->limits are set. */
int h1_take_fields(struct h1_parser *parser, struct slice bytes, struct http_fields *fields);

/* Takes a complete target apart. Return: the defect. */
enum h1_defect h1_target_parse(struct slice text, enum http_method method, bool is_query_lax,
			       struct http_target *ret);

/* What Transfer-Encoding and Content-Length say, NONE if neither is there. Return: the defect. */
enum h1_defect h1_framing_of(const struct http_fields *fields, enum http_version version,
			     struct http_framing *ret);

#endif
