// SPDX-License-Identifier: Apache-2.0
/* What asks where clients are, and with what that is to be known. */
#include "config/config_internal.h"

void check_geo(struct checker *checker)
{
	const struct node *at = node_member(node_member(checker->root, "geo"), "databases");

	if (checker->config->geo.ndatabases > CONFIG_GEO_DATABASES_MAX)
		diagnose(checker->diagnostics, at, "databases has %zu items; expected at most %d",
			 checker->config->geo.ndatabases, CONFIG_GEO_DATABASES_MAX);
}

void check_place(struct checker *checker, const struct node *route)
{
	static const char *const names[] = {"country", "continent", "asn"};

	if (node_member(node_member(checker->root, "geo"), "databases"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct node *at = node_member(node_member(route, "match"), names[i]);

		if (at)
			diagnose(checker->diagnostics, at,
				 "%s: there is nothing to look it up in; expected geo.databases",
				 names[i]);
	}
}
