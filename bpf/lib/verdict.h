/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_VERDICT_H
#define SLUICE_BPF_VERDICT_H

/* What becomes of a packet: counted once, at the end, by its reason. */
#include <stdbool.h>

#include "lib/maps.h"

static __always_inline void count_verdict(enum flow_verdict verdict)
{
	__u32 index = verdict;
	__u64 *count = bpf_map_lookup_elem(&verdicts, &index);

	if (count)
		(*count)++;
}

/* Without a next hop a packet is lost, as at a router, and sent again when there is one: the stack
 * has no socket for it and would answer with a reset. */
static __always_inline bool verdict_drops(enum flow_verdict verdict)
{
	return verdict == FLOW_VERDICT_TTL_EXPIRED || verdict == FLOW_VERDICT_NO_HEADROOM ||
	       verdict == FLOW_VERDICT_NEXTHOP_GONE || verdict == FLOW_VERDICT_TOO_BIG;
}

#endif
