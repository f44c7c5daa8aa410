// SPDX-License-Identifier: Apache-2.0
/*
 * Picks the route of an HTTP request. Host and path count first, so routes hang in a hash table by
 * both. A request looks up its own host, then each wildcard that could match it, then "*", then the
 * routes that ask for no host; each with its whole path, with the patterns that there are, with
 * every prefix of the path that ends at a "/", longest first, and with none. The first place that
 * has a route that holds decides: thousands of routes cost no more than a few, and only those that
 * share host and path, or have patterns for the same host, are compared one by one.
 */
#include "route/http_route.h"

#include "core/regex.h"
#include "route/certificate_rule.h"
#include "route/condition.h"
#include "route/route_internal.h"

#include <errno.h>
#include <stdlib.h>

/* Names in DNS have at most 253 characters. */
#define HOST_MAX 255

enum path_kind {
	PATH_NONE,
	PATH_SOME,   /* marks a host that has routes */
	PATH_PREFIX, /* without a "/" at its end: the root is "" */
	PATH_REGEX,  /* the path is "", each rule has its pattern */
	PATH_EXACT,
};

/* A route with what was compiled for it. */
struct compiled {
	struct condition *conditions;
	size_t nconditions;
	struct slice *exact, *prefixes; /* paths as they are compared */
	struct regex **paths;
	size_t npaths;
	struct certificate_rule certificate;
	struct rewrite rewrite;
};

struct http_route_table {
	const struct config_listener *listener;
	struct config_route fallback; /* the listener's pool */
	bool needs_certificate, needs_facts;
	struct compiled *routes; /* by the listener's index */
	struct arena keys;
	struct condition_names names;
	struct place_table places; /* host, path, and how the path is compared */
};

/* A request on its way through the table. */
struct search {
	const struct http_route_table *table;
	const struct http_route_request *request;
	struct condition_input input;
	int error; /* that ends it: a condition took too long to tell */
};

static const struct slice nothing = {"", 0};
static const struct slice any_host = {"*", 1};

/* --- Building ------------------------------------------------------------------- */

static size_t count_conditions(const struct config_route *route)
{
	return route->nheader + route->nquery + route->ncookie + route->certificate.is_asked;
}

static bool is_better(const struct place_rule *a, const struct place_rule *b)
{
	size_t a_count = count_conditions(a->route), b_count = count_conditions(b->route);
	uint8_t a_bits = route_longest_source(a->route), b_bits = route_longest_source(b->route);

	if (!a->route->nmethod != !b->route->nmethod)
		return a->route->nmethod;
	if (a_count != b_count)
		return a_count > b_count;
	if (a_bits != b_bits)
		return a_bits > b_bits;
	if (route_place_rank(a->route) != route_place_rank(b->route))
		return route_place_rank(a->route) > route_place_rank(b->route);
	if (!a->route->nport != !b->route->nport)
		return a->route->nport;
	return a->order < b->order;
}

static void hang(struct http_route_table *table, struct place_rule rule, const struct place *place)
{
	place_table_add(&table->places, place, &rule, is_better);
}

static void hang_paths(struct http_route_table *table, struct place_rule rule, struct slice host)
{
	const struct config_route *route = rule.route;
	const struct compiled *compiled = &table->routes[rule.order];
	struct place place = {.name = host, .detail = nothing, .kind = PATH_SOME};

	place_table_mark(&table->places, &place);
	place.kind = PATH_NONE;
	if (!route->npath && !route->npath_prefix && !route->npath_regex)
		hang(table, rule, &place);
	place.kind = PATH_REGEX;
	for (size_t i = 0; i < route->npath_regex; i++) {
		rule.regex = compiled->paths[i];
		hang(table, rule, &place);
	}
	rule.regex = NULL;
	place.kind = PATH_EXACT;
	for (size_t i = 0; i < route->npath; i++) {
		place.detail = compiled->exact[i];
		hang(table, rule, &place);
	}
	place.kind = PATH_PREFIX;
	for (size_t i = 0; i < route->npath_prefix; i++) {
		place.detail = compiled->prefixes[i];
		hang(table, rule, &place);
	}
}

static void hang_route(struct http_route_table *table, uint32_t order)
{
	const struct config_route *route = &table->listener->routes[order];
	const struct place_rule rule = {.route = route, .order = order};

	table->needs_certificate |= route->certificate.is_asked;
	table->needs_facts |= route_place_rank(route) > 0;
	if (!route->nhost)
		hang_paths(table, rule, nothing);
	for (size_t i = 0; i < route->nhost; i++)
		hang_paths(table, rule, route_name_key(route->host[i]));
}

static size_t count_places(const struct config_listener *listener)
{
	size_t count = 0;

	for (size_t i = 0; i < listener->nroutes; i++) {
		const struct config_route *route = &listener->routes[i];
		size_t paths = route->npath + route->npath_prefix + route->npath_regex;

		count += (route->nhost ? route->nhost : 1) * (1 + (paths ? paths : 1));
	}
	return count;
}

/* --- What is compiled for a route ----------------------------------------------- */

static int compile_keys(const char *const *paths, size_t count, struct arena *arena,
			struct slice **ret)
{
	struct slice *keys = arena_alloc_array(arena, count, sizeof(*keys));
	int err = keys ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < count; i++)
		err = route_path_key(paths[i], arena, &keys[i]);
	if (!err)
		*ret = keys;
	return err;
}

static int compile_places(struct compiled *compiled, const struct config_route *route,
			  struct arena *arena)
{
	int err = compile_keys(route->path, route->npath, arena, &compiled->exact);

	if (!err)
		err = compile_keys(route->path_prefix, route->npath_prefix, arena,
				   &compiled->prefixes);
	for (size_t i = 0; !err && i < route->npath_prefix; i++)
		compiled->prefixes[i] = route_prefix_key(compiled->prefixes[i]);
	return err;
}

static int compile_patterns(struct compiled *compiled, const struct config_route *route)
{
	char problem[REGEX_PROBLEM_SIZE];

	if (!route->npath_regex)
		return 0;
	compiled->paths = calloc(route->npath_regex, sizeof(struct regex *));
	if (!compiled->paths)
		return -ENOMEM;
	for (size_t i = 0; i < route->npath_regex; i++) {
		int err = regex_new(slice_from_str(route->path_regex[i]), &compiled->paths[i],
				    problem);

		if (err)
			return err;
		compiled->npaths++;
	}
	return 0;
}

static int compile_conditions(struct compiled *compiled, enum condition_kind kind,
			      const struct config_value_match *matches, size_t count,
			      struct condition_names *names)
{
	for (size_t i = 0; i < count; i++) {
		int err = condition_init(&compiled->conditions[compiled->nconditions], kind,
					 &matches[i], names);

		if (err)
			return err;
		compiled->nconditions++;
	}
	return 0;
}

static int compile_all_conditions(struct compiled *compiled, const struct config_route *route,
				  struct condition_names *names)
{
	int err;

	if (!count_conditions(route))
		return 0;
	compiled->conditions = calloc(count_conditions(route), sizeof(*compiled->conditions));
	if (!compiled->conditions)
		return -ENOMEM;
	err = compile_conditions(compiled, CONDITION_HEADER, route->header, route->nheader, names);
	if (!err)
		err = compile_conditions(compiled, CONDITION_COOKIE, route->cookie, route->ncookie,
					 names);
	if (!err)
		err = compile_conditions(compiled, CONDITION_QUERY, route->query, route->nquery,
					 names);
	return err;
}

static int compile(struct http_route_table *table, struct compiled *compiled,
		   const struct config_route *route)
{
	int err = compile_places(compiled, route, &table->keys);

	if (!err)
		err = compile_patterns(compiled, route);
	if (!err)
		err = certificate_rule_init(&compiled->certificate, &route->certificate);
	if (!err)
		err = rewrite_init(&compiled->rewrite, route, compiled->prefixes);
	return err ? err : compile_all_conditions(compiled, route, &table->names);
}

static void discard(struct compiled *compiled)
{
	for (size_t i = 0; i < compiled->npaths; i++)
		regex_free(compiled->paths[i]);
	for (size_t i = 0; i < compiled->nconditions; i++)
		condition_done(&compiled->conditions[i]);
	certificate_rule_done(&compiled->certificate);
	rewrite_done(&compiled->rewrite);
	free(compiled->paths);
	free(compiled->conditions);
}

static int init_names(struct condition_names *names, const struct config_listener *listener)
{
	size_t nquery = 0, ncookie = 0;

	for (size_t i = 0; i < listener->nroutes; i++) {
		nquery += listener->routes[i].nquery;
		ncookie += listener->routes[i].ncookie;
	}
	return condition_names_init(names, nquery, ncookie);
}

struct http_route_table *http_route_table_new(const struct config_listener *listener)
{
	struct http_route_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->listener = listener;
	table->fallback.action.pool.index = listener->default_pool;
	table->routes = calloc(listener->nroutes + 1, sizeof(*table->routes));
	if (!table->routes || init_names(&table->names, listener) < 0 ||
	    place_table_init(&table->places, count_places(listener)) < 0)
		goto fail;
	for (size_t i = 0; i < listener->nroutes; i++)
		if (compile(table, &table->routes[i], &listener->routes[i]) < 0)
			goto fail;
	for (size_t i = 0; i < listener->nroutes; i++)
		hang_route(table, (uint32_t)i);
	return table;
fail:
	http_route_table_free(table);
	return NULL;
}

void http_route_table_free(struct http_route_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; table->routes && i < table->listener->nroutes; i++)
		discard(&table->routes[i]);
	free(table->routes);
	condition_names_done(&table->names);
	arena_done(&table->keys);
	place_table_done(&table->places);
	free(table);
}

const struct rewrite *http_route_rewrite(const struct http_route_table *table,
					 const struct config_route *route)
{
	const struct rewrite *rewrite;

	if (route == &table->fallback)
		return NULL;
	rewrite = &table->routes[route - table->listener->routes].rewrite;
	return rewrite_has_path(rewrite) ? rewrite : NULL;
}

bool http_route_table_needs_facts(const struct http_route_table *table)
{
	return table->needs_facts;
}

bool http_route_table_needs_certificate(const struct http_route_table *table)
{
	return table->needs_certificate;
}

/* --- Matching ------------------------------------------------------------------- */

static bool is_any_of(const char *const *texts, size_t count, struct slice text)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal_str(text, texts[i]))
			return true;
	return count == 0;
}

/* Whether all conditions of a route hold; what costs least is looked at first. */
static bool holds(struct search *search, const struct place_rule *rule)
{
	const struct http_route_request *request = search->request;
	const struct compiled *compiled = &search->table->routes[rule->order];
	int result;

	if (!is_any_of(rule->route->method, rule->route->nmethod, request->request->method_text) ||
	    !route_holds_source(rule->route, request->source) ||
	    !route_holds_place(rule->route, request->facts) ||
	    !route_holds_port(rule->route, request->port))
		return false;
	result = certificate_rule_holds(&compiled->certificate, request->certificate,
					request->scratch);
	if (result > 0 && rule->regex)
		result = regex_match(rule->regex, request->path, request->scratch);
	for (size_t i = 0; result > 0 && i < compiled->nconditions; i++)
		result = condition_holds(&compiled->conditions[i], &search->input);
	if (result < 0)
		search->error = result;
	return result > 0;
}

static const struct config_route *look_at(struct search *search, const struct place *place)
{
	const struct place_table *places = &search->table->places;
	const struct place_rule *rule = place_table_first(places, place);

	for (; rule && !search->error; rule = place_table_next(places, rule))
		if (holds(search, rule))
			return rule->route;
	return NULL;
}

/* The end of the last segment that begins before @end; 0 is the root. */
static size_t shorter(struct slice path, size_t end)
{
	while (end > 0 && path.ptr[--end] != '/')
		;
	return end;
}

/* The whole path counts as a prefix of itself, with or without a "/" at its end. */
static const struct config_route *look_at_prefixes(struct search *search, struct slice host)
{
	struct slice path = search->request->path;
	struct place place = {.name = host, .kind = PATH_PREFIX};
	const struct config_route *route;
	size_t end = path.len;

	if (!end || path.ptr[0] != '/')
		return NULL;
	for (;;) {
		place.detail = slice_of(path.ptr, end);
		route = look_at(search, &place);
		if (route || end == 0)
			return route;
		end = shorter(path, end);
	}
}

static const struct config_route *look_at_paths(struct search *search, struct slice host)
{
	struct place place = {.name = host, .detail = nothing, .kind = PATH_SOME};
	const struct config_route *route;

	if (!place_table_is_marked(&search->table->places, &place))
		return NULL;
	place.detail = search->request->path;
	place.kind = PATH_EXACT;
	route = look_at(search, &place);
	place.detail = nothing;
	place.kind = PATH_REGEX;
	if (!route)
		route = look_at(search, &place);
	if (!route)
		route = look_at_prefixes(search, host);
	place.kind = PATH_NONE;
	return route ? route : look_at(search, &place);
}

static struct slice lower_case(struct slice host, char buf[HOST_MAX])
{
	if (host.len > HOST_MAX)
		return nothing;
	for (size_t i = 0; i < host.len; i++) {
		char c = host.ptr[i];

		buf[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	return slice_of(buf, host.len);
}

static const struct config_route *look_at_hosts(struct search *search)
{
	char buf[HOST_MAX];
	struct slice host = lower_case(http_host_name(search->request->request->authority.host),
				       buf);
	const struct config_route *route = NULL;

	if (host.len) {
		route = look_at_paths(search, host);
		for (size_t i = 1; !route && i < host.len; i++)
			if (host.ptr[i] == '.')
				route = look_at_paths(search, slice_skip(host, i));
		if (!route)
			route = look_at_paths(search, any_host);
	}
	return route ? route : look_at_paths(search, nothing);
}

int http_route_match(const struct http_route_table *table, const struct http_route_request *request,
		     const struct config_route **ret)
{
	struct search search = {
		.table = table,
		.request = request,
		.input = {.names = &table->names,
			  .request = request->request,
			  .arena = request->arena,
			  .scratch = request->scratch},
	};
	const struct config_route *route = look_at_hosts(&search);

	if (search.error)
		return search.error;
	if (!route && table->listener->has_default_pool)
		route = &table->fallback;
	if (!route)
		return -ENOENT;
	*ret = route;
	return 0;
}
