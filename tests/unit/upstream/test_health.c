// SPDX-License-Identifier: Apache-2.0
/* The schedule of checks and what results do; the probes, timers and the clock are the test's. */
#include "upstream/health.h"

#include "fastpath/dispatch_check.h"
#include "upstream/probe.h"
#include "upstream/upstream_internal.h"
#include "upstream_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static uint64_t fake_now_ms;
static struct io_timer *timer; /* of the one check */
static struct probe *probe;    /* in flight */
static int start_error;
static unsigned nprobes;

uint64_t __wrap_io_loop_now_ms(const struct io_loop *loop);
void __wrap_io_timer_start(struct io_loop *loop, struct io_timer *started, uint64_t delay_ms);
void __wrap_io_timer_stop(struct io_loop *loop, struct io_timer *stopped);
int __wrap_probe_start(struct probe *started, struct io_loop *loop);
void __wrap_probe_cancel(struct probe *cancelled);

uint64_t __wrap_io_loop_now_ms(const struct io_loop *loop)
{
	(void)loop;
	return fake_now_ms;
}

void __wrap_io_timer_start(struct io_loop *loop, struct io_timer *started, uint64_t delay_ms)
{
	(void)loop;
	started->expires_ms = fake_now_ms + delay_ms;
	timer = started;
}

void __wrap_io_timer_stop(struct io_loop *loop, struct io_timer *stopped)
{
	(void)loop;
	if (timer == stopped)
		timer = NULL;
}

int __wrap_probe_start(struct probe *started, struct io_loop *loop)
{
	(void)loop;
	nprobes++;
	if (!start_error)
		probe = started;
	return start_error;
}

void __wrap_probe_cancel(struct probe *cancelled)
{
	assert_ptr_equal(cancelled, probe);
}

static void answer(enum probe_verdict verdict)
{
	struct probe *answered = probe;

	assert_non_null(answered);
	probe = NULL;
	answered->on_done(answered, verdict, verdict == PROBE_PASSED ? "fine" : "broken");
}

/* Lets the check begin, and end with @verdict. */
static void end_check(enum probe_verdict verdict)
{
	struct io_timer *due = timer;

	assert_non_null(due);
	fake_now_ms = due->expires_ms;
	timer = NULL;
	due->on_expire(due);
	answer(verdict);
}

static void check(bool is_ok)
{
	end_check(is_ok ? PROBE_PASSED : PROBE_FAILED);
}

static struct config_endpoint endpoints[1];
static struct config_pool config;
static struct pool *pool;
static struct health *health;
static struct endpoint *endpoint;
static unsigned nchanges;

static void on_health_change(struct pool *changed, struct endpoint *of, bool is_up,
			     const char *reason, void *context)
{
	assert_ptr_equal(changed, pool);
	assert_ptr_equal(of, endpoint);
	assert_string_equal(reason, is_up ? "fine" : "broken");
	assert_ptr_equal(context, &nchanges);
	nchanges++;
}

static int set_up(void **state)
{
	(void)state;
	fake_now_ms = 1000000;
	start_error = 0;
	nprobes = nchanges = 0;
	timer = NULL;
	probe = NULL;
	endpoints[0] = fixture_endpoint("192.0.2.1:80");
	config = fixture_pool(endpoints, 1);
	config.health = (struct config_health_check){.kind = CONFIG_HEALTH_TCP,
						     .interval_ms = 2000,
						     .timeout_ms = 1000,
						     .jitter_percent = 10,
						     .rise = 2,
						     .fall = 3};
	pool = pool_new(&config, NULL, NULL);
	pool->events.on_health_change = on_health_change;
	pool->events.context = &nchanges;
	endpoint = pool_find(pool, "192.0.2.1:80");
	health = health_new(pool, NULL);
	assert_int_equal(health_sync(health), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	health_free(health);
	endpoint_unref(endpoint);
	pool_unref(pool);
	return 0;
}

static enum endpoint_health now_is(void)
{
	return (enum endpoint_health)atomic_load(&endpoint->health);
}

static void first_result_decides_by_itself(void **state)
{
	(void)state;
	assert_in_range(timer->expires_ms - fake_now_ms, 0, HEALTH_FIRST_SPREAD_MS);
	check(false);
	assert_int_equal(now_is(), ENDPOINT_HEALTH_DOWN);
	assert_int_equal(nchanges, 1);
}

static void unknown_to_up_is_no_news(void **state)
{
	(void)state;
	check(true);
	assert_int_equal(now_is(), ENDPOINT_HEALTH_UP);
	assert_int_equal(nchanges, 0);
}

static void fall_and_rise_count_results_in_a_row(void **state)
{
	static const struct {
		bool is_ok;
		enum endpoint_health expected;
	} steps[] = {
		{true, ENDPOINT_HEALTH_UP},    {false, ENDPOINT_HEALTH_UP},
		{false, ENDPOINT_HEALTH_UP},   {true, ENDPOINT_HEALTH_UP},
		{false, ENDPOINT_HEALTH_UP},   {false, ENDPOINT_HEALTH_UP},
		{false, ENDPOINT_HEALTH_DOWN}, {true, ENDPOINT_HEALTH_DOWN},
		{false, ENDPOINT_HEALTH_DOWN}, {true, ENDPOINT_HEALTH_DOWN},
		{true, ENDPOINT_HEALTH_UP},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		check(steps[i].is_ok);
		assert_int_equal(now_is(), steps[i].expected);
	}
	assert_int_equal(nchanges, 2);
	/* Back from being down: slow start counts from here. */
	assert_int_equal(atomic_load(&endpoint->up_since_ms), fake_now_ms);
}

static void change_moves_the_generation(void **state)
{
	uint32_t generation = atomic_load(&pool->generation);

	(void)state;
	check(true);
	assert_int_equal(atomic_load(&pool->generation), generation);
	for (unsigned i = 0; i < 3; i++)
		check(false);
	assert_int_equal(atomic_load(&pool->generation), generation + 1);
}

static void intervals_keep_within_the_jitter(void **state)
{
	uint64_t least = UINT64_MAX, most = 0;

	(void)state;
	check(true);
	for (unsigned i = 0; i < 500; i++) {
		uint64_t before_ms = fake_now_ms;

		check(true);
		least = fake_now_ms - before_ms < least ? fake_now_ms - before_ms : least;
		most = fake_now_ms - before_ms > most ? fake_now_ms - before_ms : most;
	}
	assert_in_range(least, 1800, 1850);
	assert_in_range(most, 2150, 2200);
}

static void long_probe_does_not_stretch_the_interval(void **state)
{
	uint64_t began_ms = timer->expires_ms;

	(void)state;
	fake_now_ms = began_ms;
	timer->on_expire(timer);
	fake_now_ms += 1000;
	answer(true);
	assert_in_range(timer->expires_ms, began_ms + 1800, began_ms + 2200);
}

static void maint_is_not_checked(void **state)
{
	(void)state;
	atomic_store(&endpoint->admin, ENDPOINT_MAINT);
	timer->on_expire(timer);
	assert_int_equal(nprobes, 0);
	assert_non_null(timer);
	atomic_store(&endpoint->admin, ENDPOINT_DRAIN);
	check(false);
	assert_int_equal(nprobes, 1);
}

static void check_that_cannot_begin_says_nothing(void **state)
{
	(void)state;
	start_error = -EMFILE;
	timer->on_expire(timer);
	assert_int_equal(nprobes, 1);
	assert_int_equal(now_is(), ENDPOINT_HEALTH_UNKNOWN);
	assert_non_null(timer);
}

static void check_without_memory_says_nothing(void **state)
{
	(void)state;
	end_check(PROBE_SAYS_NOTHING);
	assert_int_equal(now_is(), ENDPOINT_HEALTH_UNKNOWN);
	check(true);
	check(false);
	check(false);
	end_check(PROBE_SAYS_NOTHING);
	assert_int_equal(now_is(), ENDPOINT_HEALTH_UP);
	check(false); /* the third in a row */
	assert_int_equal(now_is(), ENDPOINT_HEALTH_DOWN);
}

static void unclear_checks_in_a_row_count_as_failed_in_the_end(void **state)
{
	(void)state;
	check(true);
	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < 4; j++)
			end_check(PROBE_UNCLEAR);
		end_check(PROBE_SAYS_NOTHING);
		assert_int_equal(now_is(), ENDPOINT_HEALTH_UP);
		check(true);
	}
	for (int i = 0; i < 6; i++)
		end_check(PROBE_UNCLEAR);
	assert_int_equal(now_is(), ENDPOINT_HEALTH_UP);
	end_check(PROBE_UNCLEAR); /* the third that counts */
	assert_int_equal(now_is(), ENDPOINT_HEALTH_DOWN);
}

static void on_stopped(struct health *stopped, void *context)
{
	assert_ptr_equal(stopped, health);
	*(bool *)context = true;
}

static void stop_waits_for_the_probe_in_flight(void **state)
{
	bool is_stopped = false;

	(void)state;
	timer->on_expire(timer);
	health_stop(health, on_stopped, &is_stopped);
	assert_false(is_stopped);
	answer(false);
	assert_true(is_stopped);
	assert_int_equal(now_is(), ENDPOINT_HEALTH_UNKNOWN);
}

/* --- By ways ------------------------------------------------------------------------ */

static void give_ways(void)
{
	struct dispatch_way ways[3] = {{.form = DISPATCH_IPIP}, {.form = DISPATCH_GUE}, {}};

	assert_int_equal(address_parse_ip(slice_from_str("198.51.100.1"), 0, &ways[0].service), 0);
	assert_int_equal(address_parse_ip(slice_from_str("2001:db8::1"), 0, &ways[1].service), 0);
	assert_int_equal(address_parse_ip(slice_from_str("198.51.100.2"), 0, &ways[2].service), 0);
	assert_int_equal(pool_set_ways(pool, NULL, ways, 3), 0);
}

static const char *service_of(const struct probe *of)
{
	static char text[ADDRESS_IP_SIZE];

	return of->way ? address_format_ip(&of->way->service, text) : "none";
}

static void begin(void)
{
	fake_now_ms = timer->expires_ms;
	timer->on_expire(timer);
}

static void each_way_of_the_endpoints_family_is_tried(void **state)
{
	(void)state;
	give_ways();
	begin();
	assert_string_equal(service_of(probe), "198.51.100.1");
	answer(true);
	assert_string_equal(service_of(probe), "198.51.100.2");
	assert_int_equal(now_is(), ENDPOINT_HEALTH_UNKNOWN);
	answer(true);
	assert_null(probe);
	assert_int_equal(now_is(), ENDPOINT_HEALTH_UP);
}

static void one_way_that_fails_is_enough(void **state)
{
	(void)state;
	give_ways();
	begin();
	answer(true);
	answer(false);
	assert_int_equal(now_is(), ENDPOINT_HEALTH_DOWN);
	begin();
	assert_string_equal(service_of(probe), "198.51.100.1");
	answer(false);
	assert_null(probe);
	assert_non_null(timer);
	assert_int_equal(nprobes, 3);
}

static void a_way_that_cannot_be_tried_says_nothing(void **state)
{
	(void)state;
	give_ways();
	begin();
	start_error = -EMFILE;
	timer = NULL;
	answer(true);
	assert_int_equal(now_is(), ENDPOINT_HEALTH_UNKNOWN);
	assert_non_null(timer);
	start_error = 0;
	begin();
	assert_string_equal(service_of(probe), "198.51.100.1");
	answer(true);
	answer(true);
	assert_int_equal(now_is(), ENDPOINT_HEALTH_UP);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(first_result_decides_by_itself),
		TEST(unknown_to_up_is_no_news),
		TEST(fall_and_rise_count_results_in_a_row),
		TEST(change_moves_the_generation),
		TEST(intervals_keep_within_the_jitter),
		TEST(long_probe_does_not_stretch_the_interval),
		TEST(maint_is_not_checked),
		TEST(check_that_cannot_begin_says_nothing),
		TEST(check_without_memory_says_nothing),
		TEST(unclear_checks_in_a_row_count_as_failed_in_the_end),
		TEST(stop_waits_for_the_probe_in_flight),
		TEST(each_way_of_the_endpoints_family_is_tried),
		TEST(one_way_that_fails_is_enough),
		TEST(a_way_that_cannot_be_tried_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
