/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_SESSION_H
#define SLUICE_TLS_SESSION_H

#include "core/compiler.h"
#include "core/slice.h"
#include "io/stream.h"
#include "tls/context.h"
#include "tls/failure.h"
#include "tls/pacer.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One connection's TLS, as a layer (io/layer.h) on its stream: once the handshake is done, the
 * stream carries plain bytes for whoever owns it. It belongs to its stream and goes with it, right
 * before on_closed. TLS 1.2 (RFC 5246) and 1.3 (RFC 8446); a renegotiation is refused.
 *
 * Where a listener takes early data (0-RTT), the owner may get the stream before the handshake is
 * done: tls_session_is_early().
 *
 * The end of receiving is 0 for a close_notify, -ECONNABORTED for a FIN without one (bytes may be
 * missing, by accident or by an attacker), -EBADMSG for what was not written by the peer.
 * io_stream_shutdown() and a close with IO_CLOSE_FIN say close_notify.
 */
struct tls_session;

struct tls_result {
	enum tls_failure failure; /* NONE: the handshake is done */
	const char *reason;       /* of a failure, for people; borrowed for the call */
	bool is_resumed;
	bool is_early;   /* early data has come; the handshake is not done */
	bool is_starved; /* NO_MEMORY: that is certain, and not only what it looks like */
};

struct tls_start {
	struct tls_pacer *pacer; /* outlives the stream */
	uint32_t timeout_ms;     /* for the whole handshake, the wait in line included */
	/*
	 * Once, from the loop: the stream is the owner's now, or has failed and is to be closed
	 * (with IO_CLOSE_FIN, so that the peer reads why). Not after io_stream_close().
	 */
	void (*on_ready)(struct io_stream *stream, const struct tls_result *result);
	/* The kernel makes the records of what is sent, from now on. NULL: nobody wants to know. */
	void (*on_kernel)(struct io_stream *stream);
};

/**
 * The server's side.
 * @stream: connected; what was io_stream_unread() to it is the beginning of the client's bytes.
 * @start:  copied.
 * @ret:    borrowed; gone when the stream is closed.
 * Return: 0; -ENOMEM, with nothing attached.
 */
int tls_accept(const struct tls_server_context *context, struct io_stream *stream,
	       const struct tls_start *start, struct tls_session **ret) WARN_UNUSED;

struct tls_session_cache;

/* Sessions of one pool in one worker that may be resumed. NULL: out of memory. */
struct tls_session_cache *tls_session_cache_new(void) WARN_UNUSED;
void tls_session_cache_free(struct tls_session_cache *cache); /* NULL is allowed */

/* Whom to reach. */
struct tls_target {
	const char *server; /* host name or IP address, unless the configuration names one; NULL */
	struct tls_session_cache *cache; /* outlives the stream; NULL: no resumption */
	uint64_t id;                     /* tells its sessions from those of others in @cache */
};

/**
 * The client's side.
 * @target: copied.
 * Return: 0; -ENOMEM; -EINVAL: the server shall be verified, and nobody said which one it is. With
 * nothing attached.
 */
int tls_connect(const struct tls_client_context *context, const struct tls_target *target,
		struct io_stream *stream, const struct tls_start *start,
		struct tls_session **ret) WARN_UNUSED;

/* Whether the handshake is not done yet: what has come so far is early data, and may be a copy of
 * what somebody else has sent before (RFC 8446 section 8). */
bool tls_session_is_early(const struct tls_session *session);

/* Whether the kernel makes the records of what is sent. */
bool tls_session_is_kernels(const struct tls_session *session);

/* Whether the certificate that we have shown is for @host, a name or an IP address. */
bool tls_session_is_for(const struct tls_session *session, struct slice host);

/* After the handshake. Texts are static unless said otherwise. */
struct tls_facts {
	const char *version; /* "TLSv1.3" */
	const char *cipher;  /* "TLS_AES_256_GCM_SHA384" */
	struct slice alpn;   /* agreed on; borrowed from the session; empty: none */
	const char *sni;     /* that the client asked for; borrowed; NULL: none */
	bool is_resumed;
	bool has_peer_certificate;
};

void tls_session_facts(const struct tls_session *session, struct tls_facts *ret);

#endif
