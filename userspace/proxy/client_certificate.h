/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_CLIENT_CERTIFICATE_H
#define SLUICE_PROXY_CLIENT_CERTIFICATE_H

#include "route/http_route.h"
#include "tls/session.h"

/* A client's certificate, read once a connection when somebody first asks for it. */
struct client_certificate;

/**
 * @kept:    where the connection keeps it; NULL at first.
 * @session: NULL: the connection is plain.
 * Return: NULL: there is none, or no memory to read it.
 */
const struct http_route_certificate *client_certificate_get(struct client_certificate **kept,
							    const struct tls_session *session);

void client_certificate_free(struct client_certificate *certificate); /* NULL is allowed */

#endif
