/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_PACER_H
#define SLUICE_TLS_PACER_H

#include "core/compiler.h"
#include "io/loop.h"

#include <stdint.h>

/*
 * Handshakes of one loop take their turns: so many at once, and in each round, behind all else,
 * only as many steps as fit into a fraction of a millisecond, so that a flood of them does not
 * stall established connections.
 */
struct tls_pacer;

/* @limit: handshakes under way; further ones wait in line. NULL: out of memory. */
struct tls_pacer *tls_pacer_new(struct io_loop *loop, uint32_t limit) WARN_UNUSED;

/* No handshake may be under way. NULL is allowed. */
void tls_pacer_free(struct tls_pacer *pacer);

/* Another limit, from now on. */
void tls_pacer_set_limit(struct tls_pacer *pacer, uint32_t limit);

#endif
