// SPDX-License-Identifier: Apache-2.0
/* Judges what an authority has said of a certificate, wherever it comes from. */
#include "tls/ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

/* Clocks differ. */
#define SKEW_S 300

/* An answer that does not say how long it holds is not to hold for ever (RFC 6960 section 2.4). */
#define UNSAID_S 604800

static int64_t end_of(const ASN1_GENERALIZEDTIME *until)
{
	struct tm tm;

	return until && ASN1_TIME_to_tm(until, &tm) ? (int64_t)timegm(&tm)
						    : (int64_t)time(NULL) + UNSAID_S;
}

/* The issuer is trusted in this, whoever has issued it: it says so of its own. */
static bool is_signed(OCSP_BASICRESP *basic, X509 *issuer, STACK_OF(X509) * chain)
{
	X509_STORE *store = X509_STORE_new();
	bool is_good = store && X509_STORE_add_cert(store, issuer) &&
		       X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) &&
		       OCSP_basic_verify(basic, chain, store, 0) > 0;

	X509_STORE_free(store);
	return is_good;
}

/* Return: what is wrong with it; NULL if it may be stapled until @ret_until_s. */
static const char *judge_status(OCSP_BASICRESP *basic, X509 *leaf, X509 *issuer,
				int64_t *ret_until_s)
{
	ASN1_GENERALIZEDTIME *revoked, *from, *until;
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, leaf, issuer);
	int status, reason, is_found;

	is_found = id &&
		   OCSP_resp_find_status(basic, id, &status, &reason, &revoked, &from, &until);
	OCSP_CERTID_free(id);
	if (!is_found)
		return "it is about another certificate";
	if (status != V_OCSP_CERTSTATUS_GOOD)
		return "it does not say that the certificate is good";
	if (!OCSP_check_validity(from, until, SKEW_S, -1))
		return "it is out of date";
	*ret_until_s = end_of(until);
	return NULL;
}

static const char *judge_basic(OCSP_BASICRESP *basic, X509 *leaf, STACK_OF(X509) * chain,
			       int64_t *ret_until_s)
{
	X509 *issuer = sk_X509_value(chain, 0);
	const char *problem;

	if (!issuer)
		return "the certificate's file has no issuer to check it with";
	problem = judge_status(basic, leaf, issuer, ret_until_s);
	if (!problem && !is_signed(basic, issuer, chain))
		return "it is not signed by the certificate's issuer";
	return problem;
}

static const char *judge_response(OCSP_RESPONSE *response, X509 *leaf, STACK_OF(X509) * chain,
				  int64_t *ret_until_s)
{
	OCSP_BASICRESP *basic;
	const char *problem;

	if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		return "it is the message of an error";
	basic = OCSP_response_get1_basic(response);
	if (!basic)
		return "it is of an unknown kind";
	problem = judge_basic(basic, leaf, chain, ret_until_s);
	OCSP_BASICRESP_free(basic);
	return problem;
}

const char *ocsp_judge(struct slice der, X509 *leaf, STACK_OF(X509) * chain, int64_t *ret_until_s)
{
	const unsigned char *next = (const unsigned char *)der.ptr;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &next, (long)der.len);
	int64_t until_s = 0;
	const char *problem = response ? judge_response(response, leaf, chain, &until_s)
				       : "it is no OCSP response in DER";

	if (!problem)
		*ret_until_s = until_s;
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return problem;
}

char *ocsp_responder(X509 *leaf)
{
	static const char scheme[] = "http://";
	STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(leaf);
	char *found = NULL;

	for (int i = 0; i < sk_OPENSSL_STRING_num(urls) && !found; i++) {
		const char *url = sk_OPENSSL_STRING_value(urls, i);

		if (strncasecmp(url, scheme, sizeof(scheme) - 1) == 0)
			found = strdup(url);
	}
	X509_email_free(urls);
	return found;
}
