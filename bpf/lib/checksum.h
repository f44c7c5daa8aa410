/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_CHECKSUM_H
#define SLUICE_BPF_CHECKSUM_H

/*
 * Internet checksums, changed by what changed (RFC 1624). A sum is that of 32-bit words as they lie
 * in memory, in ones' complement; its difference added to a checksum's complement keeps a right
 * checksum right and a wrong one wrong.
 */
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

static __always_inline __u64 sum_words(const __u32 *words, int count)
{
	__u64 sum = 0;

#pragma unroll
	for (int i = 0; i < count; i++)
		sum += words[i];
	return sum;
}

static __always_inline __u32 fold_sum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (__u32)((sum & 0xffffffff) + (sum >> 32));
}

static __always_inline __u32 sum_difference(__u64 before, __u64 after)
{
	return fold_sum(after + (__u32)~fold_sum(before));
}

static __always_inline __u16 fold_to_16(__u64 sum)
{
	__u32 half = fold_sum(sum);

	half = (half & 0xffff) + (half >> 16);
	return (__u16)((half & 0xffff) + (half >> 16));
}

static __always_inline __sum16 checksum_change(__sum16 checksum, __u32 difference)
{
	__u32 sum = (__u16)~checksum;

	sum += (difference & 0xffff) + (difference >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__sum16)~sum;
}

#endif
