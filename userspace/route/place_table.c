// SPDX-License-Identifier: Apache-2.0
/* Routes by what counts first of what they ask for. */
#include "route/route_internal.h"

#include "core/hash.h"

#include <errno.h>
#include <stdlib.h>

#define NO_RULE UINT32_MAX

static uint64_t place_hash(const struct place *place)
{
	return hash_bytes(place->detail, hash_bytes(place->name, place->kind));
}

static bool place_equal(const struct place *a, const struct place *b)
{
	return a->kind == b->kind && slice_equal(a->name, b->name) &&
	       slice_equal(a->detail, b->detail);
}

/* Return: the slot that has the place, or the free one where it belongs. */
static struct place_slot *find_slot(const struct place_table *table, const struct place *place)
{
	size_t at = place_hash(place) & table->mask;

	while (table->slots[at].is_used && !place_equal(&table->slots[at].place, place))
		at = (at + 1) & table->mask;
	return &table->slots[at];
}

int place_table_init(struct place_table *table, size_t count)
{
	struct place_table made = {};
	size_t slots = 8;

	if (count >= NO_RULE)
		return -ENOMEM;
	/* At most half full, so that a search always meets a free slot soon. */
	while (slots < 2 * count)
		slots *= 2;
	made.mask = slots - 1;
	made.slots = calloc(slots, sizeof(*made.slots));
	made.rules = calloc(count + 1, sizeof(*made.rules));
	if (!made.slots || !made.rules) {
		place_table_done(&made);
		return -ENOMEM;
	}
	*table = made;
	return 0;
}

void place_table_done(struct place_table *table)
{
	free(table->slots);
	free(table->rules);
}

void place_table_add(struct place_table *table, const struct place *place,
		     const struct place_rule *rule,
		     bool (*is_better)(const struct place_rule *, const struct place_rule *))
{
	struct place_slot *slot = find_slot(table, place);
	struct place_rule *added = &table->rules[table->nrules];
	uint32_t *at = &slot->first;

	if (!slot->is_used)
		*slot = (struct place_slot){.place = *place, .first = NO_RULE, .is_used = true};
	else if (!is_better(rule, &table->rules[slot->last]))
		at = &table->rules[slot->last].next;
	while (*at != NO_RULE && !is_better(rule, &table->rules[*at]))
		at = &table->rules[*at].next;
	*added = *rule;
	added->next = *at;
	if (added->next == NO_RULE)
		slot->last = table->nrules;
	*at = table->nrules++;
}

void place_table_mark(struct place_table *table, const struct place *place)
{
	struct place_slot *slot = find_slot(table, place);

	if (!slot->is_used)
		*slot = (struct place_slot){.place = *place, .first = NO_RULE, .is_used = true};
}

bool place_table_is_marked(const struct place_table *table, const struct place *place)
{
	return find_slot(table, place)->is_used;
}

const struct place_rule *place_table_first(const struct place_table *table,
					   const struct place *place)
{
	const struct place_slot *slot = find_slot(table, place);

	return slot->is_used ? &table->rules[slot->first] : NULL;
}
