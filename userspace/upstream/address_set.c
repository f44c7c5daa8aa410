// SPDX-License-Identifier: Apache-2.0
/*
 * Sets of addresses as sorted arrays: DNS answers are short, and two of them are compared far more
 * often than they differ.
 */
#include "upstream/address_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Field by field: padding is whatever the resolver's library left there. All have the same port. */
static int compare(const struct address *a, const struct address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return a->sa.sa_family < b->sa.sa_family ? -1 : 1;
	if (a->sa.sa_family == AF_INET)
		return memcmp(&a->v4.sin_addr, &b->v4.sin_addr, sizeof(a->v4.sin_addr));
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr));
}

static int reserve(struct address_set *set)
{
	size_t cap = set->cap ? 2 * set->cap : 4;
	struct address *items;

	if (set->count < set->cap)
		return 0;
	items = reallocarray(set->items, cap, sizeof(*items));
	if (!items)
		return -ENOMEM;
	set->items = items;
	set->cap = cap;
	return 0;
}

int address_set_add(struct address_set *set, const struct address *address)
{
	size_t place = 0;

	while (place < set->count && compare(&set->items[place], address) < 0)
		place++;
	if (place < set->count && compare(&set->items[place], address) == 0)
		return 0;
	if (reserve(set))
		return -ENOMEM;
	memmove(&set->items[place + 1], &set->items[place],
		(set->count - place) * sizeof(*set->items));
	set->items[place] = *address;
	set->count++;
	return 0;
}

int address_set_add_all(struct address_set *set, const struct address_set *from)
{
	int err = 0;

	for (size_t i = 0; i < from->count && !err; i++)
		err = address_set_add(set, &from->items[i]);
	return err;
}

bool address_set_equal(const struct address_set *a, const struct address_set *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (compare(&a->items[i], &b->items[i]) != 0)
			return false;
	return true;
}

void address_set_move(struct address_set *to, struct address_set *from)
{
	address_set_done(to);
	*to = *from;
	*from = (struct address_set){};
}

void address_set_done(struct address_set *set)
{
	free(set->items);
	*set = (struct address_set){};
}
