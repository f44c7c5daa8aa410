/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_MEMORY_H
#define SLUICE_TLS_MEMORY_H

/*
 * From now on what OpenSSL lacks of memory is known, whether it tells or not: a context without
 * some of its ciphers is none, and a handshake that fails for it says nothing of the peer.
 * Without effect once OpenSSL has allocated anything.
 */
void tls_memory_watch(void);

#endif
