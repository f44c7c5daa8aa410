// SPDX-License-Identifier: Apache-2.0
/*
 * Picks the route of an HTTP request. Host and path count first, so routes hang in a hash table by
 * both. A request looks up its own host, then each wildcard that could match it, then "*", then the
 * routes that ask for no host; each with its whole path, with every prefix of it that ends at a
 * "/", longest first, and with none. The first place that has a route that holds decides: thousands
 * of routes cost no more than a few, and only those that share host and path are compared.
 */
#include "route/http_route.h"

#include "core/hash.h"

#include <stdlib.h>

#define NO_RULE UINT32_MAX
/* Names in DNS have at most 253 characters. */
#define HOST_MAX 255

enum path_kind {
	PATH_NONE,
	PATH_PREFIX, /* without a "/" at its end: the root is "" */
	PATH_EXACT,
};

/* What a route asks for by one member of each list. No host: "". */
struct place {
	struct slice host, path;
	enum path_kind kind;
};

/* A route at one of its places, best first. */
struct rule {
	const struct config_route *route;
	uint32_t order, next;
};

struct slot {
	struct place place;
	uint32_t first;
	bool is_used;
};

struct http_route_table {
	struct config_route fallback; /* the listener's pool */
	bool has_fallback;
	uint32_t nrules;
	size_t mask; /* the number of slots, a power of two, less one */
	struct slot *slots;
	struct rule rules[];
};

static const struct slice nothing = {"", 0};
static const struct slice any_host = {"*", 1};

/* --- Places --------------------------------------------------------------------- */

static uint64_t place_hash(const struct place *place)
{
	return hash_bytes(place->path, hash_bytes(place->host, place->kind));
}

static bool place_equal(const struct place *a, const struct place *b)
{
	return a->kind == b->kind && slice_equal(a->host, b->host) && slice_equal(a->path, b->path);
}

static struct slot *find_slot(const struct http_route_table *table, const struct place *place)
{
	size_t at = place_hash(place) & table->mask;

	while (table->slots[at].is_used && !place_equal(&table->slots[at].place, place))
		at = (at + 1) & table->mask;
	return &table->slots[at];
}

/* A wildcard hangs under what it stands before, ".example.com"; no host begins so. */
static struct slice host_key(const char *host)
{
	struct slice key = slice_from_str(host);

	return key.len > 1 && key.ptr[0] == '*' ? slice_skip(key, 1) : key;
}

static struct slice prefix_key(const char *prefix)
{
	struct slice key = slice_from_str(prefix);

	while (key.len && key.ptr[key.len - 1] == '/')
		key.len--;
	return key;
}

/* --- Building ------------------------------------------------------------------- */

static uint8_t longest_source(const struct config_route *route)
{
	uint8_t bits = 0;

	for (size_t i = 0; i < route->nsource; i++)
		if (route->source[i].bits > bits)
			bits = route->source[i].bits;
	return bits;
}

/* Whether @a goes before @b, which shares its place and stands behind it in the file. */
static bool is_better(const struct rule *a, const struct rule *b)
{
	uint8_t a_bits = longest_source(a->route), b_bits = longest_source(b->route);

	if (!a->route->nmethod != !b->route->nmethod)
		return a->route->nmethod;
	if (a_bits != b_bits)
		return a_bits > b_bits;
	if (!a->route->nport != !b->route->nport)
		return a->route->nport;
	return a->order < b->order;
}

static void hang(struct http_route_table *table, const struct config_route *route, uint32_t order,
		 const struct place *place)
{
	struct slot *slot = find_slot(table, place);
	struct rule *rule = &table->rules[table->nrules];
	uint32_t *at = &slot->first;

	*rule = (struct rule){.route = route, .order = order};
	if (!slot->is_used)
		*slot = (struct slot){.place = *place, .first = NO_RULE, .is_used = true};
	while (*at != NO_RULE && is_better(&table->rules[*at], rule))
		at = &table->rules[*at].next;
	rule->next = *at;
	*at = table->nrules++;
}

static void hang_paths(struct http_route_table *table, const struct config_route *route,
		       uint32_t order, struct slice host)
{
	struct place place = {.host = host, .path = nothing, .kind = PATH_NONE};

	if (!route->npath && !route->npath_prefix)
		hang(table, route, order, &place);
	place.kind = PATH_EXACT;
	for (size_t i = 0; i < route->npath; i++) {
		place.path = slice_from_str(route->path[i]);
		hang(table, route, order, &place);
	}
	place.kind = PATH_PREFIX;
	for (size_t i = 0; i < route->npath_prefix; i++) {
		place.path = prefix_key(route->path_prefix[i]);
		hang(table, route, order, &place);
	}
}

static void hang_route(struct http_route_table *table, const struct config_route *route,
		       uint32_t order)
{
	if (!route->nhost)
		hang_paths(table, route, order, nothing);
	for (size_t i = 0; i < route->nhost; i++)
		hang_paths(table, route, order, host_key(route->host[i]));
}

static size_t count_places(const struct config_listener *listener)
{
	size_t count = 0;

	for (size_t i = 0; i < listener->nroutes; i++) {
		const struct config_route *route = &listener->routes[i];
		size_t paths = route->npath + route->npath_prefix;

		count += (route->nhost ? route->nhost : 1) * (paths ? paths : 1);
	}
	return count;
}

static size_t slots_for(size_t places)
{
	size_t slots = 8;

	while (slots < 2 * places)
		slots *= 2;
	return slots;
}

struct http_route_table *http_route_table_new(const struct config_listener *listener)
{
	size_t places = count_places(listener), slots = slots_for(places);
	struct http_route_table *table = calloc(1,
						sizeof(*table) + places * sizeof(table->rules[0]));

	if (!table)
		return NULL;
	table->slots = calloc(slots, sizeof(*table->slots));
	if (!table->slots) {
		free(table);
		return NULL;
	}
	table->has_fallback = listener->has_default_pool;
	table->fallback.action.pool.index = listener->default_pool;
	table->mask = slots - 1;
	for (size_t i = 0; i < listener->nroutes; i++)
		hang_route(table, &listener->routes[i], (uint32_t)i);
	return table;
}

void http_route_table_free(struct http_route_table *table)
{
	if (!table)
		return;
	free(table->slots);
	free(table);
}

/* --- Matching ------------------------------------------------------------------- */

static bool has_method(const struct config_route *route, struct slice method)
{
	for (size_t i = 0; i < route->nmethod; i++)
		if (slice_equal_str(method, route->method[i]))
			return true;
	return route->nmethod == 0;
}

static bool has_source(const struct config_route *route, const struct address *source)
{
	for (size_t i = 0; i < route->nsource; i++)
		if (prefix_contains(&route->source[i], source))
			return true;
	return route->nsource == 0;
}

static bool has_port(const struct config_route *route, uint16_t port)
{
	for (size_t i = 0; i < route->nport; i++)
		if (route->port[i] == port)
			return true;
	return route->nport == 0;
}

static const struct config_route *look_at(const struct http_route_table *table,
					  const struct http_route_request *request,
					  const struct place *place)
{
	const struct slot *slot = find_slot(table, place);

	if (!slot->is_used)
		return NULL;
	for (uint32_t i = slot->first; i != NO_RULE; i = table->rules[i].next) {
		const struct config_route *route = table->rules[i].route;

		if (has_method(route, request->request->method_text) &&
		    has_source(route, request->source) && has_port(route, request->port))
			return route;
	}
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
static const struct config_route *look_at_paths(const struct http_route_table *table,
						const struct http_route_request *request,
						struct slice host)
{
	struct place place = {.host = host, .path = request->path, .kind = PATH_EXACT};
	const struct config_route *route = look_at(table, request, &place);
	size_t end = request->path.len;

	place.kind = PATH_PREFIX;
	if (!route && end && request->path.ptr[0] == '/') {
		while (!route) {
			place.path = slice_of(request->path.ptr, end);
			route = look_at(table, request, &place);
			if (end == 0)
				break;
			end = shorter(request->path, end);
		}
	}
	if (route)
		return route;
	place = (struct place){.host = host, .path = nothing, .kind = PATH_NONE};
	return look_at(table, request, &place);
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

static const struct config_route *look_at_hosts(const struct http_route_table *table,
						const struct http_route_request *request)
{
	char buf[HOST_MAX];
	struct slice host = lower_case(request->request->authority.host, buf);
	const struct config_route *route = NULL;

	if (host.len) {
		route = look_at_paths(table, request, host);
		for (size_t i = 1; !route && i < host.len; i++)
			if (host.ptr[i] == '.')
				route = look_at_paths(table, request, slice_skip(host, i));
		if (!route)
			route = look_at_paths(table, request, any_host);
	}
	return route ? route : look_at_paths(table, request, nothing);
}

const struct config_route *http_route_match(const struct http_route_table *table,
					    const struct http_route_request *request)
{
	const struct config_route *route = look_at_hosts(table, request);

	return route || !table->has_fallback ? route : &table->fallback;
}
