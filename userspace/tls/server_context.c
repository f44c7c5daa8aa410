// SPDX-License-Identifier: Apache-2.0
/*
 * A listener's context: its certificates, its policy, its clients' authorities, and the answers to
 * what OpenSSL asks during a handshake. Sessions hold the SSL_CTX, and with it all of this.
 */
#include "tls/tls_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct tls_server_context {
	SSL_CTX *ctx;
	struct tls_context_extra extra;
	struct tls_certificates certificates;
	unsigned char *alpn; /* in wire format; NULL: not answered */
	unsigned nalpn;
	bool takes_early; /* early data */
	bool has_kernel;
	struct tls_kernel_abilities kernel;
};

/* --- During handshakes: thread: any --------------------------------------------------- */

static const struct tls_choice *choice_of(SSL *ssl, const struct tls_server_context *context)
{
	return tls_certificates_choose(&context->certificates,
				       SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
}

static int use_choice(SSL *ssl, const struct tls_choice *choice)
{
	for (size_t k = 0; k < TLS_KEY_KINDS; k++) {
		const struct tls_certificate *certificate = choice->by_kind[k];

		if (certificate && SSL_use_cert_and_key(ssl, certificate->leaf, certificate->key,
							certificate->chain, 1) != 1)
			return 0;
	}
	return 1;
}

/* The fallback is the SSL_CTX's own, so that a single certificate costs nothing here. */
static int on_certificate(SSL *ssl, void *arg)
{
	const struct tls_server_context *context = arg;
	const struct tls_choice *choice = choice_of(ssl, context);

	if (memcmp(choice->by_kind, context->certificates.fallback.by_kind,
		   sizeof(choice->by_kind)) == 0)
		return 1;
	SSL_certs_clear(ssl);
	return use_choice(ssl, choice);
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_server_context *context = arg;

	*alert = SSL_AD_UNRECOGNIZED_NAME; /* not sent: the first certificate is for all others */
	return choice_of(ssl, context) == &context->certificates.fallback ? SSL_TLSEXT_ERR_NOACK
									  : SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
		   const unsigned char *offered, unsigned noffered, void *arg)
{
	const struct tls_server_context *context = arg;
	unsigned char *chosen = NULL;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, ret_len, context->alpn, context->nalpn, offered,
				  noffered) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static const struct tls_certificate *find_shown(SSL *ssl, const struct tls_server_context *context)
{
	const struct tls_choice *choice = choice_of(ssl, context);
	const X509 *shown = SSL_get_certificate(ssl);

	for (size_t k = 0; k < TLS_KEY_KINDS; k++)
		if (choice->by_kind[k] && choice->by_kind[k]->leaf == shown)
			return choice->by_kind[k];
	return NULL;
}

/* A response that has run out in the meantime would only do harm. */
static unsigned char *copy_staple(const struct tls_certificate *certificate, size_t *ret_len)
{
	if (certificate->fetched)
		return tls_staple_copy(certificate->fetched, ret_len);
	if (!certificate->staple || certificate->staple_until_s < time(NULL))
		return NULL;
	*ret_len = certificate->nstaple;
	return OPENSSL_memdup(certificate->staple, certificate->nstaple);
}

static int on_status_request(SSL *ssl, void *arg)
{
	const struct tls_certificate *certificate = find_shown(ssl, arg);
	size_t len = 0;
	unsigned char *copy = certificate ? copy_staple(certificate, &len) : NULL;

	if (!copy)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)len);
	return SSL_TLSEXT_ERR_OK;
}

/* Asked once the ticket is known to be good and about as old as it says. */
static int on_early_data(SSL *ssl, void *arg)
{
	const struct tls_server_context *context = arg;
	unsigned char random[32];

	if (SSL_get_client_random(ssl, random, sizeof(random)) != sizeof(random))
		return 0;
	return tls_replays_admit(tls_ticket_keys_replays(context->extra.ticket_keys), random);
}

/* OpenSSL's own way to tell copies keeps sessions at the server, and would not know those of other
 * listeners and loads of the configuration. */
static void use_early_data(const struct config_tls *config, struct tls_server_context *context)
{
	if (!config->early_data_bytes)
		return;
	context->takes_early = true;
	SSL_CTX_set_max_early_data(context->ctx, config->early_data_bytes);
	SSL_CTX_set_recv_max_early_data(context->ctx, config->early_data_bytes);
	SSL_CTX_set_options(context->ctx, SSL_OP_NO_ANTI_REPLAY);
	SSL_CTX_set_allow_early_data_cb(context->ctx, on_early_data, context);
}

/* One write a line: lines of several threads do not mix in a file that is appended to. */
static void write_key_log(int fd, const char *line)
{
	struct iovec parts[] = {
		{.iov_base = (char *)(uintptr_t)line, .iov_len = strlen(line)},
		{.iov_base = (char[]){"\n"}, .iov_len = 1},
	};

	if (writev(fd, parts, 2) < 0)
		return; /* a debugging aid: nothing depends on it */
}

static void on_key_log(const SSL *ssl, const char *line)
{
	const struct tls_context_extra *extra = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (extra->key_log >= 0)
		write_key_log(extra->key_log, line);
	tls_sending_note_key(SSL_get_app_data(ssl), line);
}

/* --- Making one ------------------------------------------------------------------------ */

static int use_certificates(struct tls_loader *loader, const struct config_tls *config,
			    struct tls_server_context *context)
{
	SSL_CTX *ctx = context->ctx;
	int err = tls_certificates_load(loader, config, &context->certificates);

	if (err)
		return err;
	for (size_t k = 0; k < TLS_KEY_KINDS; k++) {
		const struct tls_certificate *certificate =
			context->certificates.fallback.by_kind[k];

		if (!certificate ||
		    SSL_CTX_use_cert_and_key(ctx, certificate->leaf, certificate->key,
					     certificate->chain, 1) == 1)
			continue;
		tls_complain(loader, &certificate->config->cert, "\"%s\" cannot be used: %s",
			     certificate->config->cert.path, tls_error_text());
		return -EINVAL;
	}
	SSL_CTX_set_cert_cb(ctx, on_certificate, context);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, context);
	SSL_CTX_set_tlsext_status_cb(ctx, on_status_request);
	SSL_CTX_set_tlsext_status_arg(ctx, context);
	return 0;
}

static int use_alpn(const struct config_tls *config, struct tls_server_context *context)
{
	int err;

	if (config->nalpn == 0)
		return 0;
	err = tls_policy_alpn(config->alpn, config->nalpn, &context->alpn, &context->nalpn);
	if (!err)
		SSL_CTX_set_alpn_select_cb(context->ctx, on_alpn, context);
	return err;
}

static int load_revocations(struct tls_loader *loader, const struct config_file *file,
			    X509_STORE *store, EVP_MD_CTX *digest)
{
	BIO *bio = tls_read_file(loader, file);
	bool is_added = true;
	size_t count = 0;
	char *bytes = NULL;
	long len;
	X509_CRL *list;

	if (!bio)
		return -EINVAL;
	len = BIO_get_mem_data(bio, &bytes);
	EVP_DigestUpdate(digest, bytes, len > 0 ? (size_t)len : 0);
	while (is_added && (list = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL))) {
		is_added = X509_STORE_add_crl(store, list);
		X509_CRL_free(list);
		count += is_added;
	}
	BIO_free(bio);
	if (!tls_is_pem_read(loader, file))
		return -EINVAL;
	if (count == 0) {
		tls_complain(loader, file, "\"%s\" has no revocation list; expected a PEM file",
			     file->path);
		return -EINVAL;
	}
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return 0;
}

/* What clients are told, so that they can choose among their certificates. */
static int name_authorities(X509_STORE *store, SSL_CTX *ctx, EVP_MD_CTX *digest)
{
	STACK_OF(X509) *all = X509_STORE_get1_all_certs(store);
	int err = all ? 0 : -ENOMEM;

	for (int i = 0; !err && i < sk_X509_num(all); i++) {
		unsigned char hash[EVP_MAX_MD_SIZE];
		unsigned len = 0;

		if (!SSL_CTX_add_client_CA(ctx, sk_X509_value(all, i)) ||
		    !X509_digest(sk_X509_value(all, i), EVP_sha256(), hash, &len) ||
		    !EVP_DigestUpdate(digest, hash, len))
			err = -ENOMEM;
	}
	sk_X509_pop_free(all, X509_free);
	return err;
}

static int use_client_auth(struct tls_loader *loader, const struct config_tls *config, SSL_CTX *ctx,
			   EVP_MD_CTX *digest)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	int mode = SSL_VERIFY_PEER;

	if (config->client_auth == CONFIG_CLIENT_AUTH_OFF)
		return 0;
	if (config->client_auth == CONFIG_CLIENT_AUTH_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, mode, NULL);
	tls_resumption_judge(ctx, NULL);
	if (!tls_load_authorities(loader, &config->client_ca, store))
		return -EINVAL;
	if (config->client_crl.path &&
	    load_revocations(loader, &config->client_crl, store, digest) < 0)
		return -EINVAL;
	return name_authorities(store, ctx, digest);
}

/*
 * A session is resumed where it was made: at the same listener, and under the same rules for
 * clients. A ticket from before an authority was taken away is not good any more.
 */
static int confine_sessions(const char *name, const struct config_tls *config, SSL_CTX *ctx,
			    EVP_MD_CTX *digest)
{
	unsigned char id[EVP_MAX_MD_SIZE];
	unsigned len;

	EVP_DigestUpdate(digest, name, strlen(name));
	EVP_DigestUpdate(digest, &config->client_auth, sizeof(config->client_auth));
	if (EVP_DigestFinal_ex(digest, id, &len) &&
	    SSL_CTX_set_session_id_context(
		    ctx, id, len < SSL_MAX_SID_CTX_LENGTH ? len : SSL_MAX_SID_CTX_LENGTH))
		return 0;
	return -ENOMEM;
}

static int use_clients(struct tls_loader *loader, const struct config_tls *config, const char *name,
		       SSL_CTX *ctx)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	int err = -ENOMEM;

	if (digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL)) {
		err = use_client_auth(loader, config, ctx, digest);
		if (!err)
			err = confine_sessions(name, config, ctx, digest);
	}
	EVP_MD_CTX_free(digest);
	return err;
}

/* Without a cache of its own: what is stateless works on every worker. */
static void use_tickets(const struct config_tls *config, SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (config->has_tickets) {
		tls_ticket_keys_use(ctx, config->ticket_lifetime_ms);
		SSL_CTX_set_num_tickets(ctx, config->ticket_count);
		return;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, 0);
}

static int open_key_log(struct tls_loader *loader, const struct config_file *file,
			struct tls_server_context *context)
{
	char *path;

	if (!file->path)
		return 0;
	path = tls_resolve_path(loader, file->path);
	if (!path)
		return -ENOMEM;
	context->extra.key_log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
				      0600);
	free(path);
	if (context->extra.key_log < 0) {
		tls_complain(loader, file, "cannot open \"%s\": %s", file->path, strerror(errno));
		return -EINVAL;
	}
	tls_warn(loader, file, "the secrets of every connection go to \"%s\"", file->path);
	SSL_CTX_set_keylog_callback(context->ctx, on_key_log);
	return 0;
}

/* Each step is taken even if one before failed, so that all complaints come at once. */
static int configure(struct tls_loader *loader, const struct config_tls *config, const char *name,
		     struct tls_server_context *context)
{
	const int results[] = {
		tls_policy_apply(context->ctx, config->min_version, config->max_version),
		use_certificates(loader, config, context),
		use_alpn(config, context),
		use_clients(loader, config, name, context->ctx),
		open_key_log(loader, &config->key_log, context),
	};

	use_tickets(config, context->ctx);
	use_early_data(config, context);
	for (size_t i = 0; i < ARRAY_SIZE(results); i++)
		if (results[i])
			return results[i];
	return 0;
}

int tls_server_context_new(const struct config_tls *config, const char *name, const char *path,
			   struct tls_ticket_keys *keys, struct tls_server_context **ret,
			   struct strbuf *ret_errors)
{
	struct tls_loader loader = {.path = path, .errors = ret_errors};
	struct tls_server_context *context = calloc(1, sizeof(*context));
	int err;

	if (!context)
		return -ENOMEM;
	tls_errors_begin();
	context->extra = (struct tls_context_extra){.ticket_keys = keys, .key_log = -1};
	context->ctx = SSL_CTX_new(TLS_server_method());
	if (!context->ctx) {
		free(context);
		return -ENOMEM;
	}
	SSL_CTX_set_app_data(context->ctx, &context->extra);
	err = configure(&loader, config, name, context);
	if (!err && tls_memory_is_denied())
		err = -ENOMEM;
	if (err) {
		tls_server_context_free(context);
		return err;
	}
	*ret = context;
	return 0;
}

void tls_server_context_fetch_staples(struct tls_server_context *context,
				      struct tls_staples *staples)
{
	for (size_t i = 0; i < context->certificates.count; i++) {
		struct tls_certificate *certificate = &context->certificates.all[i];

		if (!certificate->config->ocsp.path)
			certificate->fetched = tls_staple_want(staples, certificate->leaf,
							       certificate->chain);
	}
}

void tls_server_context_keep_chains(struct tls_server_context *context)
{
	tls_kept_chain_use(context->ctx);
}

/* OpenSSL writes lines of the key log for that, which takes time in each handshake. */
void tls_server_context_use_kernel(struct tls_server_context *context)
{
	tls_kernel_probe(&context->kernel);
	context->has_kernel = !context->kernel.error;
	if (context->has_kernel)
		SSL_CTX_set_keylog_callback(context->ctx, on_key_log);
}

const struct tls_kernel_abilities *tls_server_context_kernel(
	const struct tls_server_context *context)
{
	return context->has_kernel ? &context->kernel : NULL;
}

void tls_server_context_free(struct tls_server_context *context)
{
	if (!context)
		return;
	SSL_CTX_free(context->ctx);
	tls_certificates_done(&context->certificates);
	if (context->extra.key_log >= 0)
		close(context->extra.key_log);
	free(context->alpn);
	free(context);
}

SSL_CTX *tls_server_context_ssl(const struct tls_server_context *context)
{
	return context->ctx;
}

static bool is_for(X509 *leaf, const char *host)
{
	return X509_check_host(leaf, host, 0, 0, NULL) == 1 ||
	       X509_check_ip_asc(leaf, host, 0) == 1;
}

bool tls_server_context_answers_for(SSL *ssl, const char *host)
{
	struct tls_context_extra *extra = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct tls_choice *choice = choice_of(
		ssl, container_of(extra, struct tls_server_context, extra));

	for (size_t k = 0; k < TLS_KEY_KINDS; k++)
		if (choice->by_kind[k] && is_for(choice->by_kind[k]->leaf, host))
			return true;
	return false;
}

bool tls_server_context_takes_early(const struct tls_server_context *context)
{
	return context->takes_early;
}

/* --- For people ------------------------------------------------------------------------ */

static int64_t expiry_of(const X509 *leaf)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &tm) ? (int64_t)timegm(&tm) : 0;
}

void tls_server_context_visit(const struct tls_server_context *context,
			      void (*visit)(const struct tls_certificate_row *row, void *arg),
			      void *arg)
{
	static const char *const kinds[] = {
		[TLS_KEY_RSA] = "RSA",
		[TLS_KEY_EC] = "ECDSA",
		[TLS_KEY_ED] = "EdDSA",
	};

	for (size_t i = 0; i < context->certificates.count; i++) {
		const struct tls_certificate *certificate = &context->certificates.all[i];
		const struct tls_certificate_row row = {
			.file = certificate->config->cert.path,
			.name = certificate->nnames ? certificate->names[0] : "",
			.nnames = certificate->nnames,
			.kind = kinds[certificate->kind],
			.not_after_s = expiry_of(certificate->leaf),
			.stapled_until_s = certificate->fetched
						   ? tls_staple_until(certificate->fetched)
						   : certificate->staple_until_s,
		};

		visit(&row, arg);
	}
}
