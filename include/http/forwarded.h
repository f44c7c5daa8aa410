/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_FORWARDED_H
#define SLUICE_HTTP_FORWARDED_H

#include "core/address.h"
#include "core/compiler.h"
#include "http/fields.h"
#include "http/message.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What a proxy tells of the way a request took: Via, Forwarded, X-Forwarded-*; and what may be
 * believed of what others told. Source: RFC 9110 section 7.6.3, RFC 7239.
 */

/* What one hop knows. Addresses are text, so that a connection formats them once. */
struct http_hop {
	struct slice client; /* whom the request came from: IP without port or brackets; empty:
				unknown */
	struct slice by;     /* the address it came in at, the same; empty: not told */
	uint16_t port;       /* the port it came in at; 0: not told */
	struct slice host;   /* the Host field as it came; empty: not told */
	struct slice scheme; /* "http" or "https" */
};

/* Removes what a source that is not trusted claims: Forwarded, X-Forwarded-*, X-Real-IP, and
 * Client-Cert*. For their disguises see http_fields_remove_disguised(). */
void http_forwarded_distrust(struct http_fields *fields);

/* Removes what a source that is trusted does not speak for: a proxy that adds X-Forwarded-For may
 * let pass what a client wrote into Forwarded, and the other way round. */
void http_forwarded_believe(struct http_fields *fields, bool in_forwarded, bool in_x_forwarded);

/* The last alone: they are about the connection to this server, and nobody else can know them
 * (RFC 9440 section 2.4). */
void http_client_cert_distrust(struct http_fields *fields);

/* Appends our element to the Forwarded field, or begins one; several fields become one.
 * Return: 0; -EINVAL if the hop holds control characters; -ENOMEM. */
int http_forwarded_add(struct http_fields *fields, const struct http_hop *hop) WARN_UNUSED;

/* The same for X-Forwarded-For. -Proto, -Host and -Port, which tell of the first hop alone, are
 * added only where they are absent. */
int http_x_forwarded_add(struct http_fields *fields, const struct http_hop *hop) WARN_UNUSED;

/* Appends "1.1 name" to Via; @version: of the message as received; @name: a token or host. */
int http_via_add(struct http_fields *fields, enum http_version version,
		 struct slice name) WARN_UNUSED;

/* How often @name stands in Via as the receiver: a loop, if that is us. */
unsigned http_via_count(const struct http_fields *fields, struct slice name);

/* An element of Forwarded; what is absent is empty. Values are still escaped if they were quoted.
 */
struct http_forwarded {
	struct slice for_node, by_node, host, proto;
};

/* Takes the next element off a Forwarded value. Return: 1; 0 at the end; -EINVAL: this element
 * cannot be read, the next call goes on behind it. */
int http_forwarded_next(struct slice *value, struct http_forwarded *ret);

/* Reads a node: "192.0.2.43", "192.0.2.43:80", "[2001:db8::1]:47", or a bare IPv6 address as
 * X-Forwarded-For has it. Return: 0; -EINVAL; -ENOENT for "unknown" and "_hidden". */
int http_node_parse(struct slice node, struct address *ret) WARN_UNUSED;

struct http_way_client {
	struct address address;
	struct slice proto; /* of its element of Forwarded; empty: not told */
};

/**
 * The client behind trusted proxies: from the last element of Forwarded, or of X-Forwarded-For
 * where there is no Forwarded, back to the first address that no network of @trusted holds.
 * @peer: whom the connection came from; the answer if it is not trusted itself, or if an element
 *        cannot be read (then the last address that could).
 * Return: 0; -ENOMEM.
 */
int http_way_find_client(const struct http_fields *fields, const struct address *peer,
			 const struct prefix *trusted, size_t trusted_count,
			 struct http_way_client *ret) WARN_UNUSED;

#endif
