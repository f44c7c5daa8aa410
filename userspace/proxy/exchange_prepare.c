// SPDX-License-Identifier: Apache-2.0
/* A request before filters and actions see it: without what concerns the client's connection alone,
 * and with what the next server is to learn of the client. */
#include "http/connection.h"
#include "http/forwarded.h"
#include "proxy/exchange.h"
#include "proxy/http_client.h"
#include "proxy/session.h"

/* What the backend learns of the client; what the client said of itself is not believed. */
static int add_way(struct exchange *exchange)
{
	struct http_request *request = &exchange->request;
	const struct session *session = exchange->client->session;
	const struct http_hop hop = {
		.client = slice_from_str(exchange->client->address),
		.host = http_fields_value(&request->fields, HTTP_FIELD_HOST),
		.scheme = slice_from_str(session->listener->tls ? "https" : "http"),
	};
	int err;

	http_forwarded_distrust(&request->fields);
	err = http_x_forwarded_add(&request->fields, &hop);
	if (!err)
		err = http_via_add(&request->fields, request->version, slice_from_str("sluice"));
	return err;
}

int exchange_prepare(struct exchange *exchange)
{
	struct http_request *request = &exchange->request;

	if (request->wants_upgrade)
		exchange->upgrade = http_fields_value(&request->fields, HTTP_FIELD_UPGRADE);
	http_fields_strip_connection(&request->fields);
	return add_way(exchange);
}
