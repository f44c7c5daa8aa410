/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_MAPS_H
#define SLUICE_BPF_MAPS_H

/*
 * The maps that all programs of the packet splice share: the daemon loads one object and gives its
 * maps to the others (bpf_map__reuse_fd), or takes the pinned ones. It sets the sizes before load.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi/flow.h"

#define DEFAULT_PAIRS   1024
#define DEFAULT_BUCKETS 512
#define EVENTS_BYTES    (256 * 1024) /* some eight thousand between two looks of the daemon */

/* From an arriving packet to its pair. Owner and only writer: the daemon; never full, see there. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DEFAULT_BUCKETS);
	__type(key, __u32);
	__type(value, struct flow_bucket);
} buckets SEC(".maps");

/* Set before load, with the size of `buckets`. */
const volatile __u32 bucket_mask = DEFAULT_BUCKETS - 1;

/* Owner: the daemon, through its mapping; the programs write the gate's count and the records. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DEFAULT_PAIRS);
	__type(key, __u32);
	__type(value, struct flow_pair);
} pairs SEC(".maps");

/* Owner and only writer: the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct flow_nexthop);
} nexthops SEC(".maps");

/* struct flow_event. Writers: the programs (event.h); reader: the daemon; when full, the record is
 * lost. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EVENTS_BYTES);
} events SEC(".maps");

/* Packets by enum flow_verdict. Writers: the programs; read by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOW_VERDICT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} verdicts SEC(".maps");

#endif
