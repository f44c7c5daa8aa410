// SPDX-License-Identifier: Apache-2.0
// The databases are those that tests/e2e/lib/mmdb.py makes.
/* What listeners of mode dispatch and the state of endpoints come to. */
#include "config/config.h"
#include "core/compiler.h"
#include "io/loop.h"
#include "proxy/dispatch_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define LISTENER(bind, options) \
	"listeners: [{name: l, mode: dispatch, bind: " bind ", pool: p, dispatch: " options "}]\n"
#define POOL(endpoints) "pools: [{name: p, balance: maglev, endpoints: [" endpoints "]}]\n"

struct fixture {
	struct io_loop *loop;
	struct config *config;
	struct upstream *upstream;
	struct areas *areas;
	struct arena arena;
	struct dispatch_plan plan;
};

static void make_plan(struct fixture *f)
{
	arena_reset(&f->arena);
	assert_int_equal(dispatch_plan_make(f->config, f->upstream, f->areas, &f->arena, &f->plan),
			 0);
}

static void find_areas(struct fixture *f)
{
	const char *const path = GEO_DATA "/city.mmdb";
	struct strbuf errors = {};
	struct geo *geo = NULL;

	if (!f->config->geo.ndatabases)
		return;
	if (geo_open(&path, 1, &geo, &errors) ||
	    areas_make(f->config, geo, NULL, NULL, &f->areas, &errors))
		fail_msg("%s", errors.text);
	geo_unref(geo);
	strbuf_done(&errors);
}

static void load(struct fixture *f, const char *text)
{
	const struct io_options io = {.backend = IO_BACKEND_EPOLL};
	struct strbuf errors = {};

	*f = (struct fixture){};
	assert_int_equal(io_loop_new(&io, &f->loop), 0);
	if (config_parse("t", slice_from_str(text), &f->config, &errors))
		fail_msg("%s", errors.text);
	assert_int_equal(upstream_new(f->config, NULL, f->loop, &f->upstream), 0);
	find_areas(f);
	make_plan(f);
}

static void done(struct fixture *f)
{
	areas_unref(f->areas);
	arena_done(&f->arena);
	upstream_free(f->upstream);
	config_free(f->config);
	io_loop_free(f->loop);
}

static struct endpoint *endpoint_of(const struct fixture *f, const char *name)
{
	struct endpoint *endpoint = pool_find(upstream_pool(f->upstream, 0), name);

	assert_non_null(endpoint);
	endpoint_unref(endpoint); /* the pool has it too */
	return endpoint;
}

/* -1: it is not in the plan. */
static int weight_of(const struct fixture *f, const char *name)
{
	const struct dispatch_service *service = &f->plan.services[0];
	uint64_t id = endpoint_of(f, name)->id;

	for (size_t i = 0; i < service->nendpoints; i++)
		if (service->endpoints[i].id == id)
			return (int)service->endpoints[i].weight;
	return -1;
}

static void a_bind_becomes_a_service(void **state)
{
	struct fixture f;
	const struct dispatch_service *services;

	(void)state;
	load(&f, "dispatch: {ring_seed: 7, new_flow_rate: 9}\n" LISTENER(
			 "['10.1.0.1:53/udp', '10.1.0.1:80-89']",
			 "{source: [10.2.0.1, 10.2.0.2], source_ports: 10000-10009, udp_timeout: "
			 "1500ms, "
			 "tcp_timeout: 2m}") POOL("{address: '10.3.0.1:8080', weight: 3}"));
	services = f.plan.services;
	assert_int_equal(f.plan.nservices, 2);
	assert_int_equal(f.plan.ring_seed, 7);
	assert_int_equal(f.plan.new_flow_rate, 9);
	assert_int_equal(services[0].protocol, IPPROTO_UDP);
	assert_int_equal(services[1].protocol, IPPROTO_TCP);
	assert_int_equal(services[0].last_port, 53);
	assert_int_equal(services[1].last_port, 89);
	assert_int_equal(services[0].form, DISPATCH_NAT);
	assert_int_equal(services[0].algorithm, DISPATCH_MAGLEV);
	assert_int_equal(services[0].nsources, 2);
	assert_int_equal(services[0].first_source_port, 10000);
	assert_int_equal(services[0].last_source_port, 10009);
	assert_int_equal(services[0].udp_timeout_s, 2);
	assert_int_equal(services[0].tcp_timeout_s, 120);
	assert_int_equal(services[0].endpoints[0].weight, 3);
	/* A range keeps the packet's port. */
	assert_int_equal(address_port(&services[0].endpoints[0].address), 8080);
	assert_int_equal(address_port(&services[1].endpoints[0].address), 0);
	assert_int_not_equal(services[0].id, services[1].id);
	done(&f);
}

static void every_form_and_algorithm_has_its_word(void **state)
{
	static const struct {
		const char *text;
		enum dispatch_form form;
		const char *balance;
		enum dispatch_algorithm algorithm;
	} cases[] = {
		{LISTENER("'10.1.0.1:80'", "{forward: ipip}"), DISPATCH_IPIP, "source",
		 DISPATCH_SOURCE},
		{LISTENER("'10.1.0.1:80'", "{forward: gue, gue_port: 99}"), DISPATCH_GUE, "maglev",
		 DISPATCH_MAGLEV},
		{LISTENER("'10.1.0.1:80'", "{forward: l2}"), DISPATCH_L2, "source",
		 DISPATCH_SOURCE},
		{LISTENER("'10.1.0.1:80'", "{forward: dnat}"), DISPATCH_DNAT, "least_conn",
		 DISPATCH_LEAST_LOADED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[512];
		struct fixture f;

		snprintf(text, sizeof(text),
			 "%spools: [{name: p, balance: %s, endpoints: ['10.3.0.1:80']}]\n",
			 cases[i].text, cases[i].balance);
		load(&f, text);
		assert_int_equal(f.plan.services[0].form, cases[i].form);
		assert_int_equal(f.plan.services[0].algorithm, cases[i].algorithm);
		assert_int_equal(f.plan.services[0].gue_port, i == 1 ? 99 : 6080);
		done(&f);
	}
}

#define TWO LISTENER("'10.1.0.1:80'", "{forward: l2}") POOL("'10.3.0.1:80', '10.3.0.2:80'")

static void drained_ones_keep_their_flows_and_dead_ones_do_not(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, TWO);
	assert_int_equal(weight_of(&f, "10.3.0.1:80"), 1);
	atomic_store(&endpoint_of(&f, "10.3.0.1:80")->admin, ENDPOINT_DRAIN);
	make_plan(&f);
	assert_int_equal(weight_of(&f, "10.3.0.1:80"), 0);
	assert_int_equal(weight_of(&f, "10.3.0.2:80"), 1);
	atomic_store(&endpoint_of(&f, "10.3.0.1:80")->admin, ENDPOINT_MAINT);
	make_plan(&f);
	assert_int_equal(weight_of(&f, "10.3.0.1:80"), 0);
	atomic_store(&endpoint_of(&f, "10.3.0.1:80")->health, ENDPOINT_HEALTH_DOWN);
	make_plan(&f);
	assert_int_equal(weight_of(&f, "10.3.0.1:80"), -1);
	done(&f);
}

static void ids_outlive_a_reload_that_changes_something_else(void **state)
{
	struct fixture f, g;

	(void)state;
	load(&f, TWO);
	load(&g, LISTENER("['10.1.0.2:80', '10.1.0.1:80-90']", "{forward: ipip}")
			 POOL("'10.3.0.2:80', '10.3.0.1:80'"));
	assert_int_equal(f.plan.services[0].id, g.plan.services[1].id);
	assert_int_equal(f.plan.services[0].endpoints[0].id, g.plan.services[1].endpoints[1].id);
	done(&f);
	done(&g);
}

static void the_lowest_tier_that_is_up_takes_what_is_new(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, LISTENER("'10.1.0.1:80'", "{forward: l2}")
			 POOL("'10.3.0.1:80', {address: '10.3.0.2:80', backup: true}"));
	assert_int_equal(weight_of(&f, "10.3.0.1:80"), 1);
	assert_int_equal(weight_of(&f, "10.3.0.2:80"), 0);
	atomic_store(&endpoint_of(&f, "10.3.0.1:80")->weight, 0);
	make_plan(&f);
	assert_int_equal(weight_of(&f, "10.3.0.1:80"), 0);
	assert_int_equal(weight_of(&f, "10.3.0.2:80"), 1);
	done(&f);
}

/* As a name may have addresses of both. */
static void the_other_familys_endpoints_decide_no_tier_and_no_zone(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, "zone: here\n" LISTENER("'10.1.0.1:80'", "{forward: l2}")
			 POOL("{address: '10.3.0.1:80', zone: here}, "
			      "{address: '10.3.0.2:80', tier: 1, zone: there}"));
	endpoint_of(&f, "10.3.0.1:80")->address.sa.sa_family = AF_INET6;
	make_plan(&f);
	assert_int_equal(weight_of(&f, "10.3.0.1:80"), -1);
	assert_int_equal(weight_of(&f, "10.3.0.2:80"), 1);
	done(&f);
}

static void our_zone_comes_before_others(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, "zone: here\n" LISTENER("'10.1.0.1:80'", "{forward: l2}") POOL(
			 "{address: '10.3.0.1:80', zone: here}, {address: '10.3.0.2:80', zone: "
			 "there}, '10.3.0.3:80'"));
	assert_int_equal(weight_of(&f, "10.3.0.1:80"), 1);
	assert_int_equal(weight_of(&f, "10.3.0.2:80"), 0);
	assert_int_equal(weight_of(&f, "10.3.0.3:80"), 0);
	atomic_store(&endpoint_of(&f, "10.3.0.1:80")->health, ENDPOINT_HEALTH_DOWN);
	make_plan(&f);
	assert_int_equal(weight_of(&f, "10.3.0.2:80"), 1);
	assert_int_equal(weight_of(&f, "10.3.0.3:80"), 1);
	done(&f);
}

static void many_endpoints_have_room(void **state)
{
	struct strbuf text = {};
	struct fixture f;

	(void)state;
	strbuf_append_str(&text, LISTENER("'10.1.0.1:80'", "{forward: l2}"));
	strbuf_append_str(&text, "pools: [{name: p, balance: maglev, endpoints: [");
	for (int i = 0; i < 100; i++)
		strbuf_printf(&text, "%s'10.3.1.%d:80'", i ? ", " : "", i);
	strbuf_append_str(&text, "]}]\n");
	load(&f, text.text);
	assert_int_equal(f.plan.services[0].nendpoints, 100);
	assert_int_equal(weight_of(&f, "10.3.1.0:80"), 1);
	assert_int_equal(weight_of(&f, "10.3.1.99:80"), 1);
	done(&f);
	strbuf_done(&text);
}

static void other_modes_have_no_service(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, "listeners: [{name: l, bind: ':80', pool: p}]\n" POOL("'10.3.0.1:80'"));
	assert_int_equal(f.plan.nservices, 0);
	done(&f);
}

/* --- By place -------------------------------------------------------------------------------- */

#define AT(address, options, latitude, longitude)                            \
	"{address: '" address "'" options ", location: {latitude: " latitude \
	", longitude: " longitude "}}"
#define BY_PLACE                             \
	"geo: {databases: [/x]}\n" LISTENER( \
		"'10.1.0.1:80'",             \
		"{forward: l2}") "pools: [{name: p, balance: maglev, nearest: true, endpoints: ["
#define FRANKFURT AT("10.3.0.1:80", "", "50.11", "8.68")
#define NEW_YORK  AT("10.3.0.2:80", "", "40.71", "-74.0")

static void set_state(const struct fixture *f, const char *name, enum endpoint_admin state)
{
	atomic_store(&endpoint_of(f, name)->admin, state);
}

/* IPv4, in host order. */
static uint32_t area_of(const struct fixture *f, uint32_t address)
{
	const struct dispatch_areas *areas = f->plan.areas;
	uint32_t area = 0;

	for (size_t i = 0; i < areas->nchanges && areas->changes[i].first <= address; i++)
		area = areas->changes[i].area;
	return area;
}

#define GERMAN   0xc0000201 /* 192.0.2.1 */
#define AMERICAN 0xc6336401 /* 198.51.100.1 */
#define UNKNOWN  0x0a000001

/* The last digits of the endpoints' addresses with a weight for a client; "": nobody. */
static void assert_serve(struct fixture *f, uint32_t client, const char *expected)
{
	const struct dispatch_service *service = &f->plan.services[0];
	char text[8] = "";
	size_t len = 0, ring;

	make_plan(f);
	ring = service->ring_of_area[area_of(f, client)];
	for (size_t i = 0; ring != DISPATCH_NO_RING && i < service->nendpoints; i++)
		if (service->ring_weights[ring * service->nendpoints + i])
			text[len++] =
				(char)('0' +
				       ntohl(service->endpoints[i].address.v4.sin_addr.s_addr) %
					       16);
	assert_string_equal(text, expected);
}

static void areas_have_the_ring_of_their_nearest_site(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, BY_PLACE FRANKFURT ", " NEW_YORK ", '10.3.0.3:80']}]\n");
	assert_serve(&f, GERMAN, "1");
	assert_serve(&f, AMERICAN, "2");
	assert_serve(&f, UNKNOWN, "123");
	assert_int_equal(f.plan.services[0].nrings, 4);
	set_state(&f, "10.3.0.1:80", ENDPOINT_DRAIN);
	assert_serve(&f, GERMAN, "2");
	assert_serve(&f, UNKNOWN, "23");
	set_state(&f, "10.3.0.2:80", ENDPOINT_DRAIN);
	assert_serve(&f, GERMAN, "3");
	set_state(&f, "10.3.0.3:80", ENDPOINT_DRAIN);
	assert_serve(&f, GERMAN, "");
	assert_serve(&f, UNKNOWN, "");
	set_state(&f, "10.3.0.2:80", ENDPOINT_READY);
	assert_serve(&f, GERMAN, "2");
	done(&f);
}

static void weights_tiers_and_zones_hold_within_a_site(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, "zone: ours\n" BY_PLACE AT("10.3.0.1:80", ", tier: 1", "50.11", "8.68") //
	     ", " AT("10.3.0.2:80", ", zone: ours, weight: 7", "40.71", "-74.0")         //
	     ", " AT("10.3.0.3:80", "", "40.71", "-74.0")                                //
	     ", " AT("10.3.0.4:80", "", "-33.87", "151.21") "]}]\n");
	/* Its own site is a backup's; of New York's those in our zone come first. */
	assert_serve(&f, GERMAN, "2");
	assert_int_equal(weight_of(&f, "10.3.0.2:80"), 7);
	assert_int_equal(weight_of(&f, "10.3.0.1:80"), 0);
	set_state(&f, "10.3.0.2:80", ENDPOINT_DRAIN);
	assert_serve(&f, GERMAN, "3");
	set_state(&f, "10.3.0.3:80", ENDPOINT_DRAIN);
	assert_serve(&f, GERMAN, "4");
	set_state(&f, "10.3.0.4:80", ENDPOINT_DRAIN);
	assert_serve(&f, GERMAN, "1");
	done(&f);
}

static void routes_lead_areas_to_rings_of_other_pools(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, "geo: {databases: [/x]}\n"
		 "listeners: [{name: l, mode: dispatch, bind: '10.1.0.1:80', pool: p, dispatch: "
		 "{forward: l2}, routes: [{match: {country: [DE]}, pool: q}, {match: {continent: "
		 "[NA]}, pool: q}]}]\n"
		 "pools: [{name: p, balance: maglev, endpoints: ['10.3.0.1:80', '10.3.0.2:80']}, "
		 "{name: q, balance: maglev, endpoints: ['10.3.0.2:80', '10.3.0.3:80']}]\n");
	assert_int_equal(f.plan.services[0].nendpoints, 3);
	assert_int_equal(f.plan.services[0].nrings, 2);
	assert_serve(&f, GERMAN, "23");
	assert_serve(&f, AMERICAN, "23");
	assert_serve(&f, UNKNOWN, "12");
	/* Of pool p alone. */
	set_state(&f, "10.3.0.2:80", ENDPOINT_DRAIN);
	assert_serve(&f, UNKNOWN, "1");
	assert_serve(&f, GERMAN, "23");
	done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bind_becomes_a_service),
		cmocka_unit_test(every_form_and_algorithm_has_its_word),
		cmocka_unit_test(drained_ones_keep_their_flows_and_dead_ones_do_not),
		cmocka_unit_test(ids_outlive_a_reload_that_changes_something_else),
		cmocka_unit_test(the_lowest_tier_that_is_up_takes_what_is_new),
		cmocka_unit_test(the_other_familys_endpoints_decide_no_tier_and_no_zone),
		cmocka_unit_test(our_zone_comes_before_others),
		cmocka_unit_test(many_endpoints_have_room),
		cmocka_unit_test(other_modes_have_no_service),
		cmocka_unit_test(areas_have_the_ring_of_their_nearest_site),
		cmocka_unit_test(weights_tiers_and_zones_hold_within_a_site),
		cmocka_unit_test(routes_lead_areas_to_rings_of_other_pools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
