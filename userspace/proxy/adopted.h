/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_ADOPTED_H
#define SLUICE_PROXY_ADOPTED_H

#include "proxy/inspect.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Spliced connections that an earlier daemon has left in the kernel. They have no session, for they
 * have no sockets and no worker: the control thread follows them to their end, counts and logs
 * them. They count for no limit. Thread: control.
 */
struct server;

/* Takes them all. The first snapshot is in force. */
void adopted_start(struct server *server);

/* The programs say that the pair of @slot, an adopted one, is over. */
void adopted_on_over(struct server *server, uint32_t slot, uint64_t id);

/* Return: rows written, at most @limit. */
size_t adopted_describe(struct server *server, struct connection_row *rows, size_t limit);

/* Ends them: both ends get an RST. */
void adopted_reset(struct server *server);

/* Leaves those that are not over to a later daemon. */
void adopted_leave(struct server *server);

#endif
