// SPDX-License-Identifier: Apache-2.0
/*
 * From lists to one answer an address: sorted boundaries, each with the answer that holds from
 * there on, for either family. That is what userspace looks at, and what the tables of the packet
 * programs are painted from.
 */
#include "guard/table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 number;

#define V4_MAX    ((number)0xffffffff)
#define V6_MAX    (~(number)0)
#define DEPTH_MAX 130 /* networks that lie in each other, and the whole space */

struct boundary {
	number first;
	enum guard_why why;
};

/* The addresses of a family. */
struct space {
	struct boundary *boundaries; /* the first is at 0 */
	size_t count;
	number max;
};

struct guard_table {
	struct space v4, v6;
	uint64_t next_expiry_s;
};

static number number_of(const uint8_t *bytes, size_t count)
{
	number value = 0;

	for (size_t i = 0; i < count; i++)
		value = value << 8 | bytes[i];
	return value;
}

static number first_of(const struct prefix *prefix)
{
	return number_of(prefix->ip, prefix->family == AF_INET ? 4 : 16);
}

static number last_of(number first, unsigned bits, number max)
{
	return first | (bits < 128 ? max >> bits : 0);
}

/* --- Building --------------------------------------------------------------------------------- */

/* Wider networks first where both begin at the same address. */
static int compare_entries(const void *a, const void *b)
{
	const struct guard_entry *one = a, *other = b;
	number first = first_of(&one->prefix), second = first_of(&other->prefix);

	if (one->prefix.family != other->prefix.family)
		return one->prefix.family == AF_INET ? -1 : 1;
	if (first != second)
		return first < second ? -1 : 1;
	return one->prefix.bits - other->prefix.bits;
}

/* What a network's own @why becomes inside of one of @outer. */
static enum guard_why combine(enum guard_why outer, enum guard_why why)
{
	if (why == GUARD_WHY_ALLOW || outer == GUARD_WHY_ALLOW)
		return GUARD_WHY_ALLOW;
	return outer == GUARD_WHY_BLOCK ? outer : why;
}

struct open_network {
	number last;
	enum guard_why why;
};

struct builder {
	struct space *space;
	struct open_network open[DEPTH_MAX];
	size_t depth; /* the outermost is all there is */
};

static void emit(struct space *space, number first, enum guard_why why)
{
	struct boundary *end = space->boundaries + space->count;

	if (space->count && end[-1].first == first) {
		end--;
		space->count--;
	}
	if (space->count && end[-1].why == why)
		return;
	*end = (struct boundary){first, why};
	space->count++;
}

/* Ends the networks that end before @first. */
static void close_before(struct builder *builder, number first)
{
	while (builder->depth > 1 && builder->open[builder->depth - 1].last < first) {
		number next = builder->open[--builder->depth].last + 1;

		emit(builder->space, next, builder->open[builder->depth - 1].why);
	}
}

static void add_network(struct builder *builder, const struct guard_entry *entry)
{
	number first = first_of(&entry->prefix);
	number last = last_of(first, entry->prefix.bits, builder->space->max);
	struct open_network *outer;
	enum guard_why why;

	close_before(builder, first);
	outer = &builder->open[builder->depth - 1];
	why = combine(outer->why, entry->why);
	if (builder->depth > 1 && outer->last == last)
		outer->why = why; /* the same once more: what begins with it has just been told */
	else
		builder->open[builder->depth++] = (struct open_network){last, why};
	emit(builder->space, first, why);
}

static void build(struct space *space, const struct guard_entry *entries, size_t count,
		  uint64_t now_s)
{
	struct builder builder = {.space = space, .depth = 1};

	builder.open[0].last = space->max;
	emit(space, 0, GUARD_WHY_NONE);
	for (size_t i = 0; i < count; i++)
		if (!entries[i].expires_s || entries[i].expires_s > now_s)
			add_network(&builder, &entries[i]);
	while (builder.depth > 1) {
		number last = builder.open[--builder.depth].last;

		if (last != space->max)
			emit(space, last + 1, builder.open[builder.depth - 1].why);
	}
}

/* Of those that have not expired. */
static uint64_t earliest(const struct guard_list *list, uint64_t now_s)
{
	uint64_t earliest_s = 0;

	for (size_t i = 0; i < list->count; i++) {
		uint64_t expires_s = list->entries[i].expires_s;

		if (expires_s > now_s && (!earliest_s || expires_s < earliest_s))
			earliest_s = expires_s;
	}
	return earliest_s;
}

static struct boundary *new_boundaries(size_t nentries)
{
	return calloc(2 * nentries + 2, sizeof(struct boundary));
}

int guard_table_new(struct guard_list *list, uint64_t now_s, struct guard_table **ret)
{
	struct guard_table *table = calloc(1, sizeof(*table));
	size_t nv4 = 0;

	if (!table || list->is_failed) {
		free(table);
		return -ENOMEM;
	}
	if (list->count)
		qsort(list->entries, list->count, sizeof(*list->entries), compare_entries);
	while (nv4 < list->count && list->entries[nv4].prefix.family == AF_INET)
		nv4++;
	table->v4 = (struct space){new_boundaries(nv4), 0, V4_MAX};
	table->v6 = (struct space){new_boundaries(list->count - nv4), 0, V6_MAX};
	if (!table->v4.boundaries || !table->v6.boundaries) {
		guard_table_free(table);
		return -ENOMEM;
	}
	build(&table->v4, list->entries, nv4, now_s);
	build(&table->v6, nv4 < list->count ? list->entries + nv4 : NULL, list->count - nv4, now_s);
	table->next_expiry_s = earliest(list, now_s);
	*ret = table;
	return 0;
}

void guard_table_free(struct guard_table *table)
{
	if (!table)
		return;
	free(table->v4.boundaries);
	free(table->v6.boundaries);
	free(table);
}

uint64_t guard_table_next_expiry(const struct guard_table *table)
{
	return table->next_expiry_s;
}

/* --- Looking ---------------------------------------------------------------------------------- */

/* The last boundary that is not behind @value. */
static enum guard_why look(const struct space *space, number value)
{
	size_t low = 0, high = space->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (space->boundaries[middle].first <= value)
			low = middle;
		else
			high = middle;
	}
	return space->boundaries[low].why;
}

enum guard_why guard_table_look(const struct guard_table *table, const struct address *address)
{
	struct address plain = *address;

	address_unmap(&plain);
	if (plain.sa.sa_family == AF_INET)
		return look(&table->v4, ntohl(plain.v4.sin_addr.s_addr));
	if (plain.sa.sa_family == AF_INET6)
		return look(&table->v6, number_of(plain.v6.sin6_addr.s6_addr, 16));
	return GUARD_WHY_NONE;
}

static number last_at(const struct space *space, size_t i)
{
	return i + 1 < space->count ? space->boundaries[i + 1].first - 1 : space->max;
}

/* --- IPv4: painting lines --------------------------------------------------------------------- */

/* Calls back for each range with an answer. */
static void for_each4(const struct guard_table *table,
		      void (*visit)(uint32_t first, uint32_t last, enum guard_why why,
				    struct guard_line *lines),
		      struct guard_line *lines)
{
	for (size_t i = 0; i < table->v4.count; i++) {
		const struct boundary *at = &table->v4.boundaries[i];

		if (at->why != GUARD_WHY_NONE)
			visit((uint32_t)at->first, (uint32_t)last_at(&table->v4, i), at->why,
			      lines);
	}
}

static struct guard_cell *cell_of(struct guard_line *lines, uint32_t address)
{
	return &lines[guard_cell_line(address)].cells[address >> 14 & 1];
}

static void mark_detailed(uint32_t first, uint32_t last, enum guard_why why,
			  struct guard_line *lines)
{
	(void)why;
	if (first & 0xff)
		cell_of(lines, first)->detailed |= 1ULL << guard_network_of(first);
	if ((last & 0xff) != 0xff)
		cell_of(lines, last)->detailed |= 1ULL << guard_network_of(last);
}

/* Return: lines, cells included. */
static size_t place_details(struct guard_line *lines)
{
	size_t next = GUARD_CELL_LINES;

	for (size_t i = 0; i < GUARD_CELLS; i++) {
		struct guard_cell *cell = &lines[i / 2].cells[i % 2];

		cell->first_line = (uint32_t)next;
		next += guard_count_bits(cell->detailed);
	}
	return next;
}

/* A network of 24 bits, all of it or some of its addresses. */
static void paint_network(uint32_t first, uint32_t last, enum guard_why why,
			  struct guard_line *lines)
{
	struct guard_cell *cell = cell_of(lines, first);
	uint32_t network = guard_network_of(first);
	enum guard_why unused;
	uint32_t index = guard_line_of(cell, first, &unused);

	if (!index) {
		cell->networks[network >> 5] |= (uint64_t)why << 2 * (network & 31);
		return;
	}
	for (uint32_t at = first & 0xff; at <= (last & 0xff); at++)
		lines[index].addresses[at >> 5] |= (uint64_t)why << 2 * (at & 31);
}

static void paint(uint32_t first, uint32_t last, enum guard_why why, struct guard_line *lines)
{
	while (first >> 8 != last >> 8) {
		paint_network(first, first | 0xff, why, lines);
		first = (first | 0xff) + 1;
	}
	paint_network(first, last, why, lines);
}

size_t guard_table_lines(const struct guard_table *table)
{
	struct guard_line *lines;
	size_t count;

	if (table->v4.count == 1 && table->v4.boundaries[0].why == GUARD_WHY_NONE)
		return 0;
	lines = calloc(GUARD_CELL_LINES, sizeof(*lines));
	if (!lines)
		return 0;
	for_each4(table, mark_detailed, lines);
	count = place_details(lines);
	free(lines);
	return count;
}

void guard_table_fill(const struct guard_table *table, struct guard_line *lines)
{
	for_each4(table, mark_detailed, lines);
	(void)place_details(lines);
	for_each4(table, paint, lines);
}

/* --- IPv6: networks --------------------------------------------------------------------------- */

static void put_number(number value, uint8_t ret[16])
{
	for (int i = 15; i >= 0; i--, value >>= 8)
		ret[i] = (uint8_t)value;
}

/* The widest network that begins at @first and does not go beyond @last. */
static unsigned widest(number first, number last)
{
	unsigned bits = 128;

	while (bits > 0 && !(first & ((number)1 << (128 - bits))) &&
	       last_of(first, bits - 1, V6_MAX) <= last)
		bits--;
	return bits;
}

typedef int visit6(const struct guard_key6 *key, enum guard_why why, void *context);

static int visit_range(number first, number last, enum guard_why why, visit6 *visit, void *context)
{
	struct guard_key6 key;
	int r;

	for (;;) {
		key.bits = widest(first, last);
		put_number(first, key.address);
		r = visit(&key, why, context);
		first = last_of(first, key.bits, V6_MAX);
		if (r || first >= last)
			return r;
		first++;
	}
}

int guard_table_for_each6(const struct guard_table *table, visit6 *visit, void *context)
{
	int r = 0;

	for (size_t i = 0; !r && i < table->v6.count; i++) {
		const struct boundary *at = &table->v6.boundaries[i];

		if (at->why != GUARD_WHY_NONE)
			r = visit_range(at->first, last_at(&table->v6, i), at->why, visit, context);
	}
	return r;
}

static int count_one(const struct guard_key6 *key, enum guard_why why, void *context)
{
	size_t *count = context;

	(void)key;
	(void)why;
	(*count)++;
	return 0;
}

size_t guard_table_count6(const struct guard_table *table)
{
	size_t count = 0;

	(void)guard_table_for_each6(table, count_one, &count);
	return count;
}
