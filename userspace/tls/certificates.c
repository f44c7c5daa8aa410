// SPDX-License-Identifier: Apache-2.0
/*
 * A listener's certificates, and which of them is shown to whom: by the name that the client asks
 * for, exact before wildcard (RFC 6125 section 6.4.3) before the first one. For one name there may
 * be several with different kinds of keys, of which OpenSSL picks by the client's algorithms.
 */
#include "tls/ocsp.h"
#include "tls/tls_internal.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPIRY_WARNING_S (14L * 86400)

/* --- One certificate ---------------------------------------------------------------- */

/* Up to the file's end, or an error of OpenSSL's. Return: NULL: out of memory. */
static STACK_OF(X509) * read_authorities(BIO *bio)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *next = chain ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	while (next && sk_X509_push(chain, next))
		next = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	X509_free(next);
	return chain;
}

static bool read_chain(struct tls_loader *loader, const struct config_file *file,
		       struct tls_certificate *certificate)
{
	BIO *bio = tls_read_file(loader, file);
	bool is_read = false;

	if (!bio)
		return false;
	certificate->leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	if (certificate->leaf) {
		certificate->chain = read_authorities(bio);
		is_read = tls_is_pem_read(loader, file);
	} else {
		tls_complain(loader, file, "\"%s\": %s; expected a PEM file with a certificate",
			     file->path, tls_error_text());
	}
	BIO_free(bio);
	return is_read;
}

static bool read_key(struct tls_loader *loader, const struct config_file *file,
		     struct tls_certificate *certificate)
{
	BIO *bio = tls_read_file(loader, file);
	char no_passphrase[] = ""; /* there is nobody to ask for one */

	if (!bio)
		return false;
	certificate->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, no_passphrase);
	BIO_free(bio);
	if (!certificate->key) {
		tls_complain(loader, file,
			     "\"%s\": %s; expected a PEM file with a private key that has no "
			     "passphrase",
			     file->path, tls_error_text());
		return false;
	}
	if (X509_check_private_key(certificate->leaf, certificate->key))
		return true;
	ERR_clear_error();
	tls_complain(loader, file, "\"%s\" is not the key of the certificate beside it",
		     file->path);
	return false;
}

static bool find_kind(struct tls_loader *loader, const struct config_file *file,
		      struct tls_certificate *certificate)
{
	switch (EVP_PKEY_get_base_id(certificate->key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		certificate->kind = TLS_KEY_RSA;
		return true;
	case EVP_PKEY_EC:
		certificate->kind = TLS_KEY_EC;
		return true;
	case EVP_PKEY_ED25519:
	case EVP_PKEY_ED448:
		certificate->kind = TLS_KEY_ED;
		return true;
	default:
		tls_complain(loader, file,
			     "\"%s\" has a key of an unknown kind; expected RSA, ECDSA or EdDSA",
			     file->path);
		return false;
	}
}

static void warn_of_expiry(struct tls_loader *loader, const struct config_file *file,
			   const X509 *leaf)
{
	time_t soon = time(NULL) + EXPIRY_WARNING_S;

	if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0)
		tls_warn(loader, file, "\"%s\" has expired", file->path);
	else if (X509_cmp_time(X509_get0_notAfter(leaf), &soon) < 0)
		tls_warn(loader, file, "\"%s\" expires within two weeks", file->path);
	else if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0)
		tls_warn(loader, file, "\"%s\" is not valid yet", file->path);
}

int tls_certificate_load(struct tls_loader *loader, const struct config_file *cert,
			 const struct config_file *key, struct tls_certificate *ret)
{
	const struct config_file *secret = key->path ? key : cert;

	if (!read_chain(loader, cert, ret) || !read_key(loader, secret, ret) ||
	    !find_kind(loader, cert, ret))
		return -EINVAL;
	tls_check_secrecy(loader, secret);
	warn_of_expiry(loader, cert, ret->leaf);
	return 0;
}

void tls_certificate_done(struct tls_certificate *certificate)
{
	for (size_t i = 0; i < certificate->nnames; i++)
		free(certificate->names[i]);
	free(certificate->names);
	free(certificate->staple);
	tls_staple_unref(certificate->fetched);
	sk_X509_pop_free(certificate->chain, X509_free);
	EVP_PKEY_free(certificate->key);
	X509_free(certificate->leaf);
	*certificate = (struct tls_certificate){};
}

/* --- Its names ---------------------------------------------------------------------- */

/* In lower case, but for one with a NUL inside, as forged ones have. Return: 0; -ENOMEM. */
static int add_name(struct tls_certificate *certificate, const ASN1_STRING *name)
{
	const unsigned char *bytes = ASN1_STRING_get0_data(name);
	size_t len = (size_t)ASN1_STRING_length(name);
	char *copy;

	if (len == 0 || memchr(bytes, 0, len))
		return 0;
	copy = strndup((const char *)bytes, len);
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++)
		copy[i] = (char)tolower((unsigned char)copy[i]);
	certificate->names[certificate->nnames++] = copy;
	return 0;
}

/* By RFC 6125 section 6.4.4 the common name counts only where there is no DNS name. */
static int add_common_name(struct tls_certificate *certificate)
{
	const X509_NAME *subject = X509_get_subject_name(certificate->leaf);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	return at < 0 ? 0
		      : add_name(certificate,
				 X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

static int add_dns_names(struct tls_certificate *certificate, const GENERAL_NAMES *names)
{
	int err = 0;

	for (int i = 0; !err && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			err = add_name(certificate, name->d.dNSName);
	}
	return err;
}

static int read_names(struct tls_loader *loader, const struct config_file *file,
		      struct tls_certificate *certificate)
{
	int found, err;
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate->leaf, NID_subject_alt_name, &found,
						NULL);
	size_t count = names ? (size_t)sk_GENERAL_NAME_num(names) : 0;

	if (!names && found != -1) {
		tls_complain(loader, file, "\"%s\": its names cannot be read: %s", file->path,
			     tls_error_text());
		return -EINVAL;
	}
	certificate->names = calloc(count + 1, sizeof(*certificate->names));
	err = certificate->names ? add_dns_names(certificate, names) : -ENOMEM;
	GENERAL_NAMES_free(names);
	if (!err && certificate->nnames == 0)
		err = add_common_name(certificate);
	return err;
}

/* --- All of them, by name ----------------------------------------------------------- */

static int compare_choices(const void *left, const void *right)
{
	const struct tls_choice *a = left, *b = right;

	assert(a->name && b->name);
	return strcmp(a->name, b->name);
}

static const struct tls_choice *find(const struct tls_certificates *certificates, const char *name)
{
	const struct tls_choice wanted = {.name = name};

	return bsearch(&wanted, certificates->choices, certificates->nchoices,
		       sizeof(*certificates->choices), compare_choices);
}

/* Of one kind the first in the file counts. Sorting is stable by way of the certificate's place. */
static int compare_entries(const void *left, const void *right)
{
	const struct tls_choice *a = left, *b = right;
	const struct tls_certificate *first = NULL, *second = NULL;
	int order = strcmp(a->name, b->name);

	for (size_t k = 0; k < TLS_KEY_KINDS; k++) {
		first = a->by_kind[k] ? a->by_kind[k] : first;
		second = b->by_kind[k] ? b->by_kind[k] : second;
	}
	return order ? order : first < second ? -1 : first > second;
}

static void merge_choice(struct tls_choice *into, const struct tls_choice *from)
{
	for (size_t k = 0; k < TLS_KEY_KINDS; k++)
		if (!into->by_kind[k])
			into->by_kind[k] = from->by_kind[k];
}

static void merge_choices(struct tls_certificates *certificates)
{
	struct tls_choice *kept = certificates->choices;

	if (certificates->nchoices == 0)
		return;
	for (size_t i = 1; i < certificates->nchoices; i++) {
		const struct tls_choice *choice = &certificates->choices[i];

		if (compare_choices(kept, choice) == 0)
			merge_choice(kept, choice);
		else
			*++kept = *choice;
	}
	certificates->nchoices = (size_t)(kept - certificates->choices) + 1;
}

static void add_choices(struct tls_certificates *certificates,
			const struct tls_certificate *certificate)
{
	for (size_t i = 0; i < certificate->nnames; i++) {
		struct tls_choice *choice = &certificates->choices[certificates->nchoices++];

		choice->name = certificate->names[i];
		choice->by_kind[certificate->kind] = certificate;
	}
}

static int index_names(struct tls_certificates *certificates)
{
	size_t total = 0;

	for (size_t i = 0; i < certificates->count; i++)
		total += certificates->all[i].nnames;
	certificates->choices = calloc(total + 1, sizeof(*certificates->choices));
	if (!certificates->choices)
		return -ENOMEM;
	for (size_t i = 0; i < certificates->count; i++)
		add_choices(certificates, &certificates->all[i]);
	if (total > 1)
		qsort(certificates->choices, total, sizeof(*certificates->choices),
		      compare_entries);
	merge_choices(certificates);
	return 0;
}

static void choose_fallback(struct tls_certificates *certificates)
{
	const struct tls_certificate *first = &certificates->all[0];

	certificates->fallback.name = "";
	certificates->fallback.by_kind[first->kind] = first;
	if (first->nnames > 0)
		merge_choice(&certificates->fallback, find(certificates, first->names[0]));
}

const struct tls_choice *tls_certificates_choose(const struct tls_certificates *certificates,
						 const char *name)
{
	const struct tls_choice *choice;
	char lower[256], *dot;
	size_t len = name ? strlen(name) : 0;

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len == 0 || len >= sizeof(lower))
		return &certificates->fallback;
	for (size_t i = 0; i < len; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	lower[len] = '\0';
	choice = find(certificates, lower);
	if (choice)
		return choice;
	/* The wildcard stands for exactly one label: it takes the place of its last byte. */
	dot = strchr(lower, '.');
	if (!dot || dot == lower)
		return &certificates->fallback;
	dot[-1] = '*';
	choice = find(certificates, dot - 1);
	return choice ? choice : &certificates->fallback;
}

static void warn_of_no_responder(struct tls_loader *loader, const struct config_file *file,
				 const struct tls_certificate *certificate)
{
	char *url = ocsp_responder(certificate->leaf);

	if (!url)
		tls_warn(loader, file, "\"%s\" names no OCSP responder: nothing is stapled with it",
			 file->path);
	else if (sk_X509_num(certificate->chain) < 1)
		tls_warn(loader, file,
			 "\"%s\" has no issuer behind it, whose answers could be checked: nothing "
			 "is stapled with it",
			 file->path);
	free(url);
}

static int load_one(struct tls_loader *loader, const struct config_certificate *config,
		    bool fetches_ocsp, struct tls_certificate *ret)
{
	int err = tls_certificate_load(loader, &config->cert, &config->key, ret);

	if (err)
		return err;
	ret->config = config;
	if (config->ocsp.path)
		tls_staple_load(loader, &config->ocsp, ret);
	else if (fetches_ocsp)
		warn_of_no_responder(loader, &config->cert, ret);
	return read_names(loader, &config->cert, ret);
}

/* All of them are tried, so that every complaint comes at once. */
int tls_certificates_load(struct tls_loader *loader, const struct config_tls *config,
			  struct tls_certificates *ret)
{
	int first_err = 0;

	*ret = (struct tls_certificates){.count = config->ncertificates};
	ret->all = calloc(config->ncertificates, sizeof(*ret->all));
	if (!ret->all) {
		ret->count = 0;
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->ncertificates; i++) {
		int err = load_one(loader, &config->certificates[i], config->fetches_ocsp,
				   &ret->all[i]);

		first_err = first_err ? first_err : err;
	}
	if (!first_err)
		first_err = index_names(ret);
	if (!first_err)
		choose_fallback(ret);
	return first_err;
}

void tls_certificates_done(struct tls_certificates *certificates)
{
	for (size_t i = 0; i < certificates->count; i++)
		tls_certificate_done(&certificates->all[i]);
	free(certificates->all);
	free(certificates->choices);
	*certificates = (struct tls_certificates){};
}
