// SPDX-License-Identifier: Apache-2.0
/*
 * Whether a client may resume. OpenSSL verifies certificates in full handshakes alone, and each
 * resumption brings a ticket for the next one: without this a client that came back in time would
 * never be asked for its certificate again.
 */
#include "tls/tls_internal.h"

static bool has_run_out(SSL_SESSION *session)
{
	const X509 *shown = SSL_SESSION_get0_peer(session);

	return shown && X509_cmp_current_time(X509_get0_notAfter(shown)) <= 0;
}

/* One whose certificate has run out is ignored: the handshake is a full one, which judges it. */
static SSL_TICKET_RETURN on_opened(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
				   size_t nname, SSL_TICKET_STATUS status, void *arg)
{
	bool is_good = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;

	(void)ssl;
	(void)name;
	(void)nname;
	(void)arg;
	if (!is_good || has_run_out(session))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void tls_resumption_judge(SSL_CTX *ctx, int (*on_made)(SSL *ssl, void *arg))
{
	SSL_CTX_set_session_ticket_cb(ctx, on_made, on_opened, NULL);
}
