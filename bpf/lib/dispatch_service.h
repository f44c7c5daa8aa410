/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_SERVICE_H
#define SLUICE_BPF_DISPATCH_SERVICE_H

/* From a packet's destination to its service, and from a flow's hash to an endpoint. */
#include "lib/dispatch_maps.h"
#include "lib/martian.h"
#include "lib/parse.h"

static __always_inline const struct dispatch_settings *dispatch_settings_of(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&dispatch_settings, &zero);
}

static __always_inline bool is_same_address(const __u8 *a, const __u8 *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return x[0] == y[0] && x[1] == y[1];
}

/* Whether somebody can have sent it: a service that is answered in its own name may answer again,
 * and so on. Where there is a guard, it drops such packets before, if it is to. */
static __always_inline bool has_sender(const struct packet *packet)
{
	const __u8 *source = packet->key.source;

	if (is_same_address(source, packet->key.destination))
		return false;
	return packet->is_ipv6 ? !is_martian6((const __u64 *)source)
			       : !is_martian4(bpf_ntohl(unmap_ipv4(source)));
}

/* The @probe-th place where an address of the half in force may be. */
static __always_inline __u32 vip_place(const struct dispatch_settings *settings,
				       const __u8 *address, __u32 probe)
{
	__u32 place = (__u32)dispatch_hash_address(address, &settings->secret) + probe;
	__u32 half = settings->half & 1;

	return half * DISPATCH_VIP_PLACES + (place & settings->halves[half].vip_mask);
}

/* Verified by itself: few addresses are not in their first place. Return: the index; -1: dispatch
 * has nothing to do with it. */
__noinline int vip_find_further(struct packet *packet)
{
	const struct dispatch_settings *settings = dispatch_settings_of();
	const struct dispatch_vip *vip;
	__u32 index;

	if (!packet || !settings)
		return -1;
	for (__u32 probe = 1; probe < DISPATCH_VIP_PROBES; probe++) {
		index = vip_place(settings, packet->key.destination, probe);
		vip = bpf_map_lookup_elem(&dispatch_vips, &index);
		if (!vip || !vip->flags)
			return -1;
		if (is_same_address(vip->address, packet->key.destination))
			return (int)index;
	}
	return -1;
}

/* Return: as vip_find_further(). */
static __always_inline int vip_find(const struct dispatch_settings *settings, struct packet *packet)
{
	__u32 index = vip_place(settings, packet->key.destination, 0);
	const struct dispatch_vip *vip = bpf_map_lookup_elem(&dispatch_vips, &index);

	if (!vip || !vip->flags)
		return -1;
	if (is_same_address(vip->address, packet->key.destination))
		return (int)index;
	return vip_find_further(packet);
}

static __always_inline __u32 range_rank(__u32 protocol, __u32 port)
{
	return protocol << 16 | port;
}

/* The last range that does not begin behind the packet's port, by halving. */
static __always_inline const struct dispatch_range *range_find(const struct dispatch_vip *vip,
							       __u32 half, __u32 protocol,
							       __u32 port)
{
	__u32 first = half * DISPATCH_RANGES_MAX + vip->first_range, count = vip->nranges;
	const struct dispatch_range *range = NULL, *middle;
	__u32 index;

	for (int i = 0; i <= DISPATCH_RANGE_STEPS && count; i++) {
		index = first + count / 2;
		middle = bpf_map_lookup_elem(&dispatch_ranges, &index);
		if (!middle)
			return NULL;
		if (range_rank(middle->protocol, middle->first) > range_rank(protocol, port)) {
			count /= 2;
			continue;
		}
		range = middle;
		first = index + 1;
		count -= count / 2 + 1;
	}
	if (!range || range->protocol != protocol || port > range->last)
		return NULL;
	return range;
}

static __always_inline const struct dispatch_virtual *service_at(__u32 half, __u32 service)
{
	__u32 index = half * DISPATCH_SERVICES_MAX + service;

	return bpf_map_lookup_elem(&dispatch_services, &index);
}

/* Return: what is in a slot of the half's rings; 0: there is no such slot. */
static __always_inline __u32 slot_at(__u32 half, __u32 slot)
{
	const struct dispatch_ring_line *line;
	void *rings = bpf_map_lookup_elem(&dispatch_rings, &half);
	__u32 index = slot / DISPATCH_RING_SLOTS;

	if (!rings)
		return 0;
	line = bpf_map_lookup_elem(rings, &index);
	return line ? line->real[slot % DISPATCH_RING_SLOTS] : 0;
}

/* @ring: of the service's, or DISPATCH_NO_RING. Return: the endpoint's index; 0: there is none. */
static __always_inline __u32 ring_pick(__u32 half, const struct dispatch_virtual *service,
				       __u32 ring, __u64 hash)
{
	__u32 size = service->ring_size;

	if (!size || ring == DISPATCH_NO_RING)
		return 0;
	return slot_at(half, service->ring_first + ring * size + (__u32)(hash % size));
}

static __always_inline const struct dispatch_real *real_at(__u32 index)
{
	return bpf_map_lookup_elem(&dispatch_reals, &index);
}

#endif
