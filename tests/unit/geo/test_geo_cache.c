// SPDX-License-Identifier: Apache-2.0
// The databases are those that tests/e2e/lib/mmdb.py makes.
#include "geo/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNTRY GEO_DATA "/country.mmdb"
#define CITY    GEO_DATA "/city.mmdb"

static unsigned walks;

void __real_geo_record_read(void *record, uint32_t contents, struct geo_facts *ret);
void __wrap_geo_record_read(void *record, uint32_t contents, struct geo_facts *ret);
void __wrap_geo_record_read(void *record, uint32_t contents, struct geo_facts *ret)
{
	walks++;
	__real_geo_record_read(record, contents, ret);
}

static struct geo *open_one(const char *path)
{
	struct strbuf errors = {};
	struct geo *geo = NULL;

	if (geo_open(&path, 1, &geo, &errors))
		fail_msg("%s", errors.text);
	return geo;
}

static struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse_ip(slice_from_str(text), 443, &address), 0);
	return address;
}

static struct geo_facts look(struct geo_cache *cache, const struct geo *geo, const char *text)
{
	struct address address = address_of(text);
	struct geo_facts facts;

	memset(&facts, 0xff, sizeof(facts));
	geo_cache_look(cache, geo, &address, &facts);
	return facts;
}

static void assert_as_without(struct geo_cache *cache, const struct geo *geo, const char *text)
{
	struct address address = address_of(text);
	struct geo_facts facts = look(cache, geo, text), expected;

	geo_look(geo, &address, &expected);
	assert_int_equal(facts.country, expected.country);
	assert_int_equal(facts.continent, expected.continent);
	assert_int_equal(facts.has_point, expected.has_point);
}

static void second_look_asks_no_database(void **state)
{
	struct geo *geo = open_one(CITY);
	struct geo_cache *cache = geo_cache_new();

	(void)state;
	walks = 0;
	look(cache, geo, "192.0.2.1");
	assert_int_equal(walks, 1);
	assert_int_equal(look(cache, geo, "192.0.2.1").country, EARTH_CODE('D', 'E'));
	assert_true(look(cache, geo, "::ffff:192.0.2.1").point.latitude == 50.11);
	assert_int_equal(walks, 1);
	geo_cache_free(cache);
	geo_unref(geo);
}

static void every_address_has_its_own_facts(void **state)
{
	struct geo *geo = open_one(COUNTRY);
	struct geo_cache *cache = geo_cache_new();
	char text[40];

	(void)state;
	/* Many more than there are places, each twice. */
	for (unsigned i = 0; i < 8192; i++) {
		snprintf(text, sizeof(text), i & 1 ? "192.0.%u.%u" : "2001:db8:%x::%x",
			 i & 1 ? i >> 8 & 3 : i << 3, i & 255);
		assert_as_without(cache, geo, text);
		assert_as_without(cache, geo, text);
		assert_as_without(cache, geo, "198.51.100.77");
	}
	/* The bytes of an IPv4 address at the head of an IPv6 one. */
	assert_as_without(cache, geo, "192.0.2.1");
	assert_as_without(cache, geo, "c000:201::");
	geo_cache_free(cache);
	geo_unref(geo);
}

static void other_databases_are_asked_anew(void **state)
{
	struct geo *geo = open_one(COUNTRY);
	struct geo_cache *cache = geo_cache_new();

	(void)state;
	assert_false(look(cache, geo, "192.0.2.1").has_point);
	geo_unref(geo);
	/* It may well be where the other one was. */
	geo = open_one(CITY);
	assert_true(look(cache, geo, "192.0.2.1").has_point);
	geo_cache_free(cache);
	geo_unref(geo);
}

static void what_is_no_place_is_unknown(void **state)
{
	struct geo *geo = open_one(COUNTRY);
	struct geo_cache *cache = geo_cache_new();
	struct address path;
	struct geo_facts facts;

	(void)state;
	assert_int_equal(address_parse(slice_from_str("unix:/x"), &path), 0);
	geo_cache_look(cache, geo, &path, &facts);
	assert_int_equal(facts.country, 0);
	assert_int_equal(look(NULL, NULL, "192.0.2.1").country, 0);
	geo_cache_free(cache);
	geo_unref(geo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(second_look_asks_no_database),
		cmocka_unit_test(every_address_has_its_own_facts),
		cmocka_unit_test(other_databases_are_asked_anew),
		cmocka_unit_test(what_is_no_place_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
