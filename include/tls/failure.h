/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_FAILURE_H
#define SLUICE_TLS_FAILURE_H

/* Why a handshake failed; the same words in metrics, logs and sluicectl. */
#define TLS_FAILURES(X)                                                                     \
	X(NONE, "none")                                                                     \
	X(TIMEOUT, "timeout")                                                               \
	X(GONE, "gone")               /* FIN or RST before its end */                       \
	X(NOT_TLS, "not_tls")         /* what came is something else, such as plain HTTP */ \
	X(VERSION, "version")         /* no common version */                               \
	X(NO_CIPHER, "no_cipher")     /* no common cipher, group or signature algorithm */  \
	X(ALPN, "alpn")               /* no common protocol */                              \
	X(CERTIFICATE, "certificate") /* the peer's is missing or not valid */              \
	X(REFUSED, "refused")         /* the peer said so by an alert */                    \
	X(PROTOCOL, "protocol")       /* anything else that RFC 8446 or RFC 5246 forbids */ \
	X(NO_MEMORY, "no_memory")

enum tls_failure {
#define X(name, text) TLS_FAILURE_##name,
	TLS_FAILURES(X)
#undef X
		TLS_FAILURE_COUNT
};

const char *tls_failure_name(enum tls_failure failure);

#endif
