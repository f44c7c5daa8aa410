/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_FLOW_H
#define SLUICE_BPF_DISPATCH_FLOW_H

/* A packet of a service while dispatch works on it, and the table of flows. */
#include "lib/dispatch_count.h"
#include "lib/dispatch_service.h"

/* What a step says beside enum dispatch_drop. */
#define DISPATCH_FINE       DISPATCH_DROP_COUNT
#define DISPATCH_LEAVES     (DISPATCH_DROP_COUNT + 1) /* nothing of ours: others go on */
#define DISPATCH_LEFT_TO_TC (DISPATCH_DROP_COUNT + 2)

struct dispatch_work {
	const struct dispatch_settings *settings;
	const struct dispatch_virtual *service;
	struct dispatch_line *line;
	__u64 hash, now_ns;
	__u32 half, now_s;
	__u32 service_index, real_index;
	struct dispatch_load load;
	int action; /* valid with DISPATCH_FINE */
};

/* --- The table -------------------------------------------------------------------------------- */

static __always_inline struct dispatch_line *line_of_hash(const struct dispatch_settings *settings,
							  __u64 hash)
{
	__u32 index = (__u32)hash & settings->line_mask;

	return bpf_map_lookup_elem(&dispatch_lines, &index);
}

/* What has been quiet for the longest time gives way. */
static __always_inline void line_put(struct dispatch_line *line, __u64 entry)
{
	__u32 quietest = 0, most = 0;

#pragma unroll
	for (__u32 i = 0; i < DISPATCH_LINE_PLACES; i++) {
		__u64 old = line->entry[i];
		__u32 quiet = (__u16)(dispatch_entry_seconds(entry) - dispatch_entry_seconds(old));

		if (!old)
			quiet = 1u << 16;
		if (quiet > most) {
			most = quiet;
			quietest = i;
		}
	}
	line->entry[quietest & (DISPATCH_LINE_PLACES - 1)] = entry;
}

/* Written once a second, so that a known flow dirties no line. */
static __always_inline void entry_refresh(__u64 *entry, __u32 now_s)
{
	if ((__u16)*entry != (__u16)now_s)
		*entry = (*entry & ~0xffffULL) | (__u16)now_s;
}

static __always_inline bool entry_is_fresh(__u64 entry, const struct dispatch_work *work)
{
	return (__u16)((__u16)work->now_s - dispatch_entry_seconds(entry)) <=
	       work->service->timeout_s;
}

/* --- New flows -------------------------------------------------------------------------------- */

/* A flood of new flows shall not push the others out of the table. */
static __always_inline bool may_enter(const struct dispatch_work *work)
{
	__u32 zero = 0, *full;

	if (!work->settings->new_flows.cost)
		return true;
	full = bpf_map_lookup_elem(&dispatch_rates, &zero);
	return full && guard_rate_take(&work->settings->new_flows, full,
				       (__u32)(work->now_ns >> GUARD_TICK_BITS), 1);
}

static __always_inline __u64 ring_hash(const struct dispatch_work *work,
				       const struct packet *packet)
{
	if (work->service->algorithm == DISPATCH_SOURCE)
		return dispatch_hash_address(packet->key.source, &work->settings->ring);
	return dispatch_hash_flow(&packet->key, packet->protocol, &work->settings->ring);
}

static __always_inline __u32 choose_real(const struct dispatch_work *work,
					 const struct packet *packet)
{
	return ring_pick(work->half, work->service, ring_hash(work, packet));
}

static __always_inline bool real_is_of(const struct dispatch_real *real,
				       const struct dispatch_work *work)
{
	return real && real->service == work->service_index &&
	       (real->state == DISPATCH_REAL_UP || real->state == DISPATCH_REAL_DRAINING);
}

#endif
