// SPDX-License-Identifier: Apache-2.0
#include "http/forwarded.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define S(text) slice_from_str(text)

static void add(struct http_fields *fields, const char *name, const char *value)
{
	assert_int_equal(http_fields_add(fields, S(name), S(value)), 0);
}

static void assert_value(const struct http_fields *fields, enum http_field_id id,
			 const char *expected)
{
	struct slice value = http_fields_value(fields, id);

	if (!slice_equal_str(value, expected))
		print_error("%.*s, expected %s\n", SLICE_FMT(value), expected);
	assert_true(slice_equal_str(value, expected));
}

static void forwarded_is_appended(void **state)
{
	struct arena arena = {};
	struct http_fields fields = {.arena = &arena};
	struct http_hop hop = {.client = S("192.0.2.1"), .scheme = S("https")};

	(void)state;
	assert_int_equal(http_forwarded_add(&fields, &hop), 0);
	assert_value(&fields, HTTP_FIELD_FORWARDED, "for=192.0.2.1;proto=https");
	hop = (struct http_hop){.client = S("2001:db8::1"),
				.by = S("::1"),
				.host = S("a\"b:80"),
				.scheme = S("http")};
	assert_int_equal(http_forwarded_add(&fields, &hop), 0);
	assert_value(&fields, HTTP_FIELD_FORWARDED,
		     "for=192.0.2.1;proto=https, for=\"[2001:db8::1]\";by=\"[::1]\";"
		     "host=\"a\\\"b:80\";proto=http");
	add(&fields, "Forwarded", "for=_x");
	hop = (struct http_hop){.host = S("a"), .scheme = S("http")};
	assert_int_equal(http_forwarded_add(&fields, &hop), 0);
	assert_null(
		http_fields_find_next(&fields, http_fields_find(&fields, HTTP_FIELD_FORWARDED)));
	http_fields_remove(&fields, HTTP_FIELD_FORWARDED);
	add(&fields, "Forwarded", "");
	assert_int_equal(http_forwarded_add(&fields, &hop), 0);
	assert_value(&fields, HTTP_FIELD_FORWARDED, "for=unknown;host=a;proto=http");
	hop.host = S("a\r\nb");
	assert_int_equal(http_forwarded_add(&fields, &hop), -EINVAL);
	arena_done(&arena);
}

static void x_forwarded_is_appended(void **state)
{
	struct arena arena = {};
	struct http_fields fields = {.arena = &arena};
	const struct http_hop hop = {
		.client = S("2001:db8::1"), .host = S("shop:81"), .scheme = S("http"), .port = 81};

	(void)state;
	add(&fields, "X-Forwarded-For", "192.0.2.1");
	add(&fields, "X-Forwarded-Proto", "https");
	add(&fields, "x-forwarded-for", "192.0.2.2");
	assert_int_equal(http_x_forwarded_add(&fields, &hop), 0);
	assert_value(&fields, HTTP_FIELD_X_FORWARDED_FOR, "192.0.2.1, 192.0.2.2, 2001:db8::1");
	assert_value(&fields, HTTP_FIELD_X_FORWARDED_PROTO, "https");
	assert_value(&fields, HTTP_FIELD_X_FORWARDED_HOST, "shop:81");
	assert_value(&fields, HTTP_FIELD_X_FORWARDED_PORT, "81");
	arena_done(&arena);
}

static void claims_of_strangers_go(void **state)
{
	struct arena arena = {};
	struct http_fields fields = {.arena = &arena};

	(void)state;
	add(&fields, "X-Forwarded-For", "1");
	add(&fields, "Forwarded", "5");
	add(&fields, "X-Real-IP", "6");
	add(&fields, "X_Other", "7");
	add(&fields, "X-Forwarded-Prefix", "8");
	http_forwarded_distrust(&fields);
	assert_value(&fields, HTTP_FIELD_X_FORWARDED_FOR, "");
	assert_true(slice_equal_str(http_fields_next(&fields, NULL)->name, "X_Other"));
	assert_int_equal(http_fields_remove_name(&fields, S("X_Other")), 1);
	assert_true(slice_equal_str(http_fields_next(&fields, NULL)->name, "X-Forwarded-Prefix"));
	arena_done(&arena);
}

static void client_cert_is_believed_of_nobody(void **state)
{
	struct arena arena = {};
	struct http_fields fields = {.arena = &arena};

	(void)state;
	add(&fields, "Client-Cert", ":AAAA:");
	add(&fields, "X-Forwarded-For", "192.0.2.1");
	add(&fields, "Client-Cert-Chain", ":AAAA:");
	http_client_cert_distrust(&fields);
	assert_true(slice_equal_str(http_fields_next(&fields, NULL)->name, "X-Forwarded-For"));
	assert_int_equal(http_fields_remove_name(&fields, S("X-Forwarded-For")), 1);
	assert_null(http_fields_next(&fields, NULL));
	arena_done(&arena);
}

static void via_is_appended_and_counted(void **state)
{
	struct arena arena = {};
	struct http_fields fields = {.arena = &arena};

	(void)state;
	assert_int_equal(http_via_count(&fields, S("sluice")), 0);
	assert_int_equal(http_via_add(&fields, HTTP_VERSION_1_0, S("sluice")), 0);
	assert_int_equal(http_via_add(&fields, HTTP_VERSION_2, S("Sluice")), 0);
	assert_int_equal(http_via_add(&fields, HTTP_VERSION_1_1, S("sluice2")), 0);
	assert_value(&fields, HTTP_FIELD_VIA, "1.0 sluice, 2.0 Sluice, 1.1 sluice2");
	add(&fields, "Via", "HTTP/1.1 a (sluice, x), sluice, 1.1  sluice (c)");
	assert_int_equal(http_via_count(&fields, S("sluice")), 3);
	arena_done(&arena);
}

static void nodes_are_read(void **state)
{
	static const struct {
		const char *node, *text; /* NULL: -EINVAL */
	} cases[] = {
		{"192.0.2.43", "192.0.2.43:0"},
		{"192.0.2.43:80", "192.0.2.43:80"},
		{"192.0.2.43:_x", "192.0.2.43:0"},
		{"[2001:db8::1]", "[2001:db8::1]:0"},
		{"[2001:db8::1]:47", "[2001:db8::1]:47"},
		{"2001:db8::1", "[2001:db8::1]:0"},
		{"::ffff:192.0.2.1", "192.0.2.1:0"},
		{"", NULL},
		{"a", NULL},
		{"[2001:db8::1", NULL},
		{"[2001:db8::1]x", NULL},
		{"[]", NULL},
		{"[", NULL},
		{"[192.0.2.1]", NULL},
		{"192.0.2.1:", NULL},
		{"192.0.2.1:65536", NULL},
		{"192.0.2.1:a", NULL},
		{"192.0.2.1.1", NULL},
	};
	struct address address;
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int err = http_node_parse(S(cases[i].node), &address);

		if (err != (cases[i].text ? 0 : -EINVAL))
			print_error("%s: %d\n", cases[i].node, err);
		assert_int_equal(err, cases[i].text ? 0 : -EINVAL);
		if (!err)
			assert_string_equal(address_format(&address, text), cases[i].text);
	}
	assert_int_equal(http_node_parse(S("unknown"), &address), -ENOENT);
	assert_int_equal(http_node_parse(S("_hidden"), &address), -ENOENT);
}

static void elements_are_taken_apart(void **state)
{
	struct slice value = S("For=\"[2001:db8::1]:4711\";by=203.0.113.43; proto=http;x=y,"
			       "for=1;for=2, bad, host=\"a,b\"");
	struct http_forwarded element;

	(void)state;
	assert_int_equal(http_forwarded_next(&value, &element), 1);
	assert_true(slice_equal_str(element.for_node, "[2001:db8::1]:4711"));
	assert_true(slice_equal_str(element.by_node, "203.0.113.43"));
	assert_true(slice_equal_str(element.proto, "http"));
	assert_int_equal(element.host.len, 0);
	assert_int_equal(http_forwarded_next(&value, &element), -EINVAL);
	assert_int_equal(http_forwarded_next(&value, &element), -EINVAL);
	assert_int_equal(http_forwarded_next(&value, &element), 1);
	assert_true(slice_equal_str(element.host, "a,b"));
	assert_int_equal(http_forwarded_next(&value, &element), 0);
}

static void client_is_the_first_stranger_on_the_way_back(void **state)
{
	static const struct {
		const char *peer, *forwarded, *x_forwarded, *client, *proto;
	} cases[] = {
		{"10.0.0.1", NULL, NULL, "10.0.0.1", ""},
		{"192.0.2.9", NULL, "203.0.113.1", "192.0.2.9", ""},
		{"10.0.0.1", NULL, "203.0.113.1", "203.0.113.1", ""},
		{"10.0.0.1", NULL, "203.0.113.1, 10.0.0.2", "203.0.113.1", ""},
		{"10.0.0.1", NULL, "198.51.100.1, 203.0.113.1, 10.0.0.2", "203.0.113.1", ""},
		{"10.0.0.1", NULL, "10.0.0.3, 10.0.0.2", "10.0.0.3", ""},
		{"10.0.0.1", NULL, "203.0.113.1, junk", "10.0.0.1", ""},
		{"10.0.0.1", NULL, "203.0.113.1, junk, 10.0.0.2", "10.0.0.2", ""},
		{"10.0.0.1", NULL, "203.0.113.1, unknown, 198.51.100.1", "198.51.100.1", ""},
		{"10.0.0.1", "for=203.0.113.1", "203.0.113.2", "203.0.113.1", ""},
		{"10.0.0.1", "for=203.0.113.1, for=\"[2001:db8::7]\"", NULL, "2001:db8::7", ""},
		{"10.0.0.1", "for=203.0.113.1, for=", NULL, "10.0.0.1", ""},
		{"10.0.0.1", "for=203.0.113.1, by=10.0.0.2", NULL, "10.0.0.1", ""},
		/* Its scheme is told by who saw it: what stands before it may be its own words. */
		{"10.0.0.1", "proto=https;for=203.0.113.1", NULL, "203.0.113.1", "https"},
		{"10.0.0.1", "for=1.2.3.4;proto=https, for=203.0.113.1;proto=http", NULL,
		 "203.0.113.1", "http"},
		{"10.0.0.1", "for=1.2.3.4;proto=https, for=203.0.113.1", NULL, "203.0.113.1", ""},
		{"10.0.0.1", "for=203.0.113.1;proto=https, for=10.0.0.2;proto=http", NULL,
		 "203.0.113.1", "https"},
		{"10.0.0.1", "for=203.0.113.1;proto=https, for=x;proto=http", NULL, "10.0.0.1", ""},
		{"192.0.2.9", "for=203.0.113.1;proto=https", NULL, "192.0.2.9", ""},
		/* A stranger's quotes reach nothing that was written behind them. */
		{"10.0.0.1", NULL, "\", 203.0.113.1", "203.0.113.1", ""},
		{"10.0.0.1", NULL, "\\\", 203.0.113.1, 10.0.0.2", "203.0.113.1", ""},
		{"10.0.0.1", NULL, "10.0.0.5, \"a, 203.0.113.1", "203.0.113.1", ""},
		{"10.0.0.1", "for=\", for=203.0.113.1;proto=https", NULL, "203.0.113.1", "https"},
		{"10.0.0.1", "for=\"x, for=\"[2001:db8::7]:4711\"", NULL, "2001:db8::7", ""},
		{"10.0.0.1", "for=\"\\, for=203.0.113.1;host=\"a\\\",b\"", NULL, "203.0.113.1", ""},
		{"10.0.0.1", "for=\"x, for=\"[2001:db8::7]\", for=10.0.0.2", NULL, "2001:db8::7",
		 ""},
		{"10.0.0.1", "for=10.0.0.5\",\\\"x\"", NULL, "10.0.0.1", ""},
		{"10.0.0.1", NULL, ", 203.0.113.1,, ,10.0.0.2,", "203.0.113.1", ""},
	};
	struct prefix trusted;

	(void)state;
	assert_int_equal(prefix_parse(S("10.0.0.0/8"), &trusted), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena arena = {};
		struct http_fields fields = {.arena = &arena};
		struct http_way_client client;
		struct address peer;
		char text[ADDRESS_TEXT_SIZE];

		assert_int_equal(address_parse_ip(S(cases[i].peer), 0, &peer), 0);
		if (cases[i].forwarded)
			add(&fields, "Forwarded", cases[i].forwarded);
		if (cases[i].x_forwarded)
			add(&fields, "X-Forwarded-For", cases[i].x_forwarded);
		assert_int_equal(http_way_find_client(&fields, &peer, &trusted, 1, &client), 0);
		assert_string_equal(address_format_ip(&client.address, text), cases[i].client);
		assert_true(slice_equal_str(client.proto, cases[i].proto));
		arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forwarded_is_appended),
		cmocka_unit_test(x_forwarded_is_appended),
		cmocka_unit_test(claims_of_strangers_go),
		cmocka_unit_test(client_cert_is_believed_of_nobody),
		cmocka_unit_test(via_is_appended_and_counted),
		cmocka_unit_test(nodes_are_read),
		cmocka_unit_test(elements_are_taken_apart),
		cmocka_unit_test(client_is_the_first_stranger_on_the_way_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
