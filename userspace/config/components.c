// SPDX-License-Identifier: Apache-2.0
/*
 * Strongly connected components, without recursion: a configuration may be a chain of thousands.
 * The names are Tarjan's, but for `path`, which is the recursion's stack.
 */
#include "config/components.h"

#include <errno.h>
#include <string.h>

struct search {
	uint32_t nodes;
	uint32_t *first, *to; /* what node n leads to: to[first[n]] to to[first[n + 1] - 1] */
	uint32_t *next;       /* by node: the edge to follow next */
	uint32_t *number;     /* in the order in which they are met, from 1; 0: not yet */
	uint32_t *low;        /* the first node on the stack that is known to be reached */
	uint32_t *component;  /* 0: not known yet */
	uint32_t *stack, nstack;
	uint32_t *path, npath;
	uint32_t met;
};

static uint32_t *new_row(struct arena *arena, size_t count)
{
	return arena_alloc_array(arena, count + 1, sizeof(uint32_t));
}

static int start_search(struct search *search, struct arena *arena, uint32_t nodes, size_t edges)
{
	uint32_t **rows[] = {&search->next,      &search->number, &search->low,
			     &search->component, &search->stack,  &search->path};

	*search = (struct search){.nodes = nodes};
	search->first = new_row(arena, nodes);
	search->to = new_row(arena, edges);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!(*rows[i] = new_row(arena, nodes)))
			return -ENOMEM;
	return search->first && search->to ? 0 : -ENOMEM;
}

/* By counting: edges of one node come to stand together. */
static void sort_edges(struct search *search, const struct graph_edge *edges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		search->first[edges[i].from + 1]++;
	for (uint32_t n = 0; n < search->nodes; n++) {
		search->first[n + 1] += search->first[n];
		search->next[n] = search->first[n];
	}
	for (size_t i = 0; i < count; i++)
		search->to[search->next[edges[i].from]++] = edges[i].to;
	memcpy(search->next, search->first, search->nodes * sizeof(*search->next));
}

static void meet(struct search *search, uint32_t node)
{
	search->number[node] = search->low[node] = ++search->met;
	search->stack[search->nstack++] = node;
	search->path[search->npath++] = node;
}

static void lower(uint32_t *low, uint32_t value)
{
	if (value < *low)
		*low = value;
}

static void leave(struct search *search, uint32_t node)
{
	uint32_t member;

	search->npath--;
	if (search->npath)
		lower(&search->low[search->path[search->npath - 1]], search->low[node]);
	if (search->low[node] != search->number[node])
		return;
	do {
		member = search->stack[--search->nstack];
		search->component[member] = search->number[node];
	} while (member != node);
}

static void walk_from(struct search *search, uint32_t root)
{
	meet(search, root);
	while (search->npath) {
		uint32_t node = search->path[search->npath - 1], to;

		if (search->next[node] == search->first[node + 1]) {
			leave(search, node);
			continue;
		}
		to = search->to[search->next[node]++];
		if (!search->number[to])
			meet(search, to);
		else if (!search->component[to])
			lower(&search->low[node], search->number[to]);
	}
}

int components_number(struct arena *arena, uint32_t nodes, const struct graph_edge *edges,
		      size_t count, uint32_t **ret)
{
	struct search search;
	int err = start_search(&search, arena, nodes, count);

	if (err)
		return err;
	sort_edges(&search, edges, count);
	for (uint32_t n = 0; n < nodes; n++)
		if (!search.number[n])
			walk_from(&search, n);
	*ret = search.component;
	return 0;
}
