// SPDX-License-Identifier: Apache-2.0
/* What a file becomes: defaults, units, shapes, names resolved. */
#include "config/config.h"
#include "core/compiler.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

/* The listener and the pool that every file needs. */
#define LISTENER(options) "listeners:\n- {name: l, bind: '127.0.0.1:80', pool: p" options "}\n"
#define POOL(options)     "pools:\n- {name: p, endpoints: ['10.0.0.1:1']" options "}\n"
#define MINIMAL           LISTENER("") POOL("")

static struct config *load(const char *text)
{
	struct config *config = NULL;
	struct strbuf errors = {};
	int err = config_parse("t", slice_from_str(text), &config, &errors);

	if (err)
		print_error("%s\n", errors.text ? errors.text : "no message");
	strbuf_done(&errors);
	assert_int_equal(err, 0);
	assert_non_null(config);
	return config;
}

static const char *bind_text(const struct config_bind *bind)
{
	static char text[ADDRESS_TEXT_SIZE];

	return address_format(&bind->address, text);
}

static void an_absent_option_has_its_default(void **state)
{
	struct config *config = load(MINIMAL);

	(void)state;
	assert_string_equal(config->path, "t");
	assert_int_equal(config->workers, 0);
	assert_int_equal(config->io, CONFIG_IO_AUTO);
	assert_int_equal(config->acceleration.mode, CONFIG_AUTO);
	assert_null(config->user);
	assert_null(config->group);
	assert_null(config->zone);
	assert_int_equal(config->drain_timeout_ms, 30000);
	assert_int_equal(config->log.level, LOG_INFO);
	assert_int_equal(config->log.format, LOG_FORMAT_TEXT);
	assert_null(config->access_log.path);
	assert_int_equal(config->access_log.format, CONFIG_ACCESS_TEXT);
	assert_string_equal(config->admin.socket, "/run/sluice/sluice.sock");
	assert_int_equal(config->admin.socket_mode, 0600);
	assert_null(config->admin.socket_group);
	assert_int_equal(config->admin.listen.len, 0);
	assert_int_equal(config->limits.max_connections, 0);
	assert_int_equal(config->limits.max_connections_per_source, 0);
	assert_int_equal(config->limits.source_prefix_v4, 32);
	assert_int_equal(config->limits.source_prefix_v6, 64);
	assert_int_equal(config->limits.receive_buffer_bytes, 16 << 10);
	assert_int_equal(config->limits.receive_buffers, 1024);
	assert_int_equal(config->limits.relay_buffer_bytes, 256 << 10);
	config_free(config);
}

static void an_absent_listener_option_has_its_default(void **state)
{
	struct config *config = load(MINIMAL);
	const struct config_listener *listener = &config->listeners[0];

	(void)state;
	assert_int_equal(config->nlisteners, 1);
	assert_string_equal(listener->name, "l");
	assert_int_equal(listener->mode, CONFIG_MODE_TCP);
	assert_int_equal(listener->nbinds, 1);
	assert_int_equal(listener->binds[0].last_port, 80);
	assert_true(listener->is_v6only);
	assert_int_equal(listener->backlog, 4096);
	assert_int_equal(listener->socket_mode, 0666);
	assert_int_equal(listener->nproxy_accept, 0);
	assert_int_equal(listener->proxy_timeout_ms, 5000);
	assert_int_equal(listener->max_connections, 0);
	assert_int_equal(listener->max_connections_per_source, 0);
	assert_int_equal(listener->client_hello_timeout_ms, 5000);
	assert_int_equal(listener->idle_timeout_ms, 3600000);
	assert_int_equal(listener->keepalive_ms, 60000);
	assert_int_equal(listener->nroutes, 0);
	assert_true(listener->has_default_pool);
	assert_int_equal(listener->default_pool, 0);
	assert_int_equal(listener->line, 2);
	config_free(config);
}

static void an_absent_pool_option_has_its_default(void **state)
{
	struct config *config = load(MINIMAL);
	const struct config_pool *pool = &config->pools[0];

	(void)state;
	assert_int_equal(config->npools, 1);
	assert_int_equal(pool->balance, CONFIG_BALANCE_ROUND_ROBIN);
	assert_int_equal(pool->maglev_table_size, 65537);
	assert_int_equal(pool->source_prefix_v4, 32);
	assert_int_equal(pool->source_prefix_v6, 64);
	assert_int_equal(pool->health.kind, CONFIG_HEALTH_OFF);
	assert_int_equal(pool->outlier.consecutive_failures, 5);
	assert_int_equal(pool->outlier.base_ejection_ms, 30000);
	assert_int_equal(pool->outlier.max_ejection_ms, 300000);
	assert_int_equal(pool->outlier.max_ejected_percent, 50);
	assert_int_equal(pool->outlier.consecutive_errors, 0);
	assert_int_equal(pool->outlier.error_share_percent, 0);
	assert_int_equal(pool->http.total_timeout_ms, 0);
	assert_true(pool->http.retry.on_reset);
	assert_false(pool->http.retry.on_timeout);
	assert_false(pool->http.retry.on_unavailable);
	assert_int_equal(pool->http.retry.budget_percent, 20);
	assert_int_equal(pool->http.hedge_delay_ms, 0);
	assert_int_equal(pool->breaker.max_pending, 0);
	assert_int_equal(pool->breaker.max_requests, 0);
	assert_int_equal(pool->breaker.max_retries, 0);
	assert_int_equal(pool->proxy_protocol, CONFIG_PROXY_OFF);
	assert_int_equal(pool->connect_timeout_ms, 2000);
	assert_int_equal(pool->connect_retries, 2);
	assert_int_equal(pool->queue_size, 1024);
	assert_int_equal(pool->queue_timeout_ms, 5000);
	assert_int_equal(pool->slow_start_ms, 0);
	assert_int_equal(pool->source_address.len, 0);
	assert_false(pool->is_transparent);
	assert_true(pool->is_bound);
	assert_int_equal(pool->line, 4);
	assert_int_equal(pool->nendpoints, 1);
	assert_string_equal(pool->endpoints[0].name, "10.0.0.1:1");
	assert_int_equal(pool->endpoints[0].resolve, CONFIG_RESOLVE_NONE);
	assert_int_equal(pool->endpoints[0].weight, 1);
	assert_int_equal(pool->endpoints[0].tier, 0);
	assert_int_equal(pool->endpoints[0].max_connections, 0);
	config_free(config);
}

static void a_duration_has_any_unit(void **state)
{
	static const struct {
		const char *text;
		uint32_t expected_ms;
	} cases[] = {
		{"250ms", 250},   {"2s", 2000}, {"5m", 300000}, {"1h", 3600000},
		{"1d", 86400000}, {"0", 0},     {"0s", 0},
	};
	char file[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config *config;

		snprintf(file, sizeof(file), "drain_timeout: %s\n%s", cases[i].text, MINIMAL);
		config = load(file);
		assert_int_equal(config->drain_timeout_ms, cases[i].expected_ms);
		config_free(config);
	}
}

static void a_size_has_any_unit(void **state)
{
	static const struct {
		const char *text;
		uint32_t expected;
	} cases[] = {
		{"65536", 65536}, {"65536B", 65536},    {"64K", 65536},
		{"64KiB", 65536}, {"1MiB", 1024 << 10}, {"2M", 2048u << 10},
	};
	char file[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config *config;

		snprintf(file, sizeof(file), "limits: {relay_buffer_size: %s}\n%s", cases[i].text,
			 MINIMAL);
		config = load(file);
		assert_int_equal(config->limits.relay_buffer_bytes, cases[i].expected);
		config_free(config);
	}
}

static void top_level_options_are_read(void **state)
{
	struct config *config = load(
		"\xef\xbb\xbfworkers: 4\nio: epoll\nacceleration: {mode: off}\nuser: nobody\n"
		"group: nogroup\nzone: z-1\nlog: {level: debug, format: json}\n"
		"access_log: {path: stdout, format: json}\n"
		"admin: {socket: off, socket_mode: 660, socket_group: adm, "
		"listen: '[::1]:9901'}\n"
		"limits: {max_connections: 10, max_connections_per_source: 5, "
		"source_prefix: {v4: 24, v6: 48}, receive_buffer_size: 4KiB, "
		"receive_buffer_count: 16}\n" MINIMAL);
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_int_equal(config->workers, 4);
	assert_int_equal(config->io, CONFIG_IO_EPOLL);
	assert_int_equal(config->acceleration.mode, CONFIG_OFF);
	assert_string_equal(config->user, "nobody");
	assert_string_equal(config->group, "nogroup");
	assert_string_equal(config->zone, "z-1");
	assert_int_equal(config->log.level, LOG_DEBUG);
	assert_int_equal(config->log.format, LOG_FORMAT_JSON);
	assert_string_equal(config->access_log.path, "stdout");
	assert_int_equal(config->access_log.format, CONFIG_ACCESS_JSON);
	assert_null(config->admin.socket);
	assert_int_equal(config->admin.socket_mode, 0660);
	assert_string_equal(config->admin.socket_group, "adm");
	assert_string_equal(address_format(&config->admin.listen, text), "[::1]:9901");
	assert_int_equal(config->limits.max_connections, 10);
	assert_int_equal(config->limits.max_connections_per_source, 5);
	assert_int_equal(config->limits.source_prefix_v4, 24);
	assert_int_equal(config->limits.source_prefix_v6, 48);
	assert_int_equal(config->limits.receive_buffer_bytes, 4096);
	assert_int_equal(config->limits.receive_buffers, 16);
	config_free(config);
}

static void a_star_binds_both_families(void **state)
{
	static const char *const texts[] = {"'*:80-90'", "':80-90'"};
	char file[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct config *config;

		snprintf(file, sizeof(file), "listeners:\n- {name: l, bind: %s, pool: p}\n%s",
			 texts[i], POOL(""));
		config = load(file);
		assert_int_equal(config->listeners[0].nbinds, 2);
		assert_string_equal(bind_text(&config->listeners[0].binds[0]), "0.0.0.0:80");
		assert_string_equal(bind_text(&config->listeners[0].binds[1]), "[::]:80");
		assert_int_equal(config->listeners[0].binds[1].last_port, 90);
		assert_int_equal(config->listeners[0].binds[1].line, 2);
		assert_int_equal(config->listeners[0].binds[1].column, 19);
		config_free(config);
	}
}

static void a_star_without_v6only_binds_one_socket_for_both(void **state)
{
	struct config *config = load(
		"listeners:\n- {name: l, bind: ['*:80', '10.0.0.1:81', '[::]:82'], "
		"v6only: false, pool: p}\n" POOL(""));

	(void)state;
	assert_int_equal(config->listeners[0].nbinds, 3);
	assert_string_equal(bind_text(&config->listeners[0].binds[0]), "[::]:80");
	assert_string_equal(bind_text(&config->listeners[0].binds[1]), "10.0.0.1:81");
	assert_string_equal(bind_text(&config->listeners[0].binds[2]), "[::]:82");
	config_free(config);
}

static void routes_point_at_pools_by_index(void **state)
{
	struct config *config = load("listeners:\n"
				     "- name: l\n"
				     "  bind: 'unix:/run/x.sock'\n"
				     "  socket_mode: '0600'\n"
				     "  proxy_protocol: {accept: 10.0.0.0/8, timeout: 1s}\n"
				     "  routes:\n"
				     "  - match: {sni: ['*.Example.COM', '*'], alpn: h2, "
				     "source: ['2001:db8::/32'], port: [443, 8443]}\n"
				     "    pool: b\n"
				     "  - pool: a\n"
				     "pools:\n"
				     "- {name: a, endpoints: ['10.0.0.1:1']}\n"
				     "- {name: b, endpoints: ['10.0.0.1:1']}\n");
	const struct config_listener *listener = &config->listeners[0];
	const struct config_route *route = &listener->routes[0];

	(void)state;
	assert_string_equal(bind_text(&listener->binds[0]), "unix:/run/x.sock");
	assert_int_equal(listener->socket_mode, 0600);
	assert_int_equal(listener->nproxy_accept, 1);
	assert_int_equal(listener->proxy_accept[0].bits, 8);
	assert_int_equal(listener->proxy_timeout_ms, 1000);
	assert_false(listener->has_default_pool);
	assert_int_equal(listener->nroutes, 2);
	assert_int_equal(route->nsni, 2);
	assert_string_equal(route->sni[0], "*.example.com");
	assert_string_equal(route->sni[1], "*");
	assert_int_equal(route->nalpn, 1);
	assert_string_equal(route->alpn[0], "h2");
	assert_int_equal(route->nsource, 1);
	assert_int_equal(route->source[0].family, AF_INET6);
	assert_int_equal(route->nport, 2);
	assert_int_equal(route->port[1], 8443);
	assert_int_equal(route->action.pool.index, 1);
	assert_int_equal(route->line, 7);
	assert_int_equal(listener->routes[1].action.pool.index, 0);
	config_free(config);
}

static void assert_at(const struct config_endpoint *endpoint, double latitude, double longitude)
{
	assert_true(endpoint->has_location);
	assert_true(endpoint->location.latitude == latitude);
	assert_true(endpoint->location.longitude == longitude);
}

static void locations_are_degrees(void **state)
{
	struct config *config = load("geo: {databases: /x}\n" LISTENER(
		"") "pools:\n- name: p\n  nearest: true\n  endpoints:\n"
		    "  - {address: '10.0.0.1:1', location: {latitude: 52.520, longitude: 13.4}}\n"
		    "  - {address: '10.0.0.1:2', location: {latitude: -90, longitude: -180.0}}\n"
		    "  - {address: '10.0.0.1:3', location: {latitude: 0, longitude: -0.1278}}\n"
		    "  - {address: '10.0.0.1:4', location: {latitude: 1.50000000000000000001, "
		    "longitude: 180}}\n"
		    "  - 10.0.0.1:5\n");
	const struct config_endpoint *endpoints = config->pools[0].endpoints;

	(void)state;
	assert_true(config->pools[0].is_nearest);
	assert_at(&endpoints[0], 52.52, 13.4);
	assert_at(&endpoints[1], -90, -180);
	assert_at(&endpoints[2], 0, -0.1278);
	assert_at(&endpoints[3], 1.5, 180);
	assert_false(endpoints[4].has_location);
	config_free(config);
}

static void endpoints_are_texts_or_mappings(void **state)
{
	struct config *config = load(
		LISTENER("") "pools:\n- name: p\n  endpoints:\n"
			     "  - '[2001:db8::1]:80'\n"
			     "  - {address: 'unix:/x', weight: 256, zone: z, backup: true}\n"
			     "  - {address: 'api.internal:8080', resolve: dns, tier: 3, "
			     "max_connections: 7}\n"
			     "  - {address: '10.0.0.2:2', backup: false}\n");
	const struct config_endpoint *endpoints = config->pools[0].endpoints;
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_int_equal(config->pools[0].nendpoints, 4);
	assert_string_equal(address_format(&endpoints[0].address, text), "[2001:db8::1]:80");
	assert_string_equal(address_format(&endpoints[1].address, text), "unix:/x");
	assert_int_equal(endpoints[1].weight, 256);
	assert_string_equal(endpoints[1].zone, "z");
	assert_int_equal(endpoints[1].tier, 1);
	assert_int_equal(endpoints[1].line, 7);
	assert_string_equal(endpoints[2].name, "api.internal:8080");
	assert_string_equal(endpoints[2].host, "api.internal");
	assert_int_equal(endpoints[2].port, 8080);
	assert_int_equal(endpoints[2].resolve, CONFIG_RESOLVE_DNS);
	assert_int_equal(endpoints[2].address.len, 0);
	assert_int_equal(endpoints[2].tier, 3);
	assert_int_equal(endpoints[2].max_connections, 7);
	assert_int_equal(endpoints[3].tier, 0);
	config_free(config);
}

static void a_health_check_is_a_word_or_a_mapping(void **state)
{
	static const struct {
		const char *text;
		enum config_health expected;
	} cases[] = {
		{"off", CONFIG_HEALTH_OFF},
		{"tcp", CONFIG_HEALTH_TCP},
		{"tls", CONFIG_HEALTH_TLS},
		{"http", CONFIG_HEALTH_HTTP},
		{"{tcp: {}}", CONFIG_HEALTH_TCP},
		{"{tcp: }", CONFIG_HEALTH_TCP},
		{"{tls: {sni: a}}", CONFIG_HEALTH_TLS},
		{"{http: }", CONFIG_HEALTH_HTTP},
	};
	char file[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct config_health_check *health;
		struct config *config;

		snprintf(
			file, sizeof(file),
			LISTENER("") "pools:\n- {name: p, endpoints: ['10.0.0.1:1'], health: %s}\n",
			cases[i].text);
		config = load(file);
		health = &config->pools[0].health;
		assert_int_equal(health->kind, cases[i].expected);
		assert_int_equal(health->interval_ms, 2000);
		assert_int_equal(health->timeout_ms, 1000);
		assert_int_equal(health->jitter_percent, 10);
		assert_int_equal(health->rise, 2);
		assert_int_equal(health->fall, 3);
		assert_int_equal(health->port, 0);
		assert_string_equal(health->http_path, "/");
		assert_int_equal(health->http_status_first, 200);
		assert_int_equal(health->http_status_last, 399);
		config_free(config);
	}
}

static void pool_options_are_read(void **state)
{
	struct config *config = load(LISTENER("") POOL(
		", balance: maglev, maglev: {table_size: 5}, source_prefix: {v4: 24, v6: 56}, "
		"health: {http: {path: /h, host: x.example, expect: 204, body: ok}, interval: 3s, "
		"timeout: 2s, jitter: 0%, rise: 1, fall: 9, port: 81}, "
		"outlier: {consecutive_failures: 0, base_ejection: 1s, max_ejection: 2s, "
		"max_ejected: 100%}, proxy_protocol: v2, connect_timeout: 9ms, connect_retries: 0, "
		"queue: {size: 0, timeout: 7ms}, slow_start: 1m, source_address: 10.0.0.9"));
	const struct config_pool *pool = &config->pools[0];
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_int_equal(pool->balance, CONFIG_BALANCE_MAGLEV);
	assert_int_equal(pool->maglev_table_size, 5);
	assert_int_equal(pool->source_prefix_v4, 24);
	assert_int_equal(pool->source_prefix_v6, 56);
	assert_int_equal(pool->health.kind, CONFIG_HEALTH_HTTP);
	assert_string_equal(pool->health.http_path, "/h");
	assert_string_equal(pool->health.http_host, "x.example");
	assert_string_equal(pool->health.http_body, "ok");
	assert_int_equal(pool->health.http_status_first, 204);
	assert_int_equal(pool->health.http_status_last, 204);
	assert_int_equal(pool->health.port, 81);
	assert_int_equal(pool->health.jitter_percent, 0);
	assert_int_equal(pool->outlier.consecutive_failures, 0);
	assert_int_equal(pool->outlier.max_ejected_percent, 100);
	assert_int_equal(pool->proxy_protocol, CONFIG_PROXY_V2);
	assert_int_equal(pool->connect_timeout_ms, 9);
	assert_int_equal(pool->connect_retries, 0);
	assert_int_equal(pool->queue_size, 0);
	assert_int_equal(pool->queue_timeout_ms, 7);
	assert_int_equal(pool->slow_start_ms, 60000);
	assert_string_equal(address_format_ip(&pool->source_address, text), "10.0.0.9");
	config_free(config);
}

static void hedges_wait_for_their_delay(void **state)
{
	struct config *config = load(LISTENER("") POOL(", http: {hedge_delay: 50ms}"));

	(void)state;
	assert_int_equal(config->pools[0].http.hedge_delay_ms, 50);
	config_free(config);
}

static void every_balance_has_its_name(void **state)
{
	static const char *const names[] = {"round_robin", "random", "least_conn",
					    "p2c",         "maglev", "source"};
	char file[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct config *config;

		snprintf(
			file, sizeof(file),
			LISTENER(
				"") "pools:\n- {name: p, endpoints: ['10.0.0.1:1'], balance: %s}\n",
			names[i]);
		config = load(file);
		assert_int_equal(config->pools[0].balance, i);
		assert_string_equal(config_balance_name(config->pools[0].balance), names[i]);
		config_free(config);
	}
}

static void the_environment_fills_in_scalars(void **state)
{
	struct config *config;

	(void)state;
	assert_int_equal(setenv("SLUICE_TEST_PORT", "1234", 1), 0);
	config = load("access_log: {path: '$/$${x}-${SLUICE_TEST_PORT}-${SLUICE_TEST_PORT}'}\n"
		      "listeners:\n"
		      "- {name: l, bind: \"127.0.0.1:${SLUICE_TEST_PORT}\", pool: p}\n" POOL(""));
	assert_string_equal(config->access_log.path, "$/${x}-1234-1234");
	assert_int_equal(config->listeners[0].binds[0].last_port, 1234);
	config_free(config);
	assert_int_equal(unsetenv("SLUICE_TEST_PORT"), 0);
}

static void the_sample_files_load(void **state)
{
	static const char *const paths[] = {"configs/quickstart.yaml", "configs/tcp.yaml",
					    "configs/http.yaml", "configs/routing.yaml",
					    "configs/edge.yaml"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct config *config = NULL;
		struct strbuf errors = {};

		assert_int_equal(config_load(paths[i], &config, &errors), 0);
		assert_string_equal(config->path, paths[i]);
		config_free(config);
		strbuf_done(&errors);
	}
}

static void an_unreadable_file_says_why(void **state)
{
	struct config *config = NULL;
	struct strbuf errors = {};

	(void)state;
	assert_int_equal(config_load("/nonexistent/x.yaml", &config, &errors), -EINVAL);
	assert_string_equal(errors.text, "/nonexistent/x.yaml: cannot be read: No such file or "
					 "directory; expected a readable file\n");
	strbuf_done(&errors);
	assert_int_equal(config_load("/tmp", &config, &errors), -EINVAL);
	assert_string_equal(errors.text,
			    "/tmp: cannot be read: Is a directory; expected a readable file\n");
	strbuf_done(&errors);
	assert_int_equal(config_load("/dev/null", &config, &errors), -EINVAL);
	assert_string_equal(errors.text, "/dev/null:1:1: the file is empty; expected at least "
					 "listeners\n");
	strbuf_done(&errors);
	assert_null(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_absent_option_has_its_default),
		cmocka_unit_test(an_absent_listener_option_has_its_default),
		cmocka_unit_test(an_absent_pool_option_has_its_default),
		cmocka_unit_test(a_duration_has_any_unit),
		cmocka_unit_test(a_size_has_any_unit),
		cmocka_unit_test(top_level_options_are_read),
		cmocka_unit_test(a_star_binds_both_families),
		cmocka_unit_test(a_star_without_v6only_binds_one_socket_for_both),
		cmocka_unit_test(routes_point_at_pools_by_index),
		cmocka_unit_test(endpoints_are_texts_or_mappings),
		cmocka_unit_test(locations_are_degrees),
		cmocka_unit_test(a_health_check_is_a_word_or_a_mapping),
		cmocka_unit_test(pool_options_are_read),
		cmocka_unit_test(hedges_wait_for_their_delay),
		cmocka_unit_test(every_balance_has_its_name),
		cmocka_unit_test(the_environment_fills_in_scalars),
		cmocka_unit_test(the_sample_files_load),
		cmocka_unit_test(an_unreadable_file_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
