// SPDX-License-Identifier: Apache-2.0
/* Where clients are, as the packet programs look it up: changes of area become the tree that
 * abi/dispatch.h describes. */
#include "fastpath/dispatch_internal.h"
#include "fastpath/map_array.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

/* Levels above the leaves, and where the leaves begin. */
struct shape {
	uint32_t height;
	size_t first_leaf;
	size_t nleaves;
};

static struct shape shape_of(size_t nchanges)
{
	struct shape shape = {
		.nleaves = (nchanges + DISPATCH_NODE_CHANGES - 1) / DISPATCH_NODE_CHANGES,
	};

	for (size_t width = 1; width < shape.nleaves; width *= DISPATCH_NODE_CHANGES) {
		shape.first_leaf += width;
		shape.height++;
	}
	return shape;
}

size_t dispatch_nodes_count(size_t nchanges)
{
	const struct shape shape = shape_of(nchanges);

	return shape.first_leaf + shape.nleaves;
}

/* @stride: of changes from one that the node has to the next. */
static void fill_node(const struct dispatch_areas *areas, struct dispatch_node *node, size_t at,
		      size_t stride)
{
	*node = (struct dispatch_node){};
	for (size_t i = 0; i < DISPATCH_NODE_CHANGES; i++, at += stride) {
		bool is_there = at < areas->nchanges;

		node->first[i] = is_there ? areas->changes[at].first : DISPATCH_NOWHERE;
		node->area[i] = is_there ? areas->changes[at].area : DISPATCH_AREA_UNKNOWN;
	}
}

void dispatch_nodes_fill(const struct dispatch_areas *areas, struct dispatch_node *nodes)
{
	const struct shape shape = shape_of(areas->nchanges);
	size_t first = 0, width = 1, stride = 1;

	for (uint32_t i = 0; i < shape.height; i++)
		stride *= DISPATCH_NODE_CHANGES;
	for (uint32_t level = 0; level <= shape.height; level++) {
		size_t count = level == shape.height ? shape.nleaves : width;

		for (size_t i = 0; i < count; i++)
			fill_node(areas, &nodes[first + i], i * stride * DISPATCH_NODE_CHANGES,
				  stride);
		first += width;
		width *= DISPATCH_NODE_CHANGES;
		stride /= DISPATCH_NODE_CHANGES;
	}
}

/* Return: a descriptor; -errno. */
static int new_nodes(const struct dispatch_areas *areas)
{
	size_t count = dispatch_nodes_count(areas->nchanges);
	void *nodes = NULL;
	int fd = map_array_new("dispatch_nodes", sizeof(struct dispatch_node), count, &nodes);

	if (fd < 0 || !nodes)
		return fd;
	dispatch_nodes_fill(areas, nodes);
	unmap_array(nodes, count * sizeof(struct dispatch_node));
	return fd;
}

void dispatch_areas_done(struct dispatch_area_map *map)
{
	if (map->id)
		close(map->fd);
	*map = (struct dispatch_area_map){};
}

/* Ids are not used again: what a half has is told by them still. */
static void forget_nodes(struct dispatch_area_map *map)
{
	if (map->id)
		close(map->fd);
	map->id = 0;
}

static int remake(struct dispatch_area_map *map, const struct dispatch_areas *areas)
{
	int fd;

	if (map->id == areas->id)
		return 0;
	fd = new_nodes(areas);
	if (fd < 0)
		return fd;
	forget_nodes(map);
	map->fd = fd;
	map->id = areas->id;
	return 0;
}

static int remove_from(int outer, uint32_t half)
{
	return bpf_map_delete_elem(outer, &half) < 0 && errno != ENOENT ? -errno : 0;
}

int dispatch_areas_put(struct dispatch_area_map *map, int outer, uint32_t half,
		       const struct dispatch_areas *areas)
{
	int err;

	if (areas && areas->id == map->in_half[half])
		return 0;
	map->in_half[half] = 0;
	if (!areas) {
		forget_nodes(map);
		return remove_from(outer, half);
	}
	err = remake(map, areas);
	if (!err)
		err = dispatch_map_put(outer, half, &map->fd);
	if (!err)
		map->in_half[half] = areas->id;
	return err;
}
