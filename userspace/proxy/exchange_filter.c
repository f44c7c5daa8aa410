// SPDX-License-Identifier: Apache-2.0
/* An exchange and its filters: the request's way through them, their answers, and the bodies that
 * they look at or make anew. The room filter knows nothing of what carries the messages. */
#include "proxy/exchange.h"
#include "proxy/http_client.h"
#include "proxy/session.h"

#include <errno.h>

static struct exchange *exchange_of(const struct filter_exchange *filters)
{
	return filters->owner;
}

/* --- What filters ask for -------------------------------------------------------- */

static struct slice value_of(void *context, uint32_t variable, struct slice argument)
{
	return exchange_variable(exchange_of(context), variable, argument);
}

static uint64_t now_ms(const struct filter_exchange *filters)
{
	return io_loop_now_ms(exchange_worker(exchange_of(filters))->loop);
}

static struct io_loop *loop_of(const struct filter_exchange *filters)
{
	return exchange_worker(exchange_of(filters))->loop;
}

static void go_on(struct exchange *exchange, enum filter_verdict verdict);

static void on_resumed(struct filter_exchange *filters, enum filter_verdict verdict)
{
	go_on(exchange_of(filters), verdict);
}

static const struct filter_host host = {
	.value_of = value_of,
	.on_resumed = on_resumed,
	.now_ms = now_ms,
	.loop = loop_of,
};

/* --- Answers --------------------------------------------------------------------- */

/* A filter that says no more than a status gets the page of it. */
static int make_page(struct exchange *exchange, struct reply *reply)
{
	if (reply->body.ptr || reply->status < 400)
		return 0;
	return exchange_page(exchange, reply->status, true, reply);
}

static void reply(struct exchange *exchange)
{
	struct filter_exchange *filters = exchange->filters;
	struct reply said = {
		.status = exchange->response.status,
		.fields = exchange->response.fields,
		.body = filters->body,
	};

	exchange->detail = filter_chain_detail(filters);
	if (make_page(exchange, &said) < 0)
		exchange_abort(exchange, EXCHANGE_END_NO_MEMORY, NULL);
	else
		exchange_reply(exchange, &said, EXCHANGE_END_FILTERED);
}

void exchange_filter_reply(struct exchange *exchange, struct reply *said)
{
	struct filter_exchange *filters = exchange->filters;

	if (!filters || filters->has_answered)
		return;
	filters->is_own = true;
	exchange->response = (struct http_response){
		.status = said->status,
		.fields = said->fields,
	};
	if (filter_chain_on_response_head(filters) == FILTER_CONTINUE) {
		said->fields = exchange->response.fields;
		return;
	}
	*said = (struct reply){
		.status = exchange->response.status,
		.fields = exchange->response.fields,
		.body = filters->body,
	};
	if (make_page(exchange, said) < 0)
		http_fields_clear(&said->fields);
}

bool exchange_filter_answer(struct exchange *exchange)
{
	struct filter_exchange *filters = exchange->filters;

	if (filter_chain_on_response_head(filters) == FILTER_CONTINUE)
		return true;
	filters->has_answered = true;
	exchange_release_backend(exchange->leg, false);
	reply(exchange);
	return false;
}

/* --- The request ----------------------------------------------------------------- */

/* Nothing of the body was looked at yet: it begins anew under the stricter limit. */
static int limit_body(struct exchange *exchange)
{
	const struct h1_body_limits *listener = &exchange->client->session->listener->body_limits;
	struct h1_body_limits *limits;
	uint64_t limit = exchange->filters->max_request_body;

	if (limit == UINT64_MAX || (listener->payload && listener->payload <= limit))
		return 0;
	limits = arena_alloc(&exchange->arena, sizeof(*limits));
	if (!limits)
		return -ENOMEM;
	*limits = *listener;
	limits->payload = limit;
	return h1_body_init(&exchange->up, exchange->request.framing, limits,
			    &exchange->up_trailers);
}

static void go_on(struct exchange *exchange, enum filter_verdict verdict)
{
	int err;

	if (verdict == FILTER_ANSWER) {
		reply(exchange);
		return;
	}
	if (verdict == FILTER_WAIT)
		return;
	err = limit_body(exchange);
	if (err == -EFBIG)
		exchange_refuse(exchange, 413, EXCHANGE_END_TOO_LARGE, NULL);
	else if (err)
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
	else
		exchange_act(exchange);
}

/* The route may be one that the table made up: then it has no filters of its own. */
static const struct filter_chain *chain_of(const struct exchange *exchange)
{
	const struct snapshot_listener *listener = exchange->client->session->listener;
	uintptr_t first = (uintptr_t)listener->config->routes;
	size_t at = ((uintptr_t)exchange->route - first) / sizeof(*exchange->route);

	if (exchange->route && listener->route_filters && (uintptr_t)exchange->route >= first &&
	    at < listener->config->nroutes)
		return listener->route_filters[at];
	return listener->filters;
}

void exchange_filter(struct exchange *exchange)
{
	const struct filter_chain *chain = chain_of(exchange);
	struct filter_exchange *filters;

	if (!chain) {
		exchange_act(exchange);
		return;
	}
	filters = filter_exchange_new(chain, &exchange->arena);
	if (!filters) {
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
		return;
	}
	filters->owner = exchange;
	filters->host = &host;
	filters->client = exchange_source(exchange);
	filters->request = &exchange->request;
	filters->response = &exchange->response;
	filters->path = exchange->path;
	exchange->filters = filters;
	go_on(exchange, filter_chain_on_request_head(filters));
}

/* --- Bodies ---------------------------------------------------------------------- */

static int on_request_bytes(struct body_tap *tap, struct body_sink *sink, struct slice bytes,
			    enum filter_phase phase)
{
	struct exchange *exchange = tap->context;

	(void)sink;
	return filter_chain_on_request_body(exchange->filters, bytes, phase) == FILTER_CONTINUE
		       ? 0
		       : -ECANCELED;
}

struct output {
	struct exchange *exchange;
	struct body_sink *sink;
};

static int put(void *context, struct slice bytes)
{
	struct output *output = context;

	output->exchange->replaced_out += bytes.len;
	return body_put(output->sink, bytes);
}

static int on_answer_bytes(struct body_tap *tap, struct body_sink *sink, struct slice bytes,
			   enum filter_phase phase)
{
	struct output output = {.exchange = tap->context, .sink = sink};

	return filter_chain_on_response_body(output.exchange->filters, bytes, phase, put, &output);
}

struct body_tap *exchange_filter_tap_up(struct exchange *exchange, struct body_tap *room)
{
	if (!exchange->filters || !exchange->filters->request_watchers)
		return NULL;
	*room = (struct body_tap){.on_bytes = on_request_bytes, .context = exchange};
	return room;
}

struct body_tap *exchange_filter_tap_down(struct exchange *exchange, struct body_tap *room)
{
	const struct filter_exchange *filters = exchange->filters;

	if (!filters || !(filters->response_watchers | filters->replacers) ||
	    exchange->response.framing.kind == HTTP_FRAMING_NONE)
		return NULL;
	*room = (struct body_tap){
		.on_bytes = on_answer_bytes,
		.context = exchange,
		.is_replacer = filters->replacers != 0,
	};
	return room;
}

/* --- Trailers -------------------------------------------------------------------- */

void exchange_judge_request_trailer(void *context, struct http_fields *trailer)
{
	const struct exchange *exchange = context;
	const char *request_id = exchange_listener(exchange)->forwarding.request_id;

	if (exchange->filters)
		filter_chain_on_request_trailer(exchange->filters, trailer);
	if (!request_id)
		return;
	http_fields_remove_name(trailer, slice_from_str(request_id));
	http_fields_remove_twins(trailer, slice_from_str(request_id));
}

void exchange_judge_answer_trailer(void *context, struct http_fields *trailer)
{
	const struct exchange *exchange = context;

	if (exchange->filters)
		filter_chain_on_response_trailer(exchange->filters, trailer);
}

/* --- The end --------------------------------------------------------------------- */

void exchange_filter_refuse(struct exchange *exchange)
{
	if (exchange->is_answer_begun)
		exchange_abort(exchange, EXCHANGE_END_FILTERED,
			       filter_chain_detail(exchange->filters));
	else
		reply(exchange);
}

/* What a filter has noticed is told where nothing else went wrong. */
void exchange_filter_end(struct exchange *exchange)
{
	filter_chain_on_end(exchange->filters);
	if (!exchange->detail)
		exchange->detail = exchange->filters->detail;
}
