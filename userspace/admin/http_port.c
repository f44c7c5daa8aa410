// SPDX-License-Identifier: Apache-2.0
/* HTTP on a port: http.c's answers go out over connection.c's connections. */
#include "admin/admin_internal.h"

static size_t on_bytes(struct admin_connection *connection, struct slice bytes)
{
	struct strbuf out = {0};
	bool is_last = false;
	size_t len = http_respond(connection->port->admin->server, bytes, &out, &is_last);

	if (len > 0)
		admin_connection_answer(connection, &out, is_last);
	return len;
}

const struct admin_protocol http_protocol = {
	.name = "metrics port",
	.max_connections = 64,
	.input_max = ADMIN_HTTP_INPUT_MAX,
	.timeout_ms = 30000,
	.on_bytes = on_bytes,
};
