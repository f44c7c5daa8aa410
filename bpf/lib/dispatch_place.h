/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_PLACE_H
#define SLUICE_BPF_DISPATCH_PLACE_H

/*
 * Which of a service's rings takes a client's new flow, for services that go by place: from the
 * client's address to its area, and from the area to what the daemon has chosen for it.
 */
#include "lib/dispatch_service.h"

/* Behind a leaf there is no node. */
static __always_inline __u32 area_of(__u32 half, __u64 position)
{
	__u32 area = DISPATCH_AREA_UNKNOWN, index = 0;
	const struct dispatch_node *node;
	__u64 place;
	void *nodes = bpf_map_lookup_elem(&dispatch_areas, &half);

	if (!nodes)
		return area;
#pragma unroll
	for (int level = 0; level < DISPATCH_LEVELS_MAX; level++) {
		node = bpf_map_lookup_elem(nodes, &index);
		if (!node)
			break;
		place = dispatch_last_change(node, position);
		area = node->area[place];
		index = index * DISPATCH_NODE_CHANGES + 1 + (__u32)place;
	}
	return area;
}

/* Verified by itself, for its stack: no more than 32 bytes are left to it where it is called.
 * @packet: with the client's address as its source. @first: the slot of the service's first area.
 * Return: DISPATCH_NO_RING: none. */
__noinline int ring_of_place(const struct packet *packet, __u32 half, __u32 first)
{
	const __be64 *source;

	if (!packet)
		return DISPATCH_NO_RING;
	source = (const __be64 *)packet->key.source;
	return (int)slot_at(half,
			    first + area_of(half, dispatch_position(bpf_be64_to_cpu(source[0]),
								    bpf_be64_to_cpu(source[1]))));
}

#endif
