// SPDX-License-Identifier: Apache-2.0
/* Picks, reports and queues of one thread, on a loop that is replaced by a clock of our own. */
#include "view_fixture.h"

#include <string.h>

/* --- The set-up -------------------------------------------------------------------- */

#define ENDPOINTS 4

static int set_up(void **state)
{
	(void)state;
	endpoints[0] = fixture_endpoint("192.0.2.1:80");
	endpoints[1] = fixture_endpoint("192.0.2.2:80");
	endpoints[2] = fixture_endpoint("192.0.2.3:80");
	endpoints[3] = fixture_endpoint("192.0.2.4:80");
	configure(ENDPOINTS);
	return 0;
}

static int pick_without(struct endpoint *const *tried, size_t ntried)
{
	return pick_by(&(struct pool_request){.tried = tried, .ntried = ntried});
}

static int pick(void)
{
	return pick_without(NULL, 0);
}

static void give_back(size_t index)
{
	pool_view_release(view, find(index));
}

/* Picks @n times and gives back, counting. */
static void count_picks(unsigned n, unsigned counts[ENDPOINTS])
{
	memset(counts, 0, ENDPOINTS * sizeof(counts[0]));
	for (unsigned i = 0; i < n; i++) {
		int index = pick();

		assert_in_range(index, 0, ENDPOINTS - 1);
		counts[index]++;
		give_back((size_t)index);
	}
}

/* --- Picking ------------------------------------------------------------------------ */

static void weights_decide_the_shares(void **state)
{
	unsigned counts[ENDPOINTS];

	(void)state;
	endpoints[0].weight = 5;
	endpoints[3].weight = 0;
	start(NULL);
	count_picks(70, counts);
	assert_int_equal(counts[0], 50);
	assert_int_equal(counts[1], 10);
	assert_int_equal(counts[2], 10);
	assert_int_equal(counts[3], 0);
}

static void lowest_tier_with_an_available_endpoint_serves(void **state)
{
	unsigned counts[ENDPOINTS];

	(void)state;
	endpoints[0].tier = endpoints[1].tier = 1;
	endpoints[2].tier = 2;
	endpoints[3].tier = 7;
	start(NULL);
	count_picks(10, counts);
	assert_int_equal(counts[0] + counts[1], 10);
	atomic_store(&find(0)->admin, ENDPOINT_MAINT);
	atomic_store(&find(1)->health, ENDPOINT_HEALTH_DOWN);
	pool_touch(pool);
	count_picks(10, counts);
	assert_int_equal(counts[2], 10);
}

static void our_zone_serves_while_it_can(void **state)
{
	unsigned counts[ENDPOINTS];

	(void)state;
	endpoints[0].zone = "b";
	endpoints[1].zone = endpoints[2].zone = "a";
	start("a");
	count_picks(10, counts);
	assert_int_equal(counts[1] + counts[2], 10);
	atomic_store(&find(1)->admin, ENDPOINT_DRAIN);
	atomic_store(&find(2)->admin, ENDPOINT_DRAIN);
	pool_touch(pool);
	count_picks(10, counts);
	assert_int_equal(counts[0] + counts[3], 10);
}

static void nothing_changes_for_a_view_before_the_pool_is_touched(void **state)
{
	(void)state;
	config.nendpoints = 1;
	start(NULL);
	assert_int_equal(pick(), 0);
	atomic_store(&find(0)->admin, ENDPOINT_DRAIN);
	assert_int_equal(pick(), 0);
	pool_touch(pool);
	assert_int_equal(pick(), -EHOSTUNREACH);
	give_back(0);
	give_back(0);
}

static void retries_avoid_what_was_tried(void **state)
{
	struct endpoint *tried[ENDPOINTS];
	bool is_seen[ENDPOINTS] = {};

	(void)state;
	endpoints[3].tier = 1;
	start(NULL);
	for (size_t n = 0; n < ENDPOINTS; n++) {
		int index = pick_without(tried, n);

		assert_in_range(index, 0, ENDPOINTS - 1);
		assert_false(is_seen[index]);
		is_seen[index] = true;
		/* The backup comes when the first tier is through. */
		assert_int_equal(index == 3, n == 3);
		tried[n] = find((size_t)index);
		give_back((size_t)index);
	}
	/* All tried: once more in the first tier. */
	assert_in_range(pick_without(tried, ENDPOINTS), 0, 2);
	for (size_t i = 0; i < 3; i++)
		while (atomic_load(&find(i)->load.active) > 0)
			give_back(i);
}

/* Index of the endpoint that is picked for one request more beside those that were tried. */
static int pick_extra(struct endpoint *const *tried, size_t ntried)
{
	const struct pool_request request = {.tried = tried, .ntried = ntried, .is_extra = true};
	struct endpoint *endpoint;
	int err = pool_view_pick(view, &request, &endpoint);

	if (err)
		return err;
	for (int i = 0; i < ENDPOINTS; i++)
		if (endpoint == find((size_t)i))
			return i;
	return -ENOENT;
}

static void what_is_extra_takes_an_untried_endpoint_or_none(void **state)
{
	struct endpoint *tried[2];

	(void)state;
	endpoints[2].tier = endpoints[3].tier = 1;
	start(NULL);
	tried[0] = find(1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pick_extra(tried, 1), 0);
	tried[1] = find(0);
	/* The backups are for those who have no other. */
	assert_int_equal(pick_extra(tried, 2), -EBUSY);
	assert_int_equal(pick_without(tried, 2), 2);
	give_back(2);
	for (int i = 0; i < 3; i++)
		give_back(0);
}

static void what_is_extra_takes_no_full_endpoint(void **state)
{
	struct endpoint *tried[1];

	(void)state;
	config.nendpoints = 2;
	endpoints[0].max_connections = 1;
	start(NULL);
	tried[0] = find(1);
	assert_int_equal(pick_extra(tried, 1), 0);
	assert_int_equal(pick_extra(tried, 1), -EBUSY);
	give_back(0);
	assert_int_equal(pick_extra(tried, 1), 0);
	give_back(0);
}

static void same_client_gets_the_same_endpoint(void **state)
{
	static const enum config_balance balances[] = {CONFIG_BALANCE_MAGLEV,
						       CONFIG_BALANCE_SOURCE};

	(void)state;
	config.source_prefix_v4 = 24;
	for (size_t i = 0; i < ARRAY_SIZE(balances); i++) {
		struct address a = fixture_address("198.51.100.1:1000");
		struct address b = fixture_address("198.51.100.200:2000");
		struct pool_request request = {.client = &a};
		struct endpoint *first, *second;

		config.balance = balances[i];
		start(NULL);
		assert_int_equal(pool_view_pick(view, &request, &first), 0);
		request.client = &b;
		assert_int_equal(pool_view_pick(view, &request, &second), 0);
		assert_ptr_equal(first, second);
		pool_view_release(view, first);
		pool_view_release(view, second);
		if (i + 1 < ARRAY_SIZE(balances))
			tear_down(NULL);
	}
}

static void wanted_endpoint_is_taken_while_it_can_be_had(void **state)
{
	struct endpoint *tried[1], *endpoint;
	struct pool_request request = {};

	(void)state;
	endpoints[3].tier = 1;
	endpoints[3].max_connections = 1;
	start(NULL);
	request.wanted = find(3)->id;
	assert_int_equal(pool_view_pick(view, &request, &endpoint), 0);
	assert_ptr_equal(endpoint, find(3));
	/* It is full now. */
	assert_int_equal(pool_view_pick(view, &request, &endpoint), 0);
	assert_ptr_not_equal(endpoint, find(3));
	pool_view_release(view, endpoint);
	give_back(3);
	/* It has just failed. */
	tried[0] = find(3);
	request.tried = tried;
	request.ntried = 1;
	assert_int_equal(pool_view_pick(view, &request, &endpoint), 0);
	assert_ptr_not_equal(endpoint, find(3));
	pool_view_release(view, endpoint);
	/* Nobody knows it. */
	request = (struct pool_request){.wanted = 1};
	assert_int_equal(pool_view_pick(view, &request, &endpoint), 0);
	pool_view_release(view, endpoint);
}

static void key_is_hashed_in_place_of_the_client(void **state)
{
	struct address client = fixture_address("198.51.100.1:1000");
	struct endpoint *first, *second;
	bool is_seen[ENDPOINTS] = {};

	(void)state;
	config.balance = CONFIG_BALANCE_MAGLEV;
	start(NULL);
	for (uint64_t key = 1; key < 200; key++) {
		struct pool_request request = {.client = &client, .key = key * 0x9e3779b97f4a7c15};

		assert_int_equal(pool_view_pick(view, &request, &first), 0);
		assert_int_equal(pool_view_pick(view, &request, &second), 0);
		assert_ptr_equal(first, second);
		for (size_t i = 0; i < ENDPOINTS; i++)
			is_seen[i] |= find(i) == first;
		pool_view_release(view, first);
		pool_view_release(view, second);
	}
	for (size_t i = 0; i < ENDPOINTS; i++)
		assert_true(is_seen[i]);
}

static void least_conn_sees_the_load_of_the_moment(void **state)
{
	(void)state;
	config.balance = CONFIG_BALANCE_LEAST_CONN;
	config.nendpoints = 2;
	start(NULL);
	atomic_store(&find(0)->load.active, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(pick(), 1);
	atomic_store(&find(1)->load.active, 9);
	assert_int_equal(pick(), 0);
	atomic_store(&find(0)->load.active, 0);
	atomic_store(&find(1)->load.active, 0);
	for (int i = 0; i < 6; i++)
		endpoint_unref(find(i < 5 ? 1 : 0));
}

static void slow_start_grows_in_sixteen_steps(void **state)
{
	unsigned counts[ENDPOINTS];

	(void)state;
	config.nendpoints = 2;
	config.slow_start_ms = 16000;
	start(NULL);
	atomic_store(&find(1)->up_since_ms, fake_now_ms);
	pool_touch(pool);
	count_picks(17, counts);
	assert_int_equal(counts[1], 1);
	/* From here on nobody touches the pool: time alone moves the weight. */
	fake_now_ms += 7000;
	count_picks(24, counts);
	assert_int_equal(counts[1], 8);
	fake_now_ms += 9000;
	count_picks(20, counts);
	assert_int_equal(counts[1], 10);
}

static void failures_eject_and_time_brings_back(void **state)
{
	unsigned counts[ENDPOINTS];

	(void)state;
	config.outlier.consecutive_failures = 2;
	start(NULL);
	pool_view_report_connect(view, find(0), -ECONNREFUSED, 0);
	pool_view_report_connect(view, find(0), -ETIMEDOUT, 0);
	count_picks(9, counts);
	assert_int_equal(counts[0], 0);
	fake_now_ms += config.outlier.base_ejection_ms;
	count_picks(8, counts);
	assert_int_equal(counts[0], 2);
}

/* Those that speak first have no answer to time, but they work. */
static void first_byte_ends_a_row_of_resets_whether_timed_or_not(void **state)
{
	(void)state;
	config.outlier.consecutive_failures = 2;
	start(NULL);
	pool_view_report_first_byte(view, find(0), 700);
	pool_view_report_reset(view, find(0));
	pool_view_report_first_byte(view, find(0), 0);
	pool_view_report_reset(view, find(0));
	assert_int_equal(find(0)->latency_us, 700);
	assert_int_equal(find(0)->ejected_until_ms, 0);
	pool_view_report_reset(view, find(0));
	assert_int_not_equal(find(0)->ejected_until_ms, 0);
}

static void our_own_troubles_eject_nobody(void **state)
{
	unsigned counts[ENDPOINTS];

	(void)state;
	config.outlier.consecutive_failures = 1;
	start(NULL);
	pool_view_report_connect(view, find(0), -EADDRNOTAVAIL, 0);
	pool_view_report_connect(view, find(0), -EMFILE, 0);
	count_picks(8, counts);
	assert_int_equal(counts[0], 2);
	assert_int_equal(counter_read(&find(0)->load.connect_failures), 2);
}

static void ejections_stop_at_the_share(void **state)
{
	unsigned counts[ENDPOINTS];

	(void)state;
	config.outlier.consecutive_failures = 1;
	start(NULL);
	for (size_t i = 0; i < ENDPOINTS; i++)
		pool_view_report_connect(view, find(i), -ECONNREFUSED, 0);
	count_picks(8, counts);
	assert_int_equal(counts[0] + counts[1], 0);
	assert_int_equal(counts[2] + counts[3], 8);
}

/* --- Waiting ------------------------------------------------------------------------ */

struct visitor {
	struct pool_waiter waiter;
	int status, picked;
	bool is_done;
};

static unsigned turns;

static void on_turn(struct pool_waiter *waiter, int status)
{
	struct visitor *visitor = container_of(waiter, struct visitor, waiter);

	turns++;
	visitor->is_done = true;
	visitor->status = status;
	if (status == 0)
		visitor->picked = pick();
}

static void start_full(void)
{
	config.nendpoints = 1;
	endpoints[0].max_connections = 1;
	start(NULL);
	turns = 0;
	assert_int_equal(pick(), 0);
	assert_int_equal(pick(), -EBUSY);
}

static void freed_connection_goes_to_who_came_first(void **state)
{
	struct visitor first = {.waiter.on_turn = on_turn}, second = first;

	(void)state;
	start_full();
	assert_int_equal(pool_view_wait(view, &first.waiter), 0);
	assert_int_equal(pool_view_wait(view, &second.waiter), 0);
	assert_int_equal(pool_waiting(pool), 2);
	give_back(0);
	assert_int_equal(turns, 0);
	/* A newcomer does not overtake. */
	assert_int_equal(pick(), -EBUSY);
	deliver();
	assert_true(first.is_done);
	assert_int_equal(first.picked, 0);
	assert_false(second.is_done);
	give_back(0);
	deliver();
	assert_true(second.is_done);
	assert_int_equal(second.picked, 0);
	assert_int_equal(pool_waiting(pool), 0);
	give_back(0);
}

static void connection_freed_before_queueing_is_not_missed(void **state)
{
	struct visitor visitor = {.waiter.on_turn = on_turn};

	(void)state;
	start_full();
	give_back(0);
	assert_int_equal(pool_view_wait(view, &visitor.waiter), 0);
	deliver();
	assert_true(visitor.is_done);
	assert_int_equal(visitor.picked, 0);
	give_back(0);
}

static void queue_is_bounded(void **state)
{
	struct visitor visitors[5] = {};

	(void)state;
	start_full();
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pool_view_wait(view, &visitors[i].waiter), 0);
	assert_int_equal(pool_view_wait(view, &visitors[4].waiter), -ENOBUFS);
	for (size_t i = 0; i < 5; i++) {
		pool_view_cancel_wait(&visitors[i].waiter);
		pool_view_cancel_wait(&visitors[i].waiter);
	}
	assert_int_equal(pool_waiting(pool), 0);
	give_back(0);
}

static void waiting_ends_with_the_timeout(void **state)
{
	struct visitor visitor = {.waiter.on_turn = on_turn};

	(void)state;
	start_full();
	assert_int_equal(pool_view_wait(view, &visitor.waiter), 0);
	assert_int_equal(visitor.waiter.timer.expires_ms, fake_now_ms + config.queue_timeout_ms);
	visitor.waiter.timer.on_expire(&visitor.waiter.timer);
	assert_int_equal(visitor.status, -ETIMEDOUT);
	assert_int_equal(pool_waiting(pool), 0);
	give_back(0);
}

static void waiting_again_does_not_lengthen_the_timeout(void **state)
{
	struct visitor visitor = {.waiter.on_turn = on_turn};
	uint64_t deadline_ms;

	(void)state;
	start_full();
	deadline_ms = fake_now_ms + config.queue_timeout_ms;
	assert_int_equal(pool_view_wait(view, &visitor.waiter), 0);
	pool_view_cancel_wait(&visitor.waiter);
	fake_now_ms += 100;
	assert_int_equal(pool_view_wait(view, &visitor.waiter), 0);
	assert_int_equal(visitor.waiter.timer.expires_ms, deadline_ms);
	pool_view_cancel_wait(&visitor.waiter);
	give_back(0);
}

static void touched_pool_lets_waiters_look_again(void **state)
{
	struct visitor visitor = {.waiter.on_turn = on_turn};

	(void)state;
	start_full();
	assert_int_equal(pool_view_wait(view, &visitor.waiter), 0);
	atomic_store(&find(0)->health, ENDPOINT_HEALTH_DOWN);
	pool_touch(pool);
	deliver();
	assert_int_equal(visitor.picked, -EHOSTUNREACH);
	give_back(0);
}

static void kick_that_finds_nobody_goes_on_to_another_worker(void **state)
{
	struct visitor here = {.waiter.on_turn = on_turn};
	struct visitor there = {.waiter.on_turn = on_turn};
	struct pool_view *other;
	struct pool_view *mine;

	(void)state;
	start_full();
	mine = view;
	other = pool_view_new(pool, NULL);
	assert_int_equal(pool_view_wait(mine, &here.waiter), 0);
	assert_int_equal(pool_view_wait(other, &there.waiter), 0);
	give_back(0);
	pool_view_cancel_wait(&here.waiter);
	view = other;
	deliver();
	assert_true(there.is_done);
	assert_int_equal(there.picked, 0);
	give_back(0);
	view = mine;
	pool_view_free(other);
}

static void view_freed_under_way_of_a_kick_is_freed_later(void **state)
{
	struct visitor visitor = {.waiter.on_turn = on_turn};

	(void)state;
	start_full();
	assert_int_equal(pool_view_wait(view, &visitor.waiter), 0);
	give_back(0);
	pool_view_cancel_wait(&visitor.waiter);
	assert_int_equal(nposted, 1);
	/* tear_down() frees first and delivers then: the leak checker has the verdict. */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(weights_decide_the_shares),
		TEST(lowest_tier_with_an_available_endpoint_serves),
		TEST(our_zone_serves_while_it_can),
		TEST(nothing_changes_for_a_view_before_the_pool_is_touched),
		TEST(retries_avoid_what_was_tried),
		TEST(what_is_extra_takes_an_untried_endpoint_or_none),
		TEST(what_is_extra_takes_no_full_endpoint),
		TEST(same_client_gets_the_same_endpoint),
		TEST(wanted_endpoint_is_taken_while_it_can_be_had),
		TEST(key_is_hashed_in_place_of_the_client),
		TEST(least_conn_sees_the_load_of_the_moment),
		TEST(slow_start_grows_in_sixteen_steps),
		TEST(failures_eject_and_time_brings_back),
		TEST(first_byte_ends_a_row_of_resets_whether_timed_or_not),
		TEST(our_own_troubles_eject_nobody),
		TEST(ejections_stop_at_the_share),
		TEST(freed_connection_goes_to_who_came_first),
		TEST(connection_freed_before_queueing_is_not_missed),
		TEST(queue_is_bounded),
		TEST(waiting_ends_with_the_timeout),
		TEST(waiting_again_does_not_lengthen_the_timeout),
		TEST(touched_pool_lets_waiters_look_again),
		TEST(kick_that_finds_nobody_goes_on_to_another_worker),
		TEST(view_freed_under_way_of_a_kick_is_freed_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
