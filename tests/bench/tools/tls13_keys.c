/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets and records of TLS 1.3, with SHA-256 and AES-128-GCM. Hashes are OpenSSL's old functions,
 * which neither look anything up nor allocate.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tls13_keys.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

static EVP_CIPHER_CTX *cipher;

bool tls13_keys_init(void)
{
	cipher = EVP_CIPHER_CTX_new();
	return cipher && EVP_CipherInit_ex(cipher, EVP_aes_128_gcm(), NULL, NULL, NULL, 1) == 1;
}

void tls13_hmac(const uint8_t key[TLS13_HASH], const void *bytes, size_t len,
		uint8_t ret[TLS13_HASH])
{
	uint8_t block[SHA256_CBLOCK], inner[TLS13_HASH];
	SHA256_CTX hash;

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)((i < TLS13_HASH ? key[i] : 0) ^ 0x36);
	SHA256_Init(&hash);
	SHA256_Update(&hash, block, sizeof(block));
	SHA256_Update(&hash, bytes, len);
	SHA256_Final(inner, &hash);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36 ^ 0x5c;
	SHA256_Init(&hash);
	SHA256_Update(&hash, block, sizeof(block));
	SHA256_Update(&hash, inner, sizeof(inner));
	SHA256_Final(ret, &hash);
}

void tls13_expand(const uint8_t secret[TLS13_HASH], const char *label, const void *context,
		  size_t ncontext, uint8_t *ret, size_t len)
{
	uint8_t text[320], block[TLS13_HASH], *at = text;
	size_t nlabel = strlen(label);

	*at++ = 0;
	*at++ = (uint8_t)len;
	*at++ = (uint8_t)(6 + nlabel);
	at = mempcpy(at, "tls13 ", 6);
	at = mempcpy(at, label, nlabel);
	*at++ = (uint8_t)ncontext;
	at = mempcpy(at, context, ncontext);
	*at++ = 1;
	tls13_hmac(secret, text, (size_t)(at - text), block);
	memcpy(ret, block, len);
}

void tls13_derive(const uint8_t secret[TLS13_HASH], const char *label,
		  const uint8_t hash[TLS13_HASH], uint8_t ret[TLS13_HASH])
{
	tls13_expand(secret, label, hash, TLS13_HASH, ret, TLS13_HASH);
}

void tls13_derive_keys(struct tls13_keys *keys, const uint8_t traffic[TLS13_HASH])
{
	tls13_expand(traffic, "key", "", 0, keys->key, sizeof(keys->key));
	tls13_expand(traffic, "iv", "", 0, keys->iv, sizeof(keys->iv));
	keys->sequence = 0;
}

bool tls13_crypt(struct tls13_keys *keys, const uint8_t header[TLS13_HEADER], uint8_t *bytes,
		 size_t len, bool is_sealing)
{
	uint8_t nonce[sizeof(keys->iv)];
	int n;

	memcpy(nonce, keys->iv, sizeof(nonce));
	for (size_t i = 0; i < 8; i++)
		nonce[sizeof(nonce) - 1 - i] ^= (uint8_t)(keys->sequence >> 8 * i);
	keys->sequence++;
	return EVP_CipherInit_ex(cipher, NULL, NULL, keys->key, nonce, is_sealing) &&
	       (is_sealing ||
		EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TLS13_TAG, bytes + len)) &&
	       EVP_CipherUpdate(cipher, NULL, &n, header, TLS13_HEADER) &&
	       EVP_CipherUpdate(cipher, bytes, &n, bytes, (int)len) &&
	       EVP_CipherFinal_ex(cipher, bytes + len, &n) &&
	       (!is_sealing ||
		EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TLS13_TAG, bytes + len));
}
