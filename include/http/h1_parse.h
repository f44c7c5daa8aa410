/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_H1_PARSE_H
#define SLUICE_HTTP_H1_PARSE_H

#include "core/compiler.h"
#include "core/slice.h"
#include "http/message.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Heads of HTTP/1.0 and HTTP/1.1 messages, read as strictly as RFC 9112 allows: what two parsers
 * could read differently is refused, never repaired, because a difference between the proxy and
 * what stands behind it is how requests are smuggled.
 *
 * The caller keeps a head's bytes contiguous and calls again with more of them; each byte is
 * looked at once. Between calls the bytes may move. Nothing is allocated but a longer field list
 * from its arena, when its own room is not enough. Pure; thread: any, one at a time.
 */

/* What is wrong with a message: X(id, status to answer, text). The connection is closed after it.
 * In a response the status does not count: the answer to the client is 502. */
#define H1_DEFECTS(X)                                                            \
	X(NONE, 0, "no defect")                                                  \
	X(METHOD_INVALID, 400, "method is not a token")                          \
	X(METHOD_TOO_LONG, 501, "method is too long")                            \
	X(TARGET_INVALID, 400, "target has invalid characters")                  \
	X(TARGET_FORM, 400, "target is in a form that the method does not have") \
	X(TARGET_TOO_LONG, 414, "target is too long")                            \
	X(PERCENT_INVALID, 400, "target has a broken percent-encoding")          \
	X(FRAGMENT, 400, "target has a fragment")                                \
	X(SCHEME_INVALID, 400, "target has a scheme other than http and https")  \
	X(AUTHORITY_INVALID, 400, "target has an invalid host or port")          \
	X(VERSION_INVALID, 400, "version is not HTTP/1.0 or HTTP/1.1")           \
	X(VERSION_UNSUPPORTED, 505, "version of HTTP is not supported")          \
	X(LINE_INVALID, 400, "first line is malformed")                          \
	X(STATUS_INVALID, 400, "status is not a number from 100 to 599")         \
	X(BARE_CR, 400, "CR without LF")                                         \
	X(BARE_LF, 400, "LF without CR")                                         \
	X(CONTROL, 400, "control character")                                     \
	X(NAME_EMPTY, 400, "field without a name")                               \
	X(NAME_INVALID, 400, "field name is not a token")                        \
	X(NAME_BLANK, 400, "blank between field name and colon")                 \
	X(FOLDED, 400, "folded field line")                                      \
	X(HEAD_TOO_LARGE, 431, "head is too large")                              \
	X(FIELD_TOO_LONG, 431, "field line is too long")                         \
	X(FIELDS_TOO_MANY, 431, "too many fields")                               \
	X(HOST_MISSING, 400, "no Host field")                                    \
	X(HOST_REPEATED, 400, "more than one Host field")                        \
	X(HOST_INVALID, 400, "invalid Host field")                               \
	X(HOST_DIFFERS, 400, "Host field differs from the target")               \
	X(LENGTH_INVALID, 400, "invalid Content-Length")                         \
	X(LENGTH_REPEATED, 400, "more than one Content-Length")                  \
	X(LENGTH_AND_CODING, 400, "both Content-Length and Transfer-Encoding")   \
	X(CODING_INVALID, 400, "Transfer-Encoding is not just chunked")          \
	X(CODING_REPEATED, 400, "more than one Transfer-Encoding")               \
	X(CODING_OLD, 400, "Transfer-Encoding in HTTP/1.0")                      \
	X(CONNECTION_INVALID, 400, "invalid Connection field")                   \
	X(EXPECT_UNKNOWN, 417, "unknown expectation")                            \
	X(BODY_UNEXPECTED, 400, "body where there is none")                      \
	X(UPGRADE_UNASKED, 400, "switches protocols unasked")                    \
	X(CHUNK_SIZE, 400, "invalid chunk size")                                 \
	X(CHUNK_EXTENSION, 400, "invalid chunk extension")                       \
	X(CHUNK_EXTENSIONS_TOO_LONG, 400, "chunk extensions are too long")       \
	X(CHUNK_END, 400, "chunk does not end with CR LF")                       \
	X(TRAILER_TOO_LARGE, 431, "trailer is too large")                        \
	X(TRAILER_FORBIDDEN, 400, "trailer has a framing field")                 \
	X(NO_MEMORY, 503, "out of memory")

enum h1_defect {
#define X(id, status, text) H1_DEFECT_##id,
	H1_DEFECTS(X)
#undef X
		H1_DEFECT_COUNT
};

unsigned h1_defect_status(enum h1_defect defect);
const char *h1_defect_text(enum h1_defect defect);

struct h1_limits {
	uint32_t line;     /* bytes of the first line, CR LF not counted */
	uint32_t field;    /* bytes of one field line, CR LF not counted */
	uint32_t head;     /* bytes of the whole head, its empty line included; below 2^31 */
	uint32_t fields;   /* number of field lines */
	bool is_query_lax; /* a "%" without two hexadecimal digits may stand in a query */
};

/* 8 KiB, 16 KiB, 64 KiB, 128 fields, strict. */
extern const struct h1_limits h1_limits_default;

/* Longer methods are answered 501. */
#define H1_METHOD_MAX 32

/* Where a head's parser stopped. A zeroed one with @limits set is at a message's start; it is
 * zeroed again for the next message. */
struct h1_parser {
	const struct h1_limits *limits; /* outlives the parser; NULL: h1_limits_default */
	enum h1_defect defect;
	/* The rest is the parser's own. */
	uint8_t phase;                   /* enum h1_phase */
	uint16_t id;                     /* of the name before @colon */
	uint32_t at, start, colon, line; /* offsets into the head */
	const char *base;                /* where the head began at the last call */
};

/**
 * Reads a request's head.
 * @bytes:   the message from its first byte; may hold more than the head. Not more than the head's
 *           limit and one byte is looked at. One empty line before it is skipped (RFC 9112 2.2).
 * @request: zeroed but for @fields, whose @arena (and @items, @cap) are set. Slices point into
 *           @bytes. Whole only when 0 is returned, but usable for a log line as long as @bytes are
 *           there, or h1_request_moved() has told where they are.
 * @ret_len: bytes of the head, with its empty line and what was skipped; the body begins there.
 * Return: 0; -EAGAIN: call again with more; -EPROTO: refused, see parser->defect.
 */
int h1_parse_request(struct h1_parser *parser, struct slice bytes, struct http_request *request,
		     size_t *ret_len) WARN_UNUSED;

/* What was given of a head that is not whole is at @bytes now. */
void h1_request_moved(struct h1_parser *parser, const char *bytes, struct http_request *request);

/* What a response answers, which decides on its body (RFC 9112 section 6.3). */
struct h1_asked {
	enum http_method method;
	bool for_upgrade; /* the request went out with Upgrade, so 101 may come */
};

/**
 * Reads a response's head. A final response follows an interim one (1xx but 101): zero the parser
 * and the response, and read on behind it.
 * Where a status has no body but the head announces one, the framing is NONE and the connection
 * not persistent.
 * Return: as above.
 */
int h1_parse_response(struct h1_parser *parser, struct slice bytes, const struct h1_asked *asked,
		      struct http_response *response, size_t *ret_len) WARN_UNUSED;
void h1_response_moved(struct h1_parser *parser, const char *bytes, struct http_response *response);

/**
 * Whether @bytes, the first ones of a connection, are HTTP/2's preface (RFC 9113 section 3.4).
 * Return: 0; -EAGAIN: they may become it; -EPROTO: no.
 */
int h1_detect_h2(struct slice bytes) WARN_UNUSED;

#endif
