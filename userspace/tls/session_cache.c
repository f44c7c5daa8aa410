// SPDX-License-Identifier: Apache-2.0
/*
 * Sessions that endpoints have offered for resumption, one an endpoint, the latest. A table of
 * fixed size: where two endpoints fall into one place, the later one has it.
 */
#include "tls/tls_internal.h"

#include <stdlib.h>

#define PLACES 256

struct tls_session_cache {
	struct {
		uint64_t id;
		SSL_SESSION *session;
	} places[PLACES];
};

struct tls_session_cache *tls_session_cache_new(void)
{
	return calloc(1, sizeof(struct tls_session_cache));
}

void tls_session_cache_free(struct tls_session_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < PLACES; i++)
		SSL_SESSION_free(cache->places[i].session);
	free(cache);
}

SSL_SESSION *tls_session_cache_find(const struct tls_session_cache *cache, uint64_t id)
{
	SSL_SESSION *session = cache->places[id % PLACES].session;

	return session && cache->places[id % PLACES].id == id ? session : NULL;
}

void tls_session_cache_store(struct tls_session_cache *cache, uint64_t id, SSL_SESSION *session)
{
	SSL_SESSION_free(cache->places[id % PLACES].session);
	cache->places[id % PLACES].session = session;
	cache->places[id % PLACES].id = id;
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
