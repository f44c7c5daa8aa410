// SPDX-License-Identifier: Apache-2.0
/* Asks an OCSP responder over HTTP, with OpenSSL's client for it. */
#include "core/clock.h"
#include "tls/ocsp.h"

#include <openssl/err.h>
#include <openssl/http.h>
#include <openssl/ocsp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_SIZE 300

struct asking {
	BIO *connection;
	OSSL_HTTP_REQ_CTX *http;
	int wake;
	uint64_t deadline_ms;
};

/* Return: false: the time is up, or nobody wants to know any more. */
static bool wait_ready(const struct asking *asking)
{
	uint64_t now_ms = clock_monotonic_ms();
	struct pollfd ready[2] = {
		{.fd = -1, .events = BIO_should_read(asking->connection) ? POLLIN : POLLOUT},
		{.fd = asking->wake, .events = POLLIN},
	};

	if (now_ms >= asking->deadline_ms)
		return false;
	(void)BIO_get_fd(asking->connection, &ready[0].fd);
	return poll(ready, 2, (int)(asking->deadline_ms - now_ms)) > 0 && !ready[1].revents;
}

static const char *connect_to(struct asking *asking, const char *host, const char *port)
{
	char target[HOST_SIZE];

	snprintf(target, sizeof(target), "%s:%s", host, port);
	asking->connection = BIO_new_connect(target);
	if (!asking->connection)
		return "out of memory";
	BIO_set_nbio(asking->connection, 1);
	while (BIO_do_connect(asking->connection) <= 0)
		if (!BIO_should_retry(asking->connection) || !wait_ready(asking))
			return "the responder cannot be reached";
	return NULL;
}

/* Without a nonce: responders give out what they have signed beforehand (RFC 5019 section 2.1). */
static OCSP_REQUEST *make_request(X509 *leaf, X509 *issuer)
{
	OCSP_REQUEST *request = OCSP_REQUEST_new();
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, leaf, issuer);

	if (request && id && OCSP_request_add0_id(request, id))
		return request;
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(request);
	return NULL;
}

static bool write_head(struct asking *asking, const char *host, const char *path,
		       const OCSP_REQUEST *request)
{
	asking->http = OCSP_sendreq_new(asking->connection, path, NULL, 0);
	return asking->http && OSSL_HTTP_REQ_CTX_add1_header(asking->http, "Host", host) &&
	       OSSL_HTTP_REQ_CTX_set1_req(asking->http, "application/ocsp-request",
					  ASN1_ITEM_rptr(OCSP_REQUEST),
					  (const ASN1_VALUE *)request);
}

static const char *exchange(struct asking *asking, unsigned char **ret, size_t *ret_len)
{
	OCSP_RESPONSE *response = NULL;
	unsigned char *der = NULL;
	int done, len;

	while ((done = OCSP_sendreq_nbio(&response, asking->http)) < 0)
		if (!wait_ready(asking))
			return "the responder does not answer";
	if (done == 0)
		return "the responder's answer is no OCSP over HTTP";
	len = i2d_OCSP_RESPONSE(response, &der);
	OCSP_RESPONSE_free(response);
	*ret = len > 0 ? malloc((size_t)len) : NULL;
	if (*ret) {
		memcpy(*ret, der, (size_t)len);
		*ret_len = (size_t)len;
	}
	OPENSSL_free(der);
	return *ret ? NULL : "out of memory";
}

static const char *ask(struct asking *asking, const char *host, const char *port, const char *path,
		       const OCSP_REQUEST *request, unsigned char **ret, size_t *ret_len)
{
	const char *problem = connect_to(asking, host, port);

	if (problem)
		return problem;
	if (!write_head(asking, host, path, request))
		return "out of memory";
	return exchange(asking, ret, ret_len);
}

const char *ocsp_fetch(const char *url, X509 *leaf, X509 *issuer, int wake, unsigned char **ret,
		       size_t *ret_len)
{
	struct asking asking = {
		.wake = wake,
		.deadline_ms = clock_monotonic_ms() + OCSP_TIMEOUT_MS,
	};
	char *host = NULL, *port = NULL, *path = NULL;
	OCSP_REQUEST *request = make_request(leaf, issuer);
	const char *problem = "out of memory";

	if (!OSSL_HTTP_parse_url(url, NULL, NULL, &host, &port, NULL, &path, NULL, NULL))
		problem = "the responder's URL cannot be read";
	else if (request)
		problem = ask(&asking, host, port, path, request, ret, ret_len);
	OSSL_HTTP_REQ_CTX_free(asking.http);
	BIO_free_all(asking.connection);
	OCSP_REQUEST_free(request);
	OPENSSL_free(host);
	OPENSSL_free(port);
	OPENSSL_free(path);
	ERR_clear_error();
	return problem;
}
