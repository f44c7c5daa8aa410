// SPDX-License-Identifier: Apache-2.0
/* The request goes to a pool: made ready for another server, then exchange_pick.c has it. */
#include "http/connection.h"
#include "http/forwarded.h"
#include "proxy/action.h"
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

void action_forward(struct exchange *exchange, size_t pool)
{
	struct http_request *request = &exchange->request;

	if (request->wants_upgrade)
		exchange->upgrade = http_fields_value(&request->fields, HTTP_FIELD_UPGRADE);
	http_fields_strip_connection(&request->fields);
	if (add_way(exchange) < 0)
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
	else
		exchange_pick(exchange, pool);
}

void action_pool(struct exchange *exchange)
{
	action_forward(exchange, exchange->route->action.pool.index);
}
