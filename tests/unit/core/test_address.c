// SPDX-License-Identifier: Apache-2.0
#include "core/address.h"
#include "core/compiler.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void address_text_survives_a_round_trip(void **state)
{
	static const char *const texts[] = {
		"192.0.2.1:80", "0.0.0.0:0",          "[2001:db8::1]:65535",
		"[::]:443",     "unix:/run/x/y.sock", "unix:@abstract",
	};
	char text[ADDRESS_TEXT_SIZE];
	struct address address;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(address_parse(slice_from_str(texts[i]), &address), 0);
		assert_string_equal(address_format(&address, text), texts[i]);
	}
}

static void address_rejects_what_is_none(void **state)
{
	static const struct {
		const char *text;
		int expected;
	} cases[] = {
		{"", -EINVAL},
		{"192.0.2.1", -EINVAL},
		{"192.0.2.1:", -EINVAL},
		{"192.0.2.1:65536", -ERANGE},
		{"192.0.2.1:8x", -EINVAL},
		{"192.0.2.256:80", -EINVAL},
		{"2001:db8::1:80", -EINVAL},
		{"[192.0.2.1]:80", -EINVAL},
		{"[2001:db8::1:80", -EINVAL},
		{"example.com:80", -EINVAL},
		{"[fe80::1%nosuchif]:80", -ENODEV},
		{"unix:", -EINVAL},
	};
	struct address address;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(address_parse(slice_from_str(cases[i].text), &address),
				 cases[i].expected);
}

static void unix_path_of_108_bytes_is_too_long(void **state)
{
	char text[5 + 108 + 1] = "unix:";
	struct address address;

	(void)state;
	memset(text + 5, 'a', 108);
	assert_int_equal(address_parse(slice_of(text, 5 + 107), &address), 0);
	assert_int_equal(address_parse(slice_of(text, 5 + 108), &address), -ENAMETOOLONG);
}

static bool contains(const char *network, const char *ip)
{
	struct address address;
	struct prefix prefix;

	assert_int_equal(prefix_parse(slice_from_str(network), &prefix), 0);
	assert_int_equal(address_parse_ip(slice_from_str(ip), 0, &address), 0);
	return prefix_contains(&prefix, &address);
}

static void prefix_contains_by_leading_bits(void **state)
{
	(void)state;
	assert_true(contains("10.0.0.0/8", "10.255.0.1"));
	assert_false(contains("10.0.0.0/8", "11.0.0.1"));
	assert_true(contains("192.0.2.1", "192.0.2.1"));
	assert_false(contains("192.0.2.1", "192.0.2.2"));
	assert_true(contains("0.0.0.0/0", "203.0.113.9"));
	assert_false(contains("0.0.0.0/0", "2001:db8::1"));
	assert_true(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
	assert_true(contains("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(contains("2001:db8::/33", "2001:db8:8000::1"));
}

static void prefix_of_mapped_addresses_is_one_of_ipv4(void **state)
{
	char text[PREFIX_TEXT_SIZE];
	struct prefix prefix;

	(void)state;
	assert_int_equal(prefix_parse(slice_from_str("::ffff:192.0.2.0/120"), &prefix), 0);
	assert_string_equal(prefix_format(&prefix, text), "192.0.2.0/24");
	assert_int_equal(prefix_parse(slice_from_str("::ffff:192.0.2.1"), &prefix), 0);
	assert_string_equal(prefix_format(&prefix, text), "192.0.2.1/32");
	assert_int_equal(prefix_parse(slice_from_str("::/64"), &prefix), 0);
	assert_string_equal(prefix_format(&prefix, text), "::/64");
	assert_int_equal(prefix_parse(slice_from_str("::ffff:192.0.2.1/120"), &prefix), -EDOM);
}

static void prefix_rejects_host_bits_and_long_lengths(void **state)
{
	struct prefix prefix;

	(void)state;
	assert_int_equal(prefix_parse(slice_from_str("10.0.0.1/8"), &prefix), -EDOM);
	assert_int_equal(prefix_parse(slice_from_str("10.0.0.0/33"), &prefix), -ERANGE);
	assert_int_equal(prefix_parse(slice_from_str("2001:db8::/129"), &prefix), -ERANGE);
	assert_int_equal(prefix_parse(slice_from_str("10.0.0.0/"), &prefix), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_text_survives_a_round_trip),
		cmocka_unit_test(address_rejects_what_is_none),
		cmocka_unit_test(unix_path_of_108_bytes_is_too_long),
		cmocka_unit_test(prefix_contains_by_leading_bits),
		cmocka_unit_test(prefix_of_mapped_addresses_is_one_of_ipv4),
		cmocka_unit_test(prefix_rejects_host_bits_and_long_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
