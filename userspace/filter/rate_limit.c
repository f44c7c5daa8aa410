// SPDX-License-Identifier: Apache-2.0
/*
 * The filter rate_limit: so many requests of one key in a time. buckets.c counts.
 * Source: draft-ietf-httpapi-ratelimit-headers-10 for the fields.
 */
#include "filter/buckets.h"
#include "filter/filter_internal.h"

#include <errno.h>

#define NS_PER_MS     1000000ull
#define NS_PER_SECOND 1000000000ull
/* A day for each of so many is still within 64 bits of nanoseconds. */
#define BURST_MAX 100000

struct rate_limit {
	struct filter filter;
	const struct filter_events *events;
	struct bucket_rate rate, offence_rate;
	struct buckets *buckets;
	struct buckets *offences; /* NULL: nobody is banned */
	struct arena arena;
	struct slice policy; /* the value of RateLimit-Policy */
};

/* Of an exchange that was counted. */
struct counted {
	struct bucket_state state;
	bool is_counted, is_refused;
};

static uint64_t whole_seconds(uint64_t ns)
{
	return (ns + NS_PER_SECOND - 1) / NS_PER_SECOND;
}

/* Refusals have a bucket as well: who empties it goes on although he was told. */
static uint64_t ban_of(const struct rate_limit *limit, struct slice key, uint64_t now_ns)
{
	const struct config_rate_limit *config = &limit->filter.config->rate_limit;

	if (!limit->offences || config->is_dry_run)
		return 0;
	return buckets_take(limit->offences, key, &limit->offence_rate, now_ns).wait_ns
		       ? config->ban_ms
		       : 0;
}

static void tell_offender(const struct rate_limit *limit, const struct filter_exchange *exchange,
			  struct slice key, uint64_t now_ns)
{
	uint64_t ban_ms = ban_of(limit, key, now_ns);

	if (limit->events)
		limit->events->on_offender(limit->events->context, "rate_limit", exchange->client,
					   ban_ms);
}

static enum filter_verdict on_request_head(const struct filter *filter,
					   struct filter_exchange *exchange, void *own)
{
	const struct rate_limit *limit = (const struct rate_limit *)filter;
	const struct config_rate_limit *config = &filter->config->rate_limit;
	uint64_t now_ns = exchange->host->now_ms(exchange) * NS_PER_MS;
	struct counted *counted = own;
	struct slice key;

	if (filter_render(exchange, &config->key, &key) < 0)
		return filter_answer(exchange, 503);
	counted->state = buckets_take(limit->buckets, key, &limit->rate, now_ns);
	counted->is_counted = true;
	if (!counted->state.wait_ns)
		return FILTER_CONTINUE;
	tell_offender(limit, exchange, key, now_ns);
	if (config->is_dry_run) {
		exchange->detail = "rate_limit: dry run";
		return FILTER_CONTINUE;
	}
	counted->is_refused = true;
	return filter_answer(exchange, config->status);
}

static int add_text(struct http_fields *fields, enum http_field_id id, const char *text)
{
	return text ? http_fields_add_id(fields, id, slice_from_str(text)) : -ENOMEM;
}

static int add_fields(const struct rate_limit *limit, struct filter_exchange *exchange,
		      const struct bucket_state *state)
{
	struct http_fields *fields = &exchange->response->fields;
	int err = http_fields_add_id(fields, HTTP_FIELD_RATELIMIT_POLICY, limit->policy);

	if (err)
		return err;
	return add_text(fields, HTTP_FIELD_RATELIMIT,
			arena_printf(exchange->arena, "\"%s\";r=%u;t=%llu",
				     limit->filter.config->rate_limit.name, state->remaining,
				     (unsigned long long)whole_seconds(
					     state->wait_ns ? state->wait_ns : state->full_ns)));
}

static enum filter_verdict on_response_head(const struct filter *filter,
					    struct filter_exchange *exchange, void *own)
{
	const struct rate_limit *limit = (const struct rate_limit *)filter;
	const struct config_rate_limit *config = &filter->config->rate_limit;
	const struct counted *counted = own;
	int err = 0;

	if (!counted->is_counted)
		return FILTER_CONTINUE;
	if (counted->is_refused)
		err = add_text(
			&exchange->response->fields, HTTP_FIELD_RETRY_AFTER,
			arena_printf(exchange->arena, "%llu",
				     (unsigned long long)whole_seconds(counted->state.wait_ns)));
	if (!err && config->has_fields && !config->is_dry_run)
		err = add_fields(limit, exchange, &counted->state);
	return err ? filter_answer(exchange, 503) : FILTER_CONTINUE;
}

/* Whether buckets of the one are good for the other. */
static bool is_same(const struct config_filter *a, const struct config_filter *b)
{
	const struct config_rate_limit *x = &a->rate_limit, *y = &b->rate_limit;

	return strcmp(x->name, y->name) == 0 && template_equal(&x->key, &y->key) &&
	       x->requests == y->requests && x->per_ms == y->per_ms && x->burst == y->burst &&
	       x->max_keys == y->max_keys;
}

/* Those of the filter before a reload, or new ones. */
static struct buckets *take_buckets(struct buckets *before, uint32_t keys)
{
	return before ? buckets_ref(before) : buckets_new(keys);
}

static struct buckets *take_offences(const struct rate_limit *before,
				     const struct config_rate_limit *config)
{
	bool is_kept = before && before->filter.config->rate_limit.ban_after == config->ban_after;

	return take_buckets(is_kept ? before->offences : NULL, config->max_keys);
}

static int build(struct filter *filter, const struct filter_setup *setup)
{
	struct rate_limit *limit = (struct rate_limit *)filter;
	const struct rate_limit *before = (const struct rate_limit *)setup->before;
	const struct config_rate_limit *config = &filter->config->rate_limit;
	uint64_t per_ns = config->per_ms * NS_PER_MS;
	char *policy;

	limit->events = setup->events;
	limit->rate.interval_ns = per_ns / config->requests ? per_ns / config->requests : 1;
	limit->rate.burst = config->burst ? config->burst : config->requests;
	if (limit->rate.burst > BURST_MAX)
		limit->rate.burst = BURST_MAX;
	limit->buckets = take_buckets(before ? before->buckets : NULL, config->max_keys);
	limit->offence_rate.interval_ns = per_ns;
	limit->offence_rate.burst = config->ban_after;
	if (config->ban_ms)
		limit->offences = take_offences(before, config);
	policy = arena_printf(
		&limit->arena, "\"%s\";q=%u;w=%llu", config->name, limit->rate.burst,
		(unsigned long long)whole_seconds(limit->rate.interval_ns * limit->rate.burst));
	if (!limit->buckets || !policy || (config->ban_ms && !limit->offences))
		return -ENOMEM;
	limit->policy = slice_from_str(policy);
	return 0;
}

static void done(struct filter *filter)
{
	struct rate_limit *limit = (struct rate_limit *)filter;

	buckets_unref(limit->buckets);
	buckets_unref(limit->offences);
	arena_done(&limit->arena);
}

const struct filter_kind filter_rate_limit = {
	.id = CONFIG_FILTER_RATE_LIMIT,
	.size = sizeof(struct rate_limit),
	.exchange_size = sizeof(struct counted),
	.build = build,
	.done = done,
	.is_same = is_same,
	.on_request_head = on_request_head,
	.on_response_head = on_response_head,
};
