// SPDX-License-Identifier: Apache-2.0
// The databases are those that tests/e2e/lib/mmdb.py makes.
#include "core/compiler.h"
#include "guard/table.h"
#include "proxy/places.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define COUNTRY  GEO_DATA "/country.mmdb"
#define COUNTRY4 GEO_DATA "/country4.mmdb"
#define ASN      GEO_DATA "/asn.mmdb"
#define REST                                                 \
	"listeners: [{name: l, bind: \":8000\", pool: p}]\n" \
	"pools: [{name: p, endpoints: [{address: \"[::1]:1\"}]}]\n"

struct fixture {
	struct config *config;
	struct geo *geo;
	struct guard_list list;
	struct strbuf errors;
	int err;
};

/* @rules: the value of guard.geo, in the second line from its column 14 on. */
static struct fixture gather(const char *databases, const char *rules, size_t max)
{
	struct fixture f = {};
	const char *paths[GEO_DATABASES_MAX];
	struct strbuf text = {};

	strbuf_printf(&text, "geo: {databases: [%s]}\nguard: {geo: %s}\n" REST, databases, rules);
	if (config_parse("t", slice_from_str(text.text), &f.config, &f.errors))
		fail_msg("%s", f.errors.text);
	strbuf_done(&text);
	for (size_t i = 0; i < f.config->geo.ndatabases; i++)
		paths[i] = f.config->geo.databases[i].path;
	if (geo_open(paths, f.config->geo.ndatabases, &f.geo, &f.errors))
		fail_msg("%s", f.errors.text);
	f.err = places_gather(f.config, f.geo, max, NULL, &f.list, &f.errors);
	return f;
}

static void done(struct fixture *f)
{
	guard_list_done(&f->list);
	strbuf_done(&f->errors);
	geo_unref(f->geo);
	config_free(f->config);
}

/* @expected: in any order, separated by blanks. */
static void assert_places(const char *databases, const char *rules, const char *expected)
{
	struct fixture f = gather(databases, rules, 100);
	size_t wanted = *expected != 0;

	assert_int_equal(f.err, 0);
	for (const char *at = expected; *at; at++)
		wanted += *at == ' ';
	for (size_t i = 0; i < f.list.count; i++) {
		char text[PREFIX_TEXT_SIZE];

		assert_int_equal(f.list.entries[i].why, GUARD_WHY_GEO);
		if (!strstr(expected, prefix_format(&f.list.entries[i].prefix, text)))
			fail_msg("%s is not in %s", text, expected);
	}
	assert_int_equal(f.list.count, wanted);
	done(&f);
}

static void networks_in_networks_go_by_their_own_place(void **state)
{
	(void)state;
	assert_places(COUNTRY, "{block: {country: DE}}",
		      "192.0.2.0/25 203.0.113.0/24 2001:db8:8000::/33");
	assert_places(COUNTRY, "{block: {country: FR}}", "192.0.2.128/25");
	assert_places(COUNTRY, "{block: {country: [CA, JP]}}", "198.51.100.77/32 2001:db8::/33");
}

static void any_of_the_places_is_enough(void **state)
{
	(void)state;
	assert_places(COUNTRY ", " ASN, "{block: {country: FR, continent: AS, asn: 64501}}",
		      "192.0.2.128/25 2001:db8::/33 198.51.100.0/25");
}

static void allowed_places_are_taken_out_of_the_blocked(void **state)
{
	(void)state;
	assert_places(COUNTRY, "{block: {continent: EU}, allow: {country: FR}}",
		      "192.0.2.0/25 203.0.113.0/24 2001:db8:8000::/33");
	assert_places(COUNTRY ", " ASN,
		      "{block: {continent: [EU, NA]}, allow: {asn: [64501, 64500]}}",
		      "192.0.2.64/26 192.0.2.128/25 198.51.100.128/25 203.0.113.0/24 "
		      "2001:db8:8000::/33");
	assert_places(COUNTRY, "{block: {country: FR}, allow: {continent: EU}}", "");
}

static void databases_of_ipv4_alone_say_nothing_of_ipv6(void **state)
{
	(void)state;
	assert_places(COUNTRY4, "{block: {country: AU}}", "0.0.0.0/1");
}

static void without_blocked_places_there_are_none(void **state)
{
	struct fixture f = gather(COUNTRY, "{}", 100);

	(void)state;
	assert_false(places_are_ruled(f.config));
	done(&f);
	assert_places(COUNTRY, "{}", "");
}

/* --- Beside lists --------------------------------------------------------------- */

static void add(struct guard_list *list, const char *network, enum guard_why why)
{
	struct guard_entry entry = {.why = (uint8_t)why};

	assert_int_equal(prefix_parse(slice_from_str(network), &entry.prefix), 0);
	guard_list_add(list, &entry);
}

static enum guard_why look(const struct guard_table *table, const char *text)
{
	struct address address;

	assert_int_equal(address_parse_ip(slice_from_str(text), 0, &address), 0);
	return guard_table_look(table, &address);
}

static void lists_win_over_places_in_the_table(void **state)
{
	struct fixture f = gather(COUNTRY, "{block: {continent: EU}, allow: {country: FR}}", 100);
	struct guard_table *table;

	(void)state;
	add(&f.list, "192.0.2.7", GUARD_WHY_ALLOW);
	add(&f.list, "192.0.2.192/26", GUARD_WHY_BLOCK);
	assert_int_equal(guard_table_new(&f.list, 0, &table), 0);
	assert_int_equal(look(table, "192.0.2.1"), GUARD_WHY_GEO);
	assert_int_equal(look(table, "::ffff:192.0.2.1"), GUARD_WHY_GEO);
	assert_int_equal(look(table, "192.0.2.7"), GUARD_WHY_ALLOW);
	assert_int_equal(look(table, "192.0.2.129"), GUARD_WHY_NONE);
	assert_int_equal(look(table, "192.0.2.200"), GUARD_WHY_BLOCK);
	assert_int_equal(look(table, "2001:db8:8000::1"), GUARD_WHY_GEO);
	assert_int_equal(look(table, "2001:db8::1"), GUARD_WHY_NONE);
	assert_int_equal(look(table, "127.0.0.1"), GUARD_WHY_NONE);
	guard_table_free(table);
	done(&f);
}

static void too_many_networks_are_counted_and_refused(void **state)
{
	struct fixture f = gather(COUNTRY, "{block: {country: DE}}", 2);

	(void)state;
	assert_int_equal(f.err, -E2BIG);
	assert_string_equal(f.errors.text,
			    "t:2:22: guard.geo: the places to block are 3 networks in the "
			    "databases; expected at most 2\n");
	assert_int_equal(f.list.count, 2);
	done(&f);
	f = gather(COUNTRY, "{block: {country: DE}}", 3);
	assert_int_equal(f.err, 0);
	done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_in_networks_go_by_their_own_place),
		cmocka_unit_test(any_of_the_places_is_enough),
		cmocka_unit_test(allowed_places_are_taken_out_of_the_blocked),
		cmocka_unit_test(databases_of_ipv4_alone_say_nothing_of_ipv6),
		cmocka_unit_test(without_blocked_places_there_are_none),
		cmocka_unit_test(lists_win_over_places_in_the_table),
		cmocka_unit_test(too_many_networks_are_counted_and_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
