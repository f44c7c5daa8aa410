/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes: what it takes to find a request's route among ten to ten thousand, in nanoseconds. Each
 * request asks for another route than the one before, so that the table's memory counts too. Where
 * cookies or the query tell routes apart, a request has COOKIES of them or PARAMETERS, all others'.
 *
 *   make -C tests/bench/tools && build/tools/routes [ROUNDS]
 */
#include "route/http_route.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUTES_MAX 10000
#define DISTINCT   4096
#define COOKIES    1000 /* 15 KB */
#define PARAMETERS 500  /* 7 KB */

static struct config_route routes[ROUTES_MAX];
static const char *texts[ROUTES_MAX][2];
static struct config_value_match matches[ROUTES_MAX];
static struct regex_scratch *scratch;
static struct address source;

/* How routes differ from each other, and requests with them. */
enum kind { BY_HOST_AND_PREFIX, BY_PATH, BY_HEADER, BY_REGEX, BY_COOKIE, BY_QUERY };

static const char *const names[] = {
	[BY_HOST_AND_PREFIX] = "host and prefix",  [BY_PATH] = "whole path",
	[BY_HEADER] = "header, one host and path", [BY_REGEX] = "pattern of the path",
	[BY_COOKIE] = "a cookie beside 15 KB",     [BY_QUERY] = "a parameter beside 7 KB",
};

static char *print(const char *format, unsigned number)
{
	char *text = NULL;

	if (asprintf(&text, format, number) < 0)
		abort();
	return text;
}

static void match_value(unsigned i, const char *name)
{
	texts[i][0] = print("tenant-%u", i);
	matches[i] = (struct config_value_match){name, CONFIG_VALUE_EXACT, .value = &texts[i][0],
						 .nvalue = 1};
}

static void make_route(enum kind kind, unsigned i)
{
	struct config_route *route = &routes[i];

	*route = (struct config_route){.action.pool.index = i};
	switch (kind) {
	case BY_HOST_AND_PREFIX:
		texts[i][0] = print("h%u.shop.example", i / 10);
		texts[i][1] = print("/api/v%u", i % 10);
		route->host = &texts[i][0];
		route->path_prefix = &texts[i][1];
		route->nhost = route->npath_prefix = 1;
		break;
	case BY_PATH:
		texts[i][0] = print("/products/%u", i);
		route->path = &texts[i][0];
		route->npath = 1;
		break;
	case BY_HEADER:
		match_value(i, "x-tenant");
		route->header = &matches[i];
		route->nheader = 1;
		break;
	case BY_REGEX:
		texts[i][0] = print("^/products/%u/[a-z]+$", i);
		route->path_regex = &texts[i][0];
		route->npath_regex = 1;
		break;
	case BY_COOKIE:
		match_value(i, "tenant");
		route->cookie = &matches[i];
		route->ncookie = 1;
		break;
	case BY_QUERY:
		match_value(i, "tenant");
		route->query = &matches[i];
		route->nquery = 1;
		break;
	}
}

struct asked {
	struct http_request request;
	struct arena arena;
	struct slice path;
};

/* The route's own pair behind @count others. */
static char *pairs(const char *format, unsigned count, unsigned i)
{
	size_t size = 16 * (size_t)count + 32, len = 0;
	char *text = malloc(size);

	if (!text)
		abort();
	for (unsigned at = 0; at < count; at++)
		len += (size_t)snprintf(text + len, size - len, format, at);
	snprintf(text + len, size - len, "tenant=tenant-%u", i);
	return text;
}

static void add_field(struct asked *asked, const char *name, const char *value)
{
	if (http_fields_add(&asked->request.fields, slice_from_str(name), slice_from_str(value)) <
	    0)
		abort();
}

static void make_request(enum kind kind, unsigned i, struct asked *ret)
{
	*ret = (struct asked){
		.request = {.method_text = slice_from_str("GET"),
			    .authority.host = slice_from_str(
				    kind == BY_HOST_AND_PREFIX ? print("h%u.shop.example", i / 10)
							       : "www.shop.example")},
		.path = slice_from_str(kind == BY_HOST_AND_PREFIX
					       ? print("/api/v%u/items/42", i % 10)
				       : kind == BY_REGEX ? print("/products/%u/lamp", i)
							  : print("/products/%u", i)),
	};
	ret->request.fields.arena = &ret->arena;
	add_field(ret, "x-tenant", print("tenant-%u", i));
	if (kind == BY_COOKIE)
		add_field(ret, "cookie", pairs("c%u=0123456; ", COOKIES, i));
	if (kind == BY_QUERY)
		ret->request.target.query = slice_from_str(pairs("p%u=0123456&", PARAMETERS, i));
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void match(const struct http_route_table *table, const struct asked *asked,
		  unsigned expected)
{
	struct arena arena = {};
	const struct http_route_request request = {
		.request = &asked->request,
		.path = asked->path,
		.source = &source,
		.port = 80,
		.arena = &arena,
		.scratch = scratch,
	};
	const struct config_route *found;

	if (http_route_match(table, &request, &found) < 0 || found->action.pool.index != expected)
		abort();
	arena_done(&arena);
}

static void measure(enum kind kind, unsigned nroutes, unsigned rounds)
{
	const struct config_listener listener = {.routes = routes, .nroutes = nroutes};
	struct asked *asked = calloc(DISTINCT, sizeof(*asked));
	struct http_route_table *table;
	double begun, built;

	for (unsigned i = 0; i < nroutes; i++)
		make_route(kind, i);
	/* 7919 is prime: the routes are asked for in no order. */
	for (unsigned i = 0; i < DISTINCT; i++)
		make_request(kind, i * 7919 % nroutes, &asked[i]);
	begun = now_ns();
	table = http_route_table_new(&listener);
	built = now_ns() - begun;
	begun = now_ns();
	for (unsigned i = 0; i < rounds; i++)
		match(table, &asked[i % DISTINCT], i % DISTINCT * 7919 % nroutes);
	printf("%-26s %6u routes %9.0f ns a request, built in %.1f ms\n", names[kind], nroutes,
	       (now_ns() - begun) / rounds, built / 1e6);
	http_route_table_free(table);
	free(asked);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 2000000;

	scratch = regex_scratch_new();
	if (!scratch || !rounds || address_parse_ip(slice_from_str("192.0.2.1"), 0, &source))
		return 1;
	for (unsigned n = 10; n <= ROUTES_MAX; n *= 10)
		measure(BY_HOST_AND_PREFIX, n, rounds);
	for (unsigned n = 10; n <= ROUTES_MAX; n *= 10)
		measure(BY_PATH, n, rounds);
	for (unsigned n = 1; n <= 1000; n *= 10)
		measure(BY_HEADER, n, rounds / n + 1);
	for (unsigned n = 1; n <= 1000; n *= 10)
		measure(BY_REGEX, n, rounds / n + 1);
	for (unsigned n = 1; n <= 1000; n *= 10)
		measure(BY_COOKIE, n, rounds / 100 / n + 1);
	for (unsigned n = 1; n <= 1000; n *= 10)
		measure(BY_QUERY, n, rounds / 100 / n + 1);
	return 0;
}
