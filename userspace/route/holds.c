// SPDX-License-Identifier: Apache-2.0
/* The conditions that routes of every mode share. */
#include "route/route_internal.h"

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

struct slice route_prefix_key(const char *prefix)
{
	struct slice key = slice_from_str(prefix);

	while (key.len && key.ptr[key.len - 1] == '/')
		key.len--;
	return key;
}
