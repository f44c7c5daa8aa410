// SPDX-License-Identifier: Apache-2.0
// The databases are those that tests/e2e/lib/mmdb.py makes.
#include "core/compiler.h"
#include "proxy/areas.h"

#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define COUNTRY GEO_DATA "/country.mmdb"
#define CITY    GEO_DATA "/city.mmdb"
#define ASN     GEO_DATA "/asn.mmdb"

#define GEO(databases) "geo: {databases: [" databases "]}\n"
#define LISTENER(routes)                                                                 \
	"listeners: [{name: l, mode: dispatch, bind: '10.1.0.1:80', pool: p, dispatch: " \
	"{forward: l2}" routes "}]\n"
#define ROUTES(list) ", routes: [" list "]"
#define POOL(name)   "{name: " name ", balance: maglev, endpoints: ['10.3.0.1:80']}"
#define AT(address, latitude, longitude) \
	"{address: '" address "', location: {latitude: " latitude ", longitude: " longitude "}}"
#define NEAREST(list) "pools: [{name: p, balance: maglev, nearest: true, endpoints: [" list "]}]\n"
#define FRANKFURT     AT("10.3.0.1:80", "50.11", "8.68")
#define NEW_YORK      AT("10.3.0.2:80", "40.71", "-74.0")
#define SYDNEY        AT("10.3.0.3:80", "-33.87", "151.21")

struct fixture {
	struct config *config;
	struct geo *geo;
	struct areas *areas;
	const struct dispatch_areas *table;
	struct strbuf errors;
};

static void load(struct fixture *f, const char *text)
{
	const char *paths[GEO_DATABASES_MAX];

	*f = (struct fixture){};
	if (config_parse("t", slice_from_str(text), &f->config, &f->errors))
		fail_msg("%s", f->errors.text);
	for (size_t i = 0; i < f->config->geo.ndatabases; i++)
		paths[i] = f->config->geo.databases[i].path;
	if (f->config->geo.ndatabases &&
	    geo_open(paths, f->config->geo.ndatabases, &f->geo, &f->errors))
		fail_msg("%s", f->errors.text);
	if (areas_make(f->config, f->geo, NULL, NULL, &f->areas, &f->errors))
		fail_msg("%s", f->errors.text);
	f->table = areas_table(f->areas);
}

static void done(struct fixture *f)
{
	areas_unref(f->areas);
	geo_unref(f->geo);
	strbuf_done(&f->errors);
	config_free(f->config);
}

/* As packet programs find it. */
static uint32_t area_of(const struct fixture *f, const char *text)
{
	struct address address;
	uint64_t position, half[2];
	uint32_t area = 0;

	assert_int_equal(address_parse(slice_from_str(text), &address), 0);
	if (address.sa.sa_family == AF_INET) {
		position = ntohl(address.v4.sin_addr.s_addr);
	} else {
		memcpy(half, &address.v6.sin6_addr, sizeof(half));
		position = dispatch_position(be64toh(half[0]), be64toh(half[1]));
	}
	for (size_t i = 0; i < f->table->nchanges && f->table->changes[i].first <= position; i++)
		area = f->table->changes[i].area;
	return area;
}

/* The sites of pool p as seen from there, "021"; "": nobody knows. */
static void assert_order(const struct fixture *f, const char *address, const char *expected)
{
	const uint8_t *order = areas_order(f->areas, 0, area_of(f, address));
	char text[8] = "";

	for (size_t i = 0; order && i < f->config->pools[0].nendpoints; i++)
		text[i] = (char)('0' + order[i]);
	assert_string_equal(text, expected);
}

static void assert_pool(const struct fixture *f, const char *address, const char *expected)
{
	size_t pool = areas_pool(f->areas, f->config, 0, area_of(f, address));

	assert_string_equal(f->config->pools[pool].name, expected);
}

/* --- What is asked --------------------------------------------------------------------------- */

static void places_have_their_order_of_sites(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, GEO(CITY) LISTENER("") NEAREST(NEW_YORK ", " SYDNEY ", " FRANKFURT));
	assert_order(&f, "192.0.2.7:0", "201");
	assert_order(&f, "198.51.100.7:0", "021");
	assert_order(&f, "[::ffff:198.51.100.7]:0", "021");
	done(&f);
}

static void what_nobody_knows_has_no_order(void **state)
{
	static const char *const unknown[] = {
		"0.0.0.0:0",          "192.0.1.255:0",     "192.0.3.0:0",
		"198.51.100.128:0",   "[2001:db8::1]:0",   "[::c000:207]:0",
		"[0:0:c000:207::]:0", "255.255.255.255:0", "[ffff:ffff:ffff:ffff::1]:0"};
	struct fixture f;

	(void)state;
	load(&f, GEO(CITY) LISTENER("") NEAREST(NEW_YORK ", " FRANKFURT));
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		assert_int_equal(area_of(&f, unknown[i]), DISPATCH_AREA_UNKNOWN);
		assert_order(&f, unknown[i], "");
	}
	done(&f);
}

static void of_sites_equally_far_the_first_one_is_first(void **state)
{
	struct fixture f;

	(void)state;
	/* The north pole has any longitude. */
	load(&f, GEO(CITY) LISTENER("")
			 NEAREST(AT("10.3.0.1:80", "90", "2") ", " AT("10.3.0.2:80", "90", "1")));
	assert_order(&f, "192.0.2.7:0", "01");
	assert_order(&f, "198.51.100.7:0", "01");
	done(&f);
}

static void endpoints_of_one_location_are_one_site(void **state)
{
	struct fixture f;
	const uint8_t *order;

	(void)state;
	load(&f, GEO(CITY) LISTENER("") NEAREST(FRANKFURT ", '10.3.0.9:80', " AT(
			 "10.3.0.8:80", "50.11", "8.68") ", " NEW_YORK));
	order = areas_order(f.areas, 0, area_of(&f, "198.51.100.1:0"));
	assert_int_equal(order[0], 1);
	assert_int_equal(order[1], 0);
	done(&f);
}

static void networks_beside_each_other_with_the_same_answers_are_one(void **state)
{
	struct fixture f;

	(void)state;
	/* One site: it is known where clients are, or it is not. 0, 192.0.2.0, 192.0.3.0,
	 * 198.51.100.0, 198.51.100.128, and the end. */
	load(&f, GEO(CITY) LISTENER("") NEAREST(FRANKFURT));
	assert_int_equal(f.table->count, 2);
	assert_int_equal(f.table->nchanges, 6);
	assert_int_equal(f.table->changes[1].first, 0xc0000200);
	assert_int_equal(f.table->changes[4].first, 0xc6336480);
	assert_int_equal(f.table->changes[5].first, DISPATCH_NOWHERE);
	done(&f);
	/* Germany and France are one continent, in two networks that touch; 203.0.113.0/24 is the
	 * same area elsewhere. */
	load(&f, GEO(COUNTRY) LISTENER(ROUTES("{match: {continent: [EU]}, pool: q}")) //
	     "pools: [" POOL("p") ", " POOL("q") "]\n");
	assert_int_equal(f.table->count, 2);
	assert_int_equal(area_of(&f, "192.0.2.0:0"), area_of(&f, "192.0.2.255:0"));
	assert_int_equal(area_of(&f, "192.0.2.0:0"), area_of(&f, "203.0.113.9:0"));
	assert_int_equal(f.table->nchanges, 1 + 2 + 2 + 2 + 1);
	done(&f);
}

static void ipv6_is_told_apart_by_its_first_64_bits(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, GEO(COUNTRY) LISTENER(ROUTES("{match: {country: [DE]}, pool: de}, "
					      "{match: {country: [JP]}, pool: jp}")) //
	     "pools: [" POOL("p") ", " POOL("de") ", " POOL("jp") "]\n");
	assert_pool(&f, "[2001:db8::1]:0", "jp");
	assert_pool(&f, "[2001:db8:7fff:ffff:ffff::1]:0", "jp");
	assert_pool(&f, "[2001:db8:8000::1]:0", "de");
	assert_pool(&f, "[2001:db7:ffff::1]:0", "p");
	assert_pool(&f, "[2001:db9::]:0", "p");
	done(&f);
}

static void the_most_specific_route_that_holds_leads(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, GEO(COUNTRY ", " ASN) LISTENER(ROUTES("{match: {continent: [EU]}, pool: eu}, "
						       "{match: {country: [FR]}, pool: fr}, "
						       "{match: {asn: [64500]}, pool: as}")) //
	     "pools: [" POOL("p") ", " POOL("eu") ", " POOL("fr") ", " POOL("as") "]\n");
	assert_pool(&f, "192.0.2.1:0", "as");
	assert_pool(&f, "192.0.2.64:0", "eu");
	assert_pool(&f, "192.0.2.128:0", "fr");
	assert_pool(&f, "198.51.100.1:0", "p");
	assert_pool(&f, "100.0.0.1:0", "p");
	done(&f);
}

static void pools_of_routes_have_their_orders_too(void **state)
{
	struct fixture f;
	const uint8_t *order;

	(void)state;
	load(&f, GEO(CITY) LISTENER(ROUTES("{match: {continent: [NA]}, pool: sites}")) //
	     "pools: [" POOL("p") ", {name: sites, balance: maglev, nearest: true, endpoints: "
				  "[" FRANKFURT ", " NEW_YORK "]}]\n");
	assert_pool(&f, "192.0.2.1:0", "p");
	assert_pool(&f, "198.51.100.1:0", "sites");
	order = areas_order(f.areas, 1, area_of(&f, "198.51.100.1:0"));
	assert_int_equal(order[0], 1);
	assert_null(areas_order(f.areas, 0, 0));
	done(&f);
}

/* --- Life ------------------------------------------------------------------------------------ */

static void what_does_not_go_by_place_has_none(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, LISTENER("") "pools: [" POOL("p") "]\n");
	assert_null(f.areas);
	assert_null(areas_table(NULL));
	done(&f);
	/* Of mode tcp. */
	load(&f, GEO(CITY) "listeners: [{name: l, bind: ':80', pool: p}]\n" NEAREST(FRANKFURT));
	assert_null(f.areas);
	done(&f);
}

static void the_same_are_taken_over_and_others_are_not(void **state)
{
	struct fixture f, moved;
	struct areas *same = NULL, *other = NULL;

	(void)state;
	load(&f, GEO(CITY) LISTENER("") NEAREST(FRANKFURT ", " NEW_YORK));
	load(&moved, GEO(CITY) LISTENER("") NEAREST(NEW_YORK ", " FRANKFURT));
	assert_int_equal(areas_make(f.config, f.geo, f.areas, NULL, &same, &f.errors), 0);
	assert_ptr_equal(same, f.areas);
	assert_int_equal(areas_make(moved.config, f.geo, f.areas, NULL, &other, &f.errors), 0);
	assert_ptr_not_equal(other, f.areas);
	assert_int_not_equal(areas_table(other)->id, f.table->id);
	areas_unref(other);
	areas_unref(same);
	done(&moved);
	assert_order(&f, "192.0.2.7:0", "01");
	done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_have_their_order_of_sites),
		cmocka_unit_test(what_nobody_knows_has_no_order),
		cmocka_unit_test(of_sites_equally_far_the_first_one_is_first),
		cmocka_unit_test(endpoints_of_one_location_are_one_site),
		cmocka_unit_test(networks_beside_each_other_with_the_same_answers_are_one),
		cmocka_unit_test(ipv6_is_told_apart_by_its_first_64_bits),
		cmocka_unit_test(the_most_specific_route_that_holds_leads),
		cmocka_unit_test(pools_of_routes_have_their_orders_too),
		cmocka_unit_test(what_does_not_go_by_place_has_none),
		cmocka_unit_test(the_same_are_taken_over_and_others_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
