// SPDX-License-Identifier: Apache-2.0
/* An exchange's beginning and end: refused or routed, counted, logged, its memory used again. */
#include "proxy/exchange.h"

#include "core/clock.h"
#include "http/path.h"
#include "proxy/action.h"
#include "proxy/http_backend.h"
#include "proxy/http_client.h"
#include "proxy/http_log.h"
#include "proxy/mirror.h"
#include "proxy/session.h"
#include "route/http_route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const end_names[] = {
#define X(name, text) [EXCHANGE_END_##name] = text,
	EXCHANGE_ENDS(X)
#undef X
};

const char *exchange_end_name(enum exchange_end end)
{
	return end_names[end];
}

/* --- What it belongs to --------------------------------------------------------- */

struct worker *exchange_worker(const struct exchange *exchange)
{
	return exchange->client->worker;
}

struct io_stream *exchange_client(const struct exchange *exchange)
{
	return &exchange->client->session->client;
}

const struct config_pool *exchange_pool(const struct exchange *exchange)
{
	return dial_pool(&exchange->leg->dial);
}

const struct config_listener *exchange_listener(const struct exchange *exchange)
{
	return exchange->client->session->listener->config;
}

uint32_t exchange_buffer_limit(const struct exchange *exchange)
{
	return exchange->client->session->view->snapshot->config->limits.relay_buffer_bytes;
}

uint64_t exchange_bytes_in(const struct exchange *exchange)
{
	return exchange->head_in + exchange->up.payload;
}

uint64_t exchange_bytes_out(const struct exchange *exchange)
{
	return exchange->head_out +
	       (exchange->replaced_out ? exchange->replaced_out : exchange->down.payload);
}

/* --- Memory --------------------------------------------------------------------- */

/* Fields and their room are one piece, so that used memory is used again while it is warm. */
struct kept_exchange {
	struct exchange exchange;
	struct http_field request_fields[EXCHANGE_FIELDS], response_fields[EXCHANGE_FIELDS];
};

static void ready(struct exchange *exchange, struct http_client *client)
{
	struct kept_exchange *kept = container_of(exchange, struct kept_exchange, exchange);
	struct arena arena = exchange->arena;

	arena_reset(&arena);
	*exchange = (struct exchange){.client = client, .arena = arena};
	exchange->request.fields = (struct http_fields){
		.items = kept->request_fields, .cap = EXCHANGE_FIELDS, .arena = &exchange->arena};
	exchange->response.fields = (struct http_fields){
		.items = kept->response_fields, .cap = EXCHANGE_FIELDS, .arena = &exchange->arena};
	exchange->up_trailers.arena = exchange->down_trailers.arena = &exchange->arena;
	exchange->parser.limits = &client->session->listener->http_limits;
	exchange->first.exchange = exchange;
	exchange->first.response = &exchange->response;
	exchange->leg = &exchange->first;
	exchange->up.is_done = true;
	exchange->started_us = io_loop_now_us(client->session->worker->loop);
	if (client->session->view->snapshot->access_log)
		exchange->started_wall_us = clock_wall_us();
}

struct exchange *exchange_new(struct http_client *client)
{
	struct worker *worker = client->session->worker;
	struct exchange *exchange = worker->free_exchanges;
	struct kept_exchange *kept;

	if (exchange) {
		worker->free_exchanges = exchange->next_free;
	} else {
		kept = calloc(1, sizeof(*kept));
		if (!kept)
			return NULL;
		exchange = &kept->exchange;
	}
	ready(exchange, client);
	return exchange;
}

void exchange_free(struct exchange *exchange)
{
	struct worker *worker = exchange_worker(exchange);

	exchange->next_free = worker->free_exchanges;
	worker->free_exchanges = exchange;
}

void exchanges_forget(struct worker *worker)
{
	while (worker->free_exchanges) {
		struct exchange *exchange = worker->free_exchanges;

		worker->free_exchanges = exchange->next_free;
		arena_done(&exchange->arena);
		free(container_of(exchange, struct kept_exchange, exchange));
	}
}

/* --- The beginning -------------------------------------------------------------- */

/* Routes compare the path in one spelling; the backend gets it as it came. @ret_unmerged is for
 * rewrites alone. */
static int normalize(struct exchange *exchange, struct slice *ret_unmerged)
{
	struct slice path = exchange->request.target.path;
	char *buf;

	exchange->path = *ret_unmerged = path;
	if (path.len == 0 || path.ptr[0] != '/')
		return 0;
	buf = arena_alloc(&exchange->arena, 2 * path.len);
	if (!buf)
		return -ENOMEM;
	if (http_path_normalize(path, buf, ret_unmerged))
		return -EINVAL;
	exchange->path = http_path_merge(*ret_unmerged, buf + path.len);
	return 0;
}

/* Only those who look at it pay for it. */
static const struct tls_peer *certificate_of(struct http_client *client)
{
	const struct session *session = client->session;

	if (!session->client_session ||
	    !http_route_table_needs_certificate(session->listener->http_routes))
		return NULL;
	return tls_session_peer(session->client_session);
}

static const struct geo_facts *facts_of(struct exchange *exchange)
{
	const struct session *session = exchange->client->session;

	return http_route_table_needs_facts(session->listener->http_routes)
		       ? exchange_facts(exchange)
		       : NULL;
}

static int find_route(struct exchange *exchange)
{
	const struct session *session = exchange->client->session;
	const struct http_route_request asked = {
		.request = &exchange->request,
		.path = exchange->path,
		.source = exchange_source(exchange),
		.facts = facts_of(exchange),
		.port = session->port,
		.certificate = certificate_of(exchange->client),
		.arena = &exchange->arena,
		.scratch = exchange_worker(exchange)->regex_scratch,
	};

	return http_route_match(session->listener->http_routes, &asked, &exchange->route);
}

static int rewrite(struct exchange *exchange, struct slice unmerged)
{
	const struct http_route_table *table = exchange->client->session->listener->http_routes;
	const struct rewrite *how = http_route_rewrite(table, exchange->route);
	int err;

	if (!how)
		return 0;
	err = rewrite_path(how, unmerged, &exchange->arena,
			   exchange_worker(exchange)->regex_scratch, &exchange->new_path,
			   &exchange->path);
	return err == -ENOENT ? 0 : err;
}

static void refuse_unrouted(struct exchange *exchange, int err)
{
	if (err == -E2BIG)
		exchange_refuse(exchange, 400, EXCHANGE_END_BAD_REQUEST,
				"a route's condition took too long to tell");
	else if (err == -EINVAL)
		exchange_refuse(exchange, 400, EXCHANGE_END_BAD_REQUEST,
				"the rewritten path has dot segments");
	else
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
}

void exchange_begin(struct exchange *exchange)
{
	struct http_request *request = &exchange->request;
	const struct config_http *config = &exchange_listener(exchange)->http;
	const struct h1_body_limits *limits = &exchange->client->session->listener->body_limits;
	struct slice unmerged;
	int err;

	if (h1_body_init(&exchange->up, request->framing, limits, &exchange->up_trailers) < 0) {
		exchange_refuse(exchange, 413, EXCHANGE_END_TOO_LARGE, NULL);
		return;
	}
	http_client_allow(exchange->client, config->body_timeout_ms);
	if (exchange_is_refused_by_tls(exchange))
		return;
	err = normalize(exchange, &unmerged);
	if (err) {
		exchange_refuse(exchange, err == -EINVAL ? 400 : 503,
				err == -EINVAL ? EXCHANGE_END_BAD_REQUEST : EXCHANGE_END_NO_MEMORY,
				err == -EINVAL ? "path climbs above its root or hides a control"
					       : NULL);
		return;
	}
	err = exchange_find_origin(exchange);
	if (!err)
		err = find_route(exchange);
	if (!err)
		err = rewrite(exchange, unmerged);
	if (err && err != -ENOENT)
		refuse_unrouted(exchange, err);
	else if (exchange_prepare(exchange) < 0)
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
	else
		exchange_filter(exchange);
}

void exchange_act(struct exchange *exchange)
{
	if (!exchange->route)
		exchange_refuse(exchange, 404, EXCHANGE_END_NO_ROUTE, NULL);
	else if (!exchange_ends_here(exchange))
		action_begin(exchange);
}

/* --- The end -------------------------------------------------------------------- */

static void count_request(struct exchange *exchange)
{
	const struct snapshot_listener *listener = exchange->client->session->listener;
	const struct worker *worker = exchange_worker(exchange);
	uint64_t us = io_loop_now_us(worker->loop) - exchange->started_us;
	const struct config_route *route = exchange->route;
	struct route_stats *stats = NULL;

	request_counters_add(&exchange->client->session->counters->requests, exchange->status, us);
	if (exchange_pool(exchange))
		request_counters_add(&dial_counters(&exchange->leg->dial)->requests,
				     exchange->status, us);
	/* The listener's own pool is a route too, but none of its list. */
	if (route && route->name && listener->route_stats)
		stats = listener->route_stats[route - listener->config->routes];
	if (stats)
		request_counters_add(&stats->by_worker[worker->index].requests, exchange->status,
				     us);
}

static void count(struct exchange *exchange)
{
	struct listener_counters *counters = exchange->client->session->counters;
	struct endpoint *endpoint = exchange->leg->dial.endpoint;

	counter_add(&counters->bytes_in, exchange_bytes_in(exchange));
	counter_add(&counters->bytes_out, exchange_bytes_out(exchange));
	counter_add(&counters->exchange_ends[exchange->end], 1);
	count_request(exchange);
	if (!endpoint)
		return;
	counter_add_shared(&endpoint->load.bytes_in, exchange_bytes_in(exchange));
	counter_add_shared(&endpoint->load.bytes_out, exchange_bytes_out(exchange));
}

static void give_back(struct exchange *exchange)
{
	io_timer_stop(exchange_worker(exchange)->loop, &exchange->total);
	io_timer_stop(exchange_worker(exchange)->loop, &exchange->flush_due);
	exchange_leave_pool(exchange->leg);
}

static void settle(struct exchange *exchange, enum exchange_end end, bool may_stay)
{
	exchange->is_over = true;
	exchange->end = end;
	if (exchange->filters)
		exchange_filter_end(exchange);
	if (exchange->source)
		exchange->source->on_end(exchange->source);
	exchange->source = NULL;
	mirror_end(exchange);
	exchange_end_hedge(exchange);
	exchange_release_backend(exchange->leg, may_stay);
	count(exchange);
	http_log_write(exchange);
	exchange_trace_end(exchange);
	give_back(exchange);
}

void exchange_finish(struct exchange *exchange, enum exchange_end end, bool may_stay)
{
	settle(exchange, end, end == EXCHANGE_END_DONE);
	http_client_on_exchange_over(exchange->client, may_stay);
}

void exchange_stop(struct exchange *exchange, enum exchange_end end)
{
	settle(exchange, end, false);
}

static enum connection_end connection_end_of(enum exchange_end end)
{
	switch (end) {
	case EXCHANGE_END_NO_MEMORY:
		return CONNECTION_END_NO_MEMORY;
	case EXCHANGE_END_DENIED:
		return CONNECTION_END_DENIED;
	default:
		return CONNECTION_END_BACKEND_RESET;
	}
}

void exchange_abort(struct exchange *exchange, enum exchange_end end, const char *detail)
{
	struct session *session = exchange->client->session;

	exchange->detail = detail;
	settle(exchange, end, false);
	session_reset(session, connection_end_of(end));
}
