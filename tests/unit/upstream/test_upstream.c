// SPDX-License-Identifier: Apache-2.0
/* Pools, checks and names together on a real loop, while a worker picks on another thread. */
#include "upstream/upstream.h"

#include "dns_fixture.h"
#include "loop_fixture.h"
#include "upstream/resolver.h"
#include "upstream_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct io_loop *loop;
static struct config_endpoint endpoints[3];
static struct config_pool pools[1];
static struct config config;
static struct upstream *upstream;
static char live[ADDRESS_TEXT_SIZE], dead[ADDRESS_TEXT_SIZE];
static int listener;
static unsigned ups, downs, answers, unresolved;
static size_t expected_count; /* of addresses */
static int64_t expected_kept_ms;

int __real_resolver_new(struct io_loop *on, const struct resolver_options *options,
			struct resolver **ret);
int __wrap_resolver_new(struct io_loop *on, const struct resolver_options *options,
			struct resolver **ret);

/* Names are the test's server's. */
int __wrap_resolver_new(struct io_loop *on, const struct resolver_options *options,
			struct resolver **ret)
{
	struct resolver_options ours = *options;

	ours.servers = dns.csv;
	return __real_resolver_new(on, &ours, ret);
}

static void on_health_change(struct pool *pool, struct endpoint *endpoint, bool is_up,
			     const char *reason, void *context)
{
	(void)pool;
	(void)reason;
	(void)context;
	assert_string_equal(endpoint->name, dead);
	is_up ? ups++ : downs++;
	io_loop_stop(loop);
}

static void on_addresses_changed(struct pool *pool, const char *host, size_t count, void *context)
{
	(void)context;
	assert_ptr_equal(pool, upstream_find_pool(upstream, "pool"));
	assert_string_equal(host, "api.test");
	assert_int_equal(count, expected_count);
	answers++;
	io_loop_stop(loop);
}

static void on_resolve_failed(struct pool *pool, const char *host, const char *reason,
			      int64_t kept_ms, void *context)
{
	(void)pool;
	(void)context;
	assert_string_equal(host, "api.test");
	assert_non_null(reason);
	assert_int_equal(kept_ms, expected_kept_ms);
	unresolved++;
	io_loop_stop(loop);
}

static int listen_on_loopback(char text[ADDRESS_TEXT_SIZE])
{
	struct address address = fixture_address("127.0.0.1:0");
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, &address.sa, address.len), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, &address.sa, &address.len), 0);
	address_format(&address, text);
	return fd;
}

static struct upstream *start(struct upstream *previous)
{
	const struct upstream_events events = {.on_health_change = on_health_change,
					       .on_addresses_changed = on_addresses_changed,
					       .on_resolve_failed = on_resolve_failed};
	struct upstream *started;

	assert_int_equal(upstream_new(&config, previous, loop, &started), 0);
	upstream_set_events(started, &events);
	assert_int_equal(upstream_start(started), 0);
	return started;
}

static int set_up(void **state)
{
	(void)state;
	loop = fixture_loop();
	listener = listen_on_loopback(live);
	close(listen_on_loopback(dead));
	endpoints[0] = fixture_endpoint(live);
	endpoints[1] = fixture_endpoint(dead);
	pools[0] = fixture_pool(endpoints, 2);
	pools[0].health = (struct config_health_check){.kind = CONFIG_HEALTH_TCP,
						       .interval_ms = 5,
						       .timeout_ms = 1000,
						       .rise = 1,
						       .fall = 1};
	config = (struct config){.pools = pools, .npools = 1};
	ups = downs = answers = unresolved = 0;
	expected_count = 2;
	expected_kept_ms = 0;
	dns_start(loop);
	upstream = start(NULL);
	return 0;
}

static void on_stopped(struct upstream *stopped, void *context)
{
	(void)stopped;
	*(bool *)context = true;
	io_loop_stop(loop);
}

static void stop(struct upstream *running)
{
	bool is_stopped = false;

	upstream_stop(running, on_stopped, &is_stopped);
	assert_false(is_stopped);
	while (!is_stopped)
		fixture_run(loop);
	upstream_free(running);
}

static int tear_down(void **state)
{
	(void)state;
	stop(upstream);
	dns_stop();
	close(listener);
	io_loop_free(loop);
	return 0;
}

/* --- Picks, while health changes ------------------------------------------------------- */

struct picker {
	pthread_t thread;
	struct pool *pool;
	struct io_loop *loop;
	_Atomic bool is_to_end;
	unsigned picks, dead_picks_at_end;
};

static bool pick_once(struct pool_view *view)
{
	const struct pool_request request = {};
	struct endpoint *endpoint;
	bool is_dead;

	assert_int_equal(pool_view_pick(view, &request, &endpoint), 0);
	is_dead = strcmp(endpoint->name, dead) == 0;
	pool_view_report_connect(view, endpoint, 0, 10);
	pool_view_release(view, endpoint);
	return is_dead;
}

static void *picker_main(void *context)
{
	struct picker *picker = context;
	struct pool_view *view;

	picker->loop = fixture_loop();
	view = pool_view_new(picker->pool, picker->loop);
	while (!atomic_load(&picker->is_to_end)) {
		pick_once(view);
		picker->picks++;
	}
	for (unsigned i = 0; i < 10; i++)
		picker->dead_picks_at_end += pick_once(view);
	pool_view_free(view);
	io_loop_free(picker->loop);
	return NULL;
}

static void dead_endpoint_leaves_while_workers_pick(void **state)
{
	struct picker picker = {.pool = upstream_pool(upstream, 0)};

	(void)state;
	assert_int_equal(pthread_create(&picker.thread, NULL, picker_main, &picker), 0);
	fixture_run(loop);
	assert_int_equal(downs, 1);
	atomic_store(&picker.is_to_end, true);
	pthread_join(picker.thread, NULL);
	assert_int_equal(picker.dead_picks_at_end, 0);
}

static void reload_keeps_what_checks_have_found(void **state)
{
	struct upstream *next;
	struct endpoint *endpoint;

	(void)state;
	fixture_run(loop);
	next = start(upstream);
	stop(upstream);
	upstream = next;
	endpoint = pool_find(upstream_find_pool(upstream, "pool"), dead);
	assert_int_equal(atomic_load(&endpoint->health), ENDPOINT_HEALTH_DOWN);
	endpoint_unref(endpoint);
	assert_null(upstream_find_pool(upstream, "none"));
	/* It was told once. */
	assert_int_equal(downs, 1);
}

static void stop_without_a_start_ends_as_well(void **state)
{
	struct upstream *never_started;

	(void)state;
	assert_int_equal(upstream_new(&config, upstream, loop, &never_started), 0);
	stop(never_started);
}

/* --- Names ---------------------------------------------------------------------------- */

static void use_a_name(void)
{
	stop(upstream);
	endpoints[0] = (struct config_endpoint){.name = "api.test:80",
						.resolve = CONFIG_RESOLVE_DNS,
						.host = "api.test",
						.port = 80,
						.weight = 1};
	pools[0].nendpoints = 1;
	pools[0].health.kind = CONFIG_HEALTH_OFF;
	upstream = start(NULL);
}

static bool knows(const char *address)
{
	struct endpoint *endpoint = pool_find(upstream_pool(upstream, 0), address);

	endpoint_unref(endpoint);
	return endpoint;
}

static void names_become_endpoints_and_outlive_a_reload(void **state)
{
	struct upstream *next;

	(void)state;
	dns.a = (struct dns_records){.texts = {"192.0.2.1", "192.0.2.2"}};
	use_a_name();
	fixture_run(loop);
	assert_int_equal(answers, 1);
	assert_true(knows("192.0.2.1:80") && knows("192.0.2.2:80"));
	next = start(upstream);
	stop(upstream);
	upstream = next;
	/* At once, before any answer. */
	assert_true(knows("192.0.2.1:80") && knows("192.0.2.2:80"));
}

static void name_that_is_gone_takes_what_a_reload_took_over(void **state)
{
	struct upstream *next;

	(void)state;
	dns.a = (struct dns_records){.texts = {"192.0.2.1", "192.0.2.2"}};
	use_a_name();
	fixture_run(loop);
	next = start(upstream);
	stop(upstream);
	upstream = next;
	dns.a.rcode = dns.aaaa.rcode = DNS_NXDOMAIN;
	expected_count = 0;
	while (answers < 2)
		fixture_run(loop);
	assert_int_equal(unresolved, 1);
	assert_false(knows("192.0.2.1:80") || knows("192.0.2.2:80"));
}

static void name_that_servers_cannot_tell_of_keeps_its_addresses(void **state)
{
	(void)state;
	dns.a = (struct dns_records){.texts = {"192.0.2.1", "192.0.2.2"}};
	dns.ttl_s = 1;
	use_a_name();
	fixture_run(loop);
	dns.a.rcode = dns.aaaa.rcode = DNS_SERVFAIL;
	expected_kept_ms = -1;
	fixture_run(loop);
	assert_int_equal(unresolved, 1);
	assert_true(knows("192.0.2.1:80") && knows("192.0.2.2:80"));
}

static void name_that_is_unknown_gives_an_empty_pool(void **state)
{
	const struct pool_request request = {};
	struct endpoint *endpoint;
	struct pool_view *view;

	(void)state;
	dns.a.rcode = dns.aaaa.rcode = DNS_NXDOMAIN;
	use_a_name();
	fixture_run(loop);
	assert_int_equal(unresolved, 1);
	view = pool_view_new(upstream_pool(upstream, 0), loop);
	assert_int_equal(pool_view_pick(view, &request, &endpoint), -EHOSTUNREACH);
	pool_view_free(view);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(dead_endpoint_leaves_while_workers_pick),
		TEST(reload_keeps_what_checks_have_found),
		TEST(stop_without_a_start_ends_as_well),
		TEST(names_become_endpoints_and_outlive_a_reload),
		TEST(name_that_is_gone_takes_what_a_reload_took_over),
		TEST(name_that_servers_cannot_tell_of_keeps_its_addresses),
		TEST(name_that_is_unknown_gives_an_empty_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
