// SPDX-License-Identifier: Apache-2.0
/*
 * Hedges: an endpoint that keeps a request waiting gets company, and whichever of the two answers
 * first is listened to. Source: Dean and Barroso, The Tail at Scale, 2013.
 *
 *   exchange_expect ─► hedge_due ─► asked of a second endpoint ─┬► exchange_choose: one answers
 *                                                               ├► exchange_give_way: one fails
 *                                                               └► exchange_end_hedge
 */
#include "proxy/exchange.h"

#include "proxy/worker.h"

static void drop(struct exchange_leg *leg)
{
	exchange_release_backend(leg, false);
	exchange_leave_pool(leg);
}

/* --- A second endpoint ---------------------------------------------------------- */

/* The client's session is there: another endpoint would answer fast, and wrong. */
static bool is_kept_there(const struct dial *dial)
{
	return dial->endpoint->id == dial->wanted;
}

/* A connection that leaves HTTP is opened once. */
static bool may_be_hedged(const struct exchange *exchange)
{
	const struct dial *dial = &exchange->leg->dial;

	return exchange_is_repeatable(exchange) && !exchange->request.wants_upgrade &&
	       dial->endpoint && !is_kept_there(dial) && dial_has_tries_left(dial);
}

/* In the arena: what it points to must not move. Return: NULL: out of memory. */
static struct exchange_leg *new_leg(struct exchange *exchange)
{
	struct exchange_leg *leg = arena_alloc(&exchange->arena, sizeof(*leg));
	struct http_response *response = arena_alloc(&exchange->arena, sizeof(*response));

	if (!leg || !response)
		return NULL;
	response->fields.arena = &exchange->arena;
	leg->exchange = exchange;
	leg->response = response;
	leg->is_hedge = true;
	return leg;
}

/* It is a request of its own, and the second one of its exchange. */
static bool is_granted(struct exchange_leg *leg)
{
	return exchange_enter(leg, BREAKER_REQUESTS) && exchange_enter(leg, BREAKER_PENDING) &&
	       exchange_take_budget(leg);
}

static void ask_another(struct exchange *exchange)
{
	struct dial *first = &exchange->leg->dial;
	struct exchange_leg *leg = new_leg(exchange);

	if (!leg)
		return;
	if (dial_pick_beside(&leg->dial, first) < 0 || !is_granted(leg)) {
		drop(leg);
		return;
	}
	exchange->hedge = leg;
	exchange->hedging = EXCHANGE_HEDGED;
	counter_add(&dial_counters(first)->hedged, 1);
	if (dial_open_beside(&leg->dial, first) < 0)
		exchange_give_way(leg);
}

static void on_due(struct io_timer *timer)
{
	struct exchange *exchange = container_of(timer, struct exchange, hedge_due);

	if (may_be_hedged(exchange))
		ask_another(exchange);
}

void exchange_expect(struct exchange_leg *leg)
{
	uint32_t delay_ms = dial_pool(&leg->dial)->http.hedge_delay_ms;
	struct exchange *exchange = leg->exchange;

	if (!delay_ms || exchange->hedging != EXCHANGE_NOT_HEDGED)
		return;
	exchange->hedge_due.on_expire = on_due;
	io_timer_start(exchange_worker(exchange)->loop, &exchange->hedge_due, delay_ms);
}

/* --- One of two ----------------------------------------------------------------- */

bool exchange_give_way(struct exchange_leg *leg)
{
	struct exchange *exchange = leg->exchange;

	if (!exchange->hedge)
		return false;
	if (leg == exchange->leg)
		exchange->leg = exchange->hedge;
	exchange->hedge = NULL;
	drop(leg);
	return true;
}

static void take_response(struct exchange_leg *leg)
{
	struct http_response *response = &leg->exchange->response;

	if (leg->response == response)
		return;
	*response = *leg->response;
	leg->response = response;
}

void exchange_choose(struct exchange_leg *leg)
{
	struct exchange *exchange = leg->exchange;

	if (exchange->hedge)
		exchange_give_way(leg == exchange->leg ? exchange->hedge : exchange->leg);
	io_timer_stop(exchange_worker(exchange)->loop, &exchange->hedge_due);
	take_response(leg);
	if (!leg->is_hedge || exchange->hedging == EXCHANGE_HEDGE_WON)
		return;
	exchange->hedging = EXCHANGE_HEDGE_WON;
	counter_add(&dial_counters(&leg->dial)->hedges_won, 1);
}

void exchange_end_hedge(struct exchange *exchange)
{
	io_timer_stop(exchange_worker(exchange)->loop, &exchange->hedge_due);
	if (exchange->hedge)
		exchange_give_way(exchange->hedge);
}
