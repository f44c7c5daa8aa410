/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_COMPONENTS_H
#define SLUICE_CONFIG_COMPONENTS_H

#include "core/arena.h"
#include "core/compiler.h"

#include <stddef.h>
#include <stdint.h>

struct graph_edge {
	uint32_t from, to; /* nodes, from 0 */
};

/**
 * Numbers the strongly connected components of a directed graph: an edge lies on a cycle if both
 * its ends have the same number.
 * @ret: a number for each node; scratch memory comes from @arena.
 * Return: 0; -ENOMEM. Source: Tarjan 1972; linear in nodes and edges.
 */
int components_number(struct arena *arena, uint32_t nodes, const struct graph_edge *edges,
		      size_t count, uint32_t **ret) WARN_UNUSED;

#endif
