// SPDX-License-Identifier: Apache-2.0
#include "ctl/ctl_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void check(view_fn *view, const char *result, uint32_t width, const char *expected)
{
	struct ctl_screen screen = {.width = width};
	struct strbuf out = {0};
	json_t *json = json_loads(result, 0, NULL);

	assert_non_null(json);
	view(json, &screen, &out);
	assert_string_equal(out.text ? out.text : "", expected);
	strbuf_done(&out);
	json_decref(json);
}

static void status_is_six_lines(void **state)
{
	(void)state;
	check(view_status,
	      "{\"version\":\"0.1.0\",\"pid\":4711,\"state\":\"serving\",\"uptime_seconds\":192.4,"
	      "\"io_backend\":\"io_uring\",\"workers\":2,\"listeners\":1,\"pools\":2,"
	      "\"config\":{\"path\":\"/etc/sluice.yaml\",\"generation\":3,"
	      "\"loaded_at\":\"2026-11-23T14:20:30Z\",\"reload_failures\":1},"
	      "\"connections_active\":12,\"connections_total\":345678,"
	      "\"endpoints\":{\"total\":4,\"available\":3}}",
	      0,
	      "sluiced       0.1.0, pid 4711, serving for 3m12s\n"
	      "engine        io_uring, 2 workers\n"
	      "configuration /etc/sluice.yaml, generation 3, loaded 2026-11-23T14:20:30Z, "
	      "1 failed reloads\n"
	      "connections   12 open, 345.7k in all\n"
	      "listeners     1\n"
	      "pools         2, with 3 of 4 endpoints available\n");
}

static void status_names_lost_lines_where_there_are(void **state)
{
	static const struct {
		const char *lost, *expected;
	} cases[] = {
		{"{\"access_log\":0,\"log\":0}", NULL},
		{"{\"access_log\":12,\"log\":0}",
		 "\nlines lost    12 of the access log, 0 of the log\n"},
		{"{\"access_log\":0,\"log\":7}",
		 "\nlines lost    0 of the access log, 7 of the log\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *result = json_pack("{s:o}", "lines_lost",
					   json_loads(cases[i].lost, 0, NULL));
		struct ctl_screen screen = {0};
		struct strbuf out = {0};

		view_status(result, &screen, &out);
		if (cases[i].expected)
			assert_non_null(strstr(out.text, cases[i].expected));
		else
			assert_null(strstr(out.text, "lost"));
		strbuf_done(&out);
		json_decref(result);
	}
}

static void status_names_untold_events_where_there_are(void **state)
{
	static const struct {
		const char *untold, *expected;
	} cases[] = {
		{"{\"over\":0,\"dispatch_lost\":0}", NULL},
		{"{\"over\":0,\"dispatch_lost\":6}", "\nevents untold 6 dispatch_lost\n"},
		{"{\"over\":3,\"dispatch_lost\":6}", "\nevents untold 3 over, 6 dispatch_lost\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *result = json_pack("{s:{s:o}}", "acceleration", "untold",
					   json_loads(cases[i].untold, 0, NULL));
		struct ctl_screen screen = {0};
		struct strbuf out = {0};

		view_status(result, &screen, &out);
		if (cases[i].expected)
			assert_non_null(strstr(out.text, cases[i].expected));
		else
			assert_null(strstr(out.text, "untold"));
		strbuf_done(&out);
		json_decref(result);
	}
}

static void listeners_show_places_and_quantiles(void **state)
{
	(void)state;
	check(view_listeners,
	      "{\"listeners\":[{\"name\":\"web\",\"mode\":\"tcp\",\"binds\":[\"0.0.0.0:80\","
	      "\"[::]:80\"],\"active\":2,\"accepted\":10,\"refused\":1,\"bytes_in\":1536,"
	      "\"bytes_out\":1288490189,\"session_seconds\":{\"p50\":0.000128,\"p99\":2.5}},"
	      "{\"name\":\"idle\",\"mode\":\"tcp\",\"binds\":[\"unix:/run/x\"]}]}",
	      0,
	      "LISTENER  BIND           MODE  ACTIVE  ACCEPTED  REFUSED       IN      OUT     P50  "
	      " P99\n"
	      "web       0.0.0.0:80 +1  tcp        2        10        1  1.5 KiB  1.2 GiB  0.13ms  "
	      "2.5s\n"
	      "idle      unix:/run/x    tcp        0         0        0      0 B      0 B       -  "
	      "   -\n");
}

#define POOLS                                                                                 \
	"{\"pools\":[{\"name\":\"app\",\"balance\":\"p2c\",\"waiting\":3,"                    \
	"\"connect_failures\":4,\"connect_seconds\":{\"p50\":0.000256},\"endpoints\":["       \
	"{\"name\":\"10.0.0.1:80\",\"address\":\"10.0.0.1:80\",\"admin\":\"ready\","          \
	"\"health\":\"up\",\"available\":true,\"weight\":1,\"active\":5,\"connections\":100," \
	"\"latency_seconds\":0.0004},"                                                        \
	"{\"name\":\"b.internal:80\",\"address\":\"10.0.0.2:80\",\"admin\":\"drain\","        \
	"\"health\":\"up\",\"available\":false,\"weight\":2,\"active\":1,\"connections\":50," \
	"\"connect_failures\":4,\"resets\":2}]}]}"

static void pools_sum_up_their_endpoints(void **state)
{
	(void)state;
	check(view_pools, POOLS, 0,
	      "POOL  ENDPOINT                     STATE  WEIGHT  ACTIVE  WAITING  TOTAL  FAILED  "
	      "RESET   IN  OUT    TIME\n"
	      "app   p2c                          1/2                 6        3    150       4    "
	      "  2  0 B  0 B  0.26ms\n"
	      "      10.0.0.1:80                  up          1       5             100       0    "
	      "  0  0 B  0 B  0.40ms\n"
	      "      b.internal:80 (10.0.0.2:80)  drain       2       1              50       4    "
	      "  2  0 B  0 B       -\n");
}

static void mirrors_stand_below_the_pools(void **state)
{
	(void)state;
	check(view_mirrors,
	      "{\"pools\":[{\"name\":\"app\",\"mirrors\":{}},{\"name\":\"next\",\"mirrors\":"
	      "{\"answered\":7,\"busy\":2,\"timeout\":3}}]}",
	      0,
	      "\n"
	      "MIRROR  COPIES  ANSWERED  OTHERWISE\n"
	      "next        12         7  5 timeout\n");
	check(view_mirrors, "{\"pools\":[{\"name\":\"app\",\"mirrors\":{}}]}", 0, "");
}

static void pools_fit_the_screen(void **state)
{
	(void)state;
	check(view_pools, POOLS, 80,
	      "POOL  ENDPOINT    STATE  WEIGHT  ACTIVE  WAITING  TOTAL  FAILED  RESET   IN  OUT\n"
	      "app   p2c         1/2                 6        3    150       4      2  0 B  0 B\n"
	      "      10.0.0.1:…  up          1       5             100       0      0  0 B  0 B\n"
	      "      b.interna…  drain       2       1              50       4      2  0 B  0 B\n");
}

static void services_show_endpoints_and_the_commonest_drop(void **state)
{
	(void)state;
	check(view_services,
	      "{\"services\":[{\"listener\":\"dns\",\"address\":\"192.0.2.53:53/udp\","
	      "\"forward\":\"nat\",\"flows\":3,\"packets_in\":30,\"bytes_in\":2048,"
	      "\"packets_out\":29,\"bytes_out\":4096,\"cookies\":12,\"drops\":{\"rate\":2,\"no_"
	      "port\":7},"
	      "\"endpoints\":[{\"name\":\"10.0.0.1:53\",\"admin\":\"drain\",\"health\":\"up\","
	      "\"flows\":3,\"packets_in\":30}]}]}",
	      0,
	      "LISTENER  ADDRESS            FORWARD  FLOWS  PACKETS IN       IN  PACKETS OUT      "
	      "OUT"
	      "  COOKIES  DROPPED\n"
	      "dns       192.0.2.53:53/udp  nat          3          30  2.0 KiB           29  4.0 "
	      "KiB"
	      "       12  9 no_port\n"
	      "          10.0.0.1:53        drain        3          30      0 B            0      "
	      "0 B"
	      "\n");
}

static void services_show_pools_where_a_service_has_several(void **state)
{
	(void)state;
	check(view_services,
	      "{\"services\":[{\"listener\":\"dns\",\"address\":\"192.0.2.53:53/udp\","
	      "\"forward\":\"nat\",\"pool\":\"a\",\"drops\":{},\"endpoints\":["
	      "{\"name\":\"10.0.0.1:53\",\"pool\":\"a\",\"misses_answers\":true},"
	      "{\"name\":\"10.0.0.2:53\",\"pool\":\"b\",\"location\":{\"latitude\":50.110000,"
	      "\"longitude\":-8.680000}}]}]}",
	      0,
	      "LISTENER  ADDRESS            FORWARD  FLOWS  PACKETS IN   IN  PACKETS OUT  OUT  "
	      "COOKIES  DROPPED                   POOL  LOCATION\n"
	      "dns       192.0.2.53:53/udp  nat          0           0  0 B            0  0 B  "
	      "      0  0                         a\n"
	      "          10.0.0.1:53                     0           0  0 B            0  0 B  "
	      "         answers: is this machine  a     -\n"
	      "          10.0.0.2:53                     0           0  0 B            0  0 B  "
	      "                                   b     50.11 -8.68\n");
}

static void places_show_what_holds_and_who_says_so(void **state)
{
	(void)state;
	check(view_geo,
	      "{\"databases\":[],\"addresses\":[{\"address\":\"192.0.2.1\",\"country\":\"DE\","
	      "\"continent\":\"\",\"asn\":64500,\"organisation\":\"Net\",\"location\":{"
	      "\"latitude\":50.110000,\"longitude\":-8.680000},\"databases\":["
	      "{\"path\":\"/c.mmdb\",\"built\":\"2023-11-14T22:13:20.000000Z\","
	      "\"country\":\"DE\",\"continent\":\"\",\"asn\":0,\"organisation\":\"\","
	      "\"location\":{\"latitude\":50.110000,\"longitude\":-8.680000}},"
	      "{\"path\":\"/a.mmdb\",\"built\":\"2024-01-01T00:00:00.000000Z\","
	      "\"country\":\"\",\"continent\":\"\",\"asn\":64500,"
	      "\"organisation\":\"Net\"}]}]}",
	      0,
	      "ADDRESS    COUNTRY  CONTINENT  LOCATION     AS       ORGANISATION  DATABASE  BUILT\n"
	      "192.0.2.1  DE       -          50.11 -8.68  AS64500  Net\n"
	      "           DE       -          50.11 -8.68  -        -             /c.mmdb   "
	      "2023-11-14\n"
	      "           -        -          -            AS64500  Net           /a.mmdb   "
	      "2024-01-01\n");
	check(view_geo,
	      "{\"databases\":[{\"path\":\"/c.mmdb\",\"type\":\"City\","
	      "\"built\":\"2023-11-14T22:13:20.000000Z\",\"has_country\":true,"
	      "\"has_continent\":true,\"has_asn\":false,\"has_point\":true},"
	      "{\"path\":\"/o.mmdb\",\"type\":\"Other\","
	      "\"built\":\"2023-11-14T22:13:20.000000Z\"}],\"addresses\":[]}",
	      0,
	      "DATABASE  TYPE   BUILT       TELLS\n"
	      "/c.mmdb   City   2023-11-14  country, continent, point\n"
	      "/o.mmdb   Other  2023-11-14  -\n");
}

static void a_guard_that_is_off_is_at_no_place(void **state)
{
	static const struct {
		const char *mode, *place, *expected;
	} cases[] = {
		{"off", "connections", "mode          off\n"},
		{"monitor", "packets", "mode          monitor, by the packet programs\n"},
		{"enforce", "connections",
		 "mode          enforce, for connections as they are accepted\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *result = json_pack("{s:s,s:s}", "mode", cases[i].mode, "place",
					   cases[i].place);
		struct ctl_screen screen = {0};
		struct strbuf out = {0};

		view_guard(result, &screen, &out);
		assert_non_null(strstr(out.text, cases[i].expected));
		strbuf_done(&out);
		json_decref(result);
	}
}

static void endpoint_state_names_what_keeps_it_out(void **state)
{
	static const struct {
		const char *json, *expected;
		enum table_colour colour;
	} cases[] = {
		{"{\"admin\":\"ready\",\"health\":\"up\"}", "up", TABLE_GOOD},
		{"{\"admin\":\"ready\",\"health\":\"unknown\"}", "unchecked", TABLE_PLAIN},
		{"{\"admin\":\"ready\",\"health\":\"down\"}", "down", TABLE_BAD},
		{"{\"admin\":\"maint\",\"health\":\"down\"}", "maint", TABLE_WARN},
		{"{\"admin\":\"ready\",\"health\":\"up\",\"ejected_seconds\":61.5}",
		 "ejected 1m02s", TABLE_BAD},
	};
	char text[TEXT_VALUE_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *endpoint = json_loads(cases[i].json, 0, NULL);
		enum table_colour colour;

		assert_string_equal(view_endpoint_state(endpoint, text, &colour),
				    cases[i].expected);
		assert_int_equal(colour, cases[i].colour);
		json_decref(endpoint);
	}
}

static void connections_say_how_many_are_not_shown(void **state)
{
	(void)state;
	check(view_connections,
	      "{\"total\":3,\"connections\":[{\"id\":17,\"client\":\"192.0.2.1:4711\","
	      "\"listener\":\"web\",\"endpoint\":\"\",\"state\":\"client_hello\",\"rung\":"
	      "\"relay\","
	      "\"age_seconds\":0.25,\"idle_seconds\":0,\"bytes_in\":517,\"bytes_out\":0,"
	      "\"tls_version\":\"TLSv1.3\",\"tls_cipher\":\"AES\",\"tls_kernel\":true,"
	      "\"tls_client\":\"CN=a\",\"sni\":\"\\u001b[2J\"}]}",
	      0,
	      "ID  CLIENT          LISTENER  ENDPOINT  STATE         RUNG     AGE  IDLE     IN  "
	      "OUT  TLS             CIPHER  SNI   CLIENT CERTIFICATE\n"
	      "17  192.0.2.1:4711  web       -         client_hello  relay  250ms     -  517 B  0 "
	      "B  TLSv1.3 kernel  AES     ?[2J  CN=a\n"
	      "1 of 3 open connections shown\n");
}

static void listeners_with_tls_show_handshakes_and_certificates(void **state)
{
	(void)state;
	check(view_listeners,
	      "{\"listeners\":[{\"name\":\"web\",\"mode\":\"tcp\",\"binds\":[\":443\"],"
	      "\"tls\":{\"full\":7,\"resumed\":5,\"kernel\":2,\"failed\":{\"timeout\":1,"
	      "\"version\":2},"
	      "\"certificates\":[{\"file\":\"a.pem\",\"name\":\"a.test\",\"key\":\"ECDSA\","
	      "\"expires_in_seconds\":0},{\"file\":\"b.pem\",\"name\":\"b.test\",\"key\":"
	      "\"RSA\",\"expires_in_seconds\":864000}]}},"
	      "{\"name\":\"plain\",\"mode\":\"tcp\",\"binds\":[\":80\"]}]}",
	      0,
	      "LISTENER  BIND  MODE  ACTIVE  ACCEPTED  REFUSED   IN  OUT  P50  P99\n"
	      "web       :443  tcp        0         0        0  0 B  0 B    -    -\n"
	      "plain     :80   tcp        0         0        0  0 B  0 B    -    -\n"
	      "\n"
	      "LISTENER  FULL HANDSHAKES  RESUMED  KERNEL  FAILED\n"
	      "web                     7        5       2       3\n"
	      "\n"
	      "LISTENER  CERTIFICATE  NAME    KEY    EXPIRES IN\n"
	      "web       a.pem        a.test  ECDSA     expired\n"
	      "web       b.pem        b.test  RSA        10d00h\n");
}

static void orders_are_confirmed(void **state)
{
	(void)state;
	check(view_endpoint,
	      "{\"pool\":\"app\",\"endpoints\":[{\"address\":\"10.0.0.1:80\",\"admin\":\"drain\","
	      "\"health\":\"up\",\"weight\":1,\"active\":9}]}",
	      0, "app 10.0.0.1:80: drain, weight 1, 9 active\n");
	check(view_reload, "{\"generation\":2,\"warnings\":\"workers: needs a restart\\n\"}", 0,
	      "configuration loaded, generation 2\nworkers: needs a restart\n");
	check(view_reload, "{\"generation\":3,\"warnings\":\"\",\"pending\":\"guard.geo: later\"}",
	      0, "configuration loaded, generation 3\nnot in force yet: guard.geo: later\n");
	check(view_metrics, "{\"text\":\"a 1\\n\"}", 0, "a 1\n");
	check(view_version, "{\"version\":\"9.9.9\",\"protocol\":1}", 0,
	      "sluiced   9.9.9 (control protocol 1)\nsluicectl " SLUICE_VERSION "\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_is_six_lines),
		cmocka_unit_test(status_names_lost_lines_where_there_are),
		cmocka_unit_test(status_names_untold_events_where_there_are),
		cmocka_unit_test(listeners_show_places_and_quantiles),
		cmocka_unit_test(pools_sum_up_their_endpoints),
		cmocka_unit_test(mirrors_stand_below_the_pools),
		cmocka_unit_test(pools_fit_the_screen),
		cmocka_unit_test(services_show_pools_where_a_service_has_several),
		cmocka_unit_test(services_show_endpoints_and_the_commonest_drop),
		cmocka_unit_test(places_show_what_holds_and_who_says_so),
		cmocka_unit_test(a_guard_that_is_off_is_at_no_place),
		cmocka_unit_test(endpoint_state_names_what_keeps_it_out),
		cmocka_unit_test(connections_say_how_many_are_not_shown),
		cmocka_unit_test(listeners_with_tls_show_handshakes_and_certificates),
		cmocka_unit_test(orders_are_confirmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
