/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_CONNECTION_H
#define SLUICE_HTTP_CONNECTION_H

#include "core/compiler.h"
#include "http/fields.h"

#include <stdbool.h>

/* What a message says of its connection. */
struct http_connection_options {
	bool close, keep_alive, upgrade, te;
	bool names_others; /* there are options that are names of further fields */
};

/* Reads all Connection fields. Return: 0; -EINVAL if one is not a list of tokens. */
int http_connection_options(const struct http_fields *fields,
			    struct http_connection_options *ret) WARN_UNUSED;

/**
 * Removes what is about one connection: Connection and what it nominates, Keep-Alive,
 * Proxy-Connection, TE, Transfer-Encoding, Upgrade, HTTP2-Settings (RFC 9110 section 7.6.1).
 * A nomination does not remove fields that the message was judged by (Host, Authorization,
 * Content-Type, X-Forwarded-For ..., see http/field_id.h), so that a client cannot hide them from
 * the back end. Call it before adding fields of one's own. Trailer stays.
 */
void http_fields_strip_connection(struct http_fields *fields);

#endif
