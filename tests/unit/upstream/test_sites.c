// SPDX-License-Identifier: Apache-2.0
/* Picks of a pool that goes by places: which site serves a client, and who follows it. */
#include "view_fixture.h"

#include <string.h>

/* Two in Frankfurt, one in New York, one in Sydney, one anywhere. */
#define ENDPOINTS 5

static const struct earth_point frankfurt = {50.11, 8.68}, new_york = {40.71, -74.01},
				sydney = {-33.87, 151.21};
static const struct earth_point berlin = {52.52, 13.40}, boston = {42.36, -71.06},
				samoa = {-13.83, -171.77};

static struct config_endpoint endpoint_at(const char *address, const struct earth_point *location)
{
	struct config_endpoint endpoint = fixture_endpoint(address);

	endpoint.has_location = true;
	endpoint.location = *location;
	return endpoint;
}

static int set_up(void **state)
{
	(void)state;
	endpoints[0] = endpoint_at("192.0.2.1:80", &frankfurt);
	endpoints[1] = endpoint_at("192.0.2.2:80", &frankfurt);
	endpoints[2] = endpoint_at("192.0.2.3:80", &new_york);
	endpoints[3] = endpoint_at("192.0.2.4:80", &sydney);
	endpoints[4] = fixture_endpoint("192.0.2.5:80");
	configure(ENDPOINTS);
	config.is_nearest = true;
	return 0;
}

static int pick(const struct earth_point *place)
{
	return pick_by(&(struct pool_request){.place = place});
}

static void give_back(int index)
{
	assert_in_range(index, 0, ENDPOINTS - 1);
	pool_view_release(view, find((size_t)index));
}

static int serve(const struct earth_point *place)
{
	int index = pick(place);

	if (index >= 0)
		give_back(index);
	return index;
}

static void count(const struct earth_point *place, unsigned n, unsigned counts[ENDPOINTS])
{
	memset(counts, 0, ENDPOINTS * sizeof(counts[0]));
	for (unsigned i = 0; i < n; i++)
		counts[serve(place)]++;
}

static void drain(size_t index)
{
	atomic_store(&find(index)->admin, ENDPOINT_DRAIN);
	pool_touch(pool);
}

static bool is_in_frankfurt(int index)
{
	return index == 0 || index == 1;
}

/* --- Picking ------------------------------------------------------------------------ */

static void nearest_site_serves(void **state)
{
	(void)state;
	start(NULL);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(is_in_frankfurt(serve(&berlin)));
		assert_int_equal(serve(&boston), 2);
		assert_int_equal(serve(&samoa), 3); /* beyond the date line */
	}
}

struct sum {
	uint64_t picks[POOL_NEARNESS_COUNT];
	const struct pool_place *wanted;
	size_t nplaces;
};

static void add_place(const struct pool_place *place, void *context)
{
	struct sum *sum = context;

	sum->nplaces++;
	if (place->is_known != sum->wanted->is_known ||
	    (place->is_known && place->point.latitude != sum->wanted->point.latitude))
		return;
	memcpy(sum->picks, place->picks, sizeof(sum->picks));
}

static void assert_picks(const struct pool *of, const struct earth_point *point, uint64_t nearest,
			 uint64_t further, uint64_t unknown)
{
	const struct pool_place wanted = {.is_known = point,
					  .point = point ? *point : (struct earth_point){}};
	struct sum sum = {.wanted = &wanted};

	pool_for_each_place(of, add_place, &sum);
	assert_int_equal(sum.nplaces, 4); /* three, and that of who has none */
	assert_int_equal(sum.picks[POOL_NEAREST], nearest);
	assert_int_equal(sum.picks[POOL_FURTHER], further);
	assert_int_equal(sum.picks[POOL_UNKNOWN], unknown);
}

static void picks_are_counted_by_place(void **state)
{
	struct pool *next;

	(void)state;
	start(NULL);
	for (unsigned i = 0; i < 3; i++)
		serve(&berlin);
	serve(&boston);
	drain(0);
	drain(1);
	serve(&berlin);
	drain(3);
	drain(4);
	serve(NULL);
	assert_picks(pool, &frankfurt, 3, 0, 0);
	assert_picks(pool, &new_york, 1, 1, 1);
	assert_picks(pool, NULL, 0, 0, 0);
	drain(2);
	atomic_store(&find(4)->admin, ENDPOINT_READY);
	pool_touch(pool);
	serve(&boston);
	assert_picks(pool, NULL, 0, 1, 0);
	next = pool_new(&config, NULL, pool);
	assert_picks(next, &frankfurt, 3, 0, 0);
	assert_picks(next, &new_york, 1, 1, 1);
	pool_unref(next);
}

static void next_nearest_follows_where_a_site_has_none(void **state)
{
	(void)state;
	start(NULL);
	drain(0);
	assert_int_equal(serve(&berlin), 1);
	atomic_store(&find(1)->health, ENDPOINT_HEALTH_DOWN);
	pool_touch(pool);
	assert_int_equal(serve(&berlin), 2);
	drain(2);
	assert_int_equal(serve(&berlin), 3);
	assert_int_equal(serve(&boston), 3);
	drain(3);
	assert_int_equal(serve(&berlin), 4);
	drain(4);
	assert_int_equal(serve(&berlin), -EHOSTUNREACH);
	atomic_store(&find(1)->health, ENDPOINT_HEALTH_UP);
	pool_touch(pool);
	assert_int_equal(serve(&berlin), 1);
	assert_int_equal(serve(&samoa), 1);
}

static void ejected_endpoints_site_is_back_in_time(void **state)
{
	(void)state;
	config.outlier.consecutive_failures = 1;
	start(NULL);
	pool_view_report_connect(view, find(2), -ECONNREFUSED, 0);
	assert_true(is_in_frankfurt(serve(&boston)));
	fake_now_ms += config.outlier.base_ejection_ms;
	assert_int_equal(serve(&boston), 2);
}

static void unknown_client_goes_anywhere(void **state)
{
	unsigned counts[ENDPOINTS];

	(void)state;
	start(NULL);
	count(NULL, 50, counts);
	for (size_t i = 0; i < ENDPOINTS; i++)
		assert_int_equal(counts[i], 10);
}

static void locations_are_nothing_to_other_pools(void **state)
{
	unsigned counts[ENDPOINTS];

	(void)state;
	config.is_nearest = false;
	start(NULL);
	count(&berlin, 50, counts);
	for (size_t i = 0; i < ENDPOINTS; i++)
		assert_int_equal(counts[i], 10);
}

static void weights_decide_the_shares_within_a_site(void **state)
{
	unsigned counts[ENDPOINTS];

	(void)state;
	endpoints[0].weight = 3;
	endpoints[2].weight = 100;
	start(NULL);
	count(&berlin, 40, counts);
	assert_int_equal(counts[0], 30);
	assert_int_equal(counts[1], 10);
	/* The sites' turns are their own. */
	count(&boston, 7, counts);
	assert_int_equal(counts[2], 7);
}

static void new_endpoint_of_a_site_starts_slowly(void **state)
{
	unsigned counts[ENDPOINTS];

	(void)state;
	config.slow_start_ms = 16000;
	/* Only in a table of its site it is among the first. */
	endpoints[0].zone = endpoints[1].zone = "b";
	endpoints[2].zone = "a";
	start("a");
	atomic_store(&find(1)->up_since_ms, fake_now_ms);
	pool_touch(pool);
	count(&berlin, 17, counts);
	assert_int_equal(counts[1], 1);
	fake_now_ms += 16000;
	count(&berlin, 20, counts);
	assert_int_equal(counts[1], 10);
}

static void same_client_gets_the_same_endpoint_of_a_site(void **state)
{
	bool is_seen[ENDPOINTS] = {};

	(void)state;
	config.balance = CONFIG_BALANCE_MAGLEV;
	start(NULL);
	for (uint64_t key = 1; key < 50; key++) {
		struct pool_request request = {.place = &berlin, .key = key * 0x9e3779b97f4a7c15};
		int first = pick_by(&request), second = pick_by(&request);

		assert_true(is_in_frankfurt(first));
		assert_int_equal(first, second);
		is_seen[first] = true;
		give_back(first);
		give_back(second);
	}
	assert_true(is_seen[0] && is_seen[1]);
}

static void wanted_endpoint_goes_before_the_nearest(void **state)
{
	struct pool_request request = {.place = &berlin};

	(void)state;
	start(NULL);
	request.wanted = find(3)->id;
	assert_int_equal(pick_by(&request), 3);
	give_back(3);
}

/* --- Tiers and zones ---------------------------------------------------------------- */

static void tier_goes_before_distance(void **state)
{
	(void)state;
	endpoints[0].tier = endpoints[1].tier = endpoints[4].tier = 1;
	start(NULL);
	assert_int_equal(serve(&berlin), 2);
	drain(2);
	assert_int_equal(serve(&berlin), 3);
	drain(3);
	assert_true(is_in_frankfurt(serve(&berlin)));
}

static void retries_go_on_by_distance(void **state)
{
	struct endpoint *tried[ENDPOINTS];
	struct pool_request request = {.place = &boston, .tried = tried};
	int expected[] = {2, 0, 3, 4, 1}; /* the last one is a backup */

	(void)state;
	endpoints[1].tier = 1;
	start(NULL);
	for (size_t n = 0; n < ENDPOINTS; n++) {
		request.ntried = n;
		assert_int_equal(pick_by(&request), expected[n]);
		give_back(expected[n]);
		tried[n] = find((size_t)expected[n]);
	}
	/* All tried: the nearest once more. */
	request.ntried = ENDPOINTS;
	assert_int_equal(pick_by(&request), 2);
	give_back(2);
}

static void backups_are_tried_by_distance(void **state)
{
	struct endpoint *tried[1];
	struct pool_request request = {.place = &berlin, .tried = tried, .ntried = 1};

	(void)state;
	for (size_t i = 0; i < 4; i++)
		endpoints[i].tier = 1;
	start(NULL);
	tried[0] = find(4);
	atomic_store(&find(0)->load.active, 2);
	atomic_store(&find(1)->load.active, 1);
	assert_int_equal(pick_by(&request), 1);
	request.place = &samoa;
	assert_int_equal(pick_by(&request), 3);
	/* Without a place by load alone. */
	request.place = NULL;
	assert_int_equal(pick_by(&request), 2);
	atomic_store(&find(0)->load.active, 0);
	atomic_store(&find(1)->load.active, 1);
	for (int i = 1; i < 4; i++)
		give_back(i);
}

static void our_zone_serves_first_within_a_site(void **state)
{
	(void)state;
	endpoints[0].zone = endpoints[2].zone = "b";
	endpoints[1].zone = endpoints[3].zone = "a";
	endpoints[1].max_connections = 1;
	start("a");
	assert_int_equal(serve(&berlin), 1);
	assert_int_equal(pick(&berlin), 1);
	/* The rest of the site before the next one. */
	assert_int_equal(serve(&berlin), 0);
	assert_int_equal(serve(&boston), 2);
	give_back(1);
	drain(1);
	assert_int_equal(serve(&berlin), 0);
}

static void all_of_a_tier_is_tried_before_backups(void **state)
{
	struct endpoint *tried[1];
	struct pool_request request = {.place = &boston, .tried = tried, .ntried = 1};
	int first, second;

	(void)state;
	endpoints[2].tier = 1;
	endpoints[3].zone = "a";
	start("a");
	tried[0] = find(3);
	first = pick_by(&request);
	assert_true(is_in_frankfurt(first));
	request.place = NULL;
	second = pick_by(&request);
	assert_int_not_equal(second, 2);
	give_back(first);
	give_back(second);
}

static void unknown_client_waits_for_no_zone(void **state)
{
	(void)state;
	endpoints[3].zone = "a";
	endpoints[3].max_connections = 1;
	start("a");
	assert_int_equal(serve(NULL), 3);
	assert_int_equal(pick(NULL), 3);
	assert_int_not_equal(serve(NULL), 3);
	give_back(3);
}

/* --- Limits ------------------------------------------------------------------------- */

struct visitor {
	struct pool_waiter waiter;
	int picked;
};

static void on_turn(struct pool_waiter *waiter, int status)
{
	assert_int_equal(status, 0);
	container_of(waiter, struct visitor, waiter)->picked = pick(&berlin);
}

static void full_site_leaves_clients_to_the_next(void **state)
{
	struct visitor visitor = {.waiter.on_turn = on_turn, .picked = -EAGAIN};

	(void)state;
	for (size_t i = 0; i < ENDPOINTS; i++)
		endpoints[i].max_connections = 1;
	endpoints[4].zone = "a";
	start("a");
	assert_int_equal(pick(&samoa), 3);
	assert_int_equal(pick(&samoa), 2);
	assert_true(is_in_frankfurt(pick(&boston)));
	assert_true(is_in_frankfurt(pick(&boston)));
	assert_int_equal(pick(&berlin), 4);
	assert_int_equal(pick(&berlin), -EBUSY);
	assert_int_equal(pick(NULL), -EBUSY);
	assert_int_equal(pool_view_wait(view, &visitor.waiter), 0);
	/* Whoever has room first takes who waits, wherever that is. */
	give_back(3);
	deliver();
	assert_int_equal(visitor.picked, 3);
	for (int i = 0; i < ENDPOINTS; i++)
		give_back(i);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(nearest_site_serves),
		TEST(picks_are_counted_by_place),
		TEST(next_nearest_follows_where_a_site_has_none),
		TEST(ejected_endpoints_site_is_back_in_time),
		TEST(unknown_client_goes_anywhere),
		TEST(locations_are_nothing_to_other_pools),
		TEST(weights_decide_the_shares_within_a_site),
		TEST(new_endpoint_of_a_site_starts_slowly),
		TEST(same_client_gets_the_same_endpoint_of_a_site),
		TEST(wanted_endpoint_goes_before_the_nearest),
		TEST(tier_goes_before_distance),
		TEST(retries_go_on_by_distance),
		TEST(backups_are_tried_by_distance),
		TEST(our_zone_serves_first_within_a_site),
		TEST(all_of_a_tier_is_tried_before_backups),
		TEST(unknown_client_waits_for_no_zone),
		TEST(full_site_leaves_clients_to_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
