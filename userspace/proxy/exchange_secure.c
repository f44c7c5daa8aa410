// SPDX-License-Identifier: Apache-2.0
/* What a request by TLS has to hold before anything is done with it: that it is for whom the client
 * meant to reach (421, RFC 9110 section 15.5.20), and that it is no copy which does harm (425, RFC
 * 8470). */
#include "proxy/exchange.h"
#include "proxy/http_client.h"
#include "proxy/session.h"
#include "tls/session.h"

static struct tls_session *tls_of(const struct exchange *exchange)
{
	return exchange->client->session->client_session;
}

/* Without port, brackets and the dot at its end. Empty: it names none. */
static struct slice host_of(const struct exchange *exchange)
{
	struct http_authority authority = {};
	struct slice host;

	if (http_authority_parse(http_fields_value(&exchange->request.fields, HTTP_FIELD_HOST),
				 &authority) < 0)
		return (struct slice){};
	host = authority.host;
	if (host.len > 2 && host.ptr[0] == '[')
		host = slice_of(host.ptr + 1, host.len - 2);
	return http_host_name(host);
}

static bool is_misdirected(const struct exchange *exchange)
{
	struct tls_facts facts;

	switch (exchange_listener(exchange)->tls.host_check) {
	case CONFIG_HOST_CHECK_CERTIFICATE:
		return !tls_session_is_for(tls_of(exchange), host_of(exchange));
	case CONFIG_HOST_CHECK_SNI:
		tls_session_facts(tls_of(exchange), &facts);
		return !facts.sni ||
		       !slice_equal_nocase(slice_from_str(facts.sni), host_of(exchange));
	case CONFIG_HOST_CHECK_OFF:
		break;
	}
	return false;
}

/* A copy of a safe request asks again for what was asked for: that is all it does. */
static bool may_be_copied(const struct exchange *exchange)
{
	return http_method_is_safe(exchange->request.method) && exchange->up.is_done &&
	       !exchange->request.wants_upgrade;
}

bool exchange_is_refused_by_tls(struct exchange *exchange)
{
	if (!tls_of(exchange))
		return false;
	if (is_misdirected(exchange)) {
		exchange_refuse(exchange, 421, EXCHANGE_END_MISDIRECTED, NULL);
		return true;
	}
	exchange->is_early = tls_session_is_early(tls_of(exchange));
	if (!exchange->is_early || may_be_copied(exchange))
		return false;
	exchange_refuse(exchange, 425, EXCHANGE_END_TOO_EARLY, NULL);
	return true;
}
