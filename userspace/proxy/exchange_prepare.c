// SPDX-License-Identifier: Apache-2.0
/* A request before filters and actions see it: without what concerns the client's connection alone,
 * and with what the next server is to learn of the client. */
#include "http/connection.h"
#include "http/upgrade.h"
#include "proxy/exchange.h"

#include <errno.h>

/* Who was asked by the target alone, as HTTP/1.0 may, is told by Host (RFC 9112 section 3.2.2).
 * Return: 0; -ENOMEM. */
static int name_host(struct http_request *request)
{
	if (!request->target.authority.text.len ||
	    http_fields_has(&request->fields, HTTP_FIELD_HOST))
		return 0;
	return http_fields_add_id(&request->fields, HTTP_FIELD_HOST,
				  request->target.authority.text);
}

int exchange_prepare(struct exchange *exchange)
{
	struct http_request *request = &exchange->request;

	if (name_host(request) < 0)
		return -ENOMEM;
	if (request->wants_upgrade && http_upgrade_offer(&request->fields, &exchange->upgrade) < 0)
		return -ENOMEM;
	request->wants_upgrade = exchange->upgrade.len > 0;
	http_fields_strip_connection(&request->fields);
	/* CGI makes HTTP_PROXY of it, whom programs then ask for all that they fetch (httpoxy). */
	http_fields_remove(&request->fields, HTTP_FIELD_PROXY);
	return exchange_add_way(exchange);
}
