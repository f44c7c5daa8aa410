// SPDX-License-Identifier: Apache-2.0
/*
 * The span of an exchange: part of the trace that a trusted proxy has begun, or of a new one. The
 * backend learns of it by traceparent; the worker gathers what is to be sent. Source: W3C Trace
 * Context; OpenTelemetry's conventions for HTTP spans.
 */
#include "core/clock.h"
#include "core/json.h"
#include "http/trace_context.h"
#include "proxy/exchange.h"
#include "proxy/http_client.h"
#include "proxy/session.h"
#include "proxy/tracer.h"

#include <errno.h>
#include <inttypes.h>

/* So many bytes of a worker's spans are handed on at once. */
#define BATCH_BYTES 32768

#define KIND_SERVER  2
#define STATUS_ERROR 2

struct exchange_trace {
	struct trace_context context; /* of our span */
	char parent[SPAN_ID_DIGITS + 1];
	uint64_t started_wall_us;
	bool is_recorded;
};

/* --- The beginning ---------------------------------------------------------------- */

/* The word of whoever is not trusted would let him fill the collector. */
static bool goes_on(struct exchange *exchange, struct trace_context *ret)
{
	static const struct slice name = {"traceparent", 11};
	const struct http_field *field;

	if (!exchange->origin.address)
		return false;
	field = http_fields_find_name(&exchange->request.fields, name);
	return field && trace_context_parse(field->value, ret) == 0;
}

static void begin_trace(struct exchange_trace *trace, struct rng *rng, uint32_t sample_percent)
{
	uint64_t high = rng_next(rng), low = rng_next(rng);

	trace_context_new_trace(&trace->context, high, low);
	trace->context.flags = rng_below(rng, 100) < sample_percent ? TRACE_FLAG_RECORDED : 0;
}

static int tell_backend(struct exchange *exchange, const struct exchange_trace *trace)
{
	static const struct slice name = {"traceparent", 11};
	char *text = arena_alloc(&exchange->arena, TRACE_CONTEXT_SIZE);

	if (!text)
		return -ENOMEM;
	trace_context_format(&trace->context, text);
	return http_fields_set(&exchange->request.fields, name, slice_from_str(text));
}

int exchange_trace_begin(struct exchange *exchange)
{
	const struct worker_view *view = exchange->client->session->view;
	const struct config_tracing *config = &view->snapshot->config->tracing;
	struct rng *rng = &exchange_worker(exchange)->rng;
	struct exchange_trace *trace;

	if (!config->collector.len)
		return 0;
	trace = arena_alloc(&exchange->arena, sizeof(*trace));
	if (!trace)
		return -ENOMEM;
	*trace = (struct exchange_trace){.started_wall_us = clock_wall_us()};
	if (goes_on(exchange, &trace->context))
		memcpy(trace->parent, trace->context.span_id, sizeof(trace->parent));
	else
		begin_trace(trace, rng, config->sample_percent);
	trace_context_new_span(&trace->context, rng_next(rng));
	trace->is_recorded = trace->context.flags & TRACE_FLAG_RECORDED;
	exchange->trace = trace;
	return tell_backend(exchange, trace);
}

/* --- The end ---------------------------------------------------------------------- */

static void add_text(struct strbuf *out, const char *key, struct slice value)
{
	if (!value.len)
		return;
	strbuf_printf(out, ",{\"key\":\"%s\",\"value\":{\"stringValue\":", key);
	json_append_string(out, value);
	strbuf_append_str(out, "}}");
}

static void add_attributes(struct exchange *exchange, struct strbuf *out)
{
	const struct http_request *request = &exchange->request;
	const struct session *session = exchange->client->session;
	const struct config_pool *pool = exchange_pool(exchange);
	const struct endpoint *endpoint = dial_endpoint_to_tell(&exchange->leg->dial);

	strbuf_printf(out,
		      "\"attributes\":[{\"key\":\"http.response.status_code\",\"value\":"
		      "{\"intValue\":\"%u\"}}",
		      exchange->status);
	add_text(out, "http.request.method", request->method_text);
	add_text(out, "url.scheme", slice_from_str(exchange_is_https(exchange) ? "https" : "http"));
	add_text(out, "url.path", request->target.path);
	add_text(out, "url.query", request->target.query);
	add_text(out, "server.address", request->authority.host);
	add_text(out, "client.address", exchange_source_text(exchange));
	add_text(out, "sluice.listener", slice_from_str(session->listener->config->name));
	if (exchange->route && exchange->route->name)
		add_text(out, "sluice.route", slice_from_str(exchange->route->name));
	if (pool)
		add_text(out, "sluice.pool", slice_from_str(pool->name));
	if (endpoint)
		add_text(out, "sluice.endpoint", slice_from_str(endpoint->name));
	if (exchange->end != EXCHANGE_END_DONE)
		add_text(out, "error.type", slice_from_str(exchange_end_name(exchange->end)));
	strbuf_append_str(out, "]");
}

static void add_span(struct exchange *exchange, struct strbuf *out)
{
	const struct exchange_trace *trace = exchange->trace;
	uint64_t took_us = io_loop_now_us(exchange_worker(exchange)->loop) - exchange->started_us;
	bool is_error = exchange->status == 0 || exchange->status >= 500;

	strbuf_printf(out, "{\"traceId\":\"%s\",\"spanId\":\"%s\",", trace->context.trace_id,
		      trace->context.span_id);
	if (trace->parent[0])
		strbuf_printf(out, "\"parentSpanId\":\"%s\",", trace->parent);
	strbuf_append_str(out, "\"name\":");
	json_append_string(out, exchange->request.method_text);
	strbuf_printf(out,
		      ",\"kind\":%d,\"startTimeUnixNano\":\"%" PRIu64
		      "000\",\"endTimeUnixNano\":\"%" PRIu64 "000\",\"status\":{\"code\":%d},",
		      KIND_SERVER, trace->started_wall_us, trace->started_wall_us + took_us,
		      is_error ? STATUS_ERROR : 0);
	add_attributes(exchange, out);
	strbuf_append_str(out, "}");
}

void exchange_trace_end(struct exchange *exchange)
{
	struct worker *worker = exchange_worker(exchange);
	struct span_batch *batch = &worker->spans;

	if (!exchange->trace || !exchange->trace->is_recorded)
		return;
	if (batch->count++)
		strbuf_append_str(&batch->json, ",");
	add_span(exchange, &batch->json);
	if (batch->json.len >= BATCH_BYTES)
		worker_give_spans(worker);
}
