/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_ROUTE_HTTP_ROUTE_H
#define SLUICE_ROUTE_HTTP_ROUTE_H

#include "config/config.h"
#include "core/address.h"
#include "core/compiler.h"
#include "http/message.h"

#include <stdint.h>

/*
 * Which route a request takes. A route holds if each of its conditions holds; among those that
 * hold the most specific wins, compared in this order: host (exact, then the longer wildcard, then
 * none), path (exact, then the longer prefix, then none), method (named before any), source (longer
 * prefix), port (named before any), place in the file.
 *
 * Hosts are compared without port and without regard to case. A prefix ends at a "/" or at the
 * path's end: "/api" and "/api/" hold for "/api" and "/api/x", not for "/apis". Paths are compared
 * in the form of http_path_normalize(), so that no spelling goes around a route. Path and prefix
 * are one condition: a member of either has to hold.
 */
struct http_route_table;

struct http_route_request {
	const struct http_request *request;
	struct slice path;            /* normalised; "*" or empty where there is none */
	const struct address *source; /* the client's */
	uint16_t port;                /* that the client connected to, host order */
};

/* @listener is borrowed for the table's life. Return: NULL: out of memory. */
struct http_route_table *http_route_table_new(const struct config_listener *listener) WARN_UNUSED;
void http_route_table_free(struct http_route_table *table); /* NULL is allowed */

/* Return: the route; one that goes to the listener's pool if none holds; NULL if there is no such
 * pool. It lives as long as the table. */
const struct config_route *http_route_match(const struct http_route_table *table,
					    const struct http_route_request *request) WARN_UNUSED;

#endif
