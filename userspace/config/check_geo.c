// SPDX-License-Identifier: Apache-2.0
/* What asks where clients are, and with what that is to be known. */
#include "config/config_internal.h"

/* @places: a mapping with country, continent and asn among its options; NULL is allowed. */
static void check_known(struct checker *checker, const struct node *places)
{
	static const char *const names[] = {"country", "continent", "asn"};
	const struct node *databases = node_member(node_member(checker->root, "geo"), "databases");

	if (databases && (databases->kind != NODE_LIST || databases->first))
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
