// SPDX-License-Identifier: Apache-2.0
/* Names that conditions ask for, and a request's values under them. */
#include "route/value_names.h"

#include "core/hash.h"

#include <errno.h>
#include <stdlib.h>

/* Return: the slot that has the name, or the free one where it belongs. */
static struct value_name *find_slot(const struct value_names *names, struct slice name)
{
	size_t at = hash_bytes(name, 0) & names->mask;

	while (names->slots[at].name.ptr && !slice_equal(names->slots[at].name, name))
		at = (at + 1) & names->mask;
	return &names->slots[at];
}

int value_names_init(struct value_names *names, size_t count)
{
	size_t slots = 8;

	/* At most half full, so that a search always meets a free slot soon. */
	while (slots < 2 * count)
		slots *= 2;
	*names = (struct value_names){
		.slots = calloc(slots, sizeof(*names->slots)),
		.mask = slots - 1,
	};
	return names->slots ? 0 : -ENOMEM;
}

void value_names_done(struct value_names *names)
{
	free(names->slots);
}

uint32_t value_names_add(struct value_names *names, struct slice name)
{
	struct value_name *slot = find_slot(names, name);

	if (!slot->name.ptr)
		*slot = (struct value_name){.name = name, .number = names->count++};
	return slot->number;
}

int named_values_begin(struct named_values *values, const struct value_names *names,
		       struct arena *arena)
{
	values->by_number = arena_alloc_array(arena, names->count, sizeof(*values->by_number));
	return values->by_number ? 0 : -ENOMEM;
}

struct named_value **named_values_at(const struct named_values *values,
				     const struct value_names *names, struct slice name)
{
	const struct value_name *slot = find_slot(names, name);

	return slot->name.ptr ? &values->by_number[slot->number] : NULL;
}

int named_value_push(struct named_value **at, struct slice value, struct arena *arena)
{
	struct named_value *added = arena_alloc(arena, sizeof(*added));

	if (!added)
		return -ENOMEM;
	*added = (struct named_value){.value = value, .next = *at};
	*at = added;
	return 0;
}
