// SPDX-License-Identifier: Apache-2.0
// The databases are those that tests/e2e/lib/mmdb.py makes.
#include "core/compiler.h"
#include "geo/geo.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NETWORKS_MAX 256

struct networks {
	struct prefix list[NETWORKS_MAX];
	size_t count;
	int error; /* given back in the end */
};

static int note(const struct prefix *network, void *context)
{
	struct networks *networks = context;

	assert_true(networks->count < NETWORKS_MAX);
	networks->list[networks->count++] = *network;
	return networks->error;
}

static struct geo *open_all(const char *const *paths, size_t count)
{
	struct strbuf errors = {};
	struct geo *geo = NULL;

	if (geo_open(paths, count, &geo, &errors))
		fail_msg("%s", errors.text);
	return geo;
}

static bool is_german(const struct geo_facts *facts, void *context)
{
	(void)context;
	return facts->country == EARTH_CODE('D', 'E');
}

static bool is_european(const struct geo_facts *facts, void *context)
{
	(void)context;
	return facts->continent == EARTH_CODE('E', 'U');
}

static bool is_german_elsewhere(const struct geo_facts *facts, void *context)
{
	(void)context;
	return facts->country == EARTH_CODE('D', 'E') && facts->asn != 64500;
}

static bool is_unknown(const struct geo_facts *facts, void *context)
{
	(void)context;
	return !facts->country;
}

static bool is_any(const struct geo_facts *facts, void *context)
{
	(void)facts;
	(void)context;
	return true;
}

typedef bool judgement(const struct geo_facts *facts, void *context);

/* @expected: in any order, separated by blanks. */
static void assert_networks(const struct geo *geo, judgement *judge, const char *expected)
{
	struct networks networks = {};
	size_t wanted = *expected != 0;

	assert_int_equal(geo_for_each(geo, judge, note, &networks, NULL), 0);
	for (const char *at = expected; *at; at++)
		wanted += *at == ' ';
	for (size_t i = 0; i < networks.count; i++) {
		char text[PREFIX_TEXT_SIZE];

		if (!strstr(expected, prefix_format(&networks.list[i], text)))
			fail_msg("%s is not in %s", text, expected);
	}
	assert_int_equal(networks.count, wanted);
}

static void networks_with_the_same_answer_are_one(void **state)
{
	const char *const path = GEO_DATA "/country.mmdb";
	struct geo *geo = open_all(&path, 1);

	(void)state;
	assert_networks(geo, is_german, "192.0.2.0/25 203.0.113.0/24 2001:db8:8000::/33");
	assert_networks(geo, is_european, "192.0.2.0/24 203.0.113.0/24 2001:db8:8000::/33");
	assert_networks(geo, is_any, "0.0.0.0/0 ::/0");
	geo_unref(geo);
}

static void an_answer_may_rest_on_several_databases(void **state)
{
	const char *const paths[] = {GEO_DATA "/country.mmdb", GEO_DATA "/asn.mmdb"};
	struct geo *geo = open_all(paths, ARRAY_SIZE(paths));

	(void)state;
	assert_networks(geo, is_german_elsewhere,
			"192.0.2.64/26 203.0.113.0/24 2001:db8:8000::/33");
	geo_unref(geo);
}

struct whole {
	char text[1024];    /* of networks that are known */
	struct prefix next; /* that has to come, of its family */
	int families;
};

/* The address behind @network; all zero behind the last one. */
static struct prefix behind(const struct prefix *network)
{
	struct prefix next = *network;

	for (int bit = network->bits - 1; bit >= 0; bit--) {
		next.ip[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		if (next.ip[bit / 8] & 0x80 >> bit % 8)
			break;
	}
	return next;
}

static int note_whole(const struct prefix *network, const struct geo_facts *facts, void *context)
{
	struct whole *whole = context;
	char text[PREFIX_TEXT_SIZE], country[EARTH_CODE_SIZE];
	size_t len = strlen(whole->text);

	if (whole->next.family != network->family) {
		whole->families++;
		whole->next = (struct prefix){.family = network->family};
	}
	assert_memory_equal(whole->next.ip, network->ip, sizeof(network->ip));
	whole->next = behind(network);
	if (facts->country)
		snprintf(whole->text + len, sizeof(whole->text) - len, "%s %s\n",
			 prefix_format(network, text), earth_code_format(facts->country, country));
	return 0;
}

static void a_walk_leaves_nothing_out_and_goes_in_order(void **state)
{
	const char *const path = GEO_DATA "/country.mmdb";
	static const uint8_t zeros[16];
	struct geo *geo = open_all(&path, 1);
	struct whole whole = {};

	(void)state;
	assert_int_equal(geo_walk(geo, note_whole, &whole, NULL), 0);
	assert_int_equal(whole.families, 2);
	assert_memory_equal(whole.next.ip, zeros, sizeof(zeros));
	assert_non_null(strstr(whole.text, "192.0.2.0/25 DE\n192.0.2.128/25 FR\n"));
	assert_non_null(strstr(whole.text, "198.51.100.77/32 CA\n"));
	assert_non_null(strstr(whole.text, "2001:db8::/33 JP\n2001:db8:8000::/33 DE\n"));
	geo_unref(geo);
}

static void what_is_unknown_is_asked_of_too(void **state)
{
	const char *const path = GEO_DATA "/country4.mmdb";
	struct geo *geo = open_all(&path, 1);
	struct networks networks = {};
	struct address known, unknown;
	bool is_found = false;

	(void)state;
	assert_int_equal(address_parse_ip(slice_from_str("192.0.2.1"), 0, &known), 0);
	assert_int_equal(address_parse_ip(slice_from_str("192.0.3.1"), 0, &unknown), 0);
	assert_int_equal(geo_for_each(geo, is_unknown, note, &networks, NULL), 0);
	for (size_t i = 0; i < networks.count; i++) {
		assert_false(prefix_contains(&networks.list[i], &known));
		is_found |= prefix_contains(&networks.list[i], &unknown);
	}
	assert_true(is_found);
	assert_int_equal(networks.count, 23 + 1); /* around the /24 in 128.0.0.0/1; all of IPv6 */
	geo_unref(geo);
}

static bool is_over(const struct patience *patience)
{
	(void)patience;
	return true;
}

static void nobody_waits_for_a_walk_whose_patience_is_over(void **state)
{
	const char *const path = GEO_DATA "/country.mmdb";
	const struct patience over = {is_over};
	struct geo *geo = open_all(&path, 1);
	struct networks networks = {};
	struct whole whole = {};

	(void)state;
	assert_int_equal(geo_for_each(geo, is_german, note, &networks, &over), -ECANCELED);
	assert_int_equal(geo_walk(geo, note_whole, &whole, &over), -ECANCELED);
	assert_int_equal(networks.count, 0);
	assert_int_equal(whole.families, 0);
	geo_unref(geo);
}

static void who_is_told_may_end_it(void **state)
{
	const char *const path = GEO_DATA "/country.mmdb";
	struct geo *geo = open_all(&path, 1);
	struct networks networks = {.error = -ENOSPC};

	(void)state;
	assert_int_equal(geo_for_each(geo, is_german, note, &networks, NULL), -ENOSPC);
	assert_int_equal(networks.count, 1);
	geo_unref(geo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_with_the_same_answer_are_one),
		cmocka_unit_test(an_answer_may_rest_on_several_databases),
		cmocka_unit_test(a_walk_leaves_nothing_out_and_goes_in_order),
		cmocka_unit_test(what_is_unknown_is_asked_of_too),
		cmocka_unit_test(nobody_waits_for_a_walk_whose_patience_is_over),
		cmocka_unit_test(who_is_told_may_end_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
