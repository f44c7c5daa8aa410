/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_KERNEL_H
#define SLUICE_TLS_KERNEL_H

#include <stdbool.h>

/*
 * Kernel TLS (Linux, Documentation/networking/tls.rst): a socket whose kernel makes the records of
 * what is sent, so that files go by sendfile(2). Receiving stays with OpenSSL.
 */
#define TLS_KERNEL_CIPHERS(X)         \
	X(AES_128_GCM, "AES-128-GCM") \
	X(AES_256_GCM, "AES-256-GCM") \
	X(CHACHA20, "ChaCha20-Poly1305")

enum tls_kernel_cipher {
#define X(name, text) TLS_KERNEL_##name,
	TLS_KERNEL_CIPHERS(X)
#undef X
		TLS_KERNEL_CIPHER_COUNT,
};

struct tls_kernel_abilities {
	int error; /* why there is none of it: -ENOENT: the kernel has no module "tls"; 0 */
	bool has[TLS_KERNEL_CIPHER_COUNT]; /* with TLS 1.2 and 1.3 */
	bool can_update; /* whether keys of TLS 1.3 can be changed later on (Linux 6.14) */
};

/* Tries it on connections over the loopback device. With CAP_NET_ADMIN the kernel loads its module
 * for that. Thread: any. Blocks for a second at worst. */
void tls_kernel_probe(struct tls_kernel_abilities *ret);

const char *tls_kernel_cipher_name(enum tls_kernel_cipher cipher);

#endif
