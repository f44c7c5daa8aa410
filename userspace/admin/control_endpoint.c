// SPDX-License-Identifier: Apache-2.0
/* Orders to endpoints: ready, drain, maint, weight. They hold until the daemon ends. */
#include "admin/admin_internal.h"
#include "core/clock.h"
#include "core/log.h"
#include "proxy/dispatcher.h"

#include <stdio.h>

struct order {
	const struct control_request *request;
	struct strbuf *out;
	uint64_t now_ms;
	size_t changed;
};

/* By name too: one that was resolved by DNS stands for several addresses, and all are meant. */
static bool is_meant(const struct endpoint *endpoint, const char *name)
{
	char address[ADDRESS_TEXT_SIZE];

	return strcmp(endpoint->name, name) == 0 ||
	       strcmp(address_format(&endpoint->address, address), name) == 0;
}

static void give_order(struct endpoint *endpoint, void *context)
{
	struct order *order = context;
	const struct control_request *request = order->request;

	if (!is_meant(endpoint, request->endpoint))
		return;
	if (request->sets_weight)
		atomic_store(&endpoint->weight, request->weight);
	else
		atomic_store(&endpoint->admin, request->action);
	order->changed++;
	control_append_endpoint(endpoint, order->now_ms, order->out);
}

static void reply_not_found(struct strbuf *out, const char *what, const char *name,
			    const char *where)
{
	char message[400];

	snprintf(message, sizeof(message), "there is no %s \"%.128s\"%s%.128s", what, name,
		 *where ? " in pool " : "", where);
	reply_error(out, CONTROL_ERROR_NOT_FOUND, message);
}

static void log_order(const struct control_request *request)
{
	if (request->sets_weight)
		log_info("admin: pool %s: endpoint %s: weight %u", request->pool, request->endpoint,
			 request->weight);
	else
		log_info("admin: pool %s: endpoint %s: %s", request->pool, request->endpoint,
			 endpoint_admin_name(request->action));
}

void control_endpoint(struct server *server, const struct control_request *request,
		      struct strbuf *out)
{
	struct pool *pool = server_find_pool(server, request->pool);
	struct strbuf rows = {0};
	struct order order = {.request = request, .out = &rows, .now_ms = clock_monotonic_ms()};

	if (!pool) {
		reply_not_found(out, "pool", request->pool, "");
		return;
	}
	pool_for_each(pool, give_order, &order);
	if (order.changed == 0) {
		reply_not_found(out, "endpoint", request->endpoint, request->pool);
		return;
	}
	pool_touch(pool);
	dispatcher_refresh(server_dispatcher(server));
	log_order(request);
	reply_ok_begin(out);
	reply_text(out, "pool", request->pool);
	reply_begin(out, "endpoints", '[');
	if (rows.is_failed)
		out->is_failed = true;
	else
		strbuf_append(out, slice_of(rows.text, rows.len));
	reply_end(out, '[');
	reply_ok_end(out);
	strbuf_done(&rows);
}
