// SPDX-License-Identifier: Apache-2.0
/* When a request is sent another time, and how long it is tried at all. */
#include "proxy/exchange.h"
#include "proxy/http_backend.h"
#include "proxy/http_client.h"
#include "proxy/session.h"

/* Chunks that hold nothing are one too: they have gone, and without them it would have no end. */
static bool has_body(const struct http_request *request)
{
	return request->framing.kind == HTTP_FRAMING_CHUNKED || request->framing.length > 0;
}

/*
 * Once a backend may have seen the request, only one that does no harm when it is done twice may be
 * sent again (RFC 9110 9.2.2), and only if it has no body, of which nothing is kept.
 */
bool exchange_is_repeatable(const struct exchange *exchange)
{
	return http_method_is_idempotent(exchange->request.method) &&
	       !has_body(&exchange->request) && !exchange->is_answer_begun;
}

static bool is_wanted(const struct config_retry *config, enum exchange_trouble trouble)
{
	switch (trouble) {
	case EXCHANGE_STALE:
		return true;
	case EXCHANGE_RESET:
		return config->on_reset;
	case EXCHANGE_LATE:
		return config->on_timeout;
	case EXCHANGE_UNAVAILABLE:
		return config->on_unavailable;
	}
	return false;
}

static struct retry_budget *budget_of(const struct exchange_leg *leg)
{
	return &leg->dial.view->retry_budgets[leg->dial.pool];
}

bool exchange_take_budget(struct exchange_leg *leg)
{
	uint32_t percent = dial_pool(&leg->dial)->http.retry.budget_percent;
	bool is_granted = retry_budget_spend(budget_of(leg), percent);

	if (!is_granted)
		counter_add(&dial_counters(&leg->dial)->over_budget, 1);
	return is_granted && exchange_enter(leg, BREAKER_RETRIES);
}

/* A kept connection that its backend was about to close is nobody's failure. */
static bool is_granted(struct exchange_leg *leg, enum exchange_trouble trouble)
{
	return trouble == EXCHANGE_STALE || exchange_take_budget(leg);
}

static void forget_answer(struct exchange_leg *leg)
{
	input_release(exchange_worker(leg->exchange)->loop, &leg->answer);
	http_fields_clear(&leg->response->fields);
	*leg->response = (struct http_response){.fields = leg->response->fields};
	leg->first_byte_us = 0;
}

bool exchange_try_again(struct exchange_leg *leg, enum exchange_trouble trouble)
{
	if (!is_wanted(&dial_pool(&leg->dial)->http.retry, trouble))
		return false;
	if (exchange_give_way(leg))
		return true;
	if (!exchange_is_repeatable(leg->exchange) || !dial_has_tries_left(&leg->dial) ||
	    !is_granted(leg, trouble))
		return false;
	counter_add(&dial_counters(&leg->dial)->resent, 1);
	exchange_release_backend(leg, false);
	forget_answer(leg);
	leg->is_head_sent = false;
	leg->wants_fresh = true;
	leg->is_hedge = false;
	dial_next(&leg->dial);
	return true;
}

/* --- All tries together --------------------------------------------------------- */

/* While the body is gathered no endpoint is late: the client is. */
static void on_total_timeout(struct io_timer *timer)
{
	struct exchange *exchange = container_of(timer, struct exchange, total);

	if (exchange->is_answer_begun)
		return;
	if (exchange->gather.limit)
		exchange_refuse(exchange, 408, EXCHANGE_END_REQUEST_TIMEOUT, "total_timeout");
	else
		exchange_refuse(exchange, 504, EXCHANGE_END_BACKEND_TIMEOUT, "total_timeout");
}

void exchange_limit_tries(struct exchange *exchange)
{
	retry_budget_earn(budget_of(exchange->leg),
			  exchange_pool(exchange)->http.retry.budget_percent);
}

void exchange_limit_time(struct exchange *exchange)
{
	uint32_t total_ms = exchange_pool(exchange)->http.total_timeout_ms;

	if (!total_ms)
		return;
	exchange->total.on_expire = on_total_timeout;
	io_timer_start(exchange_worker(exchange)->loop, &exchange->total, total_ms);
}
