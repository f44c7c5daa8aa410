/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_NET_HTTP_HEAD_H
#define SLUICE_NET_HTTP_HEAD_H

#include "core/compiler.h"
#include "core/slice.h"

#include <stddef.h>

/*
 * The head of an HTTP/1 message, as far as health checks and /metrics need it: the first line is
 * read, the header lines are checked for their form and skipped. Pure; byte by byte arrival is
 * fine. Strict: CR LF ends each line, no folded lines, no space before a colon, no control
 * characters. Source: RFC 9112 sections 2 to 5.
 */

/* The longest head that is waited for, its empty line included; a longer one is -EPROTO. */
#define HTTP_HEAD_MAX 16384

/**
 * Reads a response's head; HTTP/1.0 and HTTP/1.1.
 * @ret_status: 100..599. After 1xx but 101 another head follows (RFC 9110 section 15.2).
 * @ret_len:    bytes of the head, its empty line included; what follows is the body.
 * Return: 0; -EAGAIN: more is needed; -EPROTO: it is not such a head. Outputs are untouched then.
 */
int http_status_parse(struct slice bytes, unsigned *ret_status, size_t *ret_len) WARN_UNUSED;

/**
 * Reads a request's head; HTTP/1.0 and HTTP/1.1.
 * @ret_method: as sent, case matters; borrowed from @bytes, as is @ret_target.
 * @ret_target: visible ASCII characters, not decoded; not empty.
 * Return: as above.
 */
int http_request_parse(struct slice bytes, struct slice *ret_method, struct slice *ret_target,
		       size_t *ret_len) WARN_UNUSED;

#endif
