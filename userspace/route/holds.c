// SPDX-License-Identifier: Apache-2.0
/* The conditions that routes of every mode share. */
#include "http/path.h"
#include "route/route_internal.h"

#include <errno.h>

struct slice route_name_key(const char *name)
{
	struct slice key = slice_from_str(name);

	return key.len > 1 && name[0] == '*' ? slice_skip(key, 1) : key;
}

bool route_holds_source(const struct config_route *route, const struct address *source)
{
	for (size_t i = 0; i < route->nsource; i++)
		if (prefix_contains(&route->source[i], source))
			return true;
	return route->nsource == 0;
}

bool route_holds_port(const struct config_route *route, uint16_t port)
{
	for (size_t i = 0; i < route->nport; i++)
		if (route->port[i] == port)
			return true;
	return route->nport == 0;
}

static bool has_code(const earth_code *codes, size_t count, earth_code code)
{
	for (size_t i = 0; i < count; i++)
		if (codes[i] == code)
			return true;
	return count == 0;
}

static bool has_asn(const struct config_route *route, uint32_t asn)
{
	for (size_t i = 0; i < route->nasn; i++)
		if (route->asn[i] == asn)
			return true;
	return route->nasn == 0;
}

bool route_holds_place(const struct config_route *route, const struct geo_facts *facts)
{
	static const struct geo_facts unknown;

	if (!facts)
		facts = &unknown;
	return has_code(route->country, route->ncountry, facts->country) &&
	       has_code(route->continent, route->ncontinent, facts->continent) &&
	       has_asn(route, facts->asn);
}

int route_place_rank(const struct config_route *route)
{
	return (route->nasn ? 4 : 0) + (route->ncountry ? 2 : 0) + (route->ncontinent ? 1 : 0);
}

uint8_t route_longest_source(const struct config_route *route)
{
	uint8_t bits = 0;

	for (size_t i = 0; i < route->nsource; i++)
		if (route->source[i].bits > bits)
			bits = route->source[i].bits;
	return bits;
}

struct slice route_prefix_key(struct slice prefix)
{
	while (prefix.len && prefix.ptr[prefix.len - 1] == '/')
		prefix.len--;
	return prefix;
}

int route_path_key(const char *path, struct arena *arena, struct slice *ret)
{
	struct slice text = slice_from_str(path), normal;
	char *buf = arena_alloc(arena, text.len + 1);

	if (!buf)
		return -ENOMEM;
	/* What has no such spelling is no request's path. */
	*ret = http_path_normalize(text, buf, &normal) ? text : http_path_merge(normal, buf);
	return 0;
}
