// SPDX-License-Identifier: Apache-2.0
/* The values of an exchange's variables, for templates. Nothing is made before it is asked for. */
#include "config/variable.h"
#include "core/clock.h"
#include "http/cookie.h"
#include "proxy/exchange.h"
#include "proxy/http_client.h"
#include "proxy/session.h"
#include "tls/peer.h"

#include <stdio.h>

static struct slice text(const char *str)
{
	return str ? slice_from_str(str) : (struct slice){};
}

static struct slice number(struct exchange *exchange, unsigned value)
{
	char *digits = value ? arena_alloc(&exchange->arena, 12) : NULL;

	return digits ? slice_of(digits, (size_t)snprintf(digits, 12, "%u", value))
		      : (struct slice){};
}

static struct slice code(struct exchange *exchange, earth_code value)
{
	char *letters = value ? arena_alloc(&exchange->arena, EARTH_CODE_SIZE) : NULL;

	return letters ? text(earth_code_format(value, letters)) : (struct slice){};
}

static struct slice count(struct exchange *exchange, uint64_t value)
{
	return text(arena_printf(&exchange->arena, "%llu", (unsigned long long)value));
}

static struct slice time_of(struct exchange *exchange)
{
	char *time = arena_alloc(&exchange->arena, CLOCK_RFC3339_SIZE);
	uint64_t began_us = exchange->started_wall_us ? exchange->started_wall_us : clock_wall_us();

	return time ? text(clock_format_rfc3339(began_us, time)) : (struct slice){};
}

static struct slice duration_of(struct exchange *exchange)
{
	uint64_t us = io_loop_now_us(exchange_worker(exchange)->loop) - exchange->started_us;

	return text(arena_printf(&exchange->arena, "%llu.%03u", (unsigned long long)(us / 1000),
				 (unsigned)(us % 1000)));
}

static struct slice endpoint_of(const struct exchange *exchange)
{
	const struct endpoint *endpoint = dial_endpoint_to_tell(&exchange->leg->dial);

	return endpoint ? text(endpoint->name) : (struct slice){};
}

/* What counts as one source for limits; on a unix socket all are one. */
static struct slice client_net(struct exchange *exchange)
{
	const struct address *client = exchange_source(exchange);
	const struct config_limits *limits =
		&exchange->client->session->view->snapshot->config->limits;
	bool is_v6 = client->sa.sa_family == AF_INET6;
	char *room = arena_alloc(&exchange->arena, PREFIX_TEXT_SIZE);
	struct prefix net;

	if (!room ||
	    !prefix_of(client,
		       (uint8_t)(is_v6 ? limits->source_prefix_v6 : limits->source_prefix_v4),
		       &net))
		return (struct slice){};
	return text(prefix_format(&net, room));
}

static struct slice lower_case(struct exchange *exchange, struct slice host)
{
	char *copy = arena_alloc(&exchange->arena, host.len);

	if (!copy)
		return (struct slice){};
	for (size_t i = 0; i < host.len; i++) {
		char c = host.ptr[i];

		copy[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	return slice_of(copy, host.len);
}

static struct slice protocol_of(const struct exchange *exchange)
{
	switch (exchange->request.version) {
	case HTTP_VERSION_1_0:
		return text("HTTP/1.0");
	case HTTP_VERSION_1_1:
		return text("HTTP/1.1");
	case HTTP_VERSION_2:
		return text("HTTP/2");
	case HTTP_VERSION_NONE:
		break;
	}
	return (struct slice){};
}

static struct slice field_of(const struct http_fields *fields, struct slice name)
{
	const struct http_field *field = http_fields_find_name(fields, name);

	return field ? field->value : (struct slice){};
}

static struct slice cookie_of(const struct exchange *exchange, struct slice name)
{
	struct slice value = {};

	(void)!http_cookie_find(&exchange->request.fields, name, &value);
	return value;
}

/* One that was verified; others end the handshake. */
static struct tls_peer certificate_of(const struct exchange *exchange)
{
	struct tls_session *session = exchange->client->session->client_session;
	const struct tls_peer *peer = session ? tls_session_peer(session) : NULL;

	return peer ? *peer : (struct tls_peer){};
}

static struct slice pool_of(const struct exchange *exchange)
{
	const struct config_pool *pool = exchange_pool(exchange);

	return pool ? text(pool->name) : (struct slice){};
}

struct slice exchange_variable(void *context, uint32_t variable, struct slice argument)
{
	struct exchange *exchange = context;
	const struct session *session = exchange->client->session;
	const struct http_request *request = &exchange->request;

	switch ((enum config_variable)variable) {
	case CONFIG_VARIABLE_CLIENT_IP:
		return exchange_source_text(exchange);
	case CONFIG_VARIABLE_CLIENT_PORT:
		return number(exchange, address_port(exchange_source(exchange)));
	case CONFIG_VARIABLE_CLIENT_NET:
		return client_net(exchange);
	case CONFIG_VARIABLE_CLIENT_COUNTRY:
		return code(exchange, exchange_facts(exchange)->country);
	case CONFIG_VARIABLE_CLIENT_CONTINENT:
		return code(exchange, exchange_facts(exchange)->continent);
	case CONFIG_VARIABLE_CLIENT_ASN:
		return number(exchange, exchange_facts(exchange)->asn);
	case CONFIG_VARIABLE_HOST:
		return lower_case(exchange, http_host_name(request->authority.host));
	case CONFIG_VARIABLE_PORT:
		return number(exchange, session->port);
	case CONFIG_VARIABLE_SCHEME:
		return text(exchange_is_https(exchange) ? "https" : "http");
	case CONFIG_VARIABLE_METHOD:
		return request->method_text;
	case CONFIG_VARIABLE_URI:
		return request->target.text;
	case CONFIG_VARIABLE_PATH:
		return exchange->path;
	case CONFIG_VARIABLE_QUERY:
		return request->target.query;
	case CONFIG_VARIABLE_PROTOCOL:
		return protocol_of(exchange);
	case CONFIG_VARIABLE_REQUEST_ID:
		return exchange_request_id(exchange);
	case CONFIG_VARIABLE_TLS_VERSION:
		return text(session->client_tls.version);
	case CONFIG_VARIABLE_TLS_CIPHER:
		return text(session->client_tls.cipher);
	case CONFIG_VARIABLE_TLS_SNI:
		return text(session->sni);
	case CONFIG_VARIABLE_TLS_CLIENT_SUBJECT:
		return certificate_of(exchange).subject;
	case CONFIG_VARIABLE_TLS_CLIENT_FINGERPRINT:
		return certificate_of(exchange).fingerprint;
	case CONFIG_VARIABLE_TLS_CLIENT_ISSUER:
		return certificate_of(exchange).issuer;
	case CONFIG_VARIABLE_TLS_CLIENT_SERIAL:
		return certificate_of(exchange).serial;
	case CONFIG_VARIABLE_TLS_CLIENT_NOT_BEFORE:
		return certificate_of(exchange).not_before;
	case CONFIG_VARIABLE_TLS_CLIENT_NOT_AFTER:
		return certificate_of(exchange).not_after;
	case CONFIG_VARIABLE_TLS_CLIENT_DNS:
		return certificate_of(exchange).names[TLS_NAME_DNS];
	case CONFIG_VARIABLE_TLS_CLIENT_URI:
		return certificate_of(exchange).names[TLS_NAME_URI];
	case CONFIG_VARIABLE_TLS_CLIENT_EMAIL:
		return certificate_of(exchange).names[TLS_NAME_EMAIL];
	case CONFIG_VARIABLE_LISTENER:
		return text(session->listener->config->name);
	case CONFIG_VARIABLE_POOL:
		return pool_of(exchange);
	case CONFIG_VARIABLE_STATUS:
		return number(exchange,
			      exchange->status ? exchange->status : exchange->response.status);
	case CONFIG_VARIABLE_ENDPOINT:
		return endpoint_of(exchange);
	case CONFIG_VARIABLE_TIME:
		return time_of(exchange);
	case CONFIG_VARIABLE_DURATION_MS:
		return duration_of(exchange);
	case CONFIG_VARIABLE_BYTES_IN:
		return count(exchange, exchange_bytes_in(exchange));
	case CONFIG_VARIABLE_BYTES_OUT:
		return count(exchange, exchange_bytes_out(exchange));
	case CONFIG_VARIABLE_END:
		return text(exchange->is_over ? exchange_end_name(exchange->end) : NULL);
	case CONFIG_VARIABLE_USER:
		return exchange->filters ? exchange->filters->user : (struct slice){};
	case CONFIG_VARIABLE_HEADER:
		return field_of(&request->fields, argument);
	case CONFIG_VARIABLE_RESPONSE_HEADER:
		return field_of(&exchange->response.fields, argument);
	case CONFIG_VARIABLE_COOKIE:
		return cookie_of(exchange, argument);
	case CONFIG_VARIABLE_NONE:
	case CONFIG_VARIABLE_COUNT:
		break;
	}
	return (struct slice){};
}
