// SPDX-License-Identifier: Apache-2.0
/* The access log of mode http: one line an exchange, as text or as JSON. */
#include "proxy/http_log.h"

#include "core/clock.h"
#include "core/json.h"
#include "proxy/access_log.h"
#include "proxy/exchange.h"
#include "proxy/http_client.h"
#include "proxy/session.h"

#include <inttypes.h>
#include <stdio.h>

/* What a line is made of. */
struct line {
	const struct exchange *exchange;
	const struct session *session;
	const struct endpoint *endpoint; /* that served, or failed last; NULL: none */
	const char *pool, *endpoint_name, *version;
	const char *hedge; /* NULL: none */
	char client[ADDRESS_TEXT_SIZE], backend[ADDRESS_TEXT_SIZE], time[CLOCK_RFC3339_SIZE];
	int64_t queue_us, connect_us, first_us, total_us; /* -1: it did not come to that */
};

static int64_t elapsed(uint64_t from, uint64_t to)
{
	return from == 0 || to < from ? -1 : (int64_t)(to - from);
}

static const char *version_of(const struct exchange *exchange)
{
	switch (exchange->request.version) {
	case HTTP_VERSION_1_0:
		return "HTTP/1.0";
	case HTTP_VERSION_1_1:
		return "HTTP/1.1";
	case HTTP_VERSION_2:
		return "HTTP/2";
	case HTTP_VERSION_NONE:
		break;
	}
	return "-";
}

/* NULL: there was none. */
static const char *hedge_of(const struct exchange *exchange)
{
	switch (exchange->hedging) {
	case EXCHANGE_HEDGED:
		return "sent";
	case EXCHANGE_HEDGE_WON:
		return "won";
	case EXCHANGE_NOT_HEDGED:
		break;
	}
	return NULL;
}

static void describe(const struct exchange *exchange, struct line *ret)
{
	const struct config_pool *pool = exchange_pool(exchange);
	const struct exchange_leg *leg = exchange->leg;
	uint64_t now_us = io_loop_now_us(exchange_worker(exchange)->loop);

	*ret = (struct line){
		.exchange = exchange,
		.session = exchange->client->session,
		.endpoint = dial_endpoint_to_tell(&leg->dial),
		.pool = pool ? pool->name : "-",
		.version = version_of(exchange),
		.hedge = hedge_of(exchange),
		.queue_us = elapsed(leg->dial.pick_us, leg->dial.connect_us),
		.connect_us = elapsed(leg->dial.connect_us, leg->dial.connected_us),
		.first_us = elapsed(exchange->started_us, leg->first_byte_us),
		.total_us = (int64_t)(now_us - exchange->started_us),
	};
	ret->endpoint_name = ret->endpoint ? ret->endpoint->name : "-";
	address_format(exchange_source(exchange), ret->client);
	snprintf(ret->backend, sizeof(ret->backend), "-");
	if (ret->endpoint)
		address_format(&ret->endpoint->address, ret->backend);
	clock_format_rfc3339(exchange->started_wall_us, ret->time);
}

/* --- Text ----------------------------------------------------------------------- */

static void append_ms(struct strbuf *out, int64_t us, char separator)
{
	if (us < 0)
		strbuf_append_str(out, "-");
	else
		strbuf_printf(out, "%" PRId64 ".%03" PRId64, us / 1000, us % 1000);
	strbuf_append(out, slice_of(&separator, 1));
}

static void append_quoted(struct strbuf *out, struct slice text)
{
	strbuf_append_str(out, "\"");
	http_log_escape(text, out);
	strbuf_append_str(out, "\"");
}

static void append_text(const struct line *line, struct strbuf *out)
{
	const struct exchange *exchange = line->exchange;
	const struct http_request *request = &exchange->request;

	strbuf_printf(out, "%s %s %s ", line->time, line->session->listener->config->name,
		      line->client);
	append_quoted(out, request->authority.text);
	strbuf_printf(out, " \"%.*s ", SLICE_FMT(request->method_text));
	/* The target has visible characters only: the parser lets no other pass. */
	strbuf_append(out, request->target.text);
	strbuf_printf(out, " %s\" %u %s/%s %s in=%" PRIu64 " out=%" PRIu64 " ms=", line->version,
		      exchange->status, line->pool, line->endpoint_name, line->backend,
		      exchange_bytes_in(exchange), exchange_bytes_out(exchange));
	append_ms(out, line->queue_us, '/');
	append_ms(out, line->connect_us, '/');
	append_ms(out, line->first_us, '/');
	append_ms(out, line->total_us, ' ');
	strbuf_printf(out, "tries=%u ", exchange->leg->dial.ntried);
	if (line->hedge)
		strbuf_printf(out, "hedge=%s ", line->hedge);
	strbuf_printf(out, "end=%s", exchange_end_name(exchange->end));
	if (exchange->detail)
		strbuf_printf(out, " (%s)", exchange->detail);
	if (exchange->request_id.len)
		strbuf_printf(out, " id=%.*s", SLICE_FMT(exchange->request_id));
	strbuf_append_str(out, "\n");
}

/* --- JSON ----------------------------------------------------------------------- */

static void add_text(struct strbuf *out, const char *name, struct slice text)
{
	strbuf_printf(out, ",\"%s\":", name);
	json_append_string(out, text);
}

static void add_ms(struct strbuf *out, const char *name, int64_t us)
{
	if (us >= 0)
		strbuf_printf(out, ",\"%s\":%" PRId64 ".%03" PRId64, name, us / 1000, us % 1000);
}

static void append_json(const struct line *line, struct strbuf *out)
{
	const struct exchange *exchange = line->exchange;
	const struct http_request *request = &exchange->request;

	strbuf_printf(out, "{\"time\":\"%s\"", line->time);
	add_text(out, "listener", slice_from_str(line->session->listener->config->name));
	add_text(out, "client", slice_from_str(line->client));
	add_text(out, "host", request->authority.text);
	add_text(out, "method", request->method_text);
	add_text(out, "target", request->target.text);
	add_text(out, "version", slice_from_str(line->version));
	strbuf_printf(out, ",\"status\":%u", exchange->status);
	add_text(out, "pool", slice_from_str(line->pool));
	add_text(out, "endpoint", slice_from_str(line->endpoint_name));
	add_text(out, "backend", slice_from_str(line->backend));
	strbuf_printf(out, ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64,
		      exchange_bytes_in(exchange), exchange_bytes_out(exchange));
	add_ms(out, "queue_ms", line->queue_us);
	add_ms(out, "connect_ms", line->connect_us);
	add_ms(out, "first_byte_ms", line->first_us);
	add_ms(out, "total_ms", line->total_us);
	strbuf_printf(out, ",\"tries\":%u", exchange->leg->dial.ntried);
	if (line->hedge)
		add_text(out, "hedge", slice_from_str(line->hedge));
	add_text(out, "end", slice_from_str(exchange_end_name(exchange->end)));
	if (exchange->detail)
		add_text(out, "detail", slice_from_str(exchange->detail));
	if (exchange->request_id.len)
		add_text(out, "request_id", exchange->request_id);
	strbuf_append_str(out, "}\n");
}

static void append_line(const struct exchange *exchange, enum config_access_format format,
			struct strbuf *out)
{
	struct line line;

	describe(exchange, &line);
	if (format == CONFIG_ACCESS_JSON)
		append_json(&line, out);
	else
		append_text(&line, out);
}

void http_log_write(struct exchange *exchange)
{
	struct worker_view *view = exchange->client->session->view;
	const struct config_access_log *config = &view->snapshot->config->access_log;
	struct strbuf *lines = worker_view_log(view);

	if (!lines)
		return;
	if (config->template.count)
		http_log_append_template(exchange, &config->template, lines);
	else if (config->format >= CONFIG_ACCESS_COMMON)
		http_log_append_common(exchange, config->format == CONFIG_ACCESS_COMBINED, lines);
	else
		append_line(exchange, config->format, lines);
}
