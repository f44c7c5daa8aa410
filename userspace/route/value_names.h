/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_ROUTE_VALUE_NAMES_H
#define SLUICE_ROUTE_VALUE_NAMES_H

#include "core/arena.h"
#include "core/compiler.h"
#include "core/slice.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Names that conditions ask for, numbered, and what a request has under them. What a client sends
 * is so read once, however many conditions look at it.
 */
struct value_name {
	struct slice name; /* an empty pointer: the slot is free */
	uint32_t number;
};

struct value_names {
	struct value_name *slots;
	size_t mask; /* the number of slots, a power of two, less one */
	uint32_t count;
};

/* Room for @count names. Return: 0; -ENOMEM. */
int value_names_init(struct value_names *names, size_t count) WARN_UNUSED;
void value_names_done(struct value_names *names); /* of a zeroed one too */

/* @name outlives @names. Return: its number; one that is there already keeps its own. */
uint32_t value_names_add(struct value_names *names, struct slice name);

struct named_value {
	struct slice value;
	struct named_value *next;
};

/* Of a request, in its arena. A zeroed one was not read yet. */
struct named_values {
	struct named_value **by_number; /* the last one first */
};

static inline bool named_values_are_read(const struct named_values *values)
{
	return values->by_number != NULL;
}

/* They are read from now on, and there are none yet. Return: 0; -ENOMEM. */
int named_values_begin(struct named_values *values, const struct value_names *names,
		       struct arena *arena) WARN_UNUSED;

/* Where values of the name hang. NULL: nobody asks for them. */
struct named_value **named_values_at(const struct named_values *values,
				     const struct value_names *names, struct slice name);

/* Hangs @value there. Return: 0; -ENOMEM. */
int named_value_push(struct named_value **at, struct slice value, struct arena *arena) WARN_UNUSED;

#endif
