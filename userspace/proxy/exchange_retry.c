// SPDX-License-Identifier: Apache-2.0
/* When a request is sent another time, and how long it is tried at all. */
#include "proxy/exchange.h"
#include "proxy/http_backend.h"
#include "proxy/http_client.h"
#include "proxy/session.h"

static struct worker_view *view_of(const struct exchange *exchange)
{
	return exchange->client->session->view;
}

/*
 * Once a backend may have seen the request, only one that does no harm when it is done twice may be
 * sent again (RFC 9110 9.2.2), and only if none of its body has been passed on.
 */
static bool is_repeatable(const struct exchange *exchange)
{
	return http_method_is_idempotent(exchange->request.method) && exchange->up.is_done &&
	       exchange->up.payload == 0 && !exchange->is_answer_begun;
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

bool exchange_take_budget(struct exchange *exchange)
{
	uint32_t percent = exchange_pool(exchange)->http.retry.budget_percent;
	bool is_granted = retry_budget_spend(&view_of(exchange)->retry_budgets[exchange->dial.pool],
					     percent);

	if (!is_granted)
		counter_add(&dial_counters(&exchange->dial)->over_budget, 1);
	return is_granted && exchange_enter(exchange, BREAKER_RETRIES);
}

/* A kept connection that its backend was about to close is nobody's failure. */
static bool is_granted(struct exchange *exchange, enum exchange_trouble trouble)
{
	return trouble == EXCHANGE_STALE || exchange_take_budget(exchange);
}

static void forget_answer(struct exchange *exchange)
{
	input_release(exchange_worker(exchange)->loop, &exchange->answer);
	http_fields_clear(&exchange->response.fields);
	exchange->response = (struct http_response){.fields = exchange->response.fields};
	exchange->first_byte_us = 0;
}

bool exchange_try_again(struct exchange *exchange, enum exchange_trouble trouble)
{
	if (!is_repeatable(exchange) || !dial_has_tries_left(&exchange->dial) ||
	    !is_wanted(&exchange_pool(exchange)->http.retry, trouble) ||
	    !is_granted(exchange, trouble))
		return false;
	counter_add(&dial_counters(&exchange->dial)->resent, 1);
	exchange_release_backend(exchange, false);
	forget_answer(exchange);
	exchange->is_head_sent = false;
	exchange->wants_fresh = true;
	dial_next(&exchange->dial);
	return true;
}

/* --- All tries together --------------------------------------------------------- */

static void on_total_timeout(struct io_timer *timer)
{
	struct exchange *exchange = container_of(timer, struct exchange, total);

	if (!exchange->is_answer_begun)
		exchange_refuse(exchange, 504, EXCHANGE_END_BACKEND_TIMEOUT, "total_timeout");
}

void exchange_limit_tries(struct exchange *exchange)
{
	const struct config_pool_http *config = &exchange_pool(exchange)->http;

	retry_budget_earn(&view_of(exchange)->retry_budgets[exchange->dial.pool],
			  config->retry.budget_percent);
	if (!config->total_timeout_ms)
		return;
	exchange->total.on_expire = on_total_timeout;
	io_timer_start(exchange_worker(exchange)->loop, &exchange->total, config->total_timeout_ms);
}
