// SPDX-License-Identifier: Apache-2.0
/* What pools share between threads and over reloads. */
#include "upstream/pool.h"
#include "upstream/upstream_internal.h"
#include "upstream_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static struct endpoint *find(struct pool *pool, const char *name)
{
	struct endpoint *endpoint = pool_find(pool, name);

	endpoint_unref(endpoint); /* the pool's own reference is enough here */
	return endpoint;
}

static void count_visit(struct endpoint *endpoint, void *context)
{
	(void)endpoint;
	++*(unsigned *)context;
}

static unsigned count(struct pool *pool)
{
	unsigned n = 0;

	pool_for_each(pool, count_visit, &n);
	return n;
}

static void availability_has_four_conditions(void **state)
{
	struct endpoint endpoint = {.weight = 1, .ejected_until_ms = 50};

	(void)state;
	assert_true(endpoint_is_available(&endpoint, 50));
	assert_false(endpoint_is_available(&endpoint, 49));
	endpoint.health = ENDPOINT_HEALTH_DOWN;
	assert_false(endpoint_is_available(&endpoint, 50));
	endpoint.health = ENDPOINT_HEALTH_UP;
	endpoint.admin = ENDPOINT_DRAIN;
	assert_false(endpoint_is_available(&endpoint, 50));
	endpoint.admin = ENDPOINT_READY;
	endpoint.weight = 0;
	assert_false(endpoint_is_available(&endpoint, 50));
}

static void endpoint_is_found_by_address_and_by_name(void **state)
{
	struct config_endpoint endpoints[] = {fixture_endpoint("192.0.2.1:80"),
					      fixture_endpoint("192.0.2.2:80")};
	struct config_pool config = fixture_pool(endpoints, 2);
	struct pool *pool;

	(void)state;
	/* A name that looks like the other's address does not hide it. */
	endpoints[0].name = "192.0.2.2:80";
	pool = pool_new(&config, NULL, NULL);
	assert_true(address_equal(&find(pool, "192.0.2.2:80")->address, &endpoints[1].address));
	assert_true(address_equal(&find(pool, "192.0.2.1:80")->address, &endpoints[0].address));
	assert_null(pool_find(pool, "192.0.2.3:80"));
	pool_unref(pool);
}

static void reload_takes_over_what_stays(void **state)
{
	struct config_endpoint before[] = {fixture_endpoint("192.0.2.1:80"),
					   fixture_endpoint("192.0.2.2:80")};
	struct config_endpoint after[] = {fixture_endpoint("192.0.2.3:80"),
					  fixture_endpoint("192.0.2.2:80")};
	struct config_pool config_before = fixture_pool(before, 2);
	struct config_pool config_after = fixture_pool(after, 2);
	struct pool *old = pool_new(&config_before, NULL, NULL);
	struct endpoint *kept = find(old, "192.0.2.2:80");
	struct pool *new;

	(void)state;
	atomic_store(&kept->admin, ENDPOINT_DRAIN);
	new = pool_new(&config_after, NULL, old);
	pool_activate(new);
	pool_unref(old);
	assert_ptr_equal(find(new, "192.0.2.2:80"), kept);
	assert_int_equal(atomic_load(&kept->admin), ENDPOINT_DRAIN);
	assert_int_equal(atomic_load(&kept->up_since_ms), 0);
	assert_null(pool_find(new, "192.0.2.1:80"));
	/* It came to a pool in service: slow start counts. */
	assert_true(atomic_load(&find(new, "192.0.2.3:80")->up_since_ms) > 0);
	pool_unref(new);
}

static void settings_of_a_reload_wait_for_its_start(void **state)
{
	struct config_endpoint before[] = {fixture_endpoint("192.0.2.1:80")};
	struct config_endpoint after[] = {fixture_endpoint("192.0.2.1:80")};
	struct config_pool config_before = fixture_pool(before, 1);
	struct config_pool config_after = fixture_pool(after, 1);
	struct pool *old = pool_new(&config_before, NULL, NULL);
	struct endpoint *endpoint = find(old, "192.0.2.1:80");
	struct pool *new;

	(void)state;
	after[0].weight = 7;
	after[0].tier = 3;
	after[0].max_connections = 9;
	new = pool_new(&config_after, NULL, old);
	assert_int_equal(atomic_load(&endpoint->weight), 1);
	assert_int_equal(atomic_load(&endpoint->tier), 0);
	pool_activate(new);
	assert_int_equal(atomic_load(&endpoint->weight), 7);
	assert_int_equal(atomic_load(&endpoint->tier), 3);
	assert_int_equal(atomic_load(&endpoint->max_connections), 9);
	pool_unref(old);
	pool_unref(new);
}

static void weight_given_by_hand_outlives_a_reload_that_leaves_it_alone(void **state)
{
	struct config_endpoint endpoints[] = {fixture_endpoint("192.0.2.1:80")};
	struct config_pool config = fixture_pool(endpoints, 1);
	struct pool *old = pool_new(&config, NULL, NULL);
	struct pool *new;

	(void)state;
	atomic_store(&find(old, "192.0.2.1:80")->weight, 42);
	new = pool_new(&config, NULL, old);
	pool_activate(new);
	assert_int_equal(atomic_load(&find(new, "192.0.2.1:80")->weight), 42);
	pool_unref(old);
	pool_unref(new);
}

static void endpoint_in_another_zone_inherits(void **state)
{
	struct config_endpoint before[] = {fixture_endpoint("192.0.2.1:80")};
	struct config_endpoint after[] = {fixture_endpoint("192.0.2.1:80")};
	struct config_pool config_before = fixture_pool(before, 1);
	struct config_pool config_after = fixture_pool(after, 1);
	struct pool *old = pool_new(&config_before, NULL, NULL);
	struct pool *new;

	(void)state;
	config_after.health.kind = CONFIG_HEALTH_TCP;
	after[0].zone = "a";
	atomic_store(&find(old, "192.0.2.1:80")->health, ENDPOINT_HEALTH_DOWN);
	new = pool_new(&config_after, NULL, old);
	pool_activate(new);
	assert_ptr_not_equal(find(new, "192.0.2.1:80"), find(old, "192.0.2.1:80"));
	assert_string_equal(find(new, "192.0.2.1:80")->zone, "a");
	assert_int_equal(find(new, "192.0.2.1:80")->health, ENDPOINT_HEALTH_DOWN);
	pool_unref(old);
	pool_unref(new);
}

static void endpoint_that_has_moved_inherits(void **state)
{
	struct config_endpoint before[] = {fixture_endpoint("192.0.2.1:80")};
	struct config_endpoint after[] = {fixture_endpoint("192.0.2.1:80")};
	struct config_pool config_before = fixture_pool(before, 1);
	struct config_pool config_after = fixture_pool(after, 1);
	struct pool *old = pool_new(&config_before, NULL, NULL);
	struct pool *new;

	(void)state;
	after[0].has_location = true;
	after[0].location = (struct earth_point){50.11, 8.68};
	atomic_store(&find(old, "192.0.2.1:80")->admin, ENDPOINT_DRAIN);
	new = pool_new(&config_after, NULL, old);
	assert_true(find(new, "192.0.2.1:80")->has_location);
	assert_true(find(new, "192.0.2.1:80")->location.latitude == 50.11);
	assert_int_equal(find(new, "192.0.2.1:80")->admin, ENDPOINT_DRAIN);
	assert_false(find(old, "192.0.2.1:80")->has_location);
	pool_unref(old);
	old = new;
	after[0].location.longitude = 8.69;
	new = pool_new(&config_after, NULL, old);
	assert_true(find(new, "192.0.2.1:80")->location.longitude == 8.69);
	pool_unref(old);
	pool_unref(new);
}

static void health_is_forgotten_where_checks_are_switched_off(void **state)
{
	struct config_endpoint endpoints[] = {fixture_endpoint("192.0.2.1:80")};
	struct config_pool config = fixture_pool(endpoints, 1);
	struct pool *old = pool_new(&config, NULL, NULL);
	struct pool *new;

	(void)state;
	atomic_store(&find(old, "192.0.2.1:80")->health, ENDPOINT_HEALTH_DOWN);
	new = pool_new(&config, NULL, old);
	pool_activate(new);
	assert_int_equal(find(new, "192.0.2.1:80")->health, ENDPOINT_HEALTH_UNKNOWN);
	pool_unref(old);
	pool_unref(new);
}

static struct config_endpoint dns_endpoint(void)
{
	return (struct config_endpoint){.name = "api.test:80",
					.resolve = CONFIG_RESOLVE_DNS,
					.host = "api.test",
					.port = 80,
					.weight = 1};
}

static void new_addresses_keep_the_endpoints_that_stay(void **state)
{
	struct config_endpoint endpoints[] = {dns_endpoint()};
	struct config_pool config = fixture_pool(endpoints, 1);
	struct pool *pool = pool_new(&config, NULL, NULL);
	const struct address first[] = {fixture_address("192.0.2.1:80"),
					fixture_address("192.0.2.2:80")};
	/* One of them twice, as a careless zone has it. */
	const struct address second[] = {fixture_address("192.0.2.2:80"),
					 fixture_address("192.0.2.3:80"),
					 fixture_address("192.0.2.2:80")};
	struct endpoint *kept;

	(void)state;
	assert_int_equal(count(pool), 0);
	assert_int_equal(pool_set_addresses(pool, 0, first, 2), 0);
	assert_int_equal(count(pool), 2);
	kept = find(pool, "192.0.2.2:80");
	assert_int_equal(pool_set_addresses(pool, 0, second, 3), 0);
	assert_int_equal(count(pool), 2);
	assert_ptr_equal(find(pool, "192.0.2.2:80"), kept);
	assert_null(pool_find(pool, "192.0.2.1:80"));
	assert_string_equal(find(pool, "192.0.2.3:80")->name, "api.test:80");
	/* Those of the first answer begin with all their weight, later ones slowly. */
	assert_int_equal(atomic_load(&kept->up_since_ms), 0);
	assert_true(atomic_load(&find(pool, "192.0.2.3:80")->up_since_ms) > 0);
	pool_unref(pool);
}

static void reload_takes_over_a_names_addresses(void **state)
{
	struct config_endpoint endpoints[] = {dns_endpoint()};
	struct config_pool config = fixture_pool(endpoints, 1);
	struct pool *old = pool_new(&config, NULL, NULL);
	const struct address address = fixture_address("192.0.2.1:80");
	struct pool *new;

	(void)state;
	assert_int_equal(pool_set_addresses(old, 0, &address, 1), 0);
	new = pool_new(&config, NULL, old);
	assert_ptr_equal(find(new, "192.0.2.1:80"), find(old, "192.0.2.1:80"));
	pool_unref(old);
	pool_unref(new);
}

static void endpoint_that_left_lives_as_long_as_its_connections(void **state)
{
	struct config_endpoint endpoints[] = {dns_endpoint()};
	struct config_pool config = fixture_pool(endpoints, 1);
	struct pool *pool = pool_new(&config, NULL, NULL);
	const struct address address = fixture_address("192.0.2.1:80");
	struct endpoint *held;

	(void)state;
	assert_int_equal(pool_set_addresses(pool, 0, &address, 1), 0);
	held = pool_find(pool, "192.0.2.1:80");
	assert_int_equal(pool_set_addresses(pool, 0, NULL, 0), 0);
	assert_int_equal(count(pool), 0);
	pool_unref(pool);
	assert_string_equal(held->name, "api.test:80");
	endpoint_unref(held);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(availability_has_four_conditions),
		cmocka_unit_test(endpoint_is_found_by_address_and_by_name),
		cmocka_unit_test(reload_takes_over_what_stays),
		cmocka_unit_test(settings_of_a_reload_wait_for_its_start),
		cmocka_unit_test(weight_given_by_hand_outlives_a_reload_that_leaves_it_alone),
		cmocka_unit_test(endpoint_in_another_zone_inherits),
		cmocka_unit_test(endpoint_that_has_moved_inherits),
		cmocka_unit_test(health_is_forgotten_where_checks_are_switched_off),
		cmocka_unit_test(new_addresses_keep_the_endpoints_that_stay),
		cmocka_unit_test(reload_takes_over_a_names_addresses),
		cmocka_unit_test(endpoint_that_left_lives_as_long_as_its_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
