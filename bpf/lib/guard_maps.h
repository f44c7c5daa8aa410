/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_GUARD_MAPS_H
#define SLUICE_BPF_GUARD_MAPS_H

/* The guard's tables: abi/guard.h says what is in them, who writes, and what happens when full.
 * Those that take megabytes are elements of arrays of maps, and are made when the guard is turned
 * on. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi/guard.h"
#include "abi/guard_list6.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guard_settings);
} guard_settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GUARD_COUNTS);
	__type(key, __u32);
	__type(value, struct guard_count);
} guard_counts SEC(".maps");

struct guard_lines {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct guard_line)); /* of an inner map clang tells no types */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct guard_lines);
} guard_list4 SEC(".maps");

struct guard_pages6 {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(union guard_page6));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct guard_pages6);
} guard_list6 SEC(".maps");

/* When full, the daemon refuses a further ban. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__uint(key_size, 16);
	__uint(value_size, sizeof(struct guard_ban));
} guard_bans SEC(".maps");

/* Of a size that the daemon sets before load: so much is asked of a packet that looking into it
 * must not be a call, as it is with BPF_F_INNER_MAP. */
struct guard_buckets {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct guard_bucket));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct guard_buckets);
} guard_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct guard_port);
} guard_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARD_PLACES_MAX);
	__type(key, __u32);
	__type(value, struct guard_place);
} guard_places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARD_SERVICES_MAX);
	__type(key, __u32);
	__type(value, struct guard_service);
} guard_services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GUARD_TALKER_ROWS *GUARD_TALKER_SLOTS);
	__type(key, __u32);
	__type(value, struct guard_talker);
} guard_talkers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} guard_captured SEC(".maps");

#endif
