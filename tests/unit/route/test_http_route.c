// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "route/http_route.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define ROUTES_MAX 4000

/* A route asks for at most one member of each kind; pools are numbered as the routes are. */
struct wanted {
	const char *host, *path, *prefix, *regex, *method, *source;
	struct config_value_match header, query, cookie;
	struct config_certificate_match certificate;
	uint16_t port;
};

struct maker {
	struct config_listener listener;
	struct config_route routes[ROUTES_MAX];
	struct wanted wanted[ROUTES_MAX];
	struct prefix sources[ROUTES_MAX];
};

static void add(struct maker *maker, struct wanted wanted)
{
	size_t i = maker->listener.nroutes++;
	struct config_route *route = &maker->routes[i];
	struct wanted *kept = &maker->wanted[i];

	assert_true(i < ROUTES_MAX);
	*kept = wanted;
	route->action.pool.index = i;
	route->host = &kept->host;
	route->nhost = kept->host != NULL;
	route->path = &kept->path;
	route->npath = kept->path != NULL;
	route->path_prefix = &kept->prefix;
	route->npath_prefix = kept->prefix != NULL;
	route->method = &kept->method;
	route->nmethod = kept->method != NULL;
	route->path_regex = &kept->regex;
	route->npath_regex = kept->regex != NULL;
	route->header = &kept->header;
	route->nheader = kept->header.name != NULL;
	route->query = &kept->query;
	route->nquery = kept->query.name != NULL;
	route->cookie = &kept->cookie;
	route->ncookie = kept->cookie.name != NULL;
	route->certificate = kept->certificate;
	route->port = &kept->port;
	route->nport = kept->port != 0;
	if (!kept->source)
		return;
	route->source = &maker->sources[i];
	route->nsource = 1;
	assert_int_equal(prefix_parse(slice_from_str(kept->source), route->source), 0);
}

static int setup(void **state)
{
	struct maker *maker = calloc(1, sizeof(*maker));

	assert_non_null(maker);
	maker->listener.routes = maker->routes;
	*state = maker;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

struct asked {
	const char *host, *path, *method, *source, *query;
	uint16_t port;
	struct slice fields[4][2]; /* name and value */
	const char *subject, *fingerprint, *issuer, *serial, *names[TLS_NAME_KINDS];
};

#define FIELD(name, value)                       \
	{                                        \
		{name, sizeof(name) - 1},        \
		{                                \
			value, sizeof(value) - 1 \
		}                                \
	}

static struct slice text_of(const char *text)
{
	return slice_from_str(text ? text : "");
}

/* How many pairs the table has asked for. */
static unsigned pairs_read;

bool __real_http_cookie_next(struct slice *cookies, struct slice *ret_name,
			     struct slice *ret_value);
bool __wrap_http_cookie_next(struct slice *cookies, struct slice *ret_name,
			     struct slice *ret_value);
bool __real_http_query_next(struct slice *query, struct slice *ret_name, struct slice *ret_value);
bool __wrap_http_query_next(struct slice *query, struct slice *ret_name, struct slice *ret_value);

bool __wrap_http_cookie_next(struct slice *cookies, struct slice *ret_name, struct slice *ret_value)
{
	pairs_read++;
	return __real_http_cookie_next(cookies, ret_name, ret_value);
}

bool __wrap_http_query_next(struct slice *query, struct slice *ret_name, struct slice *ret_value)
{
	pairs_read++;
	return __real_http_query_next(query, ret_name, ret_value);
}

static int match(const struct maker *maker, struct asked asked)
{
	struct http_route_table *table = http_route_table_new(&maker->listener);
	struct regex_scratch *scratch = regex_scratch_new();
	struct arena arena = {};
	struct http_request request = {
		.target.query = slice_from_str(asked.query ? asked.query : ""),
		.fields.arena = &arena,
		.authority.host = slice_from_str(asked.host ? asked.host : ""),
		.method_text = slice_from_str(asked.method ? asked.method : "GET"),
	};
	struct tls_peer certificate = {
		.subject = text_of(asked.subject),
		.fingerprint = text_of(asked.fingerprint),
		.issuer = text_of(asked.issuer),
		.serial = text_of(asked.serial),
	};
	struct address source;
	struct http_route_request route = {
		.request = &request,
		.path = slice_from_str(asked.path ? asked.path : "/"),
		.source = &source,
		.port = asked.port ? asked.port : 80,
		.certificate = asked.subject ? &certificate : NULL,
		.arena = &arena,
		.scratch = scratch,
	};
	const struct config_route *found;
	int pool;

	assert_non_null(table);
	assert_non_null(scratch);
	for (size_t kind = 0; kind < TLS_NAME_KINDS; kind++)
		certificate.names[kind] = text_of(asked.names[kind]);
	for (size_t i = 0; i < ARRAY_SIZE(asked.fields) && asked.fields[i][0].len; i++)
		assert_int_equal(
			http_fields_add(&request.fields, asked.fields[i][0], asked.fields[i][1]),
			0);
	assert_int_equal(address_parse_ip(slice_from_str(asked.source ? asked.source : "192.0.2.1"),
					  0, &source),
			 0);
	pool = http_route_match(table, &route, &found);
	if (pool == 0)
		pool = (int)found->action.pool.index;
	http_route_table_free(table);
	regex_scratch_free(scratch);
	arena_done(&arena);
	return pool;
}

#define ROUTE(...)   add(maker, (struct wanted){__VA_ARGS__})
#define REQUEST(...) match(maker, (struct asked){__VA_ARGS__})

static void nothing_holds_without_a_default(void **state)
{
	struct maker *maker = *state;

	assert_int_equal(REQUEST(.host = "a"), -ENOENT);
	maker->listener.has_default_pool = true;
	maker->listener.default_pool = 7;
	assert_int_equal(REQUEST(.host = "a"), 7);
}

static void exact_host_goes_before_wildcards_longest_first(void **state)
{
	struct maker *maker = *state;

	ROUTE();
	ROUTE(.host = "*");
	ROUTE(.host = "*.example");
	ROUTE(.host = "*.b.example");
	ROUTE(.host = "a.b.example");
	assert_int_equal(REQUEST(.host = ""), 0);
	assert_int_equal(REQUEST(.host = "other"), 1);
	assert_int_equal(REQUEST(.host = "example"), 1);
	assert_int_equal(REQUEST(.host = "x.example"), 2);
	assert_int_equal(REQUEST(.host = "x.y.b.example"), 3);
	assert_int_equal(REQUEST(.host = "a.b.example"), 4);
	assert_int_equal(REQUEST(.host = "A.B.eXample"), 4);
}

static void exact_path_goes_before_prefixes_longest_first(void **state)
{
	struct maker *maker = *state;

	ROUTE();
	ROUTE(.prefix = "/");
	ROUTE(.prefix = "/api/");
	ROUTE(.prefix = "/api/v1");
	ROUTE(.path = "/api/v1");
	assert_int_equal(REQUEST(.path = "*"), 0);
	assert_int_equal(REQUEST(.path = "/"), 1);
	assert_int_equal(REQUEST(.path = "/apis"), 1);
	assert_int_equal(REQUEST(.path = "/api"), 2);
	assert_int_equal(REQUEST(.path = "/api/"), 2);
	assert_int_equal(REQUEST(.path = "/api/v10"), 2);
	assert_int_equal(REQUEST(.path = "/api/v1/x/y"), 3);
	assert_int_equal(REQUEST(.path = "/api/v1/"), 3);
	assert_int_equal(REQUEST(.path = "/api/v1"), 4);
}

static void host_counts_before_path(void **state)
{
	struct maker *maker = *state;

	ROUTE(.path = "/exact");
	ROUTE(.host = "a.example");
	assert_int_equal(REQUEST(.host = "a.example", .path = "/exact"), 1);
	assert_int_equal(REQUEST(.host = "b.example", .path = "/exact"), 0);
}

static void less_specific_route_is_taken_where_the_first_does_not_hold(void **state)
{
	struct maker *maker = *state;

	ROUTE(.host = "a", .path = "/x", .method = "POST");
	ROUTE(.host = "a", .prefix = "/");
	ROUTE(.method = "DELETE");
	assert_int_equal(REQUEST(.host = "a", .path = "/x", .method = "POST"), 0);
	assert_int_equal(REQUEST(.host = "a", .path = "/x", .method = "PUT"), 1);
	assert_int_equal(REQUEST(.host = "b", .path = "/x", .method = "DELETE"), 2);
	assert_int_equal(REQUEST(.host = "b", .path = "/x"), -ENOENT);
}

static void at_one_place_method_then_source_then_port_then_order_decide(void **state)
{
	struct maker *maker = *state;

	ROUTE(.prefix = "/");
	ROUTE(.prefix = "/", .port = 8080);
	ROUTE(.prefix = "/", .source = "10.0.0.0/8");
	ROUTE(.prefix = "/", .source = "10.1.0.0/16");
	ROUTE(.prefix = "/", .method = "GET", .source = "10.2.0.0/16");
	ROUTE(.prefix = "/");
	assert_int_equal(REQUEST(), 0);
	assert_int_equal(REQUEST(.port = 8080), 1);
	assert_int_equal(REQUEST(.port = 8080, .source = "10.9.9.9"), 2);
	assert_int_equal(REQUEST(.source = "10.1.9.9"), 3);
	assert_int_equal(REQUEST(.source = "10.2.9.9"), 4);
	assert_int_equal(REQUEST(.source = "10.2.9.9", .method = "POST"), 2);
}

static void routes_paths_are_compared_in_the_one_spelling_too(void **state)
{
	struct maker *maker = *state;

	ROUTE(.path = "/a%20b");
	ROUTE(.prefix = "/caf%C3%A9//x/");
	ROUTE(.path = "/c/./d%2fe");
	ROUTE(.path = "/..");
	assert_int_equal(REQUEST(.path = "/a b"), 0);
	assert_int_equal(REQUEST(.path = "/caf\xc3\xa9/x/y"), 1);
	assert_int_equal(REQUEST(.path = "/c/d%2Fe"), 2);
	assert_int_equal(REQUEST(.path = "/a%20b"), -ENOENT);
}

static void path_and_prefix_are_one_condition(void **state)
{
	struct maker *maker = *state;

	ROUTE(.path = "/login", .prefix = "/api");
	assert_int_equal(REQUEST(.path = "/login"), 0);
	assert_int_equal(REQUEST(.path = "/api/x"), 0);
	assert_int_equal(REQUEST(.path = "/login/x"), -ENOENT);
}

static void pattern_goes_between_exact_path_and_prefix(void **state)
{
	struct maker *maker = *state;

	ROUTE(.prefix = "/a/b");
	ROUTE(.regex = "^/a/.*\\.php$");
	ROUTE(.path = "/a/x.php");
	ROUTE(.regex = "\\.php$", .method = "POST");
	ROUTE(.host = "h", .prefix = "/");
	assert_int_equal(REQUEST(.path = "/a/b/x.php"), 1);
	assert_int_equal(REQUEST(.path = "/a/x.php"), 2);
	assert_int_equal(REQUEST(.path = "/a/b/x"), 0);
	assert_int_equal(REQUEST(.path = "/a/y.php", .method = "POST"), 3);
	assert_int_equal(REQUEST(.path = "/x"), -ENOENT);
	assert_int_equal(REQUEST(.host = "h", .path = "/a/x.php"), 4);
}

static void pattern_that_takes_too_long_ends_the_search(void **state)
{
	struct maker *maker = *state;
	char path[2000];

	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	path[0] = '/';
	path[sizeof(path) - 2] = '!';
	ROUTE(.regex = "^/(a+)+$");
	ROUTE(.prefix = "/");
	assert_int_equal(REQUEST(.path = path), -E2BIG);
	assert_int_equal(REQUEST(.path = "/aaa"), 0);
	assert_int_equal(REQUEST(.path = "/aab"), 1);
}

static const char *one[] = {"1"}, *two[] = {"1", "a b"};

static void header_is_tested_by_each_of_its_values(void **state)
{
	struct maker *maker = *state;

	ROUTE();
	ROUTE(.header = {"X-Exact", CONFIG_VALUE_EXACT, two, 2});
	ROUTE(.header = {"x-prefix", CONFIG_VALUE_PREFIX, .text = "be"});
	ROUTE(.header = {"X-Suffix", CONFIG_VALUE_SUFFIX, .text = "ta"});
	ROUTE(.header = {"X-Regex", CONFIG_VALUE_REGEX, .text = "^b.t"});
	ROUTE(.header = {"X-There"});
	assert_int_equal(REQUEST(.fields = {FIELD("x-exact", "a b")}), 1);
	assert_int_equal(REQUEST(.fields = {FIELD("x-exact", "2"), FIELD("X-exact", "1")}), 1);
	assert_int_equal(REQUEST(.fields = {FIELD("x-exact", "11")}), 0);
	assert_int_equal(REQUEST(.fields = {FIELD("X-Prefix", "beta")}), 2);
	assert_int_equal(REQUEST(.fields = {FIELD("X-Prefix", "b")}), 0);
	assert_int_equal(REQUEST(.fields = {FIELD("X-Suffix", "beta")}), 3);
	assert_int_equal(REQUEST(.fields = {FIELD("X-Suffix", "a")}), 0);
	assert_int_equal(REQUEST(.fields = {FIELD("X-Regex", "beta")}), 4);
	assert_int_equal(REQUEST(.fields = {FIELD("X-Regex", "abeta")}), 0);
	assert_int_equal(REQUEST(.fields = {FIELD("X-There", "")}), 5);
}

static void dot_at_the_end_of_a_host_goes_around_no_route(void **state)
{
	struct maker *maker = *state;

	ROUTE(.host = "a.example");
	ROUTE(.host = "*.b.example");
	assert_int_equal(REQUEST(.host = "A.example."), 0);
	assert_int_equal(REQUEST(.host = "x.b.example."), 1);
	assert_int_equal(REQUEST(.host = "a.example.."), -ENOENT);
	assert_int_equal(REQUEST(.host = "."), -ENOENT);
}

static void absent_header_is_a_condition_too(void **state)
{
	struct maker *maker = *state;

	ROUTE(.header = {"X-A", CONFIG_VALUE_ABSENT});
	assert_int_equal(REQUEST(), 0);
	assert_int_equal(REQUEST(.fields = {FIELD("X-A", "")}), -ENOENT);
}

static void parameter_of_the_query_is_decoded(void **state)
{
	struct maker *maker = *state;

	ROUTE(.query = {"a b", CONFIG_VALUE_EXACT, two, 2});
	ROUTE(.query = {"flag"});
	assert_int_equal(REQUEST(.query = "x=1&a%20b=a+b"), 0);
	assert_int_equal(REQUEST(.query = "a+b=2&a+b=%31"), 0);
	assert_int_equal(REQUEST(.query = "a+b=12"), -ENOENT);
	assert_int_equal(REQUEST(.query = "A+b=1"), -ENOENT);
	assert_int_equal(REQUEST(.query = "flag"), 1);
	assert_int_equal(REQUEST(.query = "x=flag&flags"), -ENOENT);
}

static void cookie_of_any_field_counts(void **state)
{
	struct maker *maker = *state;

	ROUTE(.cookie = {"c", CONFIG_VALUE_EXACT, one, 1});
	assert_int_equal(REQUEST(.fields = {FIELD("Cookie", "a=2; c=1")}), 0);
	assert_int_equal(REQUEST(.fields = {FIELD("Cookie", "a=1"), FIELD("Cookie", "c=\"1\"")}),
			 0);
	assert_int_equal(REQUEST(.fields = {FIELD("Cookie", "C=1; cc=1; a=c=1")}), -ENOENT);
}

static void values_are_read_once_however_many_routes_ask(void **state)
{
	struct maker *maker = *state;

	for (unsigned i = 0; i < 100; i++) {
		ROUTE(.cookie = {i % 2 ? "c" : "d", CONFIG_VALUE_EXACT, one, 1});
		ROUTE(.query = {i % 2 ? "c" : "d", CONFIG_VALUE_EXACT, one, 1});
	}
	ROUTE(.query = {"e"});
	pairs_read = 0;
	assert_int_equal(REQUEST(.query = "c=2&d=%32&d=3&e",
				 .fields = {FIELD("Cookie", "c=2; d=2"), FIELD("Cookie", "e=1")}),
			 200);
	/* Two cookies, one, and four parameters; each list is asked once more for its end. */
	assert_int_equal(pairs_read, 3 + 2 + 5);
}

/* "a=2", @count times. */
static char *many_values(size_t count)
{
	char *text = malloc(4 * count + 1);

	assert_non_null(text);
	for (size_t i = 0; i < count; i++)
		memcpy(text + 4 * i, "a=2&", 4);
	text[4 * count] = '\0';
	return text;
}

static void thousands_of_values_under_a_name_that_many_ask_for_are_refused(void **state)
{
	struct maker *maker = *state;
	char *some = many_values(500), *many = many_values(2000);

	for (unsigned i = 0; i < 200; i++)
		ROUTE(.query = {"a", CONFIG_VALUE_EXACT, one, 1});
	ROUTE(.query = {"a"});
	assert_int_equal(REQUEST(.query = some), 200);
	assert_int_equal(REQUEST(.query = many), -E2BIG);
	free(some);
	free(many);
}

static void certificate_is_a_condition(void **state)
{
	static const char *subject[] = {"CN=a,O=b"}, *fingerprint[] = {"00ff"};
	struct maker *maker = *state;

	ROUTE(.certificate = {true, true, subject, 1});
	ROUTE(.certificate = {true, true, .fingerprint = fingerprint, .nfingerprint = 1});
	ROUTE(.certificate = {true, true, .subject_regex = "(^|,)O=b(,|$)"});
	ROUTE(.certificate = {true, true}, .path = "/any");
	ROUTE(.certificate = {true, false});
	assert_int_equal(REQUEST(.subject = "CN=a,O=b"), 0);
	assert_int_equal(REQUEST(.subject = "CN=c", .fingerprint = "00ff"), 1);
	assert_int_equal(REQUEST(.subject = "CN=c,O=b"), 2);
	assert_int_equal(REQUEST(.subject = "CN=c", .path = "/any"), 3);
	assert_int_equal(REQUEST(.path = "/any"), 4);
	assert_int_equal(REQUEST(.subject = "CN=c"), -ENOENT);
}

static void certificate_is_matched_by_all_that_it_says(void **state)
{
	static const char *issuer[] = {"CN=ca"}, *serial[] = {"0a"}, *email[] = {"a@b.c"},
			  *dns[] = {"a.test", "*.b.test"}, *uri[] = {"urn:a"};
	struct maker *maker = *state;

	ROUTE(.certificate = {true, true, .issuer = issuer, .nissuer = 1, .serial = serial,
			      .nserial = 1});
	ROUTE(.certificate = {true, true, .dns = dns, .ndns = 2});
	ROUTE(.certificate = {true, true, .uri = uri, .nuri = 1});
	ROUTE(.certificate = {true, true, .email = email, .nemail = 1});
	ROUTE(.certificate = {true, true, .uri_regex = "^spiffe://b/[a-z]+$"});
	ROUTE(.certificate = {true, true, .issuer_regex = "^CN=x"});
	assert_int_equal(REQUEST(.subject = "", .issuer = "CN=ca", .serial = "0a"), 0);
	assert_int_equal(REQUEST(.subject = "", .issuer = "CN=ca", .serial = "0b"), -ENOENT);
	assert_int_equal(REQUEST(.subject = "", .names = {"z.test a.test"}), 1);
	assert_int_equal(REQUEST(.subject = "", .names = {"x.y.b.test"}), 1);
	assert_int_equal(REQUEST(.subject = "", .names = {"b.test"}), -ENOENT);
	assert_int_equal(REQUEST(.subject = "", .names = {"", "urn:b urn:a"}), 2);
	assert_int_equal(REQUEST(.subject = "", .names = {"", "urn:ab"}), -ENOENT);
	assert_int_equal(REQUEST(.subject = "", .names = {"", "", "a@b.c"}), 3);
	assert_int_equal(REQUEST(.subject = "", .names = {"", "urn:b spiffe://b/x urn:c"}), 4);
	assert_int_equal(REQUEST(.subject = "", .names = {"", "urn:b spiffe://b/x/y"}), -ENOENT);
	assert_int_equal(REQUEST(.subject = "", .issuer = "CN=xy"), 5);
}

static void more_conditions_go_before_fewer_and_behind_methods(void **state)
{
	struct maker *maker = *state;

	ROUTE(.source = "0.0.0.0/0");
	ROUTE(.header = {"A"});
	ROUTE(.header = {"A"}, .cookie = {"c"});
	ROUTE(.method = "PUT");
	assert_int_equal(REQUEST(), 0);
	assert_int_equal(REQUEST(.fields = {FIELD("A", "")}), 1);
	assert_int_equal(REQUEST(.fields = {FIELD("A", ""), FIELD("Cookie", "c=")}), 2);
	assert_int_equal(REQUEST(.fields = {FIELD("A", "")}, .method = "PUT"), 3);
}

static void thousands_of_routes_are_told_apart(void **state)
{
	struct maker *maker = *state;
	static char hosts[ROUTES_MAX][24], prefixes[ROUTES_MAX][24];

	for (int i = 0; i < ROUTES_MAX; i++) {
		snprintf(hosts[i], sizeof(hosts[i]), "h%d.example", i / 4);
		snprintf(prefixes[i], sizeof(prefixes[i]), "/p%d", i % 4);
		ROUTE(.host = hosts[i], .prefix = prefixes[i]);
	}
	for (int i = 0; i < ROUTES_MAX; i += 397)
		assert_int_equal(REQUEST(.host = hosts[i], .path = prefixes[i]), i);
	assert_int_equal(REQUEST(.host = "h1.example", .path = "/p9"), -ENOENT);
}

static void overlong_host_matches_no_name(void **state)
{
	struct maker *maker = *state;
	char host[400];

	memset(host, 'a', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	ROUTE(.host = "*");
	assert_int_equal(REQUEST(.host = host), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(nothing_holds_without_a_default),
		TEST(exact_host_goes_before_wildcards_longest_first),
		TEST(exact_path_goes_before_prefixes_longest_first),
		TEST(host_counts_before_path),
		TEST(less_specific_route_is_taken_where_the_first_does_not_hold),
		TEST(at_one_place_method_then_source_then_port_then_order_decide),
		TEST(routes_paths_are_compared_in_the_one_spelling_too),
		TEST(path_and_prefix_are_one_condition),
		TEST(pattern_goes_between_exact_path_and_prefix),
		TEST(pattern_that_takes_too_long_ends_the_search),
		TEST(header_is_tested_by_each_of_its_values),
		TEST(absent_header_is_a_condition_too),
		TEST(dot_at_the_end_of_a_host_goes_around_no_route),
		TEST(parameter_of_the_query_is_decoded),
		TEST(cookie_of_any_field_counts),
		TEST(values_are_read_once_however_many_routes_ask),
		TEST(thousands_of_values_under_a_name_that_many_ask_for_are_refused),
		TEST(certificate_is_a_condition),
		TEST(certificate_is_matched_by_all_that_it_says),
		TEST(more_conditions_go_before_fewer_and_behind_methods),
		TEST(thousands_of_routes_are_told_apart),
		TEST(overlong_host_matches_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
