// SPDX-License-Identifier: Apache-2.0
/*
 * The authorities between a client's certificate and the anchor. OpenSSL forgets them with the
 * handshake, and of a client who resumes keeps the certificate alone: they go into our tickets, as
 * sealed as the rest, so that backends are told the same on every connection.
 */
#include "tls/tls_internal.h"

#include <openssl/err.h>
#include <openssl/x509.h>

/* A ticket is sent back with each ClientHello: longer chains are not worth that. */
#define KEPT_MAX 8192

static STACK_OF(X509) * middle_of(const STACK_OF(X509) * chain)
{
	STACK_OF(X509) *middle = sk_X509_new_null();

	for (int i = 1; middle && i < sk_X509_num(chain) - 1; i++) {
		X509 *authority = sk_X509_value(chain, i);

		if (!sk_X509_push(middle, authority)) {
			sk_X509_pop_free(middle, X509_free);
			return NULL;
		}
		X509_up_ref(authority);
	}
	return middle;
}

static STACK_OF(X509) * read_all(const unsigned char *bytes, size_t len)
{
	STACK_OF(X509) *all = sk_X509_new_null();
	const unsigned char *end = bytes + len;

	while (all && bytes < end) {
		X509 *authority = d2i_X509(NULL, &bytes, end - bytes);

		if (authority && sk_X509_push(all, authority))
			continue;
		X509_free(authority);
		sk_X509_pop_free(all, X509_free);
		return NULL;
	}
	return all;
}

STACK_OF(X509) * tls_kept_chain(const SSL *ssl)
{
	const STACK_OF(X509) *verified = SSL_get0_verified_chain(ssl);
	void *bytes = NULL;
	size_t len = 0;

	if (verified)
		return middle_of(verified);
	if (!SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &bytes, &len))
		return NULL;
	return read_all(bytes, len);
}

/* Return: bytes; 0: there are none, or they are too many. */
static size_t write_all(const STACK_OF(X509) * chain, unsigned char *ret)
{
	size_t total = 0;

	for (int i = 1; i < sk_X509_num(chain) - 1; i++) {
		int len = i2d_X509(sk_X509_value(chain, i), NULL);

		if (len <= 0 || total + (size_t)len > KEPT_MAX)
			return 0;
		i2d_X509(sk_X509_value(chain, i), &ret);
		total += (size_t)len;
	}
	return total;
}

/* A ticket without them is one all the same. One that follows another has what that had. */
static int on_ticket(SSL *ssl, void *arg)
{
	const STACK_OF(X509) *verified = SSL_get0_verified_chain(ssl);
	unsigned char bytes[KEPT_MAX];
	size_t len = verified ? write_all(verified, bytes) : 0;

	(void)arg;
	if (len && !SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), bytes, len))
		ERR_clear_error();
	return 1;
}

void tls_kept_chain_use(SSL_CTX *ctx)
{
	tls_resumption_judge(ctx, on_ticket);
}
