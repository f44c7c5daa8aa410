/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_TICKET_KEYS_H
#define SLUICE_TLS_TICKET_KEYS_H

#include "core/compiler.h"

/*
 * The keys of session tickets, shared by all workers and kept over reloads, so that a client may
 * resume anywhere. They are random, replaced as they age and then forgotten: who gets hold of one
 * can read the sessions of that time alone. Source: RFC 5077 section 4, RFC 8446 section 4.6.1.
 */
struct tls_ticket_keys;

/* Return: NULL: out of memory. */
struct tls_ticket_keys *tls_ticket_keys_new(void) WARN_UNUSED;

/* No context that uses them may be left. NULL is allowed. */
void tls_ticket_keys_free(struct tls_ticket_keys *keys);

#endif
