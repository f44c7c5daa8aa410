// SPDX-License-Identifier: Apache-2.0
/* The request goes to a pool: exchange_pick.c has it. */
#include "proxy/action.h"
#include "proxy/http_client.h"
#include "proxy/session.h"

void action_forward(struct exchange *exchange, size_t pool)
{
	exchange_pick(exchange, pool);
}

void action_pool(struct exchange *exchange)
{
	action_forward(exchange, exchange->route->action.pool.index);
}
