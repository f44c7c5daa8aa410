// SPDX-License-Identifier: Apache-2.0
/* Filters in a configuration: what they become, and what is said of wrong ones. */
#include "config/config.h"
#include "config/variable.h"
#include "core/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Filters begin in column 3 of line 2. */
#define FILTERS(text)                                                                \
	"listeners: [{name: l, bind: '127.0.0.1:1', pool: p, mode: http, filters:\n" \
	"  [" text "]}]\npools: [{name: p, endpoints: ['127.0.0.1:2']}]\n"
#define FIELD(text) FILTERS("headers: {request: {set: [{" text "}]}}")

static const struct {
	const char *text, *errors; /* lines without "t:" */
} cases[] = {
	{FILTERS("nothing"), "2:4: filter: \"nothing\" is unknown; expected "},
	{FILTERS("header: {}"), "2:4: unknown option \"header\" in a filter; expected "},
	{FILTERS("{headers: {}, headers: {}}"),
	 "2:18: duplicate key \"headers\", first on line 2; expected it once\n"},
	{FILTERS("[]"), "2:4: a filter is a list; expected \"name: value\" pairs\n"},
	{FILTERS("~"), "2:4: an item of filters is empty; expected the name of a filter\n"},
	{FIELD("name: a"), "2:30: a field has no value; expected text, perhaps with variables "
			   "such as ${client_ip}\n"},
	{FIELD("name: 'a b', value: c"), "2:37: name: \"a b\" is not the name of a field; expected "
					 "the name of a header field such as X-Client\n"},
	{FIELD("name: Content-Length, value: c"),
	 "2:37: name: \"Content-Length\" is a field of the connection, not of the message; "
	 "expected the name of a header field such as X-Client\n"},
	{FIELD("name: a, value: \"b\\x01\""),
	 "2:47: value: \"b\\x01\" has a control character; expected text, perhaps with variables "
	 "such as ${client_ip}\n"},
	{FIELD("name: a, value: '$${host'"),
	 "2:47: value: \"$${host\" has a variable without an end; expected text, perhaps with "
	 "variables such as ${client_ip}\n"},
	{FIELD("name: a, value: '${hots}'"),
	 "2:47: environment variable \"hots\" is not set; expected it in the environment\n"},
	{FILTERS("cors"), "2:4: cors has no origins; expected "},
	{FILTERS("cors: {}"), "2:10: cors has no origins; expected "},
	{FILTERS("cors: {origins: 'https://a/b'}"),
	 "2:20: origins: \"https://a/b\" is more than an "
	 "origin; expected an origin such as "},
	{FILTERS("cors: {origins: 'a.example'}"),
	 "2:20: origins: \"a.example\" is not an origin; "},
	{FILTERS("cors: {origins: 'https://*.'}"), "2:20: origins: \"https://*.\" has no host; "},
	{FILTERS("cors: {origins: '*', credentials: true}"),
	 "2:38: credentials are not for the origin \"*\"; expected origins by name\n"},
	{FILTERS("compression: {types: [text]}"), "2:26: types: \"text\" is not a media type; "
						  "expected a media type such as text/html or "
						  "text/*\n"},
	{FILTERS("compression: {codings: [deflate]}"), "2:28: codings: \"deflate\" is unknown; "
						       "expected one of gzip, br, zstd\n"},
	{FILTERS("access: {allow: 10.0.0.1/8}"), "2:20: allow: \"10.0.0.1/8\" has bits set beyond "
						 "its prefix; "},
	{FILTERS("headers, headers, headers, headers, headers, headers, headers, headers, headers, "
		 "headers, headers, headers, headers, headers, headers, headers, headers"),
	 "2:3: filters has 17 items; expected at most 16\n"},
	{"listeners: [{name: l, bind: ':1', pool: p, filters: [headers]}]\n"
	 "pools: [{name: p, endpoints: ['127.0.0.1:2']}]\n",
	 "1:53: filters are not for mode tcp; expected mode http with them\n"},
	{"listeners: [{name: l, bind: ':1', pool: p, forwarding: {trust: [10.0.0.0/8]}}]\n"
	 "pools: [{name: p, endpoints: ['127.0.0.1:2']}]\n",
	 "1:56: forwarding is not for mode tcp; expected mode http with it\n"},
	{"listeners: [{name: l, bind: ':1', routes: [{pool: p, filters: [headers]}]}]\n"
	 "pools: [{name: p, endpoints: ['127.0.0.1:2']}]\n",
	 "1:63: filters are not for mode tcp; expected mode http with them\n"},
};

/* Each begins as expected: lists of all filters grow. */
static void each_mistake_has_its_message(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config *config = NULL;
		struct strbuf errors = {};
		size_t len = strlen(cases[i].errors);

		assert_int_not_equal(
			config_parse("t", slice_from_str(cases[i].text), &config, &errors), 0);
		if (strncmp(errors.text + 2, cases[i].errors, len) != 0) {
			print_error("\"%s\" != \"t:%s\"\n", errors.text, cases[i].errors);
			wrong++;
		}
		strbuf_done(&errors);
	}
	assert_int_equal(wrong, 0);
}

static struct config *load(const char *text)
{
	struct config *config = NULL;
	struct strbuf errors = {};

	if (config_parse("t", slice_from_str(text), &config, &errors) < 0)
		fail_msg("%s", errors.text);
	return config;
}

static void filters_keep_their_order(void **state)
{
	struct config *config = load(
		FILTERS("headers: {response: {remove: [A, B]}}, headers, headers: {request: {add: "
			"[{name: C, value: '${client_ip}'}]}}"));
	const struct config_listener *listener = &config->listeners[0];

	(void)state;
	assert_int_equal(listener->nfilters, 3);
	assert_int_equal(listener->filters[1].kind, CONFIG_FILTER_HEADERS);
	assert_int_equal(listener->filters[0].headers.response.nremove, 2);
	assert_string_equal(listener->filters[0].headers.response.remove[1], "B");
	assert_int_equal(listener->filters[2].headers.request.nadd, 1);
	assert_int_equal(listener->filters[2].headers.request.add[0].value.parts[0].variable,
			 CONFIG_VARIABLE_CLIENT_IP);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_has_its_message),
		cmocka_unit_test(filters_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
