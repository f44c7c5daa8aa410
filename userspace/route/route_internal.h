/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_ROUTE_INTERNAL_H
#define SLUICE_ROUTE_INTERNAL_H

#include "config/config.h"
#include "core/address.h"
#include "core/compiler.h"
#include "core/slice.h"
#include "geo/geo.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What connections and requests have in common when a route is looked for. */

/* --- Places: place_table.c ------------------------------------------------------ */

/*
 * What counts first of what a route asks for, by one member of each list. Routes hang in a hash
 * table by their places, so that thousands of them cost no more than a few: only those that share a
 * place are compared one by one. The slices outlive the table; what they and @kind mean is the
 * table's owner's.
 */
struct place {
	struct slice name, detail;
	uint32_t kind;
};

struct regex;

/* A route at one of its places, best first. */
struct place_rule {
	const struct config_route *route;
	const struct regex *regex; /* that has to match too; NULL: none */
	uint32_t order;            /* the route's place in the file */
	uint32_t next;
};

struct place_slot {
	struct place place;
	uint32_t first, last;
	bool is_used;
};

struct place_table {
	struct place_slot *slots;
	struct place_rule *rules;
	size_t mask; /* the number of slots, a power of two, less one */
	uint32_t nrules;
};

/* Room for @count rules and marks. Return: 0; -ENOMEM. */
int place_table_init(struct place_table *table, size_t count) WARN_UNUSED;
void place_table_done(struct place_table *table); /* of a zeroed one too */

/* @is_better: whether the first goes before the other, which hangs at the same place. */
void place_table_add(struct place_table *table, const struct place *place,
		     const struct place_rule *rule,
		     bool (*is_better)(const struct place_rule *, const struct place_rule *));

/* A place without rules of its own: it tells whether it pays to look around it. */
void place_table_mark(struct place_table *table, const struct place *place);
bool place_table_is_marked(const struct place_table *table, const struct place *place);

/* The best rule of a place, and the next one; NULL: no more. */
const struct place_rule *place_table_first(const struct place_table *table,
					   const struct place *place);
static inline const struct place_rule *place_table_next(const struct place_table *table,
							const struct place_rule *rule)
{
	return rule->next == UINT32_MAX ? NULL : &table->rules[rule->next];
}

/* --- Conditions of every route: holds.c ----------------------------------------- */

/* A wildcard hangs under what it stands before, ".example.com"; no host name begins so. */
struct slice route_name_key(const char *name);

/* A prefix of paths without a "/" at its end: the root is "". */
struct slice route_prefix_key(struct slice prefix);

/* @path as requests' paths are compared: in the one spelling, in @arena. Return: 0; -ENOMEM. */
int route_path_key(const char *path, struct arena *arena, struct slice *ret) WARN_UNUSED;

bool route_holds_source(const struct config_route *route, const struct address *source);
bool route_holds_port(const struct config_route *route, uint16_t port);

/* By country, continent and autonomous system. @facts: NULL: unknown, as where they are 0. */
bool route_holds_place(const struct config_route *route, const struct geo_facts *facts);
/* Who names an autonomous system goes before who names a country, and that before a continent. 0:
 * none of these. */
int route_place_rank(const struct config_route *route);

uint8_t route_longest_source(const struct config_route *route);

#endif
