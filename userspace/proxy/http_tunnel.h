/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_HTTP_TUNNEL_H
#define SLUICE_PROXY_HTTP_TUNNEL_H

#include "core/compiler.h"
#include "io/buf.h"

struct connection_row;
struct http_client;
struct http_tunnel;

/*
 * What is left of an exchange when both sides have agreed on another protocol (101), or on bytes
 * (2xx to CONNECT): the tunnel of proxy/tunnel.h, which also hands it to the kernel. The exchange
 * lasts as long as the tunnel.
 */

/* @from_backend: taken over; NULL: none. Return: 0; -ENOMEM. */
int http_tunnel_start(struct http_client *client, struct io_buf *from_backend) WARN_UNUSED;

/* Either stream's queue has run empty, or failed. */
void http_tunnel_on_sent(struct http_tunnel *tunnel);

/* If it is spliced, and not over, it goes on in the kernel, and the session ends. */
void http_tunnel_leave(struct http_tunnel *tunnel);

/* What carries it, and how far it has come. */
void http_tunnel_describe(struct http_tunnel *tunnel, struct connection_row *ret);

/* The session ends. */
void http_tunnel_stop(struct http_tunnel *tunnel);
void http_tunnel_free(struct http_tunnel *tunnel); /* NULL is allowed */

#endif
