// SPDX-License-Identifier: Apache-2.0
/* A pool's context: whom to trust, what to show, and whom a connection expects to reach. */
#include "tls/tls_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct tls_client_context {
	SSL_CTX *ctx;
	const struct config_pool_tls *config; /* NULL: nothing is verified, no name is sent */
};

/* OpenSSL passes over the system's file without a word where it cannot open it. */
static bool is_passed_over(X509_STORE *store, const char **ret_path)
{
	const char *named = getenv(X509_get_default_cert_file_env());
	struct stat status;

	*ret_path = named ? named : X509_get_default_cert_file();
	return stat(*ret_path, &status) == 0 && status.st_size > 0 &&
	       sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) == 0;
}

static int use_system(struct tls_loader *loader, const struct config_file *at, SSL_CTX *ctx)
{
	const char *path;

	if (!SSL_CTX_set_default_verify_paths(ctx))
		tls_complain(loader, at, "the system's authorities cannot be read: %s; expected ca",
			     tls_error_text());
	else if (is_passed_over(SSL_CTX_get_cert_store(ctx), &path))
		tls_complain(loader, at, "the system's authorities cannot be read from \"%s\"",
			     path);
	else
		return 0;
	return -EINVAL;
}

static int use_authorities(struct tls_loader *loader, const struct config_pool_tls *config,
			   SSL_CTX *ctx)
{
	const struct config_file at = {.line = config->line, .column = config->column};

	if (!config->is_verified)
		return 0;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (config->ca.path)
		return tls_load_authorities(loader, &config->ca, SSL_CTX_get_cert_store(ctx))
			       ? 0
			       : -EINVAL;
	return use_system(loader, &at, ctx);
}

static int use_certificate(struct tls_loader *loader, const struct config_pool_tls *config,
			   SSL_CTX *ctx)
{
	struct tls_certificate certificate = {};
	int err;

	if (!config->cert.path)
		return 0;
	err = tls_certificate_load(loader, &config->cert, &config->key, &certificate);
	if (!err && SSL_CTX_use_cert_and_key(ctx, certificate.leaf, certificate.key,
					     certificate.chain, 1) != 1) {
		tls_complain(loader, &config->cert, "\"%s\" cannot be used: %s", config->cert.path,
			     tls_error_text());
		err = -EINVAL;
	}
	tls_certificate_done(&certificate);
	return err;
}

static int use_alpn(const struct config_pool_tls *config, SSL_CTX *ctx)
{
	unsigned char *wire;
	unsigned len;
	int err;

	if (config->nalpn == 0)
		return 0;
	err = tls_policy_alpn(config->alpn, config->nalpn, &wire, &len);
	if (err)
		return err;
	/* Not a mistake: this one function of OpenSSL's returns 0 for success. */
	err = SSL_CTX_set_alpn_protos(ctx, wire, len) ? -ENOMEM : 0;
	free(wire);
	return err;
}

static int configure(struct tls_loader *loader, const struct config_pool_tls *config, SSL_CTX *ctx)
{
	const int results[] = {
		tls_policy_apply(ctx, config->min_version, CONFIG_TLS_1_3),
		use_authorities(loader, config, ctx),
		use_certificate(loader, config, ctx),
		use_alpn(config, ctx),
	};

	for (size_t i = 0; i < ARRAY_SIZE(results); i++)
		if (results[i])
			return results[i];
	return 0;
}

int tls_client_context_new(const struct config_pool_tls *config, const char *path,
			   struct tls_client_context **ret, struct strbuf *ret_errors)
{
	struct tls_loader loader = {.path = path, .errors = ret_errors};
	struct tls_client_context *context = calloc(1, sizeof(*context));
	int err;

	if (!context)
		return -ENOMEM;
	tls_errors_begin();
	context->config = config;
	context->ctx = SSL_CTX_new(TLS_client_method());
	err = context->ctx ? 0 : -ENOMEM;
	if (!err && config)
		err = configure(&loader, config, context->ctx);
	if (!err && tls_memory_is_denied())
		err = -ENOMEM;
	if (err) {
		tls_client_context_free(context);
		return err;
	}
	tls_session_cache_use(context->ctx);
	*ret = context;
	return 0;
}

void tls_client_context_free(struct tls_client_context *context)
{
	if (!context)
		return;
	SSL_CTX_free(context->ctx);
	free(context);
}

SSL_CTX *tls_client_context_ssl(const struct tls_client_context *context)
{
	return context->ctx;
}

static bool is_ip(const char *text)
{
	struct in6_addr address;

	return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

/* An address is no name: it is looked for in the certificate, but not sent (RFC 6066 section 3). */
static bool expect_server(SSL *ssl, const char *name, bool is_verified)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (is_ip(name))
		return !is_verified || X509_VERIFY_PARAM_set1_ip_asc(param, name);
	if (!SSL_set_tlsext_host_name(ssl, name))
		return false;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return !is_verified || X509_VERIFY_PARAM_set1_host(param, name, 0);
}

int tls_client_context_aim(const struct tls_client_context *context, SSL *ssl, const char *server)
{
	const struct config_pool_tls *config = context->config;
	const char *name = config && config->server_name ? config->server_name : server;
	bool is_verified = config && config->is_verified;

	if (!name)
		return is_verified ? -EINVAL : 0;
	if (expect_server(ssl, name, is_verified))
		return 0;
	ERR_clear_error();
	return -ENOMEM;
}
