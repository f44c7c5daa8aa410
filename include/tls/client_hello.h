/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_CLIENT_HELLO_H
#define SLUICE_TLS_CLIENT_HELLO_H

#include "core/compiler.h"
#include "core/slice.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Reads what a ClientHello asks for without answering it. Pure. The message may be spread over
 * several records, as RFC 8446 section 5.1 allows.
 */

/* The largest ClientHello, record headers included, that is waited for. */
#define CLIENT_HELLO_MAX      16384
#define CLIENT_HELLO_ALPN_MAX 16

struct client_hello {
	/*
	 * Lower case, without a trailing dot; a valid host name (RFC 6066 section 3), underscores
	 * allowed. "" if absent, or if the client sent an IP address, which is no name.
	 */
	char sni[256];
	/* In the client's order, GREASE left out; borrowed from @scratch. Further ones are ignored.
	 */
	struct slice alpn[CLIENT_HELLO_ALPN_MAX];
	size_t nalpn;
	uint16_t version; /* highest offered: 0x0303, 0x0304, …; 0 if none is known (RFC 8446) */
	/* Where the handshake message is put together if it spans records. */
	unsigned char scratch[CLIENT_HELLO_MAX];
};

/**
 * Strict: all lengths fit, no extension comes twice, the message ends where a record does.
 * @bytes: all that the client has sent so far; need not outlive the call.
 * @ret:   but for @scratch untouched on failure. Not to be copied: @alpn points into it.
 * Return: 0; -EAGAIN: more is needed; -EPROTO: this is not TLS, or not a valid ClientHello;
 * -EMSGSIZE: it does not end within CLIENT_HELLO_MAX bytes.
 */
int client_hello_parse(struct slice bytes, struct client_hello *ret) WARN_UNUSED;

#endif
