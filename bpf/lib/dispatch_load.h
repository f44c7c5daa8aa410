/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_LOAD_H
#define SLUICE_BPF_DISPATCH_LOAD_H

/*
 * Choice by load: of two slots of the ring, the one whose endpoint has fewer flows for its weight.
 * Source: Mitzenmacher, The Power of Two Choices in Randomized Load Balancing, 1996. New flows are
 * counted here; the daemon takes off what has ended.
 */
#include "lib/dispatch_service.h"

static __always_inline struct dispatch_load_of_real *load_at(__u32 real)
{
	return bpf_map_lookup_elem(&dispatch_loads, &real);
}

static __always_inline bool has_less(const struct dispatch_load_of_real *a,
				     const struct dispatch_load_of_real *b)
{
	return (__u64)a->flows * b->weight < (__u64)b->flows * a->weight;
}

/* @other: of the same ring. */
static __always_inline __u32 less_loaded(__u32 real, __u32 other)
{
	struct dispatch_load_of_real *load = load_at(real), *other_load = load_at(other);

	if (!load || !other_load)
		return real;
	if (has_less(other_load, load)) {
		load = other_load;
		real = other;
	}
	__sync_fetch_and_add(&load->flows, 1);
	return real;
}

/* Verified by itself, for its stack. @hash: of the flow. @is_listed: it will have an entry; one
 * that has none goes by the ring alone, for its next packet has to find the same again. @ring: of
 * the service's, or DISPATCH_NO_RING. Return: the endpoint; 0: there is none. */
__noinline int slot_choose(__u32 half, __u32 service_index, __u64 hash, bool is_listed, __u32 ring)
{
	const struct dispatch_virtual *service = service_at(half, service_index);
	__u32 real;

	if (!service)
		return 0;
	real = ring_pick(half, service, ring, hash);
	if (service->algorithm == DISPATCH_LEAST_LOADED && is_listed)
		return (int)less_loaded(real, ring_pick(half, service, ring, hash >> 32));
	return (int)real;
}

#endif
