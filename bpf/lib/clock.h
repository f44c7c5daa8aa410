/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_CLOCK_H
#define SLUICE_BPF_CLOCK_H

/*
 * CLOCK_MONOTONIC as exact as a tick. The kernel's coarse clock changes with a tick and costs a
 * call of some 18 ns; the tick's number is a load. So each CPU asks for the time once a tick. Where
 * the number changes just before the clock does, the time is that of the tick before.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct clock_reading {
	__u64 tick, ns;
};

/* Of each CPU. No program is interrupted by another one that asks: softirqs do not nest. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct clock_reading);
} clock_readings SEC(".maps");

static __always_inline __u64 clock_coarse_ns(void)
{
	__u64 tick = bpf_jiffies64();
	__u32 zero = 0;
	struct clock_reading *last = bpf_map_lookup_elem(&clock_readings, &zero);

	if (!last)
		return bpf_ktime_get_coarse_ns();
	if (last->tick != tick) {
		last->ns = bpf_ktime_get_coarse_ns();
		last->tick = tick;
	}
	return last->ns;
}

#endif
