// SPDX-License-Identifier: Apache-2.0
/* The filter rate_limit and its buckets. */
#include "fake_exchange.h"
#include "filter/buckets.h"

#include <pthread.h>

#define SECOND 1000000000ull

/* --- Buckets ------------------------------------------------------------------------- */

static const struct slice key = {"key", 3};

static void a_bucket_gives_its_burst_and_then_its_rate(void **state)
{
	const struct bucket_rate rate = {.interval_ns = SECOND / 10, .burst = 3};
	struct buckets *buckets = buckets_new(16);
	struct bucket_state got;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		got = buckets_take(buckets, key, &rate, SECOND);
		assert_int_equal(got.wait_ns, 0);
		assert_int_equal(got.remaining, 2 - i);
	}
	got = buckets_take(buckets, key, &rate, SECOND);
	assert_int_equal(got.wait_ns, SECOND / 10);
	assert_int_equal(got.full_ns, 3 * SECOND / 10);
	got = buckets_take(buckets, key, &rate, SECOND + SECOND / 10 - 1);
	assert_int_equal(got.wait_ns, 1);
	got = buckets_take(buckets, key, &rate, SECOND + SECOND / 10);
	assert_int_equal(got.wait_ns, 0);
	got = buckets_take(buckets, key, &rate, SECOND + SECOND / 10);
	assert_true(got.wait_ns > 0);
	/* Full again, and no fuller than that. */
	got = buckets_take(buckets, key, &rate, 1000 * SECOND);
	assert_int_equal(got.remaining, 2);
	buckets_unref(buckets);
}

static void keys_are_counted_apart(void **state)
{
	const struct bucket_rate rate = {.interval_ns = SECOND, .burst = 1};
	struct buckets *buckets = buckets_new(1u << 20);

	(void)state;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 100; i++) {
			struct slice each = slice_of(&i, sizeof(i));

			assert_int_equal(buckets_take(buckets, each, &rate, SECOND).wait_ns != 0,
					 round);
		}
	buckets_unref(buckets);
}

static void a_full_table_forgets_who_is_nearest_to_full(void **state)
{
	const struct bucket_rate rate = {.interval_ns = SECOND, .burst = 100};
	struct buckets *buckets = buckets_new(1);

	(void)state;
	/* Four places: the busy one stays, whoever comes along. */
	for (int i = 0; i < 50; i++)
		buckets_take(buckets, key, &rate, SECOND);
	for (int i = 0; i < 1000; i++)
		buckets_take(buckets, slice_of(&i, sizeof(i)), &rate, SECOND);
	assert_int_equal(buckets_take(buckets, key, &rate, SECOND).remaining, 49);
	buckets_unref(buckets);
}

#define THREADS 4
#define TAKES   20000

struct taker {
	pthread_t thread;
	struct buckets *buckets;
	unsigned got;
};

static void *take_many(void *context)
{
	const struct bucket_rate rate = {.interval_ns = SECOND, .burst = THREADS * TAKES / 2};
	struct taker *taker = context;

	for (int i = 0; i < TAKES; i++)
		taker->got += buckets_take(taker->buckets, key, &rate, SECOND).wait_ns == 0;
	return NULL;
}

static void workers_share_a_bucket(void **state)
{
	struct buckets *buckets = buckets_new(16);
	struct taker takers[THREADS] = {};
	unsigned got = 0;

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		takers[i].buckets = buckets;
		assert_int_equal(pthread_create(&takers[i].thread, NULL, take_many, &takers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(takers[i].thread, NULL);
		got += takers[i].got;
	}
	assert_int_equal(got, THREADS * TAKES / 2);
	buckets_unref(buckets);
}

/* --- The filter ---------------------------------------------------------------------- */

#define ASK(fields) "GET /p HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define SAY         "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void requests_beyond_are_refused_and_told_when_to_come_back(void **state)
{
	struct fake_exchange fake;

	(void)state;
	fake_init(&fake, "[rate_limit: {requests: 2, per: 1m, name: api}]");
	assert_int_equal(fake_ask(&fake, ASK("")), FILTER_CONTINUE);
	fake_answer(&fake, SAY, HTTP_METHOD_GET);
	expect_field(&fake.response.fields, "RateLimit-Policy", "\"api\";q=2;w=60");
	expect_field(&fake.response.fields, "RateLimit", "\"api\";r=1;t=30");
	expect_field(&fake.response.fields, "Retry-After", NULL);
	assert_int_equal(fake_ask(&fake, ASK("")), FILTER_CONTINUE);
	assert_int_equal(fake_ask(&fake, ASK("")), FILTER_ANSWER);
	assert_int_equal(fake.response.status, 429);
	filter_chain_on_response_head(fake.exchange);
	expect_field(&fake.response.fields, "Retry-After", "30");
	expect_field(&fake.response.fields, "RateLimit", "\"api\";r=0;t=30");
	fake.now_ms += 29999;
	assert_int_equal(fake_ask(&fake, ASK("")), FILTER_ANSWER);
	filter_chain_on_response_head(fake.exchange);
	expect_field(&fake.response.fields, "Retry-After", "1");
	fake.now_ms += 1;
	assert_int_equal(fake_ask(&fake, ASK("")), FILTER_CONTINUE);
	fake_done(&fake);
}

static void the_key_says_who_is_counted_apart(void **state)
{
	struct fake_exchange fake;

	(void)state;
	fake_init(&fake, "[rate_limit: {requests: 1, key: '${header:X-Key}'}]");
	assert_int_equal(fake_ask(&fake, ASK("X-Key: a\r\n")), FILTER_CONTINUE);
	assert_int_equal(fake_ask(&fake, ASK("X-Key: b\r\n")), FILTER_CONTINUE);
	assert_int_equal(fake_ask(&fake, ASK("X-Key: a\r\n")), FILTER_ANSWER);
	/* To leave it out is no way around it. */
	assert_int_equal(fake_ask(&fake, ASK("")), FILTER_CONTINUE);
	assert_int_equal(fake_ask(&fake, ASK("")), FILTER_ANSWER);
	fake_done(&fake);
}

static void a_dry_run_refuses_nobody(void **state)
{
	struct fake_exchange fake;

	(void)state;
	fake_init(&fake, "[rate_limit: {requests: 1, dry_run: true}]");
	fake_ask(&fake, ASK(""));
	assert_null(filter_chain_detail(fake.exchange));
	assert_int_equal(fake_ask(&fake, ASK("")), FILTER_CONTINUE);
	assert_string_equal(filter_chain_detail(fake.exchange), "rate_limit: dry run");
	fake_answer(&fake, SAY, HTTP_METHOD_GET);
	expect_field(&fake.response.fields, "RateLimit", NULL);
	expect_field(&fake.response.fields, "Retry-After", NULL);
	fake_done(&fake);
}

struct told {
	unsigned refusals, bans;
};

static void note(void *context, const char *filter, const struct address *client, uint64_t ban_ms)
{
	struct told *told = context;
	struct address expected;

	assert_string_equal(filter, "rate_limit");
	assert_int_equal(address_parse_ip(slice_from_str("192.0.2.1"), 1234, &expected), 0);
	assert_true(address_equal(client, &expected));
	told->refusals++;
	if (ban_ms)
		assert_int_equal(ban_ms, 600000);
	told->bans += ban_ms > 0;
}

/* Asks @count times after the one request that is let through. Return: what was told. */
static struct told offend(const char *options, unsigned count, uint64_t pause_ms)
{
	struct told told = {};
	const struct filter_events events = {.on_offender = note, .context = &told};
	struct fake_exchange fake = {.now_ms = 1};

	assert_int_equal(address_parse_ip(slice_from_str("192.0.2.1"), 1234, &fake.client), 0);
	assert_int_equal(fake_build(&fake, options, &events), 0);
	fake_ask(&fake, ASK(""));
	assert_int_equal(told.refusals, 0);
	for (unsigned i = 0; i < count; i++) {
		fake_ask(&fake, ASK(""));
		fake.now_ms += pause_ms;
	}
	fake_done(&fake);
	return told;
}

static void offenders_are_told_of(void **state)
{
	struct told told = offend("[rate_limit: {requests: 1}]", 2, 0);

	(void)state;
	assert_int_equal(told.refusals, 2);
	assert_int_equal(told.bans, 0);
}

static void who_goes_on_is_to_be_banned(void **state)
{
	static const char options[] =
		"[rate_limit: {requests: 1, per: 1h, ban: 10m, ban_after: 3}]";
	static const char dry[] =
		"[rate_limit: {requests: 1, per: 1h, ban: 10m, ban_after: 3, dry_run: true}]";

	(void)state;
	assert_int_equal(offend(options, 3, 0).bans, 0);
	assert_int_equal(offend(options, 5, 0).bans, 2);
	assert_int_equal(offend(dry, 5, 0).bans, 0);
}

static void a_refusal_is_forgiven_in_each_time(void **state)
{
	struct told told = offend("[rate_limit: {requests: 10, per: 1s, burst: 1, ban: 10m, "
				  "ban_after: 1}]",
				  100, 50);

	(void)state;
	assert_in_range(told.refusals, 40, 60);
	assert_in_range(told.bans, 30, 55);
}

/* Asks once before and once after a reload. Return: whether the second is refused. */
static bool is_refused_after_reload(const char *before, const char *after)
{
	struct fake_exchange old, fake = {.now_ms = 1000000};
	enum filter_verdict verdict;

	fake_init(&old, before);
	assert_int_equal(fake_ask(&old, ASK("")), FILTER_CONTINUE);
	fake.previous = old.chain;
	assert_int_equal(fake_build(&fake, after, NULL), 0);
	verdict = fake_ask(&fake, ASK(""));
	fake_done(&old);
	/* What the old one had is not gone with it. */
	assert_int_equal(fake_ask(&fake, ASK("")), FILTER_ANSWER);
	fake_done(&fake);
	return verdict == FILTER_ANSWER;
}

#define LIMIT(options) "rate_limit: {requests: 1, per: 1h" options "}"

static void buckets_outlive_a_reload_if_they_fit(void **state)
{
	static const char plain[] = "[" LIMIT("") "]";
	static const char *const others[] = {
		"[" LIMIT(", name: other") "]",
		"[" LIMIT(", key: '${path}'") "]",
		"[" LIMIT(", max_keys: 1000") "]",
		"[rate_limit: {requests: 1, per: 2h}]",
		"[rate_limit: {requests: 1, per: 1h, burst: 1}]",
	};

	(void)state;
	assert_true(is_refused_after_reload(plain, plain));
	assert_true(is_refused_after_reload(plain, "[" LIMIT(", status: 503, fields: false") "]"));
	assert_true(is_refused_after_reload(plain, "[headers, " LIMIT("") "]"));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(is_refused_after_reload(plain, others[i]));
}

static void filters_that_are_the_same_keep_apart(void **state)
{
	struct fake_exchange old, fake = {.now_ms = 1000000};
	static const char two[] = "[rate_limit: {requests: 2, per: 1h, key: '${header:X-Key}'}, "
				  "rate_limit: {requests: 2, per: 1h, key: '${header:X-Key}'}]";

	(void)state;
	fake_init(&old, two);
	assert_int_equal(fake_ask(&old, ASK("")), FILTER_CONTINUE);
	fake.previous = old.chain;
	assert_int_equal(fake_build(&fake, two, NULL), 0);
	/* One bucket for both would be empty now. */
	assert_int_equal(fake_ask(&fake, ASK("")), FILTER_CONTINUE);
	assert_int_equal(fake_ask(&fake, ASK("")), FILTER_ANSWER);
	fake_done(&old);
	fake_done(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_gives_its_burst_and_then_its_rate),
		cmocka_unit_test(keys_are_counted_apart),
		cmocka_unit_test(a_full_table_forgets_who_is_nearest_to_full),
		cmocka_unit_test(workers_share_a_bucket),
		cmocka_unit_test(requests_beyond_are_refused_and_told_when_to_come_back),
		cmocka_unit_test(the_key_says_who_is_counted_apart),
		cmocka_unit_test(a_dry_run_refuses_nobody),
		cmocka_unit_test(buckets_outlive_a_reload_if_they_fit),
		cmocka_unit_test(filters_that_are_the_same_keep_apart),
		cmocka_unit_test(offenders_are_told_of),
		cmocka_unit_test(who_goes_on_is_to_be_banned),
		cmocka_unit_test(a_refusal_is_forgiven_in_each_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
