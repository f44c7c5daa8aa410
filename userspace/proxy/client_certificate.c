// SPDX-License-Identifier: Apache-2.0
/* What routes may know of a client's certificate, read when it is first asked for. */
#include "proxy/client_certificate.h"

#include <stdlib.h>

struct client_certificate {
	bool is_there;
	char *subject;
	char fingerprint[TLS_FINGERPRINT_SIZE];
	struct http_route_certificate facts; /* of the above */
};

static struct client_certificate *read_certificate(const struct tls_session *session)
{
	struct client_certificate *certificate = calloc(1, sizeof(*certificate));

	if (!certificate ||
	    tls_session_peer(session, &certificate->subject, certificate->fingerprint) < 0)
		return certificate;
	certificate->is_there = true;
	certificate->facts.subject = slice_from_str(certificate->subject);
	certificate->facts.fingerprint = slice_from_str(certificate->fingerprint);
	return certificate;
}

const struct http_route_certificate *client_certificate_get(struct client_certificate **kept,
							    const struct tls_session *session)
{
	if (!*kept && session)
		*kept = read_certificate(session);
	return *kept && (*kept)->is_there ? &(*kept)->facts : NULL;
}

void client_certificate_free(struct client_certificate *certificate)
{
	if (!certificate)
		return;
	free(certificate->subject);
	free(certificate);
}
