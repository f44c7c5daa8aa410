/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_MIRROR_H
#define SLUICE_PROXY_MIRROR_H

#include "core/slice.h"
#include "proxy/exchange.h"

struct worker;

/*
 * A copy of a request for another pool, whose answer is thrown away. It is sent once the request is
 * whole, on a connection that is taken or dialled as any other, tried once; whatever becomes of
 * it, the exchange does not wait and does not notice. Bounded: bodies by the route's max_body,
 * copies under way and their memory by worker. Thread: the worker's.
 */
struct mirror;

/* The head is ready for the backend: draws whether this request is mirrored. */
void mirror_begin(struct exchange *exchange);

/* Bytes that follow the head, perhaps more than are the body's. */
void mirror_body(struct exchange *exchange, struct slice bytes);

/* The exchange is over: a copy that is not whole is dropped. */
void mirror_end(struct exchange *exchange);

/* The worker drains: those under way are reset. */
void mirrors_close(struct worker *worker);

#endif
