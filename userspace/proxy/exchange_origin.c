// SPDX-License-Identifier: Apache-2.0
/*
 * Whom a request is from, and what is told of the way that it took. Proxies in front of us that are
 * trusted are believed; what anybody else says of itself is removed. Source: RFC 7239, RFC 9110
 * section 7.6.3.
 */
#include "http/forwarded.h"
#include "proxy/exchange.h"
#include "proxy/http_client.h"
#include "proxy/session.h"
#include "tls/peer.h"

#include <errno.h>
#include <stdio.h>

#define REQUEST_ID_DIGITS 32
/* Of one that was handed to us. */
#define REQUEST_ID_MAX 128

static const struct config_forwarding *forwarding_of(const struct exchange *exchange)
{
	return &exchange_listener(exchange)->forwarding;
}

static const struct address *peer_of(const struct exchange *exchange)
{
	return &exchange->client->session->client_address;
}

/* --- For everybody ---------------------------------------------------------------- */

const struct address *exchange_source(const struct exchange *exchange)
{
	return exchange->origin.address ? exchange->origin.address : peer_of(exchange);
}

struct slice exchange_source_text(const struct exchange *exchange)
{
	return exchange->origin.text.len ? exchange->origin.text
					 : slice_from_str(exchange->client->address);
}

const struct geo_facts *exchange_facts(struct exchange *exchange)
{
	struct exchange_origin *origin = &exchange->origin;

	if (!origin->has_facts)
		worker_view_look(exchange->client->session->view, exchange_source(exchange),
				 &origin->facts);
	origin->has_facts = true;
	return &origin->facts;
}

const struct earth_point *exchange_place(struct exchange *exchange, const struct config_pool *pool)
{
	const struct geo_facts *facts = pool->is_nearest ? exchange_facts(exchange) : NULL;

	return facts && facts->has_point ? &facts->point : NULL;
}

bool exchange_is_https(const struct exchange *exchange)
{
	const struct exchange_origin *origin = &exchange->origin;

	return origin->has_scheme ? origin->is_https
				  : exchange->client->session->listener->tls != NULL;
}

struct slice exchange_request_id(struct exchange *exchange)
{
	struct rng *rng = &exchange_worker(exchange)->rng;
	char *digits;

	if (exchange->request_id.len)
		return exchange->request_id;
	digits = arena_alloc(&exchange->arena, REQUEST_ID_DIGITS + 1);
	if (!digits)
		return (struct slice){};
	snprintf(digits, REQUEST_ID_DIGITS + 1, "%016llx%016llx", (unsigned long long)rng_next(rng),
		 (unsigned long long)rng_next(rng));
	exchange->request_id = slice_of(digits, REQUEST_ID_DIGITS);
	return exchange->request_id;
}

/* --- What a trusted proxy says ---------------------------------------------------- */

static bool is_trusted(const struct exchange *exchange)
{
	const struct config_forwarding *forwarding = forwarding_of(exchange);

	for (size_t i = 0; i < forwarding->ntrust; i++)
		if (prefix_contains(&forwarding->trust[i], peer_of(exchange)))
			return true;
	return false;
}

/* Who saw the client tells its scheme; anything but the two is not understood. */
static void take_scheme(struct exchange *exchange, struct slice proto)
{
	if (!proto.len)
		proto = http_fields_value(&exchange->request.fields, HTTP_FIELD_X_FORWARDED_PROTO);
	exchange->origin.is_https = slice_equal_nocase(proto, slice_from_str("https"));
	exchange->origin.has_scheme = exchange->origin.is_https ||
				      slice_equal_nocase(proto, slice_from_str("http"));
}

static int take_client(struct exchange *exchange)
{
	const struct config_forwarding *forwarding = forwarding_of(exchange);
	struct exchange_origin *origin = &exchange->origin;
	struct http_way_client *client = arena_alloc(&exchange->arena, sizeof(*client));
	char text[ADDRESS_TEXT_SIZE], *copy;

	if (!client || http_way_find_client(&exchange->request.fields, peer_of(exchange),
					    forwarding->trust, forwarding->ntrust, client) < 0)
		return -ENOMEM;
	copy = arena_strdup(&exchange->arena,
			    slice_from_str(address_format_ip(&client->address, text)));
	if (!copy)
		return -ENOMEM;
	origin->address = &client->address;
	origin->text = slice_from_str(copy);
	take_scheme(exchange, client->proto);
	return 0;
}

/* It goes to logs and into answers: nothing that would have to be quoted there. */
static bool is_good_id(struct slice id)
{
	for (size_t i = 0; i < id.len; i++)
		if (id.ptr[i] <= ' ' || id.ptr[i] >= 0x7f || strchr("\"'\\<>&,;", id.ptr[i]))
			return false;
	return id.len > 0 && id.len <= REQUEST_ID_MAX;
}

static void take_request_id(struct exchange *exchange)
{
	const char *name = forwarding_of(exchange)->request_id;
	const struct http_field *field;

	if (!name)
		return;
	field = http_fields_find_name(&exchange->request.fields, slice_from_str(name));
	if (field && is_good_id(field->value))
		exchange->request_id = field->value;
}

int exchange_find_origin(struct exchange *exchange)
{
	enum config_forwarded believe = forwarding_of(exchange)->believe;

	/* What endpoints are to read is what we have judged. */
	http_fields_remove_disguised(&exchange->request.fields,
				     HTTP_FIELD_IS_FIXED | HTTP_FIELD_IS_OF_CONNECTION);
	if (!is_trusted(exchange)) {
		http_forwarded_distrust(&exchange->request.fields);
		return 0;
	}
	http_client_cert_distrust(&exchange->request.fields);
	http_forwarded_believe(&exchange->request.fields, believe != CONFIG_FORWARDED_X,
			       believe != CONFIG_FORWARDED_STANDARD);
	take_request_id(exchange);
	return take_client(exchange);
}

/* --- What we say ------------------------------------------------------------------ */

static int add_hop(struct exchange *exchange)
{
	const struct http_client *client = exchange->client;
	struct http_fields *fields = &exchange->request.fields;
	enum config_forwarded how = forwarding_of(exchange)->fields;
	const struct http_hop hop = {
		.client = address_is_ip(&client->session->client_address)
				  ? slice_from_str(client->address)
				  : (struct slice){},
		.host = http_fields_value(fields, HTTP_FIELD_HOST),
		.scheme = slice_from_str(client->session->listener->tls ? "https" : "http"),
	};
	int err = 0;

	if (how == CONFIG_FORWARDED_X || how == CONFIG_FORWARDED_BOTH)
		err = http_x_forwarded_add(fields, &hop);
	if (!err && (how == CONFIG_FORWARDED_STANDARD || how == CONFIG_FORWARDED_BOTH))
		err = http_forwarded_add(fields, &hop);
	return err;
}

static int add_request_id(struct exchange *exchange)
{
	const char *name = forwarding_of(exchange)->request_id;
	struct slice id;

	if (!name)
		return 0;
	id = exchange_request_id(exchange);
	http_fields_remove_twins(&exchange->request.fields, slice_from_str(name));
	return id.len ? http_fields_set(&exchange->request.fields, slice_from_str(name), id)
		      : -ENOMEM;
}

/* RFC 9440 section 2. Without a certificate there is nothing to say. */
static int add_client_cert(struct exchange *exchange)
{
	enum config_client_cert how = forwarding_of(exchange)->client_cert;
	struct tls_session *session = exchange->client->session->client_session;
	struct http_fields *fields = &exchange->request.fields;
	const struct tls_peer_der *der;
	int err;

	if (how == CONFIG_CLIENT_CERT_OFF || !session)
		return 0;
	der = tls_session_peer_der(session);
	if (!der)
		return 0;
	err = http_fields_add_id(fields, HTTP_FIELD_CLIENT_CERT, der->leaf);
	if (!err && how == CONFIG_CLIENT_CERT_CHAIN && der->chain.len)
		err = http_fields_add_id(fields, HTTP_FIELD_CLIENT_CERT_CHAIN, der->chain);
	return err;
}

/* RFC 8470 section 5.1. */
static int add_early_data(struct exchange *exchange)
{
	return exchange->is_early
		       ? http_fields_set(&exchange->request.fields, slice_from_str("Early-Data"),
					 slice_from_str("1"))
		       : 0;
}

int exchange_add_way(struct exchange *exchange)
{
	struct http_request *request = &exchange->request;
	int err = add_hop(exchange);

	if (!err)
		err = add_early_data(exchange);
	if (!err)
		err = add_request_id(exchange);
	if (!err)
		err = add_client_cert(exchange);
	if (!err)
		err = exchange_trace_begin(exchange);
	if (!err)
		err = http_via_add(&request->fields, request->version,
				   slice_from_str(EXCHANGE_PSEUDONYM));
	return err;
}
