// SPDX-License-Identifier: Apache-2.0
/* From OpenSSL's hundreds of reasons to the few that an operator tells apart. */
#include "tls/failure.h"
#include "core/scarcity.h"
#include "tls/tls_internal.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>

const char *tls_failure_name(enum tls_failure failure)
{
	static const char *const names[] = {
#define X(name, text) [TLS_FAILURE_##name] = text,
		TLS_FAILURES(X)
#undef X
	};

	return names[failure];
}

enum tls_failure tls_failure_of(unsigned long error)
{
	int reason = ERR_GET_REASON(error);

	if (ERR_GET_LIB(error) != ERR_LIB_SSL)
		return reason == ERR_R_MALLOC_FAILURE ? TLS_FAILURE_NO_MEMORY
						      : TLS_FAILURE_PROTOCOL;
	switch (reason) {
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_WRONG_VERSION_NUMBER:
		return TLS_FAILURE_NOT_TLS;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_UNKNOWN_PROTOCOL:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		return TLS_FAILURE_VERSION;
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_SHARED_GROUPS:
	case SSL_R_NO_SUITABLE_KEY_SHARE:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
		return TLS_FAILURE_NO_CIPHER;
	case SSL_R_NO_APPLICATION_PROTOCOL:
	case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
		return TLS_FAILURE_ALPN;
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
		return TLS_FAILURE_CERTIFICATE;
	case ERR_R_MALLOC_FAILURE:
		return TLS_FAILURE_NO_MEMORY;
	default:
		return tls_error_is_alert(error) ? TLS_FAILURE_REFUSED : TLS_FAILURE_PROTOCOL;
	}
}

void tls_errors_begin(void)
{
	ERR_clear_error();
	tls_memory_forget();
}

/* The first one is what all others come from. There is none where the stream's queue took no more,
 * which it does as long as there is memory; an internal one is what mostly comes of too little; one
 * of the system is of a file, an authority's for one, that could not be opened. */
bool tls_errors_are_own(void)
{
	unsigned long first = ERR_peek_error();
	int reason = ERR_GET_REASON(first);

	if (tls_memory_is_denied())
		return true;
	if (ERR_SYSTEM_ERROR(first))
		return is_scarcity(-reason);
	return !first || reason == ERR_R_MALLOC_FAILURE || reason == ERR_R_INTERNAL_ERROR;
}

/* Reasons above this number stand for the alerts of the peer. */
bool tls_error_is_alert(unsigned long error)
{
	return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) > SSL_AD_REASON_OFFSET;
}
