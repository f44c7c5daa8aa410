// SPDX-License-Identifier: Apache-2.0
/* The request is not wanted: a page that says so, or no answer at all. */
#include "proxy/action.h"

void action_deny(struct exchange *exchange)
{
	uint32_t status = exchange->route->action.deny_status;

	if (status)
		exchange_refuse(exchange, status, EXCHANGE_END_DENIED, NULL);
	else
		exchange_abort(exchange, EXCHANGE_END_DENIED, NULL);
}
