// SPDX-License-Identifier: Apache-2.0
/* A request before filters and actions see it: without what concerns the client's connection alone,
 * and with what the next server is to learn of the client. */
#include "http/connection.h"
#include "proxy/exchange.h"

int exchange_prepare(struct exchange *exchange)
{
	struct http_request *request = &exchange->request;

	if (request->wants_upgrade)
		exchange->upgrade = http_fields_value(&request->fields, HTTP_FIELD_UPGRADE);
	http_fields_strip_connection(&request->fields);
	return exchange_add_way(exchange);
}
