// SPDX-License-Identifier: Apache-2.0
/* What the certificate of a peer says, as text. */
#include "tls/peer.h"
#include "core/arena.h"
#include "core/clock.h"
#include "tls/tls_internal.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct tls_peer_kept {
	struct arena arena;
	bool has_facts, has_der;
	struct tls_peer facts;
	struct tls_peer_der der;
};

/* --- Texts -------------------------------------------------------------------------- */

static struct slice keep(struct arena *arena, struct slice text)
{
	char *copy = arena_strdup(arena, text);

	return copy ? slice_of(copy, text.len) : (struct slice){};
}

static struct slice name_of(struct arena *arena, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct slice text = {};
	char *bytes = NULL;

	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
		long len = BIO_get_mem_data(bio, &bytes);

		text = keep(arena, slice_of(bytes, len > 0 ? (size_t)len : 0));
	}
	BIO_free(bio);
	return text;
}

static struct slice hexadecimal(struct arena *arena, const unsigned char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *text = arena_alloc(arena, 2 * len + 1);

	for (size_t i = 0; text && i < len; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	return text ? slice_of(text, 2 * len) : (struct slice){};
}

static struct slice fingerprint_of(struct arena *arena, const X509 *certificate)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!X509_digest(certificate, EVP_sha256(), hash, &len))
		return (struct slice){};
	return hexadecimal(arena, hash, len);
}

/* Its magnitude: by RFC 5280 section 4.1.2.2 it is positive. */
static struct slice serial_of(struct arena *arena, const X509 *certificate)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);

	return hexadecimal(arena, ASN1_STRING_get0_data(serial),
			   (size_t)ASN1_STRING_length(serial));
}

static struct slice time_of(struct arena *arena, const ASN1_TIME *time)
{
	char text[sizeof("2026-01-01T00:00:00Z")];
	struct tm tm;

	if (!ASN1_TIME_to_tm(time, &tm))
		return (struct slice){};
	return keep(arena, slice_of(text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm)));
}

/* --- Alternative names ---------------------------------------------------------------- */

static const ASN1_STRING *name_of_kind(const GENERAL_NAME *name, enum tls_name_kind kind)
{
	static const int types[] = {
		[TLS_NAME_DNS] = GEN_DNS,
		[TLS_NAME_URI] = GEN_URI,
		[TLS_NAME_EMAIL] = GEN_EMAIL,
	};

	return name->type == types[kind] ? name->d.ia5 : NULL;
}

static bool is_visible(const ASN1_STRING *name)
{
	const unsigned char *bytes = ASN1_STRING_get0_data(name);
	int len = ASN1_STRING_length(name);

	for (int i = 0; i < len; i++)
		if (bytes[i] <= ' ' || bytes[i] >= 0x7f)
			return false;
	return len > 0;
}

static void append_name(struct strbuf *text, const ASN1_STRING *name, enum tls_name_kind kind)
{
	size_t begin;

	if (text->len)
		strbuf_append_str(text, " ");
	begin = text->len;
	strbuf_append(text, slice_of((const char *)ASN1_STRING_get0_data(name),
				     (size_t)ASN1_STRING_length(name)));
	for (size_t i = begin; kind == TLS_NAME_DNS && i < text->len; i++)
		text->text[i] = (char)tolower((unsigned char)text->text[i]);
}

static struct slice names_of(struct arena *arena, const GENERAL_NAMES *names,
			     enum tls_name_kind kind)
{
	struct strbuf text = {};
	struct slice kept = {};

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const ASN1_STRING *name = name_of_kind(sk_GENERAL_NAME_value(names, i), kind);

		if (name && is_visible(name))
			append_name(&text, name, kind);
	}
	if (!text.is_failed)
		kept = keep(arena, slice_of(text.len ? text.text : "", text.len));
	strbuf_done(&text);
	return kept;
}

/* --- What is kept --------------------------------------------------------------------- */

/* What is not there is empty; what found no memory has no bytes at all. */
static bool is_whole(const struct tls_peer *facts)
{
	for (int kind = 0; kind < TLS_NAME_KINDS; kind++)
		if (!facts->names[kind].ptr)
			return false;
	return facts->subject.ptr && facts->issuer.ptr && facts->serial.ptr &&
	       facts->fingerprint.ptr && facts->not_before.ptr && facts->not_after.ptr;
}

static bool read_facts(struct arena *arena, const X509 *certificate, struct tls_peer *ret)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

	*ret = (struct tls_peer){
		.subject = name_of(arena, X509_get_subject_name(certificate)),
		.issuer = name_of(arena, X509_get_issuer_name(certificate)),
		.serial = serial_of(arena, certificate),
		.fingerprint = fingerprint_of(arena, certificate),
		.not_before = time_of(arena, X509_get0_notBefore(certificate)),
		.not_after = time_of(arena, X509_get0_notAfter(certificate)),
	};
	for (int kind = 0; kind < TLS_NAME_KINDS; kind++)
		ret->names[kind] = names_of(arena, names, (enum tls_name_kind)kind);
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return is_whole(ret);
}

/* EVP_EncodeBlock() ends with a NUL, which the colon replaces. */
static struct slice encode(struct arena *arena, X509 *certificate)
{
	unsigned char *der = NULL;
	int len = i2d_X509(certificate, &der);
	size_t size = len > 0 ? ((size_t)len + 2) / 3 * 4 : 0;
	char *text = size ? arena_alloc(arena, size + 3) : NULL;

	if (text) {
		text[0] = ':';
		EVP_EncodeBlock((unsigned char *)text + 1, der, len);
		text[size + 1] = ':';
	}
	OPENSSL_free(der);
	return text ? slice_of(text, size + 2) : (struct slice){};
}

static struct slice encode_all(struct arena *arena, const STACK_OF(X509) * chain)
{
	struct slice text = {};

	for (int i = 0; i < sk_X509_num(chain); i++) {
		struct slice next = encode(arena, sk_X509_value(chain, i));
		char *both = text.len ? arena_printf(arena, "%.*s, %.*s", SLICE_FMT(text),
						     SLICE_FMT(next))
				      : NULL;

		text = both ? slice_from_str(both) : next;
	}
	return text;
}

static struct slice encode_chain(struct arena *arena, const SSL *ssl)
{
	STACK_OF(X509) *chain = tls_kept_chain(ssl);
	struct slice text = encode_all(arena, chain);

	sk_X509_pop_free(chain, X509_free);
	ERR_clear_error();
	return text;
}

/* Return: NULL: there is none, or no memory. */
static X509 *certificate_of(struct tls_session *session)
{
	X509 *certificate = session->is_open ? SSL_get0_peer_certificate(session->ssl) : NULL;

	if (certificate && !session->peer)
		session->peer = calloc(1, sizeof(*session->peer));
	return session->peer ? certificate : NULL;
}

const struct tls_peer *tls_session_peer(struct tls_session *session)
{
	X509 *certificate = certificate_of(session);
	struct tls_peer_kept *kept = session->peer;

	if (!certificate)
		return NULL;
	if (!kept->has_facts)
		kept->has_facts = read_facts(&kept->arena, certificate, &kept->facts);
	return kept->has_facts ? &kept->facts : NULL;
}

const struct tls_peer_der *tls_session_peer_der(struct tls_session *session)
{
	X509 *certificate = certificate_of(session);
	struct tls_peer_kept *kept = session->peer;

	if (!certificate)
		return NULL;
	if (!kept->has_der) {
		kept->der.leaf = encode(&kept->arena, certificate);
		kept->der.chain = encode_chain(&kept->arena, session->ssl);
	}
	kept->has_der = true;
	return kept->der.leaf.len ? &kept->der : NULL;
}

void tls_peer_forget(struct tls_session *session)
{
	if (!session->peer)
		return;
	arena_done(&session->peer->arena);
	free(session->peer);
}
