// SPDX-License-Identifier: Apache-2.0
/* An exchange whose time is up: who was waited for, and whether it goes on. A peer that takes what
 * waits for it, however slowly, goes on; http_client.c's min_rate judges that. */
#include "proxy/exchange.h"
#include "proxy/http_backend.h"
#include "proxy/http_client.h"
#include "proxy/session.h"

/* What it says may be in its socket, and we have no buffer for it. */
static void report_late(struct exchange_leg *leg)
{
	if (leg && leg->is_head_sent && !io_stream_lacks_buffer(&leg->backend->stream))
		pool_view_report_answer(leg->dial.pool_view, leg->dial.endpoint, true);
}

static bool awaits_disk(const struct exchange *exchange)
{
	return exchange->source && exchange->source->awaits_disk;
}

/* The whole request is the backend's; or a file is looked for. */
static void on_late(struct exchange *exchange)
{
	report_late(exchange->leg);
	report_late(exchange->hedge);
	exchange_end_hedge(exchange);
	if (exchange->leg->is_head_sent && exchange_try_again(exchange->leg, EXCHANGE_LATE))
		return;
	exchange_refuse(exchange, 504,
			awaits_disk(exchange) ? EXCHANGE_END_FILE_STALLED
					      : EXCHANGE_END_BACKEND_TIMEOUT,
			NULL);
}

static bool client_takes(struct exchange *exchange)
{
	struct io_stream *client = exchange_client(exchange);

	return exchange->is_answer_begun && (client->queued || exchange->source) &&
	       uptake_goes_on(&exchange->client->answers, client);
}

static bool backend_takes(struct exchange_leg *leg)
{
	return leg->is_head_sent && leg->backend &&
	       uptake_goes_on(&leg->requests, &leg->backend->stream);
}

/* A backend that takes no more of the body is not the client's fault. */
static bool awaits_client(const struct exchange *exchange)
{
	const struct http_backend *backend = exchange->leg->backend;

	return !exchange->up.is_done && !exchange->gather.body.is_done &&
	       !(backend && backend->stream.queued);
}

/* How long it may take to get there is the dial's business: its queue and its tries have their own
 * time. */
static bool awaits_endpoint(const struct exchange *exchange)
{
	const struct exchange_leg *leg = exchange->leg, *hedge = exchange->hedge;

	return leg->dial.pool_view && !exchange->gather.limit && !leg->is_head_sent &&
	       !(hedge && hedge->is_head_sent);
}

/* Who was to go on with an answer. A source that has bytes waits for the client's socket. */
static enum exchange_end stalled_by(const struct exchange *exchange)
{
	if (exchange_client(exchange)->queued)
		return EXCHANGE_END_CLIENT_STALLED;
	if (exchange->client->has_ended && !exchange->up.is_done)
		return EXCHANGE_END_CLIENT_GONE; /* the backend may wait for the rest */
	if (!exchange->source)
		return EXCHANGE_END_BACKEND_TIMEOUT;
	return awaits_disk(exchange) ? EXCHANGE_END_FILE_STALLED : EXCHANGE_END_CLIENT_STALLED;
}

void exchange_on_timeout(struct exchange *exchange)
{
	if (exchange->is_over)
		return;
	if (client_takes(exchange) || backend_takes(exchange->leg) || awaits_endpoint(exchange)) {
		http_client_allow(exchange->client, exchange_patience(exchange));
		return;
	}
	if (exchange->is_answer_begun)
		exchange_abort(exchange, stalled_by(exchange), NULL);
	else if (awaits_client(exchange))
		exchange_refuse(exchange, 408, EXCHANGE_END_REQUEST_TIMEOUT, NULL);
	else
		on_late(exchange);
}
