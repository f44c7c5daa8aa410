/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_DEMO_ORIGIN_H
#define SLUICE_DEMO_ORIGIN_H

#include "config/config.h"
#include "core/address.h"
#include "core/compiler.h"
#include "io/loop.h"

#include <stddef.h>

/*
 * The back ends of `sluiced --demo`: small HTTP/1.1 servers, each of which answers with a name of
 * its own, so that one sees the balancing. GET and HEAD; /healthz is 200 as well. Not for
 * production.
 *
 * Thread: the loop's.
 */
struct demo_origin;

/**
 * The endpoints of @config that the demonstration can play: IP addresses on loopback, each once.
 * Return: how many were stored, at most @max.
 */
size_t demo_origin_addresses(const struct config *config, struct address *ret, size_t max);

/* The name that the server on the address number @index answers with: "alpha", "beta" and so on. */
const char *demo_origin_name(size_t index);

/**
 * Listens on each address where nobody listens yet; the others are left to whoever is there.
 * @addresses: borrowed for the call.
 * Return: 0; -ENOMEM; -errno of an address that could not be opened.
 */
int demo_origin_start(struct io_loop *loop, const struct address *addresses, size_t count,
		      struct demo_origin **ret) WARN_UNUSED;

/* Closes sockets and connections; @on_stopped follows once, not from inside this call. */
void demo_origin_stop(struct demo_origin *origin, void (*on_stopped)(void *context), void *context);

/* After on_stopped. NULL is allowed. */
void demo_origin_free(struct demo_origin *origin);

#endif
