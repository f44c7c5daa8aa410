// SPDX-License-Identifier: Apache-2.0
/*
 * The keys that a server sends with, for the kernel to go on with. OpenSSL keeps them to itself,
 * but tells what they are made from: of TLS 1.3 the traffic secret, when it takes it into use (a
 * line of the key log, RFC 9850), of TLS 1.2 the master secret of the session. Sources: RFC 8446
 * sections 7.1 to 7.3, RFC 5246 section 6.3.
 */
#include "core/hex.h"
#include "tls/kernel_internal.h"
#include "tls/tls_internal.h"

#include <endian.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>
#include <string.h>

#define RANDOM     32 /* bytes of either side's */
#define MASTER_MAX 48
#define SALT       4 /* of the iv of TLS 1.2 with AES-GCM */
#define KEY_BLOCK  (2 * (TLS_KERNEL_KEY_MAX + TLS_KERNEL_IV))

/* --- Which cipher ---------------------------------------------------------------------- */

bool tls_kernel_cipher_of(const SSL *ssl, enum tls_kernel_cipher *ret)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);

	switch (cipher ? SSL_CIPHER_get_cipher_nid(cipher) : NID_undef) {
	case NID_aes_128_gcm:
		*ret = TLS_KERNEL_AES_128_GCM;
		return true;
	case NID_aes_256_gcm:
		*ret = TLS_KERNEL_AES_256_GCM;
		return true;
	case NID_chacha20_poly1305:
		*ret = TLS_KERNEL_CHACHA20;
		return true;
	default:
		return false;
	}
}

static const EVP_MD *digest_of(const SSL *ssl)
{
	return SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(ssl));
}

/* --- TLS 1.3 ------------------------------------------------------------------------------ */

/* Return: bytes in @ret; 0: that is no secret. */
static size_t read_hex(const char *text, unsigned char *ret, size_t size)
{
	size_t len = 0;

	for (; text[2 * len]; len++) {
		int high = hex_digit(text[2 * len]), low = -1;

		if (high >= 0)
			low = hex_digit(text[2 * len + 1]);
		if (low < 0 || len == size)
			return 0;
		ret[len] = (unsigned char)(high << 4 | low);
	}
	return len;
}

bool tls_traffic_secret_read(const char *line, struct tls_traffic_secret *ret)
{
	static const char label[] = "SERVER_TRAFFIC_SECRET_0 ";
	size_t skip = sizeof(label) - 1 + (size_t)2 * RANDOM + 1;

	if (strncmp(line, label, sizeof(label) - 1) != 0 || strlen(line) < skip)
		return false;
	ret->len = read_hex(line + skip, ret->bytes, sizeof(ret->bytes));
	return ret->len > 0;
}

static int derive(const char *kdf_name, const OSSL_PARAM *params, unsigned char *ret, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, kdf_name, NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
	bool is_done = context && EVP_KDF_derive(context, ret, len, params) == 1;

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	ERR_clear_error();
	return is_done ? 0 : -ENOMEM;
}

/* HKDF-Expand-Label of RFC 8446 section 7.1, without a context. */
static int expand_label(const SSL *ssl, const struct tls_traffic_secret *secret, const char *label,
			unsigned char *ret, size_t len)
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MODE, (char[]){"EXPAND_ONLY"}, 0),
		OSSL_PARAM_construct_utf8_string(
			OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)EVP_MD_get0_name(digest_of(ssl)),
			0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
						  (void *)(uintptr_t)secret->bytes, secret->len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, (char[]){"tls13 "}, 6),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, (void *)(uintptr_t)label,
						  strlen(label)),
		OSSL_PARAM_construct_end(),
	};

	return derive("TLS13-KDF", params, ret, len);
}

int tls_traffic_secret_update(const SSL *ssl, struct tls_traffic_secret *secret)
{
	struct tls_traffic_secret next = {.len = secret->len};
	int err = expand_label(ssl, secret, "traffic upd", next.bytes, next.len);

	if (!err)
		*secret = next;
	OPENSSL_cleanse(&next, sizeof(next));
	return err;
}

static int make_1_3(const SSL *ssl, const struct tls_traffic_secret *secret,
		    struct tls_kernel_key *key)
{
	int err = expand_label(ssl, secret, "key", key->key, tls_kernel_key_size(key->cipher));

	return err ? err : expand_label(ssl, secret, "iv", key->iv, sizeof(key->iv));
}

/* --- TLS 1.2 ------------------------------------------------------------------------------ */

static int expand_master(const SSL *ssl, const unsigned char *master, size_t nmaster,
			 unsigned char *ret, size_t len)
{
	unsigned char randoms[2 * RANDOM];
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
			OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)EVP_MD_get0_name(digest_of(ssl)),
			0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)(uintptr_t)master,
						  nmaster),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (char[]){"key expansion"},
						  13),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, randoms, sizeof(randoms)),
		OSSL_PARAM_construct_end(),
	};

	SSL_get_server_random(ssl, randoms, RANDOM);
	SSL_get_client_random(ssl, randoms + RANDOM, RANDOM);
	return derive("TLS1-PRF", params, ret, len);
}

/* The block is: client's key, server's key, client's iv, server's iv. */
static int make_1_2(const SSL *ssl, uint64_t nonce, struct tls_kernel_key *key)
{
	size_t nkey = tls_kernel_key_size(key->cipher);
	size_t niv = key->cipher == TLS_KERNEL_CHACHA20 ? TLS_KERNEL_IV : SALT;
	unsigned char master[MASTER_MAX], block[KEY_BLOCK];
	size_t nmaster = SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master));
	int err = expand_master(ssl, master, nmaster, block, 2 * (nkey + niv));

	if (!err) {
		memcpy(key->key, block + nkey, nkey);
		memcpy(key->iv, block + 2 * nkey + niv, niv);
		if (niv == SALT)
			memcpy(key->iv + SALT, &nonce, sizeof(nonce));
	}
	OPENSSL_cleanse(master, sizeof(master));
	OPENSSL_cleanse(block, sizeof(block));
	return err;
}

/* Nonces of OpenSSL's begin anywhere and go up by one: the next one was never used. */
static uint64_t next_nonce(const unsigned char last[8])
{
	uint64_t number;

	memcpy(&number, last, sizeof(number));
	return htobe64(be64toh(number) + 1);
}

int tls_kernel_key_make(const SSL *ssl, const struct tls_sending *sending,
			struct tls_kernel_key *ret)
{
	*ret = (struct tls_kernel_key){
		.is_1_3 = SSL_version(ssl) == TLS1_3_VERSION,
		.sequence = sending->records,
	};
	if (!tls_kernel_cipher_of(ssl, &ret->cipher) || (ret->is_1_3 && !sending->secret.len))
		return -EOPNOTSUPP;
	return ret->is_1_3 ? make_1_3(ssl, &sending->secret, ret)
			   : make_1_2(ssl, next_nonce(sending->nonce), ret);
}
