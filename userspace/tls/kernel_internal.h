/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_KERNEL_INTERNAL_H
#define SLUICE_TLS_KERNEL_INTERNAL_H

#include "core/compiler.h"
#include "tls/kernel.h"

#include <linux/tls.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * What the kernel is told and asked by socket options: kernel_socket.c, which knows nothing of
 * OpenSSL. kernel_keys.c has the keys, and kernel_tx.c says when.
 */
#define TLS_KERNEL_KEY_MAX 32
#define TLS_KERNEL_IV      12

struct tls_kernel_key {
	enum tls_kernel_cipher cipher;
	bool is_1_3;
	unsigned char key[TLS_KERNEL_KEY_MAX];
	/* TLS 1.2 with AES-GCM: four bytes of the key block (RFC 5288 section 3), and then the
	 * explicit nonce of the next record. */
	unsigned char iv[TLS_KERNEL_IV];
	uint64_t sequence; /* of the next record */
};

/* Bytes of its key. */
size_t tls_kernel_key_size(enum tls_kernel_cipher cipher);
/* Bytes that a record is longer than what is in it. */
unsigned tls_kernel_overhead(enum tls_kernel_cipher cipher, bool is_1_3);

/* The socket's TLS, still without a key: bytes go as they are. Return: 0; -errno. */
int tls_kernel_attach(int fd) WARN_UNUSED;
/* From here on the kernel makes records by @key; a second one takes the first one's place where the
 * kernel can. Return: 0; -errno; -EBUSY: it cannot. */
int tls_kernel_install(int fd, const struct tls_kernel_key *key) WARN_UNUSED;
/* The sequence number of the record that the kernel makes next. Return: 0; -errno. */
int tls_kernel_sequence(int fd, enum tls_kernel_cipher cipher, uint64_t *ret) WARN_UNUSED;
/* Bytes that the connection has ever taken to send, as on the wire; what waits in the kernel's TLS
 * for room does not count. Never too many. Return: 0; -errno. */
int tls_kernel_taken(int fd, uint64_t *ret) WARN_UNUSED;

#endif
