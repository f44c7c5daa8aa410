// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Picks the worker for each new connection of one listening address.
 *
 * By itself the kernel hashes connections over the sockets of an SO_REUSEPORT group, which leaves
 * some workers with twice the connections of others while those are long-lived. Here two workers
 * are drawn, and the one with fewer open connections takes it. Source: Mitzenmacher 2001, "The
 * power of two choices in randomized load balancing".
 *
 * The same program says where a connection goes whose listening socket was closed before it was
 * accepted: attached as select-or-migrate, it is asked again instead of the connection being reset.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi/reuseport.h"

/* How many workers there are; the size of both maps. */
const volatile __u32 worker_count = 1;

/* Shared by all groups of the process. Owner: the daemon; writers: the workers; never full. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reuseport_load);
} loads SEC(".maps");

/* The group's listening sockets by worker. Writer: the daemon; the kernel empties a closed slot. */
struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

static __u32 load_of(__u32 worker)
{
	const volatile struct reuseport_load *load = bpf_map_lookup_elem(&loads, &worker);

	return load ? load->connections : (__u32)-1;
}

/* Return: 0; not 0 if the worker has no socket here. */
static long select(struct sk_reuseport_md *ctx, __u32 worker)
{
	return bpf_sk_select_reuseport(ctx, &sockets, &worker, 0);
}

/* A pass without a selected socket lets the kernel choose by its hash. */
SEC("sk_reuseport/migrate")
int select_worker(struct sk_reuseport_md *ctx)
{
	__u32 first = bpf_get_prandom_u32() % worker_count;
	__u32 second, better, other;

	if (worker_count == 1) {
		select(ctx, 0);
		return SK_PASS;
	}
	/* One of the workers that are not the first, each as likely. */
	second = (first + 1 + bpf_get_prandom_u32() % (worker_count - 1)) % worker_count;
	better = load_of(second) < load_of(first) ? second : first;
	other = first + second - better;
	if (select(ctx, better))
		select(ctx, other);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
