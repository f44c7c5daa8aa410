// SPDX-License-Identifier: Apache-2.0
/* A request before filters and actions see it: without what concerns the client's connection alone,
 * and with what the next server is to learn of the client. */
#include "http/connection.h"
#include "http/upgrade.h"
#include "proxy/exchange.h"

#include <errno.h>

int exchange_prepare(struct exchange *exchange)
{
	struct http_request *request = &exchange->request;

	if (request->wants_upgrade && http_upgrade_offer(&request->fields, &exchange->upgrade) < 0)
		return -ENOMEM;
	request->wants_upgrade = exchange->upgrade.len > 0;
	http_fields_strip_connection(&request->fields);
	return exchange_add_way(exchange);
}
