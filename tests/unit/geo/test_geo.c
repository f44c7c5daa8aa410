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
#include <unistd.h>
#include <cmocka.h>

/* libmaxminddb 1.7 forgets some of its memory where a file's metadata is cut off. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libmaxminddb";
}

#define COUNTRY  GEO_DATA "/country.mmdb"
#define COUNTRY4 GEO_DATA "/country4.mmdb"
#define CITY     GEO_DATA "/city.mmdb"
#define ASN      GEO_DATA "/asn.mmdb"
#define OTHER    GEO_DATA "/other.mmdb"

static struct geo *open_all(const char *const *paths, size_t count)
{
	struct strbuf errors = {};
	struct geo *geo = NULL;

	if (geo_open(paths, count, &geo, &errors))
		fail_msg("%s", errors.text);
	assert_int_equal(errors.len, 0);
	return geo;
}

static struct geo *open_one(const char *path)
{
	return open_all(&path, 1);
}

static struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse_ip(slice_from_str(text), 443, &address), 0);
	return address;
}

static struct geo_facts look(const struct geo *geo, const char *text)
{
	struct address address = address_of(text);
	struct geo_facts facts;

	geo_look(geo, &address, &facts);
	return facts;
}

static void assert_country(const struct geo *geo, const char *text, const char *country,
			   const char *continent)
{
	struct geo_facts facts = look(geo, text);
	char a[EARTH_CODE_SIZE], b[EARTH_CODE_SIZE];

	earth_code_format(facts.country, a);
	earth_code_format(facts.continent, b);
	if (strcmp(a, country) != 0 || strcmp(b, continent) != 0)
		fail_msg("%s: %s in %s, not %s in %s", text, a, b, country, continent);
}

static void the_longest_network_of_an_address_counts(void **state)
{
	struct geo *geo = open_one(COUNTRY);

	(void)state;
	assert_int_equal(geo_contents(geo), GEO_COUNTRY | GEO_CONTINENT);
	assert_country(geo, "192.0.2.1", "DE", "EU");
	assert_country(geo, "192.0.2.128", "FR", "EU");
	assert_country(geo, "198.51.100.255", "US", "NA");
	assert_country(geo, "2001:db8::1", "JP", "AS");
	assert_country(geo, "2001:db8:8000::", "DE", "EU");
	geo_unref(geo);
}

static void a_mapped_address_is_where_its_ipv4_address_is(void **state)
{
	struct geo *geo = open_one(COUNTRY), *only_v4 = open_one(COUNTRY4);

	(void)state;
	assert_country(geo, "::ffff:192.0.2.1", "DE", "EU");
	assert_country(only_v4, "::ffff:192.0.2.1", "DE", "EU");
	geo_unref(geo);
	geo_unref(only_v4);
}

static void what_nobody_knows_is_empty(void **state)
{
	struct geo *geo = open_one(COUNTRY), *only_v4 = open_one(COUNTRY4);
	struct address unix_socket, none = {};
	struct geo_facts facts = {.asn = 1};

	(void)state;
	assert_country(geo, "10.0.0.1", "", "");
	assert_country(geo, "2001:db9::", "", "");
	assert_country(only_v4, "2001:db8::", "", "");
	assert_country(NULL, "192.0.2.1", "", "");
	assert_int_equal(address_parse(slice_from_str("unix:/x"), &unix_socket), 0);
	geo_look(geo, &unix_socket, &facts);
	assert_int_equal(facts.country | facts.asn, 0);
	geo_look(geo, &none, &facts);
	assert_int_equal(facts.country, 0);
	geo_unref(geo);
	geo_unref(only_v4);
}

static void a_country_of_registration_stands_in(void **state)
{
	struct geo *geo = open_one(COUNTRY);

	(void)state;
	assert_country(geo, "198.51.100.77", "CA", "");
	geo_unref(geo);
}

static void databases_complete_each_other_and_the_first_one_wins(void **state)
{
	const char *const paths[] = {COUNTRY, ASN, CITY};
	struct geo *geo = open_all(paths, ARRAY_SIZE(paths));
	struct address address = address_of("192.0.2.7");
	struct geo_facts facts = look(geo, "192.0.2.7");

	(void)state;
	assert_int_equal(geo_contents(geo), GEO_COUNTRY | GEO_CONTINENT | GEO_ASN | GEO_POINT);
	assert_int_equal(facts.country, EARTH_CODE('D', 'E'));
	assert_int_equal(facts.asn, 64500);
	assert_true(facts.has_point);
	assert_true(facts.point.latitude == 50.11 && facts.point.longitude == 8.68);
	assert_true(slice_equal_str(geo_organisation(geo, &address), "Example Net"));
	facts = look(geo, "192.0.2.200");
	assert_int_equal(facts.country, EARTH_CODE('F', 'R')); /* the city's says DE */
	assert_int_equal(facts.asn, 0);
	address = address_of("192.0.2.200");
	assert_int_equal(geo_organisation(geo, &address).len, 0);
	geo_unref(geo);
}

static void each_database_can_be_asked_by_itself(void **state)
{
	const char *const paths[] = {COUNTRY, ASN};
	struct geo *geo = open_all(paths, ARRAY_SIZE(paths));
	struct address address = address_of("::ffff:192.0.2.7");
	struct slice organisation;
	struct geo_facts facts;

	(void)state;
	assert_true(geo_look_in(geo, 0, &address, &facts, &organisation));
	assert_int_equal(facts.country, EARTH_CODE('D', 'E'));
	assert_int_equal(facts.asn | organisation.len, 0);
	assert_true(geo_look_in(geo, 1, &address, &facts, &organisation));
	assert_int_equal(facts.country, 0);
	assert_int_equal(facts.asn, 64500);
	assert_true(slice_equal_str(organisation, "Example Net"));
	address = address_of("192.0.2.200");
	assert_false(geo_look_in(geo, 1, &address, &facts, &organisation));
	geo_unref(geo);
}

static void a_place_off_the_earth_is_none(void **state)
{
	struct geo *geo = open_one(CITY);

	(void)state;
	assert_true(look(geo, "198.51.100.1").has_point);
	assert_false(look(geo, "198.51.100.200").has_point);
	geo_unref(geo);
}

static void assert_refused(const char *path, const char *expected)
{
	struct strbuf errors = {};
	struct geo *geo = NULL;
	int err = geo_open(&path, 1, &geo, &errors);

	if (err != -EINVAL || !strstr(errors.text, expected) ||
	    strncmp(errors.text, path, strlen(path)) != 0)
		fail_msg("%s: %d, \"%s\", not \"%s\"", path, err, errors.text, expected);
	assert_null(geo);
	strbuf_done(&errors);
}

static void a_file_that_is_none_of_ours_is_told(void **state)
{
	const char *const two[] = {GEO_DATA "/absent.mmdb", __FILE__};
	struct strbuf errors = {};
	struct geo *geo = NULL;

	(void)state;
	assert_refused(GEO_DATA "/absent.mmdb", "No such file or directory");
	assert_refused(GEO_DATA, "Invalid argument");
	assert_refused("/dev/null", "Invalid argument");
	assert_refused(__FILE__, "is not a database in MaxMind's format");
	assert_refused(OTHER, "tells neither country, continent, autonomous system nor place");
	assert_int_equal(geo_open(two, 2, &geo, &errors), -EINVAL);
	assert_non_null(strstr(errors.text, "absent.mmdb: No such"));
	assert_non_null(strstr(errors.text, "test_geo.c: is not"));
	strbuf_done(&errors);
}

static void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static size_t read_file(const char *path, char *ret, size_t cap)
{
	FILE *file = fopen(path, "r");
	size_t len;

	assert_non_null(file);
	len = fread(ret, 1, cap, file);
	assert_true(len < cap);
	fclose(file);
	return len;
}

static void look_everywhere(const struct geo *geo)
{
	static const char *const addresses[] = {"192.0.2.7", "198.51.100.7", "2001:db8::1",
						"::", "255.255.255.255"};

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		(void)look(geo, addresses[i]);
}

/* Each may open or not, and know or not; nothing may go wrong. */
static void a_file_cut_anywhere_does_no_harm(void **state)
{
	char path[] = "/tmp/test_geo.XXXXXX", bytes[16384];
	size_t len = read_file(CITY, bytes, sizeof(bytes)), opened = 0;
	const char *const paths[] = {path};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (size_t cut = 0; cut <= len; cut++) {
		struct strbuf errors = {};
		struct geo *geo = NULL;

		write_file(path, bytes, cut);
		if (geo_open(paths, 1, &geo, &errors) == 0)
			opened++;
		if (geo)
			look_everywhere(geo);
		geo_unref(geo);
		strbuf_done(&errors);
	}
	unlink(path);
	assert_true(opened >= 1);
}

static void a_file_that_is_written_over_changes_nothing_for_who_has_it(void **state)
{
	char path[] = "/tmp/test_geo.XXXXXX", bytes[16384];
	size_t len = read_file(COUNTRY, bytes, sizeof(bytes));
	const char *const paths[] = {path};
	uint64_t stamp;
	struct geo *geo;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, bytes, len);
	stamp = geo_stamp(paths, 1);
	assert_int_equal(geo_stamp(paths, 1), stamp);
	geo = open_one(path);
	assert_int_equal(geo_opened_stamp(geo), stamp);
	write_file(path, "", 0);
	assert_int_equal(geo_opened_stamp(geo), stamp);
	assert_int_not_equal(geo_stamp(paths, 1), stamp);
	assert_country(geo, "192.0.2.1", "DE", "EU");
	stamp = geo_stamp(paths, 1);
	unlink(path);
	assert_int_not_equal(geo_stamp(paths, 1), stamp);
	geo_unref(geo);
}

static void who_holds_a_reference_keeps_it(void **state)
{
	struct geo *geo = open_one(COUNTRY);
	struct geo_description description;

	(void)state;
	geo_unref(geo_ref(geo));
	assert_country(geo, "192.0.2.1", "DE", "EU");
	assert_int_equal(geo_count(geo), 1);
	geo_describe(geo, 0, &description);
	assert_string_equal(description.path, COUNTRY);
	assert_string_equal(description.type, "Test-Country");
	assert_int_equal(description.built_s, 1700000000);
	geo_unref(geo);
	geo_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_network_of_an_address_counts),
		cmocka_unit_test(a_mapped_address_is_where_its_ipv4_address_is),
		cmocka_unit_test(what_nobody_knows_is_empty),
		cmocka_unit_test(a_country_of_registration_stands_in),
		cmocka_unit_test(databases_complete_each_other_and_the_first_one_wins),
		cmocka_unit_test(each_database_can_be_asked_by_itself),
		cmocka_unit_test(a_place_off_the_earth_is_none),
		cmocka_unit_test(a_file_that_is_none_of_ours_is_told),
		cmocka_unit_test(a_file_cut_anywhere_does_no_harm),
		cmocka_unit_test(a_file_that_is_written_over_changes_nothing_for_who_has_it),
		cmocka_unit_test(who_holds_a_reference_keeps_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
