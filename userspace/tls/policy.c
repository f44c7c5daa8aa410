// SPDX-License-Identifier: Apache-2.0
/*
 * What may be spoken: versions, ciphers, groups, and the options that are the same on both sides.
 * Source: Mozilla's server side TLS guidelines, version 5.7, without the DHE ciphers, which cost
 * much and which no client needs that could not do ECDHE.
 */
#include "tls/tls_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

static const char ciphers_1_2[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
				  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
				  "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char ciphers_1_3[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
				  "TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256:P-384";

static int number_of(enum config_tls_version version)
{
	return version == CONFIG_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

/*
 * SSL_OP_NO_RENEGOTIATION answers a renegotiation with an alert. ChaCha20 goes first where the
 * client puts it first, for want of AES in hardware. Buffers of idle connections are given back.
 */
int tls_policy_apply(SSL_CTX *ctx, enum config_tls_version min, enum config_tls_version max)
{
	const uint64_t options = SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
				 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;

	SSL_CTX_set_options(ctx, options);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
	if (SSL_CTX_set_min_proto_version(ctx, number_of(min)) &&
	    SSL_CTX_set_max_proto_version(ctx, number_of(max)) &&
	    SSL_CTX_set_cipher_list(ctx, ciphers_1_2) &&
	    SSL_CTX_set_ciphersuites(ctx, ciphers_1_3) && SSL_CTX_set1_groups_list(ctx, groups))
		return 0;
	ERR_clear_error();
	return -ENOMEM;
}

int tls_policy_alpn(const char **protocols, size_t count, unsigned char **ret, unsigned *ret_len)
{
	size_t total = 0;
	unsigned char *wire, *next;

	for (size_t i = 0; i < count; i++)
		total += 1 + strlen(protocols[i]);
	wire = next = malloc(total + 1);
	if (!wire)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(protocols[i]);

		*next++ = (unsigned char)len;
		memcpy(next, protocols[i], len);
		next += len;
	}
	*ret = wire;
	*ret_len = (unsigned)total;
	return 0;
}
