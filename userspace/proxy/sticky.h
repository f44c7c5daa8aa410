/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_STICKY_H
#define SLUICE_PROXY_STICKY_H

#include "core/compiler.h"

#include <stdint.h>

struct config_hash_key;
struct exchange;
struct http_fields;

/* A client's requests come back to the endpoint that has served it before: by a signed cookie of
 * ours that names it, or by the hash of what the client sends by itself. Thread: the worker's. */

/* The pool is known: reads what the client brings, and takes our cookie out of the request.
 * Return: 0; -ENOMEM. */
int sticky_read(struct exchange *exchange) WARN_UNUSED;

/* The hash of what the client sends by itself. Return: 0: it sends nothing, or there is no such
 * key.
 */
uint64_t sticky_key(const struct http_fields *fields, const struct config_hash_key *config);

/* The response is about to go to the client: gives it a cookie if it brought none of this
 * endpoint. Return: 0; -ENOMEM. */
int sticky_mark(struct exchange *exchange) WARN_UNUSED;

#endif
