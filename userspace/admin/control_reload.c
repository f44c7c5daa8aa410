// SPDX-License-Identifier: Apache-2.0
/* The order to reload, which may take its time; the connection that gave it is held until then. */
#include "admin/admin_internal.h"

#include <stdlib.h>

struct order {
	struct server_reload reload;
	struct admin_connection *connection;
};

static void append_outcome(struct server *server, const char *warnings, struct strbuf *out)
{
	struct server_facts facts;

	server_describe(server, &facts);
	reply_ok_begin(out);
	reply_count(out, "generation", facts.config_generation);
	reply_text(out, "warnings", warnings);
	reply_text(out, "pending", facts.pending);
	reply_ok_end(out);
}

static void on_done(struct server_reload *reload, int err, const char *text)
{
	struct order *order = container_of(reload, struct order, reload);
	struct admin_connection *connection = order->connection;
	struct strbuf out = {0};

	if (err)
		reply_error(&out, CONTROL_ERROR_RELOAD_FAILED, *text ? text : strerror(-err));
	else
		append_outcome(connection->port->admin->server, text, &out);
	admin_connection_answer(connection, &out, false);
	free(order);
}

void control_reload(struct admin_connection *connection)
{
	const struct admin_actions *actions = &connection->port->admin->actions;
	struct order *order = malloc(sizeof(*order));

	if (!order) {
		control_answer_no_memory(connection);
		return;
	}
	*order = (struct order){.reload = {.on_done = on_done}, .connection = connection};
	admin_connection_hold(connection);
	actions->reload(actions->context, &order->reload);
}
