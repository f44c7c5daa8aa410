// SPDX-License-Identifier: Apache-2.0
#include "admin/admin_internal.h"
#include "unit/admin/fake_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static char *page_of(struct server *server)
{
	struct strbuf out = {0};

	metrics_page(server, &out);
	return strbuf_take(&out);
}

static void assert_has_line(const char *page, const char *line)
{
	const char *found = strstr(page, line);

	if (!found || found[strlen(line)] != '\n' || (found != page && found[-1] != '\n'))
		fail_msg("no line '%s' in:\n%s", line, page);
}

static void page_has_every_object(void **state)
{
	struct server server;
	char *page;

	(void)state;
	fake_server_init(&server);
	atomic_store(&server.pool.endpoints[1].admin, ENDPOINT_DRAIN);
	atomic_store(&server.pool.endpoints[1].health, ENDPOINT_HEALTH_DOWN);
	page = page_of(&server);
	assert_has_line(page,
			"sluice_build_info{version=\"" SLUICE_VERSION "\",io_backend=\"epoll\"} 1");
	assert_has_line(page, "sluice_process_start_time_seconds 1764000000");
	assert_has_line(page, "sluice_splice_available 1");
	assert_has_line(page, "sluice_splice_pairs 2");
	assert_has_line(page, "sluice_splice_connections_total{listener=\"web\","
			      "rung=\"relay\",reason=\"mss\"} 2");
	assert_has_line(page, "sluice_splice_connections_total{listener=\"web\","
			      "rung=\"splice-xdp\",reason=\"-\"} 4");
	assert_has_line(page, "sluice_splice_handovers_total{listener=\"web\","
			      "result=\"not_quiet\"} 5");
	assert_has_line(page, "sluice_splice_received_packets_total{listener=\"web\"} 77");
	assert_has_line(page, "sluice_splice_verdicts_total{verdict=\"spliced\"} 9");
	assert_has_line(page, "sluice_packet_events_untold_total{event=\"dispatch_lost\"} 6");
	assert_has_line(page, "sluice_splice_device{device=\"eth0\",hook=\"xdp\"} 1");
	assert_has_line(page, "sluice_dispatch_dropped_packets_total{listener=\"dns\","
			      "service=\"192.0.2.53:53-54/udp\",reason=\"rate\"} 8");
	assert_has_line(page, "sluice_dispatch_received_packets_total{listener=\"dns\","
			      "service=\"192.0.2.53:53-54/udp\",endpoint=\"10.0.0.1:80\"} 80");
	assert_has_line(page, "sluice_dispatch_unlisted_flows_total{listener=\"dns\","
			      "service=\"192.0.2.53:53-54/udp\"} 2");
	assert_has_line(page, "sluice_dispatch_syn_cookies_total{listener=\"dns\","
			      "service=\"192.0.2.53:53-54/udp\"} 5");
	assert_has_line(page, "sluice_dispatch_syn_cookie_flows_total{listener=\"dns\","
			      "service=\"192.0.2.53:53-54/udp\"} 4");
	assert_has_line(page, "sluice_listener_connections_accepted_total{listener=\"web\"} 10");
	assert_has_line(page, "sluice_listener_connection_ends_total{listener=\"web\","
			      "reason=\"done\"} 3");
	assert_has_line(page, "sluice_listener_session_duration_seconds_count{listener=\"web\"} 1");
	assert_has_line(page, "sluice_pool_connect_duration_seconds_sum{pool=\"app\"} 0.0001");
	assert_has_line(page, "sluice_pool_place_picks_total{pool=\"app\",place=\"50.11,8.68\","
			      "nearness=\"further\"} 2");
	assert_has_line(page, "sluice_pool_place_picks_total{pool=\"app\",place=\"none\","
			      "nearness=\"unknown\"} 1");
	assert_has_line(page, "sluice_pool_queue_waiting{pool=\"app\"} 4");
	assert_has_line(page, "sluice_endpoint_up{pool=\"app\",endpoint=\"b.internal:80\","
			      "address=\"10.0.0.2:80\"} 0");
	assert_has_line(page, "sluice_endpoint_admin_state{pool=\"app\",endpoint=\"b.internal:80\","
			      "address=\"10.0.0.2:80\",state=\"drain\"} 1");
	assert_has_line(page, "sluice_endpoint_connections_total{pool=\"app\","
			      "endpoint=\"10.0.0.1:80\",address=\"10.0.0.1:80\"} 7");
	free(page);
}

static void families_are_announced_once(void **state)
{
	struct server server;
	char *page, *first;

	(void)state;
	fake_server_init(&server);
	page = page_of(&server);
	first = strstr(page, "# TYPE sluice_endpoint_up gauge\n");
	assert_non_null(first);
	assert_null(strstr(first + 1, "# TYPE sluice_endpoint_up gauge\n"));
	free(page);
}

static void promtool_finds_nothing_to_say(void **state)
{
	struct server server;
	char *page;
	FILE *promtool;

	(void)state;
	if (system("command -v promtool >/dev/null 2>&1") != 0)
		skip();
	fake_server_init(&server);
	page = page_of(&server);
	promtool = popen("promtool check metrics >&2", "w");
	assert_non_null(promtool);
	fputs(page, promtool);
	assert_int_equal(pclose(promtool), 0);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_has_every_object),
		cmocka_unit_test(families_are_announced_once),
		cmocka_unit_test(promtool_finds_nothing_to_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
