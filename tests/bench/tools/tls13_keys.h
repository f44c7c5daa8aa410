/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TLS13_KEYS_H
#define TLS13_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS13_HASH   32 /* bytes of a SHA-256 */
#define TLS13_TAG    16
#define TLS13_HEADER 5 /* of a record */

/* Of one direction. */
struct tls13_keys {
	uint8_t key[16], iv[12];
	uint64_t sequence;
};

/** Once a process, before all else. Return: false: OpenSSL does not. */
bool tls13_keys_init(void);

/** HMAC-SHA-256 with a key of 32 bytes; that is HKDF-Extract, too, with @key as the salt. */
void tls13_hmac(const uint8_t key[TLS13_HASH], const void *bytes, size_t len,
		uint8_t ret[TLS13_HASH]);

/** HKDF-Expand-Label (RFC 8446 7.1). @label: 12 characters at most, @context: 255, @len: 32. */
void tls13_expand(const uint8_t secret[TLS13_HASH], const char *label, const void *context,
		  size_t ncontext, uint8_t *ret, size_t len);

/** Derive-Secret, with the hash of what has been said. */
void tls13_derive(const uint8_t secret[TLS13_HASH], const char *label,
		  const uint8_t hash[TLS13_HASH], uint8_t ret[TLS13_HASH]);

void tls13_derive_keys(struct tls13_keys *keys, const uint8_t traffic[TLS13_HASH]);

/**
 * Seal or open a record, in place (5.2).
 * @bytes: a tag follows their @len, that is written, or that has to fit.
 * Return: false: it does not fit.
 */
bool tls13_crypt(struct tls13_keys *keys, const uint8_t header[TLS13_HEADER], uint8_t *bytes,
		 size_t len, bool is_sealing);

#endif
