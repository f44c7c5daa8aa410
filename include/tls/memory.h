/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_MEMORY_H
#define SLUICE_TLS_MEMORY_H

/*
 * OpenSSL's memory. A handshake takes some 750 pieces and gives nearly all of them back: a thread
 * that makes handshakes keeps what is given back, by size and within a limit, for the next one.
 * Pieces are malloc's own, so that any thread may free what another has taken. Where a sanitizer
 * watches nothing is kept.
 */

/* Before anything else of OpenSSL is called. Called too late, or not, all is as malloc has it. */
void tls_memory_init(void);

/* This thread keeps pieces from now on. Without memory for that it does not. */
void tls_memory_begin(void);

/* Frees what this thread keeps. It keeps no more. */
void tls_memory_end(void);

#endif
