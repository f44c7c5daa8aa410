/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_EVENT_H
#define SLUICE_BPF_EVENT_H

/* What the daemon is told of, in the ring buffer `events`. */
#include "abi/guard.h"
#include "lib/clock.h"
#include "lib/maps.h"

#include <stdbool.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOW_EVENT_KINDS);
	__type(key, __u32);
	__type(value, struct flow_event_use);
} event_uses SEC(".maps");

static __always_inline bool event_keeps_rate(struct flow_event_use *use)
{
	const struct guard_rate rate = {
		.cost = (1000000000 / FLOW_EVENTS_A_SECOND) >> GUARD_TICK_BITS,
		.burst = (1000000000 / FLOW_EVENTS_A_SECOND * FLOW_EVENTS_AT_ONCE) >>
			 GUARD_TICK_BITS,
	};

	return guard_rate_take(&rate, &use->full, (__u32)(clock_coarse_ns() >> GUARD_TICK_BITS), 1);
}

/*
 * A record of @size bytes in the ring itself: on the stack there is no room for one where the
 * verifier counts it over all calls (512 bytes in 6.1). Return: to be filled in as a whole, and
 * submitted; NULL: nobody is told, which is counted.
 */
static __always_inline void *event_reserve(__u32 kind, __u64 size)
{
	struct flow_event_use *use = bpf_map_lookup_elem(&event_uses, &kind);
	void *record = NULL;

	if (!use)
		return NULL;
	if (kind == FLOW_EVENT_OVER || event_keeps_rate(use))
		record = bpf_ringbuf_reserve(&events, size, 0);
	if (!record)
		use->untold++;
	return record;
}

static __always_inline void event_submit(void *record)
{
	bpf_ringbuf_submit(record, 0);
}

#endif
