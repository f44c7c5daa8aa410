// SPDX-License-Identifier: Apache-2.0
/* Signs what clients carry for us and bring back. */
#include "tls/sign.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

int tls_signing_key_make(unsigned char ret[TLS_SIGNING_KEY_LEN])
{
	return RAND_bytes(ret, TLS_SIGNING_KEY_LEN) == 1 ? 0 : -EIO;
}

int tls_sign(struct slice key, struct slice text, char ret[TLS_SIGNATURE_LEN])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)text.ptr, text.len,
		  digest, &len))
		return -ENOMEM;
	for (size_t i = 0; i < TLS_SIGNATURE_LEN; i++)
		ret[i] = "0123456789abcdef"[i % 2 ? digest[i / 2] & 15 : digest[i / 2] >> 4];
	return 0;
}

bool tls_signature_holds(struct slice key, struct slice text, struct slice signature)
{
	char own[TLS_SIGNATURE_LEN];

	return signature.len == TLS_SIGNATURE_LEN && tls_sign(key, text, own) == 0 &&
	       CRYPTO_memcmp(own, signature.ptr, TLS_SIGNATURE_LEN) == 0;
}
