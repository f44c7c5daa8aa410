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
	/* Of IPv6: those with another answer than what is around them. */
	struct guard_network6 *networks;
	size_t nnetworks;
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

/* Once more the last one, or a new one. */
static void keep_network(struct space *space, number first, const struct guard_entry *entry,
			 enum guard_why why)
{
	struct guard_network6 *network = space->networks + space->nnetworks;
	const __u64 upper = (__u64)(first >> 64), lower = (__u64)first;

	if (space->nnetworks && network[-1].bits == entry->prefix.bits &&
	    network[-1].address[0] == upper && network[-1].address[1] == lower)
		network--;
	else
		space->nnetworks++;
	*network = (struct guard_network6){{upper, lower}, entry->prefix.bits, (uint8_t)why};
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
	if (why != outer->why && builder->space->networks)
		keep_network(builder->space, first, entry, why);
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
	table->v4 = (struct space){.boundaries = new_boundaries(nv4), .max = V4_MAX};
	table->v6 = (struct space){
		.boundaries = new_boundaries(list->count - nv4),
		.max = V6_MAX,
		.networks = calloc(list->count - nv4 + 1, sizeof(*table->v6.networks))};
	if (!table->v4.boundaries || !table->v6.boundaries || !table->v6.networks) {
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
	free(table->v6.networks);
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

/* --- IPv4: lines ------------------------------------------------------------------------------ */

#define CELL_ADDRESSES (1u << GUARD_CELL_BITS)

struct layout {
	struct guard_line *lines; /* NULL: they are only counted */
	uint32_t next;            /* line that nobody has yet */
	uint32_t shared, used;    /* the line that small cells share, and its changes */
};

static void set_cell(struct layout *layout, uint32_t index, uint32_t cell)
{
	if (layout->lines)
		layout->lines[index / GUARD_LINE_CELLS].cells[index % GUARD_LINE_CELLS] = cell;
}

/* Return: the cell. */
static uint32_t lay_into_line(struct layout *layout, const uint16_t *changes, uint32_t count)
{
	uint32_t at;

	if (layout->used + count > GUARD_LINE_CHANGES) {
		layout->shared = layout->next++;
		layout->used = 0;
	}
	at = layout->used;
	layout->used += count;
	if (layout->lines)
		memcpy(&layout->lines[layout->shared].changes[at], changes,
		       count * sizeof(*changes));
	return guard_cell(layout->shared, at, count, 1);
}

/* What is left of the last leaf repeats the last change. */
static void fill_leaves(struct guard_line *leaves, uint32_t nleaves, const uint16_t *changes,
			uint32_t count)
{
	for (uint32_t i = 0; i < nleaves * GUARD_LINE_CHANGES; i++)
		leaves[i / GUARD_LINE_CHANGES].changes[i % GUARD_LINE_CHANGES] =
			changes[i < count ? i : count - 1];
}

static void fill_nodes(struct guard_line *nodes, uint32_t nnodes, const struct guard_line *children,
		       uint32_t nchildren)
{
	for (uint32_t i = 0; i < nnodes * GUARD_LINE_CHANGES; i++)
		nodes[i / GUARD_LINE_CHANGES].changes[i % GUARD_LINE_CHANGES] =
			i < nchildren ? children[i].changes[0] & (uint16_t)~3u : GUARD_NO_CHILD;
}

static uint32_t lines_for(uint32_t count)
{
	return (count + GUARD_LINE_CHANGES - 1) / GUARD_LINE_CHANGES;
}

/* The root, the nodes below it if there are any, the leaves. Return: the cell. */
static uint32_t lay_into_tree(struct layout *layout, const uint16_t *changes, uint32_t count)
{
	uint32_t nleaves = lines_for(count);
	uint32_t nnodes = nleaves > GUARD_LINE_CHANGES ? lines_for(nleaves) : 0;
	uint32_t nchildren = nnodes ? nnodes : nleaves, root = layout->next;
	struct guard_line *lines = layout->lines ? layout->lines + root : NULL;

	layout->next += 1 + nnodes + nleaves;
	if (lines) {
		fill_leaves(lines + 1 + nnodes, nleaves, changes, count);
		fill_nodes(lines + 1, nnodes, lines + 1 + nnodes, nleaves);
		fill_nodes(lines, 1, lines + 1, nchildren);
	}
	return guard_cell(root, 0, nchildren, nnodes ? 3 : 2);
}

/* Cells, and boundaries beside them. */
static void lay_out(const struct space *space, struct layout *layout)
{
	uint16_t changes[CELL_ADDRESSES];
	size_t at = 0;

	for (uint32_t index = 0; index < GUARD_CELLS; index++) {
		uint32_t first = index * CELL_ADDRESSES, count = 1;

		while (at + 1 < space->count && space->boundaries[at + 1].first <= first)
			at++;
		changes[0] = guard_change(0, space->boundaries[at].why);
		for (; at + 1 < space->count &&
		       space->boundaries[at + 1].first <= first + (CELL_ADDRESSES - 1);
		     at++)
			changes[count++] = guard_change((uint32_t)space->boundaries[at + 1].first,
							space->boundaries[at + 1].why);
		if (count == 1)
			set_cell(layout, index, changes[0]);
		else if (count <= GUARD_LINE_CHANGES)
			set_cell(layout, index, lay_into_line(layout, changes, count));
		else
			set_cell(layout, index, lay_into_tree(layout, changes, count));
	}
}

static const struct layout empty_layout = {
	.next = GUARD_CELL_LINES,
	.used = GUARD_LINE_CHANGES,
};

size_t guard_table_lines(const struct guard_table *table)
{
	struct layout layout = empty_layout;

	if (table->v4.count == 1 && table->v4.boundaries[0].why == GUARD_WHY_NONE)
		return 0;
	lay_out(&table->v4, &layout);
	return layout.next;
}

void guard_table_fill(const struct guard_table *table, struct guard_line *lines)
{
	struct layout layout = empty_layout;

	layout.lines = lines;
	lay_out(&table->v4, &layout);
}

/* --- IPv6: networks --------------------------------------------------------------------------- */

const struct guard_network6 *guard_table_networks6(const struct guard_table *table,
						   size_t *ret_count)
{
	*ret_count = table->v6.nnetworks;
	return table->v6.networks;
}
