/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_ROUTE_TCP_ROUTE_H
#define SLUICE_ROUTE_TCP_ROUTE_H

#include "config/config.h"
#include "core/address.h"
#include "geo/geo.h"
#include "tls/client_hello.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which pool a TCP connection goes to. A route holds if each of its conditions holds; among those
 * that hold the most specific wins, compared in this order: SNI (exact, then the longer wildcard,
 * then none), source (longer prefix), autonomous system, country and continent (named before any,
 * in this order), port (named before any), ALPN (named before any), place in the file.
 * "*.example.com" matches one or more labels in front, not example.com itself; "*" matches any
 * name, but not a missing one.
 */
struct tcp_route_table;

struct tcp_route_request {
	const struct client_hello *hello; /* NULL: none came, or it is not TLS */
	const struct address *source;     /* the client's, after the PROXY protocol */
	const struct geo_facts *facts;    /* where that is; NULL: unknown */
	uint16_t port;                    /* that the client connected to, host order */
};

/* @listener is borrowed for the table's life. Return: NULL: out of memory. */
struct tcp_route_table *tcp_route_table_new(const struct config_listener *listener) WARN_UNUSED;
void tcp_route_table_free(struct tcp_route_table *table);

/* Whether a ClientHello can matter at all: otherwise nobody waits for one. */
bool tcp_route_table_needs_hello(const struct tcp_route_table *table);

/* Whether it matters where a client is: otherwise nobody looks it up. */
bool tcp_route_table_needs_facts(const struct tcp_route_table *table);

/* Return: the pool's index in the configuration; -ENOENT if nothing holds and there is no default.
 */
int tcp_route_match(const struct tcp_route_table *table,
		    const struct tcp_route_request *request) WARN_UNUSED;

#endif
