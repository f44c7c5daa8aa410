// SPDX-License-Identifier: Apache-2.0
#include "ctl/ctl_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static json_t *json(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	return value;
}

static struct top_sample sample(uint64_t taken_us, const char *status, const char *listeners,
				const char *pools, const char *connections)
{
	return (struct top_sample){
		.taken_us = taken_us,
		.status = json(status),
		.listeners = json(listeners),
		.pools = json(pools),
		.connections = json(connections),
	};
}

/* Two seconds apart. */
static void take_two(struct top_sample *before, struct top_sample *now)
{
	*before = sample(1000000, "{\"connections_active\":1,\"connections_total\":100}",
			 "{\"listeners\":[{\"name\":\"a\",\"accepted\":10,\"bytes_in\":0}]}",
			 "{\"pools\":[{\"name\":\"p\",\"endpoints\":["
			 "{\"address\":\"x:1\",\"connections\":500,\"bytes_out\":4096}]}]}",
			 "{\"connections\":[{\"id\":9,\"client\":\"c:9\",\"bytes_in\":100},"
			 "{\"id\":3,\"client\":\"c:3\",\"bytes_in\":0}]}");
	*now = sample(
		3000000,
		"{\"version\":\"1\",\"state\":\"serving\",\"uptime_seconds\":61,"
		"\"config\":{\"generation\":2},\"connections_active\":3,\"connections_total\":130}",
		"{\"listeners\":[{\"name\":\"b\",\"accepted\":900,\"active\":7},"
		"{\"name\":\"a\",\"accepted\":30,\"active\":2,\"bytes_in\":2048}]}",
		"{\"pools\":[{\"name\":\"p\",\"endpoints\":["
		"{\"address\":\"w:1\",\"admin\":\"ready\",\"health\":\"down\"},"
		"{\"address\":\"x:1\",\"admin\":\"ready\",\"health\":\"up\",\"active\":4,"
		"\"connections\":510,\"bytes_out\":8192}]}]}",
		"{\"connections\":[{\"id\":3,\"client\":\"c:3\",\"listener\":\"a\","
		"\"state\":\"relay\",\"bytes_in\":2048},{\"id\":9,\"client\":\"c:9\","
		"\"listener\":\"a\",\"state\":\"relay\",\"bytes_in\":100}]}");
}

/* What packets add to them. */
static void add_packets(struct top_sample *before, struct top_sample *now)
{
	before->services = json(
		"{\"services\":[{\"address\":\"v:53/udp\",\"flows\":1,\"packets_in\":100,"
		"\"bytes_in\":0,\"drops\":{\"no_port\":5,\"rate\":0},"
		"\"endpoints\":[{\"name\":\"e\",\"packets_in\":100}]}]}");
	now->services = json(
		"{\"services\":[{\"address\":\"v:53/udp\",\"flows\":3,\"packets_in\":300,"
		"\"bytes_in\":4096,\"drops\":{\"no_port\":7,\"rate\":2},"
		"\"endpoints\":[{\"name\":\"e\",\"admin\":\"drain\",\"flows\":3,"
		"\"packets_in\":320,\"bytes_in\":4096}]}]}");
	before->guard = json("{\"seen\":{\"packets\":1000,\"bytes\":0},\"reasons\":[{\"reason\":"
			     "\"blocked\",\"dropped\":{\"packets\":10,\"bytes\":0}}]}");
	now->guard = json("{\"seen\":{\"packets\":5000,\"bytes\":8192},\"reasons\":[{\"reason\":"
			  "\"blocked\",\"dropped\":{\"packets\":30,\"bytes\":2048},\"would_drop\":"
			  "{\"packets\":0,\"bytes\":0}}]}");
	now->talkers = json("{\"talkers\":[{\"source\":\"192.0.2.1/32\",\"packets_per_second\":70,"
			    "\"refused_percent\":25}]}");
}

static void check(enum top_panel panel, enum top_sort sort, uint32_t height, const char *expected)
{
	struct ctl_screen screen = {.height = height};
	struct top_sample before, now;
	struct top_frame frame = {.before = &before, .now = &now, .panel = panel, .sort = sort};
	struct strbuf out = {0};

	take_two(&before, &now);
	add_packets(&before, &now);
	top_render(&frame, &screen, &out);
	assert_string_equal(out.text, expected);
	strbuf_done(&out);
	top_sample_done(&before);
	top_sample_done(&now);
}

#define HEAD(what)                                     \
	"sluiced 1, serving for 1m01s, generation 2\n" \
	"3 connections, 15/s new; " what "\n\n"

static void endpoint_rates_are_differences_over_time(void **state)
{
	(void)state;
	check(TOP_POOLS, TOP_SORT_NAME, 0,
	      HEAD("pools by name") "POOL  ENDPOINT  STATE  ACTIVE  CONN/S     IN        OUT  "
				    "FAILED  TIME\n"
				    "p     w:1       down        0       0  0 B/s      0 B/s       "
				    "0     -\n"
				    "p     x:1       up          4     5.0  0 B/s  2.0 KiB/s       "
				    "0     -\n");
}

static void what_is_new_has_no_rate_yet(void **state)
{
	(void)state;
	check(TOP_LISTENERS, TOP_SORT_RATE, 0,
	      HEAD("listeners by rate") "LISTENER  ACTIVE  CONN/S         IN    OUT  REFUSED  P50\n"
					"a              2      10  1.0 KiB/s  0 B/s        0    -\n"
					"b              7       0      0 B/s  0 B/s        0    "
					"-\n");
}

static void sort_puts_the_greatest_first(void **state)
{
	(void)state;
	check(TOP_LISTENERS, TOP_SORT_ACTIVE, 0,
	      HEAD("listeners by active") "LISTENER  ACTIVE  CONN/S         IN    OUT  REFUSED  "
					  "P50\n"
					  "b              7       0      0 B/s  0 B/s        0    "
					  "-\n"
					  "a              2      10  1.0 KiB/s  0 B/s        0    "
					  "-\n");
}

static void connections_are_found_again_by_id(void **state)
{
	(void)state;
	check(TOP_CONNECTIONS, TOP_SORT_BYTES, 0,
	      HEAD("connections by bytes") "CLIENT  LISTENER  ENDPOINT  STATE  AGE         IN    "
					   "OUT    BYTES\n"
					   "c:3     a         -         relay    -  1.0 KiB/s  0 "
					   "B/s  2.0 KiB\n"
					   "c:9     a         -         relay    -      0 B/s  0 "
					   "B/s    100 B\n");
}

static void rows_stop_at_the_screens_end(void **state)
{
	(void)state;
	check(TOP_LISTENERS, TOP_SORT_NAME, 6,
	      HEAD("listeners by name") "LISTENER  ACTIVE  CONN/S         IN    OUT  REFUSED  P50\n"
					"a              2      10  1.0 KiB/s  0 B/s        0    "
					"-\n");
}

static void services_come_with_their_endpoints(void **state)
{
	(void)state;
	check(TOP_SERVICES, TOP_SORT_NAME, 0,
	      HEAD("services by name") "SERVICE   ENDPOINT  STATE  FLOWS  PACKETS/S         IN    "
				       "OUT  DROPPED/S\n"
				       "v:53/udp  (all)                3        100  2.0 KiB/s  0 "
				       "B/s        2.0\n"
				       "v:53/udp  e         drain      3        110  2.0 KiB/s  0 "
				       "B/s          0\n");
}

static void guard_has_reasons_and_sources(void **state)
{
	(void)state;
	check(TOP_GUARD, TOP_SORT_RATE, 0,
	      HEAD("guard by rate") "WHAT     REASON OR SOURCE  PACKETS/S       RATE  PACKETS  "
				    "REFUSED\n"
				    "seen                            2000  4.0 KiB/s     5000\n"
				    "source   192.0.2.1/32             70                          "
				    "25%\n"
				    "dropped  blocked                  10  1.0 KiB/s       30\n");
}

static void panel_is_found_by_its_name(void **state)
{
	enum top_panel panel;

	(void)state;
	assert_true(top_panel_find("guard", &panel) && panel == TOP_GUARD);
	assert_true(top_panel_find("pools", &panel) && panel == TOP_POOLS);
	assert_false(top_panel_find("pool", &panel));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoint_rates_are_differences_over_time),
		cmocka_unit_test(what_is_new_has_no_rate_yet),
		cmocka_unit_test(sort_puts_the_greatest_first),
		cmocka_unit_test(connections_are_found_again_by_id),
		cmocka_unit_test(rows_stop_at_the_screens_end),
		cmocka_unit_test(services_come_with_their_endpoints),
		cmocka_unit_test(guard_has_reasons_and_sources),
		cmocka_unit_test(panel_is_found_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
