// SPDX-License-Identifier: Apache-2.0
/*
 * A TLS handshake, to the end of ours: the endpoint is up once the handshake is complete and our
 * last flight is sent. OpenSSL works on memory; probe.c moves the bytes.
 */
#include "upstream/probe.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

struct ssl_ctx_st *probe_tls_new(void)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls)
		SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	return tls;
}

void probe_tls_free(struct ssl_ctx_st *tls)
{
	SSL_CTX_free(tls);
}

static int flush(struct probe *probe, SSL *ssl)
{
	char *bytes;
	long len = BIO_get_mem_data(SSL_get_wbio(ssl), &bytes);
	int err = 0;

	if (len > 0)
		err = probe_send(probe, slice_of(bytes, (size_t)len));
	(void)BIO_reset(SSL_get_wbio(ssl));
	return err;
}

static void fail_by_library(struct probe *probe)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	probe_fail(probe, "TLS handshake: %s", reason ? reason : "failed");
}

/* Goes on as far as the bytes at hand allow. */
static int shake_hands(struct probe *probe)
{
	SSL *ssl = probe->state;
	int result, err;

	ERR_clear_error();
	result = SSL_do_handshake(ssl);
	if (result != 1 && SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ) {
		fail_by_library(probe);
		ERR_clear_error();
		return 0;
	}
	/* A close that is announced does not show up as an error in the endpoint's log. */
	if (result == 1)
		SSL_shutdown(ssl);
	err = flush(probe, ssl);
	if (!err && result == 1)
		probe_pass_when_sent(probe);
	return err;
}

static SSL *session_new(struct probe *probe)
{
	const char *sni = probe->pool->health.tls_sni;
	SSL *ssl = SSL_new(probe->tls);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

	if (!ssl || !in || !out || (sni && !SSL_set_tlsext_host_name(ssl, sni))) {
		SSL_free(ssl);
		BIO_free(in);
		BIO_free(out);
		return NULL;
	}
	SSL_set_bio(ssl, in, out);
	SSL_set_connect_state(ssl);
	return ssl;
}

static int tls_begin(struct probe *probe)
{
	probe->state = session_new(probe);
	return probe->state ? shake_hands(probe) : -ENOMEM;
}

static void tls_on_bytes(struct probe *probe, struct slice bytes)
{
	SSL *ssl = probe->state;

	if (BIO_write(SSL_get_rbio(ssl), bytes.ptr, (int)bytes.len) != (int)bytes.len ||
	    shake_hands(probe))
		probe_fail(probe, "out of memory");
}

static void tls_on_eof(struct probe *probe)
{
	probe_fail(probe, "connection closed during the TLS handshake");
}

static void tls_done(struct probe *probe)
{
	SSL_free(probe->state);
	probe->state = NULL;
}

const struct probe_kind probe_tls = {
	.begin = tls_begin,
	.on_bytes = tls_on_bytes,
	.on_eof = tls_on_eof,
	.done = tls_done,
};
