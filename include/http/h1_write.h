/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_H1_WRITE_H
#define SLUICE_HTTP_H1_WRITE_H

#include "core/compiler.h"
#include "http/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Writes heads and chunk framing of HTTP/1.1. Fields are written in their order, as they are in the
 * list, but for those that the connection decides on: Connection, Keep-Alive, Transfer-Encoding,
 * Upgrade, TE and Content-Length come from @wire alone, so a list need not be cleaned of them
 * first. Fields that Connection nominates must have been removed: http_fields_strip_connection().
 * Nothing is allocated. A list never holds what could begin a line of its own (see http/fields.h).
 */
struct h1_wire {
	struct http_framing framing; /* how the body will be sent */
	bool is_last;                /* "Connection: close" */
	bool says_keep_alive;        /* "Connection: keep-alive", for peers of HTTP/1.0 */
	bool keeps_length;     /* NONE, yet the Content-Length of the list is written: 304, HEAD */
	bool accepts_trailers; /* requests: "TE: trailers" */
	struct slice upgrade;  /* "Connection: upgrade" and this protocol, if not empty */
};

/**
 * @target: what is asked for, visible characters: request->target.text, or what a rewrite made.
 *          -EINVAL if it is empty or holds anything else.
 * @ret_len: bytes written.
 * Return: 0; -ENOBUFS: @cap is too small, nothing useful was written; -EINVAL.
 */
int h1_write_request(const struct http_request *request, struct slice target,
		     const struct h1_wire *wire, char *buf, size_t cap,
		     size_t *ret_len) WARN_UNUSED;

/* @response: an empty @reason is replaced by the status' own phrase. Return: as above. */
int h1_write_response(const struct http_response *response, const struct h1_wire *wire, char *buf,
		      size_t cap, size_t *ret_len) WARN_UNUSED;

/* Bytes that always suffice for a head with these fields and a first line, together with the
 * protocol of an upgrade, of @first_line bytes. */
size_t h1_write_bound(const struct http_fields *fields, size_t first_line);

#define H1_CHUNK_OPEN_MAX 20 /* CR LF, 16 digits, CR LF */

/* Writes what stands before a chunk's @size bytes of payload, which are not 0: its size line, and
 * the end of the chunk before it unless @is_first. Return: bytes written, at most
 * H1_CHUNK_OPEN_MAX. */
size_t h1_write_chunk_open(uint64_t size, bool is_first, char *buf);

/* What stands behind the last chunk: @trailers and the empty line. Return: 0; -ENOBUFS. */
int h1_write_trailer(const struct http_fields *trailers, char *buf, size_t cap,
		     size_t *ret_len) WARN_UNUSED;

/**
 * Ends a chunked body: the end of the chunk before unless @is_first, the last chunk, trailers.
 * @trailers: NULL: none.
 * Return: 0; -ENOBUFS.
 */
int h1_write_chunks_end(bool is_first, const struct http_fields *trailers, char *buf, size_t cap,
			size_t *ret_len) WARN_UNUSED;

/* "HTTP/1.1 100 Continue" and its empty line, static. */
struct slice h1_continue(void);

#endif
