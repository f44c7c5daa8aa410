// SPDX-License-Identifier: Apache-2.0
/*
 * The array `nexthops`: an element for each way that joined flows take (source and destination
 * address), shared and counted. neighbour.c has the link layer addresses for XDP. Workers add ways,
 * the control thread asks for all of them again when rtnetlink has news. One lock; a worker asks
 * the kernel (some microseconds) only for a way that no other flow takes.
 */
#include "core/hash.h"
#include "fastpath/fastpath_internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netlink/socket.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct way {
	uint8_t source[16], destination[16];
};

struct entry {
	struct way way;
	uint32_t refs;
	uint32_t next; /* of the same bucket, or of the free ones */
	struct flow_nexthop nexthop;
	struct neighbour *neighbour; /* NULL: XDP does not send there */
};

struct nexthops {
	pthread_mutex_t lock;
	struct nl_sock *sock;
	struct attach *attach;
	struct neighbours *neighbours;
	int map_fd;
	uint32_t capacity, buckets; /* buckets: a power of two */
	uint32_t used;              /* elements that ever were in use */
	uint32_t free_head;
	uint32_t *heads;
	struct entry *entries;
};

static uint32_t count_buckets(uint32_t capacity)
{
	uint32_t buckets = 16;

	while (buckets < capacity && buckets < 1U << 20)
		buckets *= 2;
	return buckets;
}

int nexthops_new(int map_fd, uint32_t capacity, struct attach *attach, struct nexthops **ret)
{
	struct nexthops *hops = calloc(1, sizeof(*hops));

	if (!hops)
		return -ENOMEM;
	pthread_mutex_init(&hops->lock, NULL);
	hops->map_fd = map_fd;
	hops->attach = attach;
	hops->capacity = capacity;
	hops->buckets = count_buckets(capacity);
	hops->free_head = NONE;
	hops->heads = malloc(hops->buckets * sizeof(*hops->heads));
	hops->entries = calloc(capacity, sizeof(*hops->entries));
	hops->sock = route_socket_new();
	hops->neighbours = neighbours_new();
	if (!hops->heads || !hops->entries || !hops->sock || !hops->neighbours) {
		nexthops_free(hops);
		return -ENOMEM;
	}
	memset(hops->heads, 0xff, hops->buckets * sizeof(*hops->heads));
	*ret = hops;
	return 0;
}

void nexthops_free(struct nexthops *hops)
{
	if (!hops)
		return;
	nl_socket_free(hops->sock);
	neighbours_free(hops->neighbours);
	free(hops->heads);
	free(hops->entries);
	pthread_mutex_destroy(&hops->lock);
	free(hops);
}

/* --- The table
 * ------------------------------------------------------------------------------------- */

static uint32_t *bucket_of(const struct nexthops *hops, const struct way *way)
{
	uint64_t hash = hash_bytes(slice_of((const char *)way, sizeof(*way)), 0);

	return &hops->heads[hash & (hops->buckets - 1)];
}

static uint32_t find(const struct nexthops *hops, const struct way *way)
{
	uint32_t index = *bucket_of(hops, way);

	while (index != NONE && memcmp(&hops->entries[index].way, way, sizeof(*way)) != 0)
		index = hops->entries[index].next;
	return index;
}

static uint32_t take(struct nexthops *hops)
{
	uint32_t index = hops->free_head;

	if (index != NONE)
		hops->free_head = hops->entries[index].next;
	else if (hops->used < hops->capacity)
		index = hops->used++;
	return index;
}

static void give(struct nexthops *hops, uint32_t index)
{
	uint32_t *link = bucket_of(hops, &hops->entries[index].way);

	neighbours_put(hops->neighbours, hops->entries[index].neighbour);
	hops->entries[index].neighbour = NULL;
	while (*link != index)
		link = &hops->entries[*link].next;
	*link = hops->entries[index].next;
	hops->entries[index].next = hops->free_head;
	hops->free_head = index;
}

/* --- The ways
 * -------------------------------------------------------------------------------------- */

/* Return: NONE; LOOPBACK; NO_NEXTHOP. Then @ret is gone. @ret_attached is valid if not. */
static enum splice_reason resolve(struct nexthops *hops, const struct way *way,
				  struct flow_nexthop *ret, struct attached *ret_attached)
{
	struct route route;
	uint32_t mtu;

	*ret = (struct flow_nexthop){};
	if (route_query(hops->sock, way->source, way->destination, &route) < 0)
		return SPLICE_REASON_NO_NEXTHOP;
	if (!attach_look(hops->attach, route.ifindex, ret_attached) ||
	    route.is_local != ret_attached->facts.is_loopback)
		return route.is_local ? SPLICE_REASON_LOOPBACK : SPLICE_REASON_NO_NEXTHOP;
	mtu = ret_attached->facts.mtu;
	ret->ifindex = route.ifindex;
	ret->mtu = route.mtu && route.mtu < mtu ? route.mtu : mtu;
	ret->flags = route.is_local ? NEXTHOP_LOCAL : 0;
	memcpy(ret->gateway, route.gateway, sizeof(ret->gateway));
	return SPLICE_REASON_NONE;
}

static void take_link_addresses(struct entry *entry)
{
	struct flow_nexthop *nexthop = &entry->nexthop;

	nexthop->flags &= (uint16_t)~NEXTHOP_MAC_VALID;
	if (!entry->neighbour || !entry->neighbour->facts.is_known)
		return;
	nexthop->flags |= NEXTHOP_MAC_VALID;
	memcpy(nexthop->destination_mac, entry->neighbour->facts.mac,
	       sizeof(nexthop->destination_mac));
}

/* @nexthop and @attached are what resolve() gave. The neighbour before is let go. */
static void fill(struct nexthops *hops, struct entry *entry, const struct flow_nexthop *nexthop,
		 const struct attached *attached)
{
	struct neighbour *before = entry->neighbour;
	struct neighbour_key key = {.ifindex = nexthop->ifindex};

	memcpy(key.ip, nexthop->gateway, sizeof(key.ip));
	entry->nexthop = *nexthop;
	entry->neighbour = NULL;
	if (nexthop->ifindex && attached->takes_xdp) {
		memcpy(entry->nexthop.source_mac, attached->facts.mac,
		       sizeof(entry->nexthop.source_mac));
		entry->neighbour = neighbours_get(hops->neighbours, &key);
	}
	neighbours_put(hops->neighbours, before);
	take_link_addresses(entry);
}

static int publish(struct nexthops *hops, uint32_t index)
{
	return bpf_map_update_elem(hops->map_fd, &index, &hops->entries[index].nexthop, BPF_ANY);
}

static enum splice_reason add(struct nexthops *hops, const struct way *way, uint32_t *ret_index)
{
	struct attached attached = {};
	struct flow_nexthop nexthop;
	enum splice_reason reason = resolve(hops, way, &nexthop, &attached);
	struct entry *entry;
	uint32_t index;

	if (reason != SPLICE_REASON_NONE)
		return reason;
	index = take(hops);
	if (index == NONE)
		return SPLICE_REASON_TABLE_FULL;
	entry = &hops->entries[index];
	*entry = (struct entry){.way = *way, .next = *bucket_of(hops, way)};
	*bucket_of(hops, way) = index;
	fill(hops, entry, &nexthop, &attached);
	if (publish(hops, index) < 0) {
		give(hops, index);
		return SPLICE_REASON_KERNEL;
	}
	*ret_index = index;
	return SPLICE_REASON_NONE;
}

enum splice_reason nexthops_get(struct nexthops *hops, const uint8_t source[16],
				const uint8_t destination[16], uint32_t *ret_index,
				uint32_t *ret_mtu)
{
	enum splice_reason reason = SPLICE_REASON_NONE;
	struct way way;
	uint32_t index;

	memcpy(way.source, source, sizeof(way.source));
	memcpy(way.destination, destination, sizeof(way.destination));
	pthread_mutex_lock(&hops->lock);
	index = find(hops, &way);
	if (index == NONE)
		reason = add(hops, &way, &index);
	else if (!hops->entries[index].nexthop.ifindex)
		reason = SPLICE_REASON_NO_NEXTHOP;
	if (reason == SPLICE_REASON_NONE) {
		hops->entries[index].refs++;
		*ret_index = index;
		*ret_mtu = hops->entries[index].nexthop.mtu;
	}
	pthread_mutex_unlock(&hops->lock);
	return reason;
}

void nexthops_put(struct nexthops *hops, uint32_t index)
{
	pthread_mutex_lock(&hops->lock);
	if (--hops->entries[index].refs == 0)
		give(hops, index);
	pthread_mutex_unlock(&hops->lock);
}

/* --- What an earlier daemon has left
 * --------------------------------------------------------------- */

/* What the map says stays in force until the kernel has been asked again. */
static int take_over(struct nexthops *hops, const struct way *way, uint32_t index)
{
	struct entry *entry = &hops->entries[index];

	*entry = (struct entry){.way = *way, .next = *bucket_of(hops, way)};
	if (bpf_map_lookup_elem(hops->map_fd, &index, &entry->nexthop) < 0)
		return -errno;
	*bucket_of(hops, way) = index;
	if (hops->used <= index)
		hops->used = index + 1;
	return 0;
}

int nexthops_adopt(struct nexthops *hops, const uint8_t source[16], const uint8_t destination[16],
		   uint32_t index)
{
	struct way way;
	int err = 0;

	if (index >= hops->capacity)
		return -ERANGE;
	memcpy(way.source, source, sizeof(way.source));
	memcpy(way.destination, destination, sizeof(way.destination));
	if (!hops->entries[index].refs)
		err = take_over(hops, &way, index);
	else if (memcmp(&hops->entries[index].way, &way, sizeof(way)) != 0)
		err = -EEXIST;
	if (!err)
		hops->entries[index].refs++;
	return err;
}

void nexthops_adopted(struct nexthops *hops)
{
	for (uint32_t index = 0; index < hops->used; index++) {
		if (hops->entries[index].refs)
			continue;
		hops->entries[index].next = hops->free_head;
		hops->free_head = index;
	}
}

/* --- News
 * ------------------------------------------------------------------------------------------ */

static void refresh_one(struct nexthops *hops, uint32_t index)
{
	struct entry *entry = &hops->entries[index];
	struct flow_nexthop before = entry->nexthop, nexthop;
	struct attached attached = {};

	if (!entry->refs)
		return;
	(void)resolve(hops, &entry->way, &nexthop, &attached);
	fill(hops, entry, &nexthop, &attached);
	if (memcmp(&before, &entry->nexthop, sizeof(before)) != 0)
		(void)publish(hops, index); /* an update of an array's element cannot fail */
}

/* The lock is let go between entries, so that workers do not wait for all of them. */
void nexthops_refresh(struct nexthops *hops)
{
	uint32_t used;

	pthread_mutex_lock(&hops->lock);
	used = hops->used;
	pthread_mutex_unlock(&hops->lock);
	for (uint32_t index = 0; index < used; index++) {
		pthread_mutex_lock(&hops->lock);
		refresh_one(hops, index);
		pthread_mutex_unlock(&hops->lock);
	}
}

/* --- Neighbours --------------------------------------------------------------------------------
 */

static void on_neighbour_change(struct neighbour *neighbour, void *context)
{
	struct nexthops *hops = context;

	for (uint32_t index = 0; index < hops->used; index++) {
		struct entry *entry = &hops->entries[index];

		if (!entry->refs || entry->neighbour != neighbour)
			continue;
		take_link_addresses(entry);
		(void)publish(hops, index);
	}
}

void nexthops_on_neighbour(struct nexthops *hops, const struct neighbour_facts *facts)
{
	struct neighbour *changed;

	pthread_mutex_lock(&hops->lock);
	changed = neighbours_update(hops->neighbours, facts);
	if (changed)
		on_neighbour_change(changed, hops);
	pthread_mutex_unlock(&hops->lock);
}

void nexthops_tend(struct nexthops *hops)
{
	for (uint32_t bucket = 0; bucket < NEIGHBOUR_BUCKETS; bucket++) {
		pthread_mutex_lock(&hops->lock);
		neighbours_tend(hops->neighbours, bucket, on_neighbour_change, hops);
		pthread_mutex_unlock(&hops->lock);
	}
}

/* --- What a pair takes -------------------------------------------------------------------------
 */

void nexthops_look(struct nexthops *hops, uint32_t index, struct flow_nexthop *ret)
{
	pthread_mutex_lock(&hops->lock);
	*ret = hops->entries[index].nexthop;
	pthread_mutex_unlock(&hops->lock);
}
