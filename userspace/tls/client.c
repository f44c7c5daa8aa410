// SPDX-License-Identifier: Apache-2.0
// A client's TLS handshake by OpenSSL on memory BIOs, for health checks.
#include "tls/client.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* Both are OpenSSL's own objects under our names: nothing is added to them. */
static SSL_CTX *ctx_of(struct tls_client_context *context)
{
	return (SSL_CTX *)(void *)context;
}

static SSL *ssl_of(struct tls_client *client)
{
	return (SSL *)(void *)client;
}

struct tls_client_context *tls_client_context_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	return (struct tls_client_context *)(void *)ctx;
}

void tls_client_context_free(struct tls_client_context *context)
{
	SSL_CTX_free(ctx_of(context));
}

struct tls_client *tls_client_new(struct tls_client_context *context, const char *sni)
{
	SSL *ssl = SSL_new(ctx_of(context));
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

	if (!ssl || !in || !out || (sni && !SSL_set_tlsext_host_name(ssl, sni))) {
		SSL_free(ssl);
		BIO_free(in);
		BIO_free(out);
		return NULL;
	}
	SSL_set_bio(ssl, in, out);
	SSL_set_connect_state(ssl);
	return (struct tls_client *)(void *)ssl;
}

void tls_client_free(struct tls_client *client)
{
	SSL_free(ssl_of(client));
}

static int feed(SSL *ssl, struct slice bytes)
{
	/* What the last call gave out has been sent by now. */
	(void)BIO_reset(SSL_get_wbio(ssl));
	if (bytes.len == 0)
		return 0;
	return BIO_write(SSL_get_rbio(ssl), bytes.ptr, (int)bytes.len) == (int)bytes.len ? 0
											 : -ENOMEM;
}

static int advance(SSL *ssl, const char **ret_reason)
{
	const char *reason;
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(ssl);
	if (result == 1) {
		/* An announced close does not show up as an error in the server's log. */
		SSL_shutdown(ssl);
		return 0;
	}
	if (SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ)
		return -EAGAIN;
	reason = ERR_reason_error_string(ERR_peek_error());
	*ret_reason = reason ? reason : "failed";
	ERR_clear_error();
	return -EPROTO;
}

int tls_client_shake_hands(struct tls_client *client, struct slice received, struct slice *ret_send,
			   const char **ret_reason)
{
	SSL *ssl = ssl_of(client);
	int r = feed(ssl, received);
	char *bytes = NULL;
	long len;

	if (r < 0)
		return r;
	r = advance(ssl, ret_reason);
	len = BIO_get_mem_data(SSL_get_wbio(ssl), &bytes);
	*ret_send = slice_of(bytes, len > 0 ? (size_t)len : 0);
	return r;
}
