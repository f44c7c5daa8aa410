// SPDX-License-Identifier: Apache-2.0
/*
 * OCSP responses to be stapled: read from a file, and only used if they speak of the certificate
 * and are still good. A wrong one would make clients refuse what works without it; so that is a
 * warning. Source: RFC 6960, RFC 6066 section 8.
 */
#include "tls/tls_internal.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Clocks differ. */
#define SKEW_S 300

static int64_t seconds_of(const ASN1_GENERALIZEDTIME *time)
{
	struct tm tm;

	return time && ASN1_TIME_to_tm(time, &tm) ? (int64_t)timegm(&tm) : INT64_MAX;
}

/* Return: what is wrong with it; NULL if it may be stapled until @ret_until_s. */
static const char *judge_status(OCSP_BASICRESP *basic, const struct tls_certificate *certificate,
				int64_t *ret_until_s)
{
	X509 *issuer = sk_X509_value(certificate->chain, 0);
	ASN1_GENERALIZEDTIME *revoked, *from, *until;
	OCSP_CERTID *id;
	int status, reason, is_found;

	if (!issuer)
		return "the certificate's file has no issuer to check it with";
	id = OCSP_cert_to_id(NULL, certificate->leaf, issuer);
	is_found = id &&
		   OCSP_resp_find_status(basic, id, &status, &reason, &revoked, &from, &until);
	OCSP_CERTID_free(id);
	if (!is_found)
		return "it is about another certificate";
	if (status != V_OCSP_CERTSTATUS_GOOD)
		return "it does not say that the certificate is good";
	if (!OCSP_check_validity(from, until, SKEW_S, -1))
		return "it is out of date";
	*ret_until_s = seconds_of(until);
	return NULL;
}

static const char *judge(OCSP_RESPONSE *response, const struct tls_certificate *certificate,
			 int64_t *ret_until_s)
{
	OCSP_BASICRESP *basic;
	const char *problem;

	if (!response)
		return "it is no OCSP response in DER";
	if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		return "it is the message of an error";
	basic = OCSP_response_get1_basic(response);
	if (!basic)
		return "it is of an unknown kind";
	problem = judge_status(basic, certificate, ret_until_s);
	OCSP_BASICRESP_free(basic);
	return problem;
}

void tls_staple_load(struct tls_loader *loader, const struct config_file *file,
		     struct tls_certificate *certificate)
{
	BIO *bio = tls_read_file(loader, file);
	const unsigned char *next;
	OCSP_RESPONSE *response;
	const char *problem;
	char *bytes = NULL;
	long len;

	if (!bio)
		return;
	len = BIO_get_mem_data(bio, &bytes);
	next = (const unsigned char *)bytes;
	response = d2i_OCSP_RESPONSE(NULL, &next, len);
	problem = judge(response, certificate, &certificate->staple_until_s);
	if (!problem) {
		certificate->staple = malloc((size_t)len);
		if (certificate->staple) {
			memcpy(certificate->staple, bytes, (size_t)len);
			certificate->nstaple = (size_t)len;
		}
	} else {
		tls_warn(loader, file, "\"%s\" is not stapled: %s", file->path, problem);
	}
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	BIO_free(bio);
}
