// SPDX-License-Identifier: Apache-2.0
/*
 * Keys of session tickets. One makes tickets; the two before it still open theirs, and such a
 * client gets a new ticket. Whoever needs a key when the first is due replaces it, under a lock
 * that is held for as long as a copy takes.
 */
#include "tls/ticket_keys.h"
#include "core/clock.h"
#include "tls/tls_internal.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEYS     3
#define NAME_LEN 16
#define IV_LEN   16

struct ticket_key {
	unsigned char name[NAME_LEN];
	unsigned char cipher[32]; /* AES-256-CBC */
	unsigned char mac[32];    /* HMAC-SHA-256 */
	uint64_t made_ms;         /* 0: none */
};

struct tls_ticket_keys {
	pthread_mutex_t lock;
	struct ticket_key keys[KEYS]; /* newest first */
	struct tls_replays *replays;  /* of early data that came with tickets */
	EVP_CIPHER *cipher;           /* looked up once: each time would cost a lock and a search */
};

struct tls_ticket_keys *tls_ticket_keys_new(void)
{
	struct tls_ticket_keys *keys = calloc(1, sizeof(*keys));

	if (!keys)
		return NULL;
	pthread_mutex_init(&keys->lock, NULL);
	keys->replays = tls_replays_new();
	keys->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (keys->replays && keys->cipher)
		return keys;
	tls_ticket_keys_free(keys);
	return NULL;
}

void tls_ticket_keys_free(struct tls_ticket_keys *keys)
{
	if (!keys)
		return;
	pthread_mutex_destroy(&keys->lock);
	tls_replays_free(keys->replays);
	EVP_CIPHER_free(keys->cipher);
	OPENSSL_cleanse(keys, sizeof(*keys));
	free(keys);
}

/* Return: false: no random bytes are to be had. */
static bool replace_if_due(struct tls_ticket_keys *keys, uint64_t now_ms, uint64_t lifetime_ms)
{
	struct ticket_key fresh = {.made_ms = now_ms};

	if (keys->keys[0].made_ms && now_ms - keys->keys[0].made_ms < lifetime_ms)
		return true;
	if (RAND_bytes(fresh.name, sizeof(fresh.name)) != 1 ||
	    RAND_priv_bytes(fresh.cipher, sizeof(fresh.cipher)) != 1 ||
	    RAND_priv_bytes(fresh.mac, sizeof(fresh.mac)) != 1)
		return false;
	memmove(&keys->keys[1], &keys->keys[0], (KEYS - 1) * sizeof(keys->keys[0]));
	keys->keys[0] = fresh;
	OPENSSL_cleanse(&fresh, sizeof(fresh));
	return true;
}

static bool take_newest(struct tls_ticket_keys *keys, uint64_t lifetime_ms, struct ticket_key *ret)
{
	bool is_there;

	pthread_mutex_lock(&keys->lock);
	is_there = replace_if_due(keys, clock_monotonic_ms() + 1, lifetime_ms);
	*ret = keys->keys[0];
	pthread_mutex_unlock(&keys->lock);
	return is_there;
}

/* Return: how many keys are newer; -1: no such key, or one too old to be trusted. */
static int take_named(struct tls_ticket_keys *keys, const unsigned char *name, uint64_t lifetime_ms,
		      struct ticket_key *ret)
{
	uint64_t now_ms = clock_monotonic_ms() + 1;
	int at = -1;

	pthread_mutex_lock(&keys->lock);
	for (int i = 0; i < KEYS && at < 0; i++) {
		const struct ticket_key *key = &keys->keys[i];

		if (key->made_ms && now_ms - key->made_ms < KEYS * lifetime_ms &&
		    memcmp(key->name, name, NAME_LEN) == 0) {
			at = i;
			*ret = *key;
		}
	}
	pthread_mutex_unlock(&keys->lock);
	return at;
}

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params);
}

static int seal(struct tls_ticket_keys *keys, uint64_t lifetime_ms, unsigned char *name,
		unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct ticket_key key;
	bool is_good = take_newest(keys, lifetime_ms, &key) && RAND_bytes(iv, IV_LEN) == 1 &&
		       EVP_EncryptInit_ex(cipher, keys->cipher, NULL, key.cipher, iv) &&
		       set_mac(mac, &key);

	if (is_good)
		memcpy(name, key.name, NAME_LEN);
	OPENSSL_cleanse(&key, sizeof(key));
	return is_good ? 1 : -1;
}

/* Return: 1: open it; 2: and make a new one; 0: no key for it; -1: failed. */
static int unseal(struct tls_ticket_keys *keys, uint64_t lifetime_ms, const unsigned char *name,
		  const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct ticket_key key;
	int age = take_named(keys, name, lifetime_ms, &key);
	bool is_good;

	if (age < 0)
		return 0;
	is_good = EVP_DecryptInit_ex(cipher, keys->cipher, NULL, key.cipher, iv) &&
		  set_mac(mac, &key);
	OPENSSL_cleanse(&key, sizeof(key));
	return !is_good ? -1 : age > 0 ? 2 : 1;
}

/* A ticket of TLS 1.3 is best used once, so that nobody can tell its uses apart (RFC 8446 C.4). */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac, int is_sealing)
{
	SSL_CTX *ctx = SSL_get_SSL_CTX(ssl);
	const struct tls_context_extra *extra = SSL_CTX_get_app_data(ctx);
	uint64_t lifetime_ms = (uint64_t)SSL_CTX_get_timeout(ctx) * 1000;
	int result;

	if (is_sealing)
		return seal(extra->ticket_keys, lifetime_ms, name, iv, cipher, mac);
	result = unseal(extra->ticket_keys, lifetime_ms, name, iv, cipher, mac);
	return result == 1 && SSL_version(ssl) == TLS1_3_VERSION ? 2 : result;
}

void tls_ticket_keys_use(SSL_CTX *ctx, uint32_t lifetime_ms)
{
	SSL_CTX_set_timeout(ctx, (long)(lifetime_ms / 1000));
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}

struct tls_replays *tls_ticket_keys_replays(struct tls_ticket_keys *keys)
{
	return keys->replays;
}
