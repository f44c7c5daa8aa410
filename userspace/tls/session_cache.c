// SPDX-License-Identifier: Apache-2.0
/*
 * Sessions that endpoints have offered for resumption, a few of each endpoint, the latest first.
 * One of TLS 1.3 is used once (RFC 8446 appendix C.4), one of TLS 1.2 as long as it is good. A
 * table of fixed size: where two endpoints fall into one place, the later one has it.
 */
#include "tls/tls_internal.h"

#include <stdlib.h>

#define PLACES 256
#define DEPTH  4

struct place {
	uint64_t id;
	SSL_SESSION *sessions[DEPTH]; /* newest first, then NULL */
};

struct tls_session_cache {
	struct place places[PLACES];
};

static void clear(struct place *place)
{
	for (size_t i = 0; i < DEPTH; i++) {
		SSL_SESSION_free(place->sessions[i]);
		place->sessions[i] = NULL;
	}
}

struct tls_session_cache *tls_session_cache_new(void)
{
	return calloc(1, sizeof(struct tls_session_cache));
}

void tls_session_cache_free(struct tls_session_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < PLACES; i++)
		clear(&cache->places[i]);
	free(cache);
}

SSL_SESSION *tls_session_cache_take(struct tls_session_cache *cache, uint64_t id)
{
	struct place *place = &cache->places[id % PLACES];
	SSL_SESSION *session = place->id == id ? place->sessions[0] : NULL;

	if (!session)
		return NULL;
	if (SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION) {
		SSL_SESSION_up_ref(session);
		return session;
	}
	for (size_t i = 1; i < DEPTH; i++)
		place->sessions[i - 1] = place->sessions[i];
	place->sessions[DEPTH - 1] = NULL;
	return session;
}

void tls_session_cache_store(struct tls_session_cache *cache, uint64_t id, SSL_SESSION *session)
{
	struct place *place = &cache->places[id % PLACES];

	if (place->id != id)
		clear(place);
	place->id = id;
	SSL_SESSION_free(place->sessions[DEPTH - 1]);
	for (size_t i = DEPTH - 1; i > 0; i--)
		place->sessions[i] = place->sessions[i - 1];
	place->sessions[0] = session;
}

/* Return: 1: the reference is ours now. In TLS 1.3 this comes with the first bytes read. */
static int on_new_session(SSL *ssl, SSL_SESSION *made)
{
	struct tls_session *session = SSL_get_app_data(ssl);

	if (!session->cache || !SSL_SESSION_is_resumable(made))
		return 0;
	tls_session_cache_store(session->cache, session->cache_id, made);
	return 1;
}

void tls_session_cache_use(SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_new_session);
}
