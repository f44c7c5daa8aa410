/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_CONTEXT_H
#define SLUICE_TLS_CONTEXT_H

#include "config/config.h"
#include "core/compiler.h"
#include "core/strbuf.h"
#include "tls/staples.h"
#include "tls/ticket_keys.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What a listener or a pool needs for TLS, read from its files: certificates, keys, authorities and
 * policy. Immutable, and used by all workers at once. Files are read when a context is made and
 * never again.
 */

/* --- Of a listener ------------------------------------------------------------------ */

struct tls_server_context;

/**
 * @config: borrowed for the context's life.
 * @name:   the listener's: sessions of one are not resumed at another.
 * @path:   the configuration file's; relative paths begin at its directory.
 * @keys:   borrowed for the context's life.
 * @ret_errors: one line an error, "file:line:col: …"; on success perhaps warnings, such as of a key
 *              that everybody can read.
 * Return: 0; -EINVAL with errors; -ENOMEM. Thread: any. Blocks on files.
 */
int tls_server_context_new(const struct config_tls *config, const char *name, const char *path,
			   struct tls_ticket_keys *keys, struct tls_server_context **ret,
			   struct strbuf *ret_errors) WARN_UNUSED;

/* Has an OCSP response fetched for each certificate that has none from a file. @staples outlives
 * the context. Before it is in use. */
void tls_server_context_fetch_staples(struct tls_server_context *context,
				      struct tls_staples *staples);

/* Has tickets know the authorities behind a client's certificate, for tls_session_peer_der() of the
 * sessions that they resume. Before it is in use. */
void tls_server_context_keep_chains(struct tls_server_context *context);

/* Has long files encrypted by the kernel, as far as it can (tls/kernel.h). Before it is in use. */
void tls_server_context_use_kernel(struct tls_server_context *context);

/* NULL is allowed. It outlives the sessions that were made with it. */
void tls_server_context_free(struct tls_server_context *context);

struct tls_certificate_row {
	const char *file;        /* as the configuration has it */
	const char *name;        /* the first that it is for; "" if there is none */
	const char *kind;        /* of its key: "RSA", "ECDSA" or "EdDSA" */
	int64_t not_after_s;     /* seconds since 1970 */
	int64_t stapled_until_s; /* the same of the OCSP response with it; 0: there is none */
	size_t nnames;
};

/* In the configuration's order. Texts are borrowed from @context. */
void tls_server_context_visit(const struct tls_server_context *context,
			      void (*visit)(const struct tls_certificate_row *row, void *arg),
			      void *arg);

/* --- Of a pool ---------------------------------------------------------------------- */

struct tls_client_context;

/* As above. @config: NULL: nothing is verified and no name is asked for but the target's. */
int tls_client_context_new(const struct config_pool_tls *config, const char *path,
			   struct tls_client_context **ret, struct strbuf *ret_errors) WARN_UNUSED;

void tls_client_context_free(struct tls_client_context *context);

#endif
