// SPDX-License-Identifier: Apache-2.0
/* The request goes to a pool: exchange_pick.c has it. */
#include "proxy/action.h"
#include "proxy/http_client.h"
#include "proxy/session.h"

void action_forward(struct exchange *exchange, size_t pool)
{
	const char *host = exchange->route->rewrite.host;

	if (host && http_fields_set_id(&exchange->request.fields, HTTP_FIELD_HOST,
				       slice_from_str(host)) < 0) {
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
		return;
	}
	exchange_pick(exchange, pool);
}

void action_pool(struct exchange *exchange)
{
	action_forward(exchange, exchange->route->action.pool.index);
}
