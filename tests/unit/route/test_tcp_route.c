// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "core/rng.h"
#include "route/tcp_route.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define ROUTES_MAX  24
#define MEMBERS_MAX 3

/* A route with room for its own lists; pools are numbered as the routes are. */
struct route_maker {
	const char *sni[MEMBERS_MAX], *alpn[MEMBERS_MAX];
	struct prefix source[MEMBERS_MAX];
	uint16_t port[MEMBERS_MAX];
};

struct listener_maker {
	struct config_listener listener;
	struct config_route routes[ROUTES_MAX];
	struct route_maker makers[ROUTES_MAX];
};

static void listener_init(struct listener_maker *maker)
{
	*maker = (struct listener_maker){};
	maker->listener.routes = maker->routes;
}

static struct config_route *add_route(struct listener_maker *maker)
{
	size_t i = maker->listener.nroutes++;
	struct config_route *route = &maker->routes[i];

	assert_true(i < ROUTES_MAX);
	route->sni = maker->makers[i].sni;
	route->alpn = maker->makers[i].alpn;
	route->source = maker->makers[i].source;
	route->port = maker->makers[i].port;
	route->action.pool.index = i;
	return route;
}

static void add_source(struct config_route *route, const char *text)
{
	assert_true(route->nsource < MEMBERS_MAX);
	assert_int_equal(prefix_parse(slice_from_str(text), &route->source[route->nsource++]), 0);
}

/* Each condition is one member, or NULL, or 0, for none. */
static void add(struct listener_maker *maker, const char *sni, const char *source, uint16_t port,
		const char *alpn)
{
	struct config_route *route = add_route(maker);

	if (sni)
		route->sni[route->nsni++] = sni;
	if (source)
		add_source(route, source);
	if (port)
		route->port[route->nport++] = port;
	if (alpn)
		route->alpn[route->nalpn++] = alpn;
}

struct request_maker {
	struct tcp_route_request request;
	struct client_hello hello;
	struct address source;
};

static void request_init(struct request_maker *maker, const char *sni, const char *source,
			 uint16_t port, const char *alpn)
{
	memset(maker->hello.sni, 0, sizeof(maker->hello.sni));
	maker->hello.nalpn = 0;
	if (sni)
		snprintf(maker->hello.sni, sizeof(maker->hello.sni), "%s", sni);
	if (alpn)
		maker->hello.alpn[maker->hello.nalpn++] = slice_from_str(alpn);
	assert_int_equal(address_parse_ip(slice_from_str(source), 1024, &maker->source), 0);
	maker->request = (struct tcp_route_request){
		.hello = sni || alpn ? &maker->hello : NULL,
		.source = &maker->source,
		.port = port,
	};
}

static int match(const struct listener_maker *maker, const char *sni, const char *source,
		 uint16_t port, const char *alpn)
{
	struct tcp_route_table *table = tcp_route_table_new(&maker->listener);
	static struct request_maker request;
	int pool;

	assert_non_null(table);
	request_init(&request, sni, source, port, alpn);
	pool = tcp_route_match(table, &request.request);
	tcp_route_table_free(table);
	return pool;
}

static void nothing_that_holds_leads_to_the_default(void **state)
{
	struct listener_maker maker;

	(void)state;
	listener_init(&maker);
	assert_int_equal(match(&maker, NULL, "10.0.0.1", 443, NULL), -ENOENT);
	add(&maker, "a.example", NULL, 0, NULL);
	assert_int_equal(match(&maker, "b.example", "10.0.0.1", 443, NULL), -ENOENT);
	maker.listener.has_default_pool = true;
	maker.listener.default_pool = 7;
	assert_int_equal(match(&maker, "b.example", "10.0.0.1", 443, NULL), 7);
	assert_int_equal(match(&maker, "a.example", "10.0.0.1", 443, NULL), 0);
}

static void longer_name_wins(void **state)
{
	struct listener_maker maker;

	(void)state;
	listener_init(&maker);
	/* The less specific, the earlier in the file, and with all that counts less. */
	add(&maker, NULL, "10.0.0.1", 443, "h2");
	add(&maker, "*", "10.0.0.1", 443, "h2");
	add(&maker, "*.example", "10.0.0.1", 443, "h2");
	add(&maker, "*.a.example", "10.0.0.1", 443, "h2");
	add(&maker, "b.a.example", NULL, 0, NULL);
	assert_int_equal(match(&maker, "b.a.example", "10.0.0.1", 443, "h2"), 4);
	assert_int_equal(match(&maker, "c.a.example", "10.0.0.1", 443, "h2"), 3);
	assert_int_equal(match(&maker, "c.b.a.example", "10.0.0.1", 443, "h2"), 3);
	assert_int_equal(match(&maker, "a.example", "10.0.0.1", 443, "h2"), 2);
	assert_int_equal(match(&maker, "ba.example", "10.0.0.1", 443, "h2"), 2);
	assert_int_equal(match(&maker, "example", "10.0.0.1", 443, "h2"), 1);
	assert_int_equal(match(&maker, NULL, "10.0.0.1", 443, "h2"), 0);
}

static void wildcard_does_not_match_its_own_domain(void **state)
{
	struct listener_maker maker;

	(void)state;
	listener_init(&maker);
	add(&maker, "*.example.com", NULL, 0, NULL);
	assert_int_equal(match(&maker, "example.com", "10.0.0.1", 1, NULL), -ENOENT);
	assert_int_equal(match(&maker, "xexample.com", "10.0.0.1", 1, NULL), -ENOENT);
	assert_int_equal(match(&maker, "a.example.com", "10.0.0.1", 1, NULL), 0);
	assert_int_equal(match(&maker, "a.b.example.com", "10.0.0.1", 1, NULL), 0);
}

static void lone_star_needs_a_name(void **state)
{
	struct listener_maker maker;

	(void)state;
	listener_init(&maker);
	add(&maker, "*", NULL, 0, NULL);
	assert_int_equal(match(&maker, "any", "10.0.0.1", 1, NULL), 0);
	assert_int_equal(match(&maker, "", "10.0.0.1", 1, NULL), -ENOENT);
	assert_int_equal(match(&maker, NULL, "10.0.0.1", 1, NULL), -ENOENT);
}

static void name_that_fails_otherwise_leaves_it_to_the_next(void **state)
{
	struct listener_maker maker;

	(void)state;
	listener_init(&maker);
	add(&maker, "a.b.example", NULL, 0, "h2");
	add(&maker, "*.b.example", NULL, 8443, NULL);
	add(&maker, "*.example", "192.0.2.0/24", 0, NULL);
	add(&maker, NULL, NULL, 0, NULL);
	assert_int_equal(match(&maker, "a.b.example", "192.0.2.1", 8443, "h2"), 0);
	assert_int_equal(match(&maker, "a.b.example", "192.0.2.1", 8443, "h3"), 1);
	assert_int_equal(match(&maker, "a.b.example", "192.0.2.1", 443, "h3"), 2);
	assert_int_equal(match(&maker, "a.b.example", "192.0.3.1", 443, "h3"), 3);
}

static void longer_source_prefix_wins_over_port_and_alpn(void **state)
{
	struct listener_maker maker;

	(void)state;
	listener_init(&maker);
	add(&maker, NULL, NULL, 443, "h2");
	add(&maker, NULL, "0.0.0.0/0", 443, "h2");
	add(&maker, NULL, "10.0.0.0/8", 443, "h2");
	add(&maker, NULL, "10.1.0.0/16", 0, NULL);
	add(&maker, NULL, "2001:db8::/32", 0, NULL);
	assert_int_equal(match(&maker, NULL, "10.1.2.3", 443, "h2"), 3);
	assert_int_equal(match(&maker, NULL, "::ffff:10.1.2.3", 443, "h2"), 3);
	assert_int_equal(match(&maker, NULL, "10.2.2.3", 443, "h2"), 2);
	assert_int_equal(match(&maker, NULL, "11.2.2.3", 443, "h2"), 1);
	assert_int_equal(match(&maker, NULL, "2001:db8::1", 443, "h2"), 4);
	assert_int_equal(match(&maker, NULL, "2001:db9::1", 443, "h2"), 0);
}

static void named_port_wins_over_alpn_which_wins_over_place(void **state)
{
	struct listener_maker maker;

	(void)state;
	listener_init(&maker);
	add(&maker, NULL, NULL, 0, NULL);
	add(&maker, NULL, NULL, 0, NULL);
	add(&maker, NULL, NULL, 0, "h2");
	add(&maker, NULL, NULL, 443, NULL);
	add(&maker, NULL, NULL, 443, "h2");
	assert_int_equal(match(&maker, NULL, "10.0.0.1", 443, "h2"), 4);
	assert_int_equal(match(&maker, NULL, "10.0.0.1", 443, "h3"), 3);
	assert_int_equal(match(&maker, NULL, "10.0.0.1", 80, "h2"), 2);
	assert_int_equal(match(&maker, NULL, "10.0.0.1", 80, NULL), 0);
}

static int match_facts(const struct listener_maker *maker, const char *country,
		       const char *continent, uint32_t asn)
{
	struct tcp_route_table *table = tcp_route_table_new(&maker->listener);
	const struct geo_facts facts = {
		.country = earth_code_parse(slice_from_str(country)),
		.continent = earth_code_parse(slice_from_str(continent)),
		.asn = asn,
	};
	static struct request_maker request;
	int pool;

	assert_non_null(table);
	assert_true(tcp_route_table_needs_facts(table));
	request_init(&request, NULL, "10.0.0.1", 443, NULL);
	request.request.facts = &facts;
	pool = tcp_route_match(table, &request.request);
	request.request.facts = NULL;
	assert_int_equal(tcp_route_match(table, &request.request), 0);
	tcp_route_table_free(table);
	return pool;
}

static void system_wins_over_country_which_wins_over_continent_which_wins_over_port(void **state)
{
	static earth_code europe = EARTH_CODE('E', 'U');
	static earth_code countries[] = {EARTH_CODE('D', 'E'), EARTH_CODE('F', 'R')};
	static uint32_t asn = 64500;
	struct listener_maker maker;

	(void)state;
	listener_init(&maker);
	add(&maker, NULL, NULL, 443, NULL);
	add(&maker, NULL, NULL, 0, NULL);
	maker.routes[1].continent = &europe;
	maker.routes[1].ncontinent = 1;
	add(&maker, NULL, NULL, 0, NULL);
	maker.routes[2].country = countries;
	maker.routes[2].ncountry = 2;
	add(&maker, NULL, NULL, 0, NULL);
	maker.routes[3].asn = &asn;
	maker.routes[3].nasn = 1;
	assert_int_equal(match_facts(&maker, "DE", "EU", 64500), 3);
	assert_int_equal(match_facts(&maker, "FR", "EU", 64501), 2);
	assert_int_equal(match_facts(&maker, "IT", "EU", 0), 1);
	assert_int_equal(match_facts(&maker, "US", "NA", 0), 0);
	assert_int_equal(match_facts(&maker, "", "", 0), 0);
}

static void any_member_of_a_list_holds(void **state)
{
	struct listener_maker maker;
	struct config_route *route;

	(void)state;
	listener_init(&maker);
	route = add_route(&maker);
	route->sni[route->nsni++] = "a.example";
	route->sni[route->nsni++] = "*.b.example";
	add_source(route, "10.0.0.0/8");
	add_source(route, "2001:db8::/32");
	route->port[route->nport++] = 443;
	route->port[route->nport++] = 8443;
	route->alpn[route->nalpn++] = "h2";
	route->alpn[route->nalpn++] = "http/1.1";
	assert_int_equal(match(&maker, "a.example", "10.0.0.1", 443, "h2"), 0);
	assert_int_equal(match(&maker, "x.b.example", "2001:db8::1", 8443, "http/1.1"), 0);
	assert_int_equal(match(&maker, "c.example", "10.0.0.1", 443, "h2"), -ENOENT);
	assert_int_equal(match(&maker, "a.example", "11.0.0.1", 443, "h2"), -ENOENT);
	assert_int_equal(match(&maker, "a.example", "10.0.0.1", 80, "h2"), -ENOENT);
	assert_int_equal(match(&maker, "a.example", "10.0.0.1", 443, "H2"), -ENOENT);
	assert_int_equal(match(&maker, "a.example", "10.0.0.1", 443, NULL), -ENOENT);
}

static void longest_prefix_of_a_list_counts(void **state)
{
	struct listener_maker maker;
	struct config_route *route;

	(void)state;
	listener_init(&maker);
	add(&maker, NULL, "10.0.0.0/12", 0, NULL);
	route = add_route(&maker);
	add_source(route, "10.0.0.0/8");
	add_source(route, "10.0.0.0/16");
	assert_int_equal(match(&maker, NULL, "10.0.0.1", 1, NULL), 1);
	assert_int_equal(match(&maker, NULL, "10.1.0.1", 1, NULL), 0);
}

static void unix_client_is_in_no_network(void **state)
{
	struct address source = {.un = {.sun_family = AF_UNIX}, .len = sizeof(sa_family_t)};
	struct tcp_route_request request = {.source = &source};
	struct tcp_route_table *table;
	struct listener_maker maker;

	(void)state;
	listener_init(&maker);
	add(&maker, NULL, "0.0.0.0/0", 0, NULL);
	add(&maker, NULL, NULL, 0, NULL);
	table = tcp_route_table_new(&maker.listener);
	assert_non_null(table);
	assert_int_equal(tcp_route_match(table, &request), 1);
	tcp_route_table_free(table);
}

static bool needs_hello(const char *sni, const char *alpn)
{
	struct tcp_route_table *table;
	struct listener_maker maker;
	bool answer;

	listener_init(&maker);
	add(&maker, NULL, "10.0.0.0/8", 443, NULL);
	add(&maker, sni, NULL, 0, alpn);
	table = tcp_route_table_new(&maker.listener);
	assert_non_null(table);
	answer = tcp_route_table_needs_hello(table);
	tcp_route_table_free(table);
	return answer;
}

static void only_sni_and_alpn_need_a_hello(void **state)
{
	(void)state;
	assert_true(needs_hello("*", NULL));
	assert_true(needs_hello(NULL, "h2"));
	assert_false(needs_hello(NULL, NULL));
}

static void each_of_ten_thousand_names_is_found(void **state)
{
	enum { COUNT = 10000 };
	struct config_route *routes = calloc(COUNT, sizeof(*routes));
	char(*names)[24] = calloc(COUNT, sizeof(*names));
	const char **members = calloc(COUNT, sizeof(*members));
	struct config_listener listener = {.routes = routes, .nroutes = COUNT};
	static struct request_maker request;
	struct tcp_route_table *table;

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		snprintf(names[i], sizeof(names[i]), "%sn%zu.example", i % 2 ? "*." : "", i);
		members[i] = names[i];
		routes[i] = (struct config_route){
			.sni = &members[i], .nsni = 1, .action.pool.index = i};
	}
	table = tcp_route_table_new(&listener);
	assert_non_null(table);
	for (size_t i = 0; i < COUNT; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%sn%zu.example", i % 2 ? "x.y." : "", i);
		request_init(&request, name, "10.0.0.1", 443, NULL);
		assert_int_equal(tcp_route_match(table, &request.request), i);
	}
	tcp_route_table_free(table);
	free(members);
	free(names);
	free(routes);
}

static void each_of_ten_thousand_networks_is_found(void **state)
{
	enum { COUNT = 10000 };
	struct config_route *routes = calloc(COUNT, sizeof(*routes));
	struct prefix *networks = calloc(COUNT, sizeof(*networks));
	struct config_listener listener = {.routes = routes, .nroutes = COUNT};
	static struct request_maker request;
	struct tcp_route_table *table;
	char text[PREFIX_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		snprintf(text, sizeof(text), "10.%zu.%zu.0/24", i / 250, i % 250);
		assert_int_equal(prefix_parse(slice_from_str(text), &networks[i]), 0);
		routes[i] = (struct config_route){
			.source = &networks[i], .nsource = 1, .action.pool.index = i};
	}
	table = tcp_route_table_new(&listener);
	assert_non_null(table);
	for (size_t i = 0; i < COUNT; i++) {
		snprintf(text, sizeof(text), "10.%zu.%zu.7", i / 250, i % 250);
		request_init(&request, NULL, text, 443, NULL);
		assert_int_equal(tcp_route_match(table, &request.request), i);
	}
	tcp_route_table_free(table);
	free(networks);
	free(routes);
}

/*
 * The rules once more, as plainly as can be: each combination of a route's members is scored by
 * four numbers, compared from the left.
 */
struct score {
	int part[4];
};

static int naive_sni(const char *pattern, const char *name)
{
	size_t pattern_len = strlen(pattern), name_len = strlen(name);

	if (name_len == 0)
		return -1;
	if (strcmp(pattern, "*") == 0)
		return 1;
	if (pattern[0] != '*')
		return strcmp(pattern, name) == 0 ? 1000 : -1;
	if (name_len <= pattern_len - 1 || strcmp(name + name_len - (pattern_len - 1), pattern + 1))
		return -1;
	return (int)pattern_len;
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

static bool naive_score(const struct config_route *route, const struct tcp_route_request *request,
			struct score *ret)
{
	struct score score = {{route->nsni ? -1 : 0, route->nsource ? -1 : 0, route->nport ? -1 : 0,
			       route->nalpn ? -1 : 0}};

	for (size_t i = 0; i < route->nsni && request->hello; i++)
		score.part[0] = larger(score.part[0],
				       naive_sni(route->sni[i], request->hello->sni));
	for (size_t i = 0; i < route->nsource; i++)
		if (prefix_contains(&route->source[i], request->source))
			score.part[1] = larger(score.part[1], 1 + route->source[i].bits);
	for (size_t i = 0; i < route->nport; i++)
		if (route->port[i] == request->port)
			score.part[2] = 1;
	for (size_t i = 0; i < route->nalpn && request->hello; i++)
		for (size_t k = 0; k < request->hello->nalpn; k++)
			if (slice_equal_str(request->hello->alpn[k], route->alpn[i]))
				score.part[3] = 1;
	*ret = score;
	return score.part[0] >= 0 && score.part[1] >= 0 && score.part[2] >= 0 && score.part[3] >= 0;
}

static bool is_higher(const struct score *a, const struct score *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(a->part); i++)
		if (a->part[i] != b->part[i])
			return a->part[i] > b->part[i];
	return false;
}

static int naive_match(const struct config_listener *listener,
		       const struct tcp_route_request *request)
{
	struct score best = {{-1}}, score;
	int pool = -ENOENT;

	for (size_t i = 0; i < listener->nroutes; i++) {
		if (!naive_score(&listener->routes[i], request, &score) ||
		    !is_higher(&score, &best))
			continue;
		best = score;
		pool = (int)listener->routes[i].action.pool.index;
	}
	return pool;
}

static const char *const some_sni[] = {"a.b.c", "*.b.c", "*.c", "*", "b.c", "*.a.b.c", "c", "x.c"};
static const char *const some_names[] = {"a.b.c", "b.c", "c", "x.a.b.c", "ab.c", "", "z", "y.b.c"};
static const char *const some_sources[] = {"0.0.0.0/0", "10.0.0.0/8",    "10.0.0.0/9",  "10.0.0.1",
					   "::/0",      "2001:db8::/32", "10.128.0.0/9"};
static const char *const some_clients[] = {"10.0.0.1",    "10.0.0.2", "10.200.0.1",     "192.0.2.1",
					   "2001:db8::1", "::1",      "::ffff:10.0.0.1"};
static const char *const some_alpn[] = {"h2", "http/1.1", "x"};

#define PICK(rng, list) ((list)[rng_below(rng, ARRAY_SIZE(list))])

static void make_random_listener(struct rng *rng, struct listener_maker *maker)
{
	size_t nroutes = rng_below(rng, ROUTES_MAX + 1);

	listener_init(maker);
	while (maker->listener.nroutes < nroutes) {
		struct config_route *route = add_route(maker);

		for (size_t n = rng_below(rng, MEMBERS_MAX + 1); n > 0; n--)
			route->sni[route->nsni++] = PICK(rng, some_sni);
		for (size_t n = rng_below(rng, MEMBERS_MAX); n > 0; n--)
			add_source(route, PICK(rng, some_sources));
		for (size_t n = rng_below(rng, MEMBERS_MAX); n > 0; n--)
			route->port[route->nport++] = (uint16_t)(1 + rng_below(rng, 3));
		for (size_t n = rng_below(rng, MEMBERS_MAX); n > 0; n--)
			route->alpn[route->nalpn++] = PICK(rng, some_alpn);
	}
}

static void make_random_request(struct rng *rng, struct request_maker *maker)
{
	request_init(maker, PICK(rng, some_names), PICK(rng, some_clients),
		     (uint16_t)(1 + rng_below(rng, 3)), NULL);
	for (size_t n = rng_below(rng, 3); n > 0; n--)
		maker->hello.alpn[maker->hello.nalpn++] = slice_from_str(PICK(rng, some_alpn));
	if (rng_below(rng, 8) == 0)
		maker->request.hello = NULL;
}

static void random_tables_answer_as_the_plain_rules_do(void **state)
{
	static struct request_maker request;
	struct listener_maker maker;
	struct rng rng;
	size_t nheld = 0;

	(void)state;
	rng_seed(&rng, 20260101);
	for (int i = 0; i < 2000; i++) {
		struct tcp_route_table *table;

		make_random_listener(&rng, &maker);
		table = tcp_route_table_new(&maker.listener);
		assert_non_null(table);
		for (int k = 0; k < 50; k++) {
			int pool;

			make_random_request(&rng, &request);
			pool = tcp_route_match(table, &request.request);
			assert_int_equal(pool, naive_match(&maker.listener, &request.request));
			nheld += pool >= 0;
		}
		tcp_route_table_free(table);
	}
	/* Both answers are common, so neither side is right by default. */
	assert_in_range(nheld, 20000, 80000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_that_holds_leads_to_the_default),
		cmocka_unit_test(longer_name_wins),
		cmocka_unit_test(wildcard_does_not_match_its_own_domain),
		cmocka_unit_test(lone_star_needs_a_name),
		cmocka_unit_test(name_that_fails_otherwise_leaves_it_to_the_next),
		cmocka_unit_test(longer_source_prefix_wins_over_port_and_alpn),
		cmocka_unit_test(named_port_wins_over_alpn_which_wins_over_place),
		cmocka_unit_test(
			system_wins_over_country_which_wins_over_continent_which_wins_over_port),
		cmocka_unit_test(any_member_of_a_list_holds),
		cmocka_unit_test(longest_prefix_of_a_list_counts),
		cmocka_unit_test(unix_client_is_in_no_network),
		cmocka_unit_test(only_sni_and_alpn_need_a_hello),
		cmocka_unit_test(each_of_ten_thousand_names_is_found),
		cmocka_unit_test(each_of_ten_thousand_networks_is_found),
		cmocka_unit_test(random_tables_answer_as_the_plain_rules_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
