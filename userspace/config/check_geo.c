// SPDX-License-Identifier: Apache-2.0
/* What asks where clients are, and with what that is to be known. */
#include "config/config_internal.h"

static bool has_databases(const struct checker *checker)
{
	const struct node *databases = node_member(node_member(checker->root, "geo"), "databases");

	return databases && (databases->kind != NODE_LIST || databases->first);
}

/* @places: a mapping with country, continent and asn among its options; NULL is allowed. */
static void check_known(struct checker *checker, const struct node *places)
{
	static const char *const names[] = {"country", "continent", "asn"};

	if (has_databases(checker))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct node *at = node_member(places, names[i]);

		if (at)
			diagnose(checker->diagnostics, at,
				 "%s: there is nothing to look it up in; expected geo.databases",
				 names[i]);
	}
}

/* Who writes allow alone may think that it shuts out everybody else. */
static void check_guard(struct checker *checker)
{
	const struct node *geo = node_member(node_member(checker->root, "guard"), "geo");
	const struct node *block = node_member(geo, "block"), *allow = node_member(geo, "allow");

	check_known(checker, block);
	check_known(checker, allow);
	if (node_first(allow) && !node_first(block))
		diagnose(checker->diagnostics, allow,
			 "allow makes exceptions from geo.block, and that names no place; what is "
			 "not blocked passes anyway");
}

void check_geo(struct checker *checker)
{
	const struct node *at = node_member(node_member(checker->root, "geo"), "databases");

	if (checker->config->geo.ndatabases > CONFIG_GEO_DATABASES_MAX)
		diagnose(checker->diagnostics, at, "databases has %zu items; expected at most %d",
			 checker->config->geo.ndatabases, CONFIG_GEO_DATABASES_MAX);
	check_guard(checker);
}

void check_place(struct checker *checker, const struct node *route)
{
	check_known(checker, node_member(route, "match"));
}

static bool is_at(const struct earth_point *a, const struct earth_point *b)
{
	return a->latitude == b->latitude && a->longitude == b->longitude;
}

size_t count_locations(const struct config_pool *pool)
{
	const struct earth_point *found[CONFIG_LOCATIONS_MAX + 1];
	size_t count = 0;

	for (size_t i = 0; i < pool->nendpoints && count <= CONFIG_LOCATIONS_MAX; i++) {
		const struct config_endpoint *endpoint = &pool->endpoints[i];
		size_t k = 0;

		while (k < count && !is_at(found[k], &endpoint->location))
			k++;
		if (endpoint->has_location && k == count)
			found[count++] = &endpoint->location;
	}
	return count;
}

void check_nearest(struct checker *checker, const struct config_pool *pool, const struct node *node)
{
	const struct node *at = node_member(node, "nearest");
	size_t count = count_locations(pool);

	if (!pool->is_nearest)
		return;
	if (!has_databases(checker))
		diagnose(checker->diagnostics, at,
			 "nearest: there is nothing to look clients up in; expected geo.databases");
	if (count == 0)
		diagnose(checker->diagnostics, at,
			 "nearest: no endpoint has a location; expected one that has");
	if (count > CONFIG_LOCATIONS_MAX)
		diagnose(checker->diagnostics, at,
			 "nearest: the endpoints are in more than %d locations; expected at most "
			 "as many",
			 CONFIG_LOCATIONS_MAX);
}
