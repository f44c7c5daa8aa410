// SPDX-License-Identifier: Apache-2.0
/* Times the functions that steps.h names: nanoseconds from the first instruction to the return. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "steps.h"

/* By thread: when the step that it is in began. Steps do not nest. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} began SEC(".maps");

/* SAMPLES_MAX of each step, one step behind the other. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STEP_COUNT *SAMPLES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} samples SEC(".maps");

/* By step: how many there were. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STEP_COUNT);
	__type(key, __u32);
	__type(value, __u32);
} counts SEC(".maps");

static __always_inline int begin(void)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&began, &thread, &now, BPF_ANY);
	return 0;
}

static __always_inline int end(__u32 step)
{
	__u64 now = bpf_ktime_get_ns(), *since;
	__u32 thread = (__u32)bpf_get_current_pid_tgid(), at, ns;
	__u32 *count = bpf_map_lookup_elem(&counts, &step);

	since = bpf_map_lookup_elem(&began, &thread);
	if (!since || !count)
		return 0;
	at = __sync_fetch_and_add(count, 1);
	if (at >= SAMPLES_MAX)
		return 0;
	at += step * SAMPLES_MAX;
	ns = (__u32)(now - *since);
	bpf_map_update_elem(&samples, &at, &ns, BPF_ANY);
	return 0;
}

SEC("uprobe")
int on_begin(void *registers)
{
	(void)registers;
	return begin();
}

#define X(name, function, text)            \
	SEC("uretprobe")                   \
	int on_##function(void *registers) \
	{                                  \
		(void)registers;           \
		return end(STEP_##name);   \
	}
STEPS(X)
#undef X

char LICENSE[] SEC("license") = "Dual BSD/GPL";
