// SPDX-License-Identifier: Apache-2.0
/*
 * Chains: filters in their order, and an exchange's way through them. chain_build.c makes them.
 *
 *   next      the filter whose on_request_head comes next
 *   entered   filters that have seen the request's head: those that see the answer and the end
 */
#include "filter/filter_internal.h"

#include <assert.h>

static const struct filter *filter_at(const struct filter_exchange *exchange, uint32_t at)
{
	return exchange->chain->filters[at];
}

struct filter_exchange *filter_exchange_new(const struct filter_chain *chain, struct arena *arena)
{
	struct filter_exchange *exchange;
	char *own;

	exchange = arena_alloc(arena, filter_own_offset(chain) + chain->exchange_size);
	if (!exchange)
		return NULL;
	exchange->chain = chain;
	exchange->arena = arena;
	exchange->max_request_body = UINT64_MAX;
	own = (char *)exchange + filter_own_offset(chain);
	for (uint32_t i = 0; i < chain->count; i++) {
		exchange->own[i] = own;
		own += filter_round_up(filter_at(exchange, i)->kind->exchange_size);
	}
	return exchange;
}

/* --- The request ---------------------------------------------------------------- */

enum filter_verdict filter_chain_on_request_head(struct filter_exchange *exchange)
{
	while (exchange->next < exchange->chain->count) {
		uint32_t at = exchange->next++;
		const struct filter *filter = filter_at(exchange, at);
		enum filter_verdict verdict = FILTER_CONTINUE;

		exchange->entered = exchange->next;
		if (filter->kind->on_request_head)
			verdict = filter->kind->on_request_head(filter, exchange,
								exchange->own[at]);
		if (verdict == FILTER_CONTINUE)
			continue;
		exchange->is_waiting = verdict == FILTER_WAIT;
		exchange->answered_by = config_filter_name(filter->kind->id);
		return verdict;
	}
	return FILTER_CONTINUE;
}

void filter_resume(struct filter_exchange *exchange, enum filter_verdict verdict)
{
	assert(exchange->is_waiting && !exchange->is_ended);
	exchange->is_waiting = false;
	if (verdict == FILTER_CONTINUE)
		verdict = filter_chain_on_request_head(exchange);
	if (verdict != FILTER_WAIT)
		exchange->host->on_resumed(exchange, verdict);
}

enum filter_verdict filter_chain_on_request_body(struct filter_exchange *exchange,
						 struct slice bytes, enum filter_phase phase)
{
	for (uint32_t at = 0; at < exchange->entered; at++) {
		const struct filter *filter = filter_at(exchange, at);
		enum filter_verdict verdict;

		if (!(exchange->request_watchers >> at & 1))
			continue;
		verdict = filter->kind->on_request_body(filter, exchange, exchange->own[at], bytes,
							phase);
		if (verdict == FILTER_CONTINUE)
			continue;
		exchange->answered_by = config_filter_name(filter->kind->id);
		return verdict;
	}
	return FILTER_CONTINUE;
}

/* --- The response --------------------------------------------------------------- */

enum filter_verdict filter_chain_on_response_head(struct filter_exchange *exchange)
{
	enum filter_verdict verdict = FILTER_CONTINUE;

	for (uint32_t at = exchange->entered; at-- > 0;) {
		const struct filter *filter = filter_at(exchange, at);

		if (!filter->kind->on_response_head ||
		    filter->kind->on_response_head(filter, exchange, exchange->own[at]) !=
			    FILTER_ANSWER)
			continue;
		exchange->answered_by = config_filter_name(filter->kind->id);
		verdict = FILTER_ANSWER;
	}
	return verdict;
}

/* The place in the chain that bytes have come to; they go towards the client. */
struct filter_output {
	struct filter_exchange *exchange;
	uint32_t at; /* filters below it are still to come */
	filter_sink *sink;
	void *context;
};

static int pass(const struct filter_output *from, struct slice bytes, enum filter_phase phase)
{
	struct filter_exchange *exchange = from->exchange;
	struct filter_output next = *from;
	uint32_t bits = exchange->response_watchers | exchange->replacers;

	while (next.at > 0) {
		const struct filter *filter = filter_at(exchange, --next.at);
		int err;

		if (!(bits >> next.at & 1))
			continue;
		err = filter->kind->on_response_body(filter, exchange, exchange->own[next.at],
						     bytes, phase, &next);
		if (err < 0)
			return err;
		/* What it made of the bytes has gone on; the phase does too. */
		if (exchange->replacers >> next.at & 1)
			bytes = (struct slice){};
		if (bytes.len == 0 && phase == FILTER_MORE)
			return 0;
	}
	return bytes.len && exchange->replacers ? next.sink(next.context, bytes) : 0;
}

int filter_output(struct filter_output *output, struct slice bytes)
{
	return bytes.len ? pass(output, bytes, FILTER_MORE) : 0;
}

int filter_chain_on_response_body(struct filter_exchange *exchange, struct slice bytes,
				  enum filter_phase phase, filter_sink *sink, void *context)
{
	const struct filter_output output = {
		.exchange = exchange,
		.at = exchange->entered,
		.sink = sink,
		.context = context,
	};

	return pass(&output, bytes, phase);
}

/* --- Trailers -------------------------------------------------------------------- */

void filter_chain_on_request_trailer(const struct filter_exchange *exchange,
				     struct http_fields *trailer)
{
	for (uint32_t at = 0; at < exchange->entered; at++) {
		const struct filter *filter = filter_at(exchange, at);

		if (filter->kind->on_request_trailer)
			filter->kind->on_request_trailer(filter, trailer);
	}
}

void filter_chain_on_response_trailer(const struct filter_exchange *exchange,
				      struct http_fields *trailer)
{
	for (uint32_t at = exchange->entered; at-- > 0;) {
		const struct filter *filter = filter_at(exchange, at);

		if (filter->kind->on_response_trailer)
			filter->kind->on_response_trailer(filter, trailer);
	}
}

const char *filter_chain_detail(const struct filter_exchange *exchange)
{
	return exchange->detail ? exchange->detail : exchange->answered_by;
}

/* --- The end -------------------------------------------------------------------- */

void filter_chain_on_end(struct filter_exchange *exchange)
{
	if (!exchange || exchange->is_ended)
		return;
	exchange->is_ended = true;
	for (uint32_t at = 0; at < exchange->entered; at++) {
		const struct filter *filter = filter_at(exchange, at);

		if (filter->kind->on_end)
			filter->kind->on_end(filter, exchange, exchange->own[at]);
	}
}

/* --- What hooks call ------------------------------------------------------------ */

static uint32_t bit_of(const struct filter_exchange *exchange, const struct filter *filter)
{
	for (uint32_t at = 0; at < exchange->entered; at++)
		if (filter_at(exchange, at) == filter)
			return 1u << at;
	assert(!"a filter of another chain");
	return 0;
}

void filter_watch_request(struct filter_exchange *exchange, const struct filter *filter)
{
	exchange->request_watchers |= bit_of(exchange, filter);
}

void filter_watch_response(struct filter_exchange *exchange, const struct filter *filter)
{
	exchange->response_watchers |= bit_of(exchange, filter);
}

void filter_replace_response(struct filter_exchange *exchange, const struct filter *filter)
{
	exchange->replacers |= bit_of(exchange, filter);
	http_fields_remove(&exchange->response->fields, HTTP_FIELD_CONTENT_LENGTH);
	http_fields_remove(&exchange->response->fields, HTTP_FIELD_ACCEPT_RANGES);
}

enum filter_verdict filter_answer(struct filter_exchange *exchange, unsigned status)
{
	http_fields_clear(&exchange->response->fields);
	*exchange->response = (struct http_response){
		.status = (uint16_t)status,
		.fields = exchange->response->fields,
	};
	exchange->body = (struct slice){};
	exchange->is_own = true;
	exchange->response_watchers = exchange->replacers = 0;
	return FILTER_ANSWER;
}

int filter_render(struct filter_exchange *exchange, const struct template *template,
		  struct slice *ret)
{
	return template_render(template, exchange->arena, exchange->host->value_of, exchange, ret);
}
