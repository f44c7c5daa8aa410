/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's half of a TLS 1.3 handshake (RFC 8446) for as little CPU as it can be had, so that
 * what answers it is what is measured. TLS_AES_128_GCM_SHA256 and X25519, a ticket with (EC)DHE or
 * none. NOT a secure client: one key share serves all connections, and certificates are not looked
 * at. All else is done as it must be: what the server says is decrypted, and its Finished checked.
 */
#ifndef TLS13_H
#define TLS13_H

#include "tls13_keys.h"

#include <openssl/sha.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls13_result {
	TLS13_WAITING, /* for more bytes */
	TLS13_DONE,    /* and a ticket has come: the server is through with it, too */
	TLS13_FAILED,
};

struct tls13_ticket {
	uint8_t bytes[2048], psk[TLS13_HASH];
	size_t len; /* 0: none */
	uint32_t age_add;
	uint64_t came_ms;
};

/* One connection. All zeros, but for its ticket, until tls13_begin(). */
struct tls13 {
	struct tls13_ticket ticket; /* the newest; one of these, whoever the server is */
	bool is_resumed, has_server_hello, has_finished, has_new_ticket;
	SHA256_CTX transcript;
	uint8_t secret[TLS13_HASH]; /* early, then handshake, then main secret */
	uint8_t ours[TLS13_HASH];   /* traffic secrets of the handshake */
	uint8_t theirs[TLS13_HASH];
	uint8_t resumption[TLS13_HASH];
	struct tls13_keys sending, receiving;
	/* What has come, for the caller to append to: records, and messages out of them. */
	uint8_t in[18000], messages[18000];
	size_t nin, nmessages;
	/* What the caller has to send, and to set to 0 then. */
	uint8_t out[4096];
	size_t nout;
};

/** Make the key share. Once a process, before all else. Return: false: OpenSSL does not. */
bool tls13_init(void);

/** Put a ClientHello out, that resumes if there is a ticket. */
void tls13_begin(struct tls13 *tls);

/** Take the records that have come in. */
enum tls13_result tls13_take(struct tls13 *tls);

/** Put a close_notify out, if the handshake is done. */
void tls13_end(struct tls13 *tls);

#endif
