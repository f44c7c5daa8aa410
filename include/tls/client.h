/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_CLIENT_H
#define SLUICE_TLS_CLIENT_H

#include "core/compiler.h"
#include "core/slice.h"

/*
 * The client's side of a TLS handshake, on memory: the caller moves the bytes. The server's
 * certificate is not verified. Source: RFC 8446, RFC 5246.
 *
 * Thread: a context and its clients belong to one thread.
 */
struct tls_client_context;
struct tls_client;

/* NULL: out of memory. */
struct tls_client_context *tls_client_context_new(void) WARN_UNUSED;

/* NULL is allowed. */
void tls_client_context_free(struct tls_client_context *context);

/* @sni: the server's name to be sent, or NULL. NULL: out of memory. */
struct tls_client *tls_client_new(struct tls_client_context *context, const char *sni) WARN_UNUSED;

/* NULL is allowed. */
void tls_client_free(struct tls_client *client);

/**
 * Goes on as far as @received allows; begin with an empty one.
 * @ret_send:   what the server must get now, perhaps nothing; borrowed until the next call. Set in
 *              each case but -ENOMEM. After the last flight it ends with a close_notify.
 * @ret_reason: set with -EPROTO alone; static text.
 * Return: 0: the handshake is complete; -EAGAIN: more is needed; -EPROTO: it failed; -ENOMEM.
 */
int tls_client_shake_hands(struct tls_client *client, struct slice received, struct slice *ret_send,
			   const char **ret_reason) WARN_UNUSED;

#endif
