// SPDX-License-Identifier: Apache-2.0
/*
 * Pages of IPv6: of each network a key, and before it those at which the search for it turns. A
 * table that gets too full is begun anew with twice the lines; so is one with a line for whose keys
 * there is no room in their other ones either.
 */
#include "guard/list6.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MAX                                                                        \
	(GUARD_LENGTHS_MAX + 1) /* networks that lie in each other, and the whole space \
				 */

struct region {
	unsigned bits;
	size_t nkeys;
};

struct building {
	const struct guard_network6 *networks;
	size_t count;
	uint64_t seed;
	struct region regions[2];
	union guard_page6 *pages; /* the head is the first one */
	/* Of the networks so far those that are not over. */
	const struct guard_network6 *open[OPEN_MAX];
	size_t depth;
};

/* --- Room ------------------------------------------------------------------------------------- */

static size_t slots_of(bool is_long)
{
	return is_long ? GUARD_LINE_WORDS / 2 : GUARD_LINE_WORDS;
}

static size_t lines_of(const struct region *region)
{
	return region->bits ? (size_t)1 << region->bits : 0;
}

static bool has_room(const struct region *region, bool is_long)
{
	return region->nkeys <= lines_of(region) * slots_of(is_long) / 8 * 5;
}

static int widen(struct region *region)
{
	region->bits = region->bits ? region->bits + 1 : GUARD_KEY_LINES;
	return region->bits > GUARD_KEY_LINES_MAX ? -E2BIG : 0;
}

/* For the networks alone: how many keys they take beside is seen later. */
static int estimate(struct building *building)
{
	int err = 0;

	for (size_t i = 0; i < building->count; i++)
		if (building->networks[i].bits)
			building->regions[building->networks[i].bits > 64].nkeys++;
	for (int i = 0; i < 2; i++)
		while (!err && !has_room(&building->regions[i], i))
			err = widen(&building->regions[i]);
	return err;
}

/* --- Keys ------------------------------------------------------------------------------------- */

static __u64 *line_at(const struct building *building, uint32_t line)
{
	return building->pages[line / GUARD_PAGE_LINES].lines[line % GUARD_PAGE_LINES];
}

/* Return: where in @line the slot is that is @slot but for flags and answer; NULL: nowhere. */
static __u64 *slot_in(__u64 *line, const struct guard_key6 *key, __u64 slot)
{
	const size_t count = slots_of(key->is_long);

	for (size_t i = 0; i < count; i++)
		if ((line[i] & GUARD_SLOT_KEY) == slot &&
		    (!key->is_long || line[count + i] == key->upper))
			return &line[i];
	return NULL;
}

static __u64 *find(const struct building *building, const struct guard_key6 *key)
{
	__u64 *slot = slot_in(line_at(building, key->line), key, key->slot);

	return slot ? slot
		    : slot_in(line_at(building, key->other), key, key->slot | GUARD_SLOT_GUEST);
}

static void set_slot(__u64 *at, __u64 slot, __u64 upper, bool is_long)
{
	*at = slot;
	if (is_long)
		at[GUARD_LINE_WORDS / 2] = upper;
}

/* Return: false: there is no room in it. */
static bool put_into(__u64 *line, __u64 slot, __u64 upper, bool is_long)
{
	const size_t count = slots_of(is_long);

	for (size_t i = 0; i < count; i++) {
		if (line[i])
			continue;
		set_slot(&line[i], slot, upper, is_long);
		return true;
	}
	return false;
}

static __u64 upper_of(const __u64 *at, bool is_long)
{
	return is_long ? at[GUARD_LINE_WORDS / 2] : 0;
}

static uint32_t other_line(const struct building *building, uint32_t line, __u64 slot, bool is_long)
{
	return guard_other_line(&building->pages->head.regions[is_long], line,
				guard_slot_rest(slot));
}

/* Makes a guest of one of the keys of a full line. Return: its slot, to be used again; NULL: none
 * of their other lines has room. */
static __u64 *send_one_away(const struct building *building, uint32_t line, bool is_long)
{
	__u64 *slots = line_at(building, line);

	for (size_t i = 0; i < slots_of(is_long); i++)
		if (!(slots[i] & GUARD_SLOT_GUEST) &&
		    put_into(line_at(building, other_line(building, line, slots[i], is_long)),
			     slots[i] | GUARD_SLOT_GUEST, upper_of(&slots[i], is_long), is_long))
			return &slots[i];
	return NULL;
}

/* The same, where one of the other lines gets room as that does. */
static __u64 *send_two_away(const struct building *building, uint32_t line, bool is_long)
{
	__u64 *slots = line_at(building, line);

	for (size_t i = 0; i < slots_of(is_long); i++) {
		uint32_t other = other_line(building, line, slots[i], is_long);
		__u64 *left = slots[i] & GUARD_SLOT_GUEST ? NULL
							  : send_one_away(building, other, is_long);

		if (left) {
			set_slot(left, slots[i] | GUARD_SLOT_GUEST, upper_of(&slots[i], is_long),
				 is_long);
			return &slots[i];
		}
	}
	return NULL;
}

/* Return: false: there is no room for it. */
static bool put(const struct building *building, const struct guard_key6 *key, __u64 flags)
{
	const bool is_long = key->is_long;
	__u64 slot = key->slot | flags, *left;

	if (put_into(line_at(building, key->line), slot, key->upper, is_long) ||
	    put_into(line_at(building, key->other), slot | GUARD_SLOT_GUEST, key->upper, is_long))
		return true;
	left = send_one_away(building, key->line, is_long);
	if (!left)
		left = send_two_away(building, key->line, is_long);
	if (left)
		set_slot(left, slot, key->upper, is_long);
	return left;
}

/* --- Networks --------------------------------------------------------------------------------- */

/* The answer for who is in the last network, as far as networks of at most @length go. */
static __u64 answer(const struct building *building, unsigned length)
{
	for (size_t i = building->depth; i > 0; i--)
		if (building->open[i - 1]->bits <= length)
			return building->open[i - 1]->why;
	return building->pages->head.why;
}

/* Return: -ENOSPC: all is to be begun anew. */
static int begin_wider(struct region *region)
{
	int err = widen(region);

	return err ? err : -ENOSPC;
}

static void put_into_filter(union guard_page6 *first, const struct guard_key6 *key)
{
	first->filter[guard_filter_word(&first->head, key)] |= guard_filter_bits(key);
}

/* The network's own key, or one at which the search for it turns. Return: as begin_wider(). */
static int add_key(struct building *building, const struct guard_network6 *network, unsigned length)
{
	const __u64 longer = length < network->bits ? GUARD_SLOT_LONGER : 0;
	struct region *region = &building->regions[length > 64];
	struct guard_key6 key;
	__u64 *slot;

	if (!region->bits)
		return begin_wider(region);
	guard_key6(&building->pages->head, network->address, length, &key);
	slot = find(building, &key);
	if (slot) {
		*slot |= longer;
		return 0;
	}
	region->nkeys++;
	put_into_filter(building->pages, &key);
	if (has_room(region, length > 64) &&
	    put(building, &key, longer | answer(building, length) << GUARD_SLOT_WHY))
		return 0;
	return begin_wider(region);
}

/* As the search goes: guard_list6_look(). */
static int add_keys(struct building *building, const struct guard_network6 *network)
{
	const struct guard_head6 *head = &building->pages->head;
	unsigned low = 0, high = head->nlengths, turn, length = 0;
	int err = 0;

	while (!err && length != network->bits) {
		turn = guard_turn6(low, high);
		length = head->lengths[turn];
		if (length <= network->bits)
			err = add_key(building, network, length);
		if (length < network->bits)
			low = turn + 1;
		else
			high = turn;
	}
	return err;
}

static bool is_within(const struct guard_network6 *network, const struct guard_network6 *outer)
{
	unsigned bits = outer->bits;
	__u64 upper = network->address[0] ^ outer->address[0];
	__u64 lower = network->address[1] ^ outer->address[1];

	if (bits <= 64)
		return !bits || !(upper >> (64 - bits));
	return !upper && !(lower >> (128 - bits));
}

static int add_network(struct building *building, const struct guard_network6 *network)
{
	while (building->depth && !is_within(network, building->open[building->depth - 1]))
		building->depth--;
	building->open[building->depth++] = network;
	if (network->bits)
		return add_keys(building, network);
	building->pages->head.why = network->why;
	return 0;
}

/* --- All of it -------------------------------------------------------------------------------- */

/* Lines of the first page if it has room for them, or else of those behind it. Return: the first
 * one. */
static uint32_t place(uint32_t count, uint32_t *few, uint32_t *many)
{
	uint32_t *from = *few + count <= GUARD_FIRST_LINES ? few : many, first = *from;

	*from += count;
	return first;
}

/* 8 to 16 bits a key, as far as there are so many. */
static uint32_t filter_mask(size_t nkeys)
{
	uint32_t words = 1;

	while (words < GUARD_FILTER_WORDS && (size_t)words * 64 < nkeys * 8)
		words *= 2;
	return words - 1;
}

/* Return: how many pages there are. */
static size_t make_head(const struct building *building, struct guard_head6 *head)
{
	bool is_listed[GUARD_LENGTHS_MAX + 1] = {};
	uint32_t few = GUARD_HEAD_LINES, many = GUARD_PAGE_LINES;

	head->seed = building->seed;
	for (int i = 0; i < 2; i++) {
		uint32_t count = (uint32_t)lines_of(&building->regions[i]);

		head->regions[i] = (struct guard_region6){place(count, &few, &many),
							  building->regions[i].bits};
	}
	head->filter_mask = filter_mask(building->count);
	for (size_t i = 0; i < building->count; i++)
		is_listed[building->networks[i].bits] = true;
	for (unsigned length = 1; length <= GUARD_LENGTHS_MAX; length++)
		if (is_listed[length])
			head->lengths[head->nlengths++] = (uint8_t)length;
	return (many + GUARD_PAGE_LINES - 1) / GUARD_PAGE_LINES;
}

/* Return: pages; -ENOSPC: a region has been made wider: once more. */
static int fill(struct building *building, size_t *ret_npages)
{
	struct guard_head6 head = {};
	size_t npages = make_head(building, &head);
	int err = 0;

	building->pages = calloc(npages, sizeof(*building->pages));
	if (!building->pages)
		return -ENOMEM;
	building->pages->head = head;
	building->regions[0].nkeys = building->regions[1].nkeys = building->depth = 0;
	for (size_t i = 0; !err && i < building->count; i++)
		err = add_network(building, &building->networks[i]);
	if (err)
		free(building->pages);
	*ret_npages = npages;
	return err;
}

int guard_list6_new(const struct guard_table *table, uint64_t seed, struct guard_list6 *ret)
{
	struct building building = {.seed = seed};
	size_t npages;
	int err;

	building.networks = guard_table_networks6(table, &building.count);
	if (!building.count) {
		*ret = (struct guard_list6){};
		return 0;
	}
	err = estimate(&building);
	if (err)
		return err;
	do
		err = fill(&building, &npages);
	while (err == -ENOSPC);
	if (!err)
		*ret = (struct guard_list6){building.pages, npages};
	return err;
}

void guard_list6_done(struct guard_list6 *list)
{
	free(list->pages);
	*list = (struct guard_list6){};
}
