/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_CHECK_H
#define SLUICE_BPF_CHECK_H

/*
 * Health checks that take the way of dispatch's packets. Their sockets know nothing of it: routes,
 * neighbours and conntrack see a connection to the endpoint's own address, so it does not matter
 * whether this machine has the service's address too. lib/frame_tc.h comes first.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi/dispatch_check.h"
#include "lib/headers.h"
#include "lib/translate.h"

/* Without dispatch it stays as small as here, and has nobody in it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dispatch_check);
} checks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DISPATCH_CHECK_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} check_ports SEC(".maps");

/* @port: ours. Return: NULL: no check has it. */
static __always_inline const struct dispatch_check *check_at(__be16 port)
{
	__u32 index = bpf_ntohs(port), word = index / 64;
	const __u64 *used = bpf_map_lookup_elem(&check_ports, &word);

	if (!used || !(*used >> index % 64 & 1))
		return NULL;
	return bpf_map_lookup_elem(&checks, &index);
}

static __always_inline bool check_address_is(const __u8 *a, const __u8 *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return x[0] == y[0] && x[1] == y[1];
}

/* The addresses of a segment of TCP become these. Return: not 0 if they cannot. */
static __always_inline long check_readdress(frame_context *ctx, struct packet *packet,
					    const __u8 *source, const __u8 *destination)
{
	struct checksum_differences differences = {};

	if (load_tcp_headers(ctx, packet) ||
	    !translate_l3(packet, source, destination, true, &differences))
		return -1;
	return frame_store(ctx, packet, __builtin_offsetof(struct tcphdr, check),
			   differences.pseudo, 0, differences.l3);
}

#endif
