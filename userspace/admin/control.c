// SPDX-License-Identifier: Apache-2.0
/* The control socket: lines in, lines out. Who may connect is a matter of the socket's permissions.
 */
#include "admin/admin_internal.h"

static void on_metrics(struct server *server, struct strbuf *out)
{
	struct strbuf text = {0};

	metrics_page(server, &text);
	reply_text(out, "text", text.text);
	out->is_failed |= text.is_failed;
	strbuf_done(&text);
}

static void append_result(struct server *server, enum control_command command, struct strbuf *out)
{
	switch (command) {
	case CONTROL_VERSION:
		control_version(server, out);
		break;
	case CONTROL_STATUS:
		control_status(server, out);
		break;
	case CONTROL_LISTENERS:
		control_listeners(server, out);
		break;
	case CONTROL_POOLS:
		control_pools(server, out);
		break;
	case CONTROL_SERVICES:
		control_services(server, out);
		break;
	case CONTROL_METRICS:
		on_metrics(server, out);
		break;
	default: /* ping has nothing to say */
		break;
	}
}

static void answer(struct admin_connection *connection, struct control_request *request)
{
	struct admin *admin = connection->port->admin;
	struct strbuf out = {0};

	switch (request->command) {
	case CONTROL_CONNECTIONS:
		control_connections(connection, request);
		return;
	case CONTROL_ENDPOINT:
		control_endpoint(admin->server, request, &out);
		break;
	case CONTROL_GUARD:
		control_guard(admin->server, request, &out);
		break;
	case CONTROL_GEO:
		control_geo(admin->server, request, &out);
		break;
	case CONTROL_RELOAD:
		control_reload(connection);
		return;
	default:
		reply_ok_begin(&out);
		append_result(admin->server, request->command, &out);
		reply_ok_end(&out);
		break;
	}
	admin_connection_answer(connection, &out, false);
}

void control_answer_no_memory(struct admin_connection *connection)
{
	struct strbuf out = {0};

	reply_error(&out, CONTROL_ERROR_NO_MEMORY, "out of memory");
	admin_connection_answer(connection, &out, false);
}

static void answer_error(struct admin_connection *connection, const struct control_error *error,
			 bool is_last)
{
	struct strbuf out = {0};

	reply_error(&out, error->code, error->message);
	admin_connection_answer(connection, &out, is_last);
}

/* Where the next request would begin is not known any more, so this is the last answer. */
static void answer_too_large(struct admin_connection *connection)
{
	static const struct control_error error = {CONTROL_ERROR_TOO_LARGE,
						   "a request may have 65536 bytes"};

	answer_error(connection, &error, true);
}

static size_t on_bytes(struct admin_connection *connection, struct slice bytes)
{
	const char *end = memchr(bytes.ptr, '\n', bytes.len);
	size_t len = end ? (size_t)(end - bytes.ptr) : bytes.len;
	struct control_request request;
	struct control_error error;

	if (len > CONTROL_REQUEST_MAX) {
		answer_too_large(connection);
		return bytes.len;
	}
	if (!end)
		return 0;
	if (control_request_parse(slice_of(bytes.ptr, len), &request, &error) < 0) {
		answer_error(connection, &error, false);
		return len + 1;
	}
	answer(connection, &request);
	control_request_done(&request);
	return len + 1;
}

const struct admin_protocol control_protocol = {
	.name = "control socket",
	.max_connections = 32,
	.input_max = CONTROL_REQUEST_MAX + 1, /* and the newline */
	.timeout_ms = 300000,
	.on_bytes = on_bytes,
};
