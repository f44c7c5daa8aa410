/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_UNIT_TLS_PKI_H
#define SLUICE_TESTS_UNIT_TLS_PKI_H

/* An authority of the test's own, in files of a directory that goes with it. */
#include "config/config.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pki {
	char directory[64];
	EVP_PKEY *key;
	X509 *cert;
	long serial;
};

/* Fuzzers use this too, and have no test to fail. */
static inline void pki_must(bool holds)
{
	if (!holds)
		abort();
}

static inline const char *pki_path(const struct pki *pki, const char *name)
{
	static char paths[16][128];
	static unsigned next;
	char *path = paths[next++ % 16];

	snprintf(path, sizeof(paths[0]), "%s/%s", pki->directory, name);
	return path;
}

static inline struct config_file pki_file(const struct pki *pki, const char *name)
{
	return (struct config_file){.path = strdup(pki_path(pki, name)), .line = 3, .column = 7};
}

static inline FILE *pki_open(const struct pki *pki, const char *name)
{
	FILE *stream = fopen(pki_path(pki, name), "we");

	pki_must(stream);
	return stream;
}

static inline void pki_write(const struct pki *pki, const char *name, const char *text)
{
	FILE *stream = pki_open(pki, name);

	fputs(text, stream);
	fclose(stream);
}

static inline void pki_extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	pki_must(extension);
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
}

static inline X509 *pki_sign(struct pki *pki, EVP_PKEY *key, const char *name, const char *names,
			     long days)
{
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++pki->serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), -7 * 86400);
	X509_gmtime_adj(X509_getm_notAfter(cert), days * 86400);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
				   0);
	X509_set_issuer_name(cert, pki->cert ? X509_get_subject_name(pki->cert) : subject);
	X509_set_pubkey(cert, key);
	if (names)
		pki_extend(cert, pki->cert, NID_subject_alt_name, names);
	if (!pki->cert)
		pki_extend(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
	pki_must(X509_sign(cert, pki->cert ? pki->key : key, EVP_sha256()));
	return cert;
}

static inline void pki_init(struct pki *pki)
{
	FILE *stream;

	*pki = (struct pki){};
	strcpy(pki->directory, "/tmp/sluice-pki-XXXXXX");
	pki_must(mkdtemp(pki->directory));
	pki->key = EVP_EC_gen("P-256");
	pki->cert = pki_sign(pki, pki->key, "Test CA", NULL, 30);
	stream = pki_open(pki, "ca.pem");
	PEM_write_X509(stream, pki->cert);
	fclose(stream);
}

static inline void pki_done(struct pki *pki)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", pki->directory);
	pki_must(system(command) == 0);
	X509_free(pki->cert);
	EVP_PKEY_free(pki->key);
}

/* Files @name.pem (with the authority behind it) and @name.key. @names: "DNS:a.test,DNS:b.test". */
static inline X509 *pki_issue_for(struct pki *pki, EVP_PKEY *key, const char *name,
				  const char *names, long days)
{
	X509 *cert = pki_sign(pki, key, name, names, days);
	char file[64];
	FILE *stream;

	snprintf(file, sizeof(file), "%s.pem", name);
	stream = pki_open(pki, file);
	PEM_write_X509(stream, cert);
	PEM_write_X509(stream, pki->cert);
	fclose(stream);
	snprintf(file, sizeof(file), "%s.key", name);
	stream = pki_open(pki, file);
	PEM_write_PrivateKey(stream, key, NULL, NULL, 0, NULL, NULL);
	fclose(stream);
	chmod(pki_path(pki, file), 0600);
	return cert;
}

static inline void pki_issue(struct pki *pki, const char *name, const char *names)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	X509_free(pki_issue_for(pki, key, name, names, 30));
	EVP_PKEY_free(key);
}

static inline void pki_issue_rsa(struct pki *pki, const char *name, const char *names)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);

	X509_free(pki_issue_for(pki, key, name, names, 30));
	EVP_PKEY_free(key);
}

static inline struct config_certificate pki_certificate(const struct pki *pki, const char *name)
{
	char file[64];
	struct config_certificate certificate = {};

	snprintf(file, sizeof(file), "%s.pem", name);
	certificate.cert = pki_file(pki, file);
	snprintf(file, sizeof(file), "%s.key", name);
	certificate.key = pki_file(pki, file);
	return certificate;
}

static inline void pki_file_done(struct config_file *file)
{
	free((char *)(uintptr_t)file->path);
	*file = (struct config_file){};
}

static inline void pki_certificate_done(struct config_certificate *certificate)
{
	pki_file_done(&certificate->cert);
	pki_file_done(&certificate->key);
	pki_file_done(&certificate->ocsp);
}

/* Revokes @cert (NULL: none) in @name. */
static inline void pki_revoke(struct pki *pki, const X509 *cert, const char *name)
{
	X509_CRL *list = X509_CRL_new();
	ASN1_TIME *time = ASN1_TIME_new();
	FILE *stream = pki_open(pki, name);

	X509_CRL_set_version(list, 1);
	X509_CRL_set_issuer_name(list, X509_get_subject_name(pki->cert));
	X509_gmtime_adj(time, -3600);
	X509_CRL_set1_lastUpdate(list, time);
	X509_gmtime_adj(time, 86400);
	X509_CRL_set1_nextUpdate(list, time);
	if (cert) {
		X509_REVOKED *entry = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(
			entry, (ASN1_INTEGER *)(uintptr_t)X509_get0_serialNumber(cert));
		X509_gmtime_adj(time, -1800);
		X509_REVOKED_set_revocationDate(entry, time);
		X509_CRL_add0_revoked(list, entry);
	}
	X509_CRL_sign(list, pki->key, EVP_sha256());
	PEM_write_X509_CRL(stream, list);
	fclose(stream);
	ASN1_TIME_free(time);
	X509_CRL_free(list);
}

#endif
