/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_OCSP_H
#define SLUICE_TLS_OCSP_H

#include "core/slice.h"

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

/* What an authority says of a certificate. Source: RFC 6960, RFC 5019. */

/**
 * Whether an answer may be stapled: it speaks of @leaf, says that it is good, is signed by its
 * issuer or by whom that has charged with it, and is not out of date.
 * @chain: what follows the leaf, its issuer first.
 * Return: NULL with *@ret_until_s, in seconds since 1970; what is wrong with it, static text.
 */
const char *ocsp_judge(struct slice der, X509 *leaf, STACK_OF(X509) * chain, int64_t *ret_until_s);

/* Where the certificate says that its authority can be asked, "http://…". Return: from malloc();
 * NULL: nowhere that we can ask. */
char *ocsp_responder(X509 *leaf);

#define OCSP_TIMEOUT_MS 10000

/**
 * Asks a responder, for OCSP_TIMEOUT_MS at most.
 * @wake: a descriptor; once it can be read from, the answer is not waited for any more.
 * @ret:  the answer, whatever it says, from malloc().
 * Return: NULL; why there is none, static text. Blocks.
 */
const char *ocsp_fetch(const char *url, X509 *leaf, X509 *issuer, int wake, unsigned char **ret,
		       size_t *ret_len);

#endif
