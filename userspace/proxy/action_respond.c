// SPDX-License-Identifier: Apache-2.0
/* A fixed answer. */
#include "proxy/action.h"

void action_respond(struct exchange *exchange)
{
	const struct config_respond *config = &exchange->route->action.respond;
	struct reply reply = {
		.status = (uint16_t)config->status,
		.fields = {.arena = &exchange->arena},
		.body = config->body ? slice_from_str(config->body) : (struct slice){},
	};

	if (reply.body.len && http_fields_add_id(&reply.fields, HTTP_FIELD_CONTENT_TYPE,
						 slice_from_str(config->type)) < 0)
		exchange_abort(exchange, EXCHANGE_END_NO_MEMORY, NULL);
	else
		exchange_reply(exchange, &reply, EXCHANGE_END_DONE);
}
