/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_ROUTE_HTTP_ROUTE_H
#define SLUICE_ROUTE_HTTP_ROUTE_H

#include "config/config.h"
#include "core/address.h"
#include "core/arena.h"
#include "core/compiler.h"
#include "core/regex.h"
#include "geo/geo.h"
#include "http/message.h"
#include "route/rewrite.h"
#include "tls/peer.h"

#include <stdint.h>

/*
 * Which route a request takes. A route holds if each of its conditions holds; among those that
 * hold the most specific wins, compared in this order: host (exact, then the longer wildcard, then
 * none), path (exact, then a pattern, then the longer prefix, then none), method (named before
 * any), how many conditions on headers, query, cookies and certificate, source (longer prefix),
 * autonomous system, country and continent (named before any, in this order), port (named before
 * any), place in the file.
 *
 * Hosts are compared without port, without a dot at their end and without regard to case. A prefix
 * ends at a "/" or at the path's end: "/api" and "/api/" hold for "/api" and "/api/x", not for
 * "/apis". Paths are compared in the form of http_path_normalize() and http_path_merge(), so that
 * no spelling goes around a route; patterns see that form too. Path, prefix and pattern are one
 * condition: a member of any has to hold.
 */
struct http_route_table;

struct http_route_request {
	const struct http_request *request;
	struct slice path;                  /* normalised; "*" or empty where there is none */
	const struct address *source;       /* the client's */
	const struct geo_facts *facts;      /* where that is; NULL: unknown */
	uint16_t port;                      /* that the client connected to, host order */
	const struct tls_peer *certificate; /* the client's, verified; NULL: none */
	struct arena *arena;                /* the request's */
	struct regex_scratch *scratch;
};

/* @listener is borrowed for the table's life. Return: NULL: out of memory. */
struct http_route_table *http_route_table_new(const struct config_listener *listener) WARN_UNUSED;
void http_route_table_free(struct http_route_table *table); /* NULL is allowed */

/* How the route's requests change their path. @route: from http_route_match(). NULL: not at all. */
const struct rewrite *http_route_rewrite(const struct http_route_table *table,
					 const struct config_route *route);

/* Whether it matters where a client is: otherwise nobody looks it up. */
bool http_route_table_needs_facts(const struct http_route_table *table);

/* Whether a certificate can matter at all: otherwise it need not be looked at. */
bool http_route_table_needs_certificate(const struct http_route_table *table);

/**
 * @ret: the route, or one that goes to the listener's pool if none holds; lives as long as @table.
 * Return: 0; -ENOENT: none holds, and there is no such pool; -E2BIG: a pattern, or very many values
 * under one name, took too long to tell, so that nobody knows which one holds; -ENOMEM.
 */
int http_route_match(const struct http_route_table *table, const struct http_route_request *request,
		     const struct config_route **ret) WARN_UNUSED;

#endif
