// SPDX-License-Identifier: Apache-2.0
/*
 * Open connections. The workers are asked by message, so the answer comes later; the connection
 * that asked is held until then.
 */
#include "admin/admin_internal.h"

#include <stdlib.h>

struct query {
	struct admin_connection *connection;
	struct control_request request; /* ours */
};

static bool matches_text(const char *wanted, const char *text)
{
	return !wanted || strcmp(wanted, text) == 0;
}

/* An endpoint is named as in the configuration or by its address. */
static bool matches_endpoint(const char *wanted, const struct connection_row *row)
{
	char address[ADDRESS_TEXT_SIZE];

	return matches_text(wanted, row->endpoint) ||
	       strcmp(wanted, address_format(&row->backend, address)) == 0;
}

static bool matches(const struct control_request *request, const struct connection_row *row)
{
	return matches_text(request->listener, row->listener) &&
	       matches_text(request->pool, row->pool) && matches_endpoint(request->endpoint, row) &&
	       (!request->has_state || request->state == row->state);
}

static bool has_filter(const struct control_request *request)
{
	return request->listener || request->pool || request->endpoint || request->has_state;
}

static void append_row(const struct connection_row *row, struct strbuf *out)
{
	char text[ADDRESS_TEXT_SIZE];

	reply_begin(out, NULL, '{');
	reply_count(out, "id", row->id);
	reply_count(out, "worker", row->worker);
	reply_text(out, "listener", row->listener);
	reply_text(out, "pool", row->pool);
	reply_text(out, "endpoint", row->endpoint);
	reply_text(out, "client", address_format(&row->client, text));
	reply_text(out, "local", address_format(&row->local, text));
	reply_text(out, "backend", row->backend.len ? address_format(&row->backend, text) : "");
	reply_text(out, "state", connection_state_name(row->state));
	reply_text(out, "rung", row->rung);
	reply_text(out, "reason", row->reason);
	reply_count(out, "bytes_in", row->bytes_in);
	reply_count(out, "bytes_out", row->bytes_out);
	reply_seconds(out, "age_seconds", row->age_ms * 1000);
	reply_seconds(out, "idle_seconds", row->idle_ms * 1000);
	reply_text(out, "sni", row->sni);
	reply_text(out, "tls_version", row->tls_version);
	reply_text(out, "tls_cipher", row->tls_cipher);
	reply_bool(out, "tls_resumed", row->is_tls_resumed);
	reply_bool(out, "tls_kernel", row->is_tls_kernels);
	reply_text(out, "tls_client", row->tls_client);
	reply_text(out, "backend_tls_version", row->backend_tls_version);
	reply_end(out, '{');
}

static void free_query(struct query *query)
{
	control_request_done(&query->request);
	free(query);
}

static void on_rows(const struct connection_row *rows, size_t count, uint64_t total, void *context)
{
	struct query *query = context;
	size_t matched = 0;
	struct strbuf out = {0};

	reply_ok_begin(&out);
	reply_begin(&out, "connections", '[');
	for (size_t i = 0; i < count; i++)
		if (matches(&query->request, &rows[i]) && matched++ < query->request.limit)
			append_row(&rows[i], &out);
	reply_end(&out, '[');
	reply_count(&out, "matched", has_filter(&query->request) ? matched : total);
	reply_count(&out, "examined", count);
	reply_count(&out, "total", total);
	reply_ok_end(&out);
	admin_connection_answer(query->connection, &out, false);
	free_query(query);
}

void control_connections(struct admin_connection *connection, struct control_request *request)
{
	struct query *query = malloc(sizeof(*query));
	size_t limit = has_filter(request) ? CONTROL_CONNECTIONS_MAX : request->limit;

	if (!query) {
		control_answer_no_memory(connection);
		return;
	}
	*query = (struct query){.connection = connection, .request = *request};
	json_incref(request->root); /* the caller is done with its own */
	admin_connection_hold(connection);
	if (server_list_connections(connection->port->admin->server, limit, on_rows, query) < 0) {
		control_answer_no_memory(connection);
		free_query(query);
	}
}
