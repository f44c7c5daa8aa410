/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_MARTIAN_H
#define SLUICE_BPF_MARTIAN_H

/* Addresses that no packet comes from. Source: RFC 1122 section 3.2.1.3, RFC 4291 section 2. */
#include <bpf/bpf_endian.h>
#include <linux/types.h>
#include <stdbool.h>

/* @address: host order. */
static __always_inline bool is_martian4(__u32 address)
{
	__u8 first = address >> 24;

	return first == 0 || first == 127 || first >= 224;
}

/* Multicast, ::, ::1, and the mapped form of IPv4, which is for programs and not for wires. */
static __always_inline bool is_martian6(const __u64 address[2])
{
	return (address[0] & bpf_cpu_to_be64(0xff00000000000000ULL)) ==
		       bpf_cpu_to_be64(0xff00000000000000ULL) ||
	       (!address[0] && (address[1] == 0 || address[1] == bpf_cpu_to_be64(1) ||
				(address[1] & bpf_cpu_to_be64(0xffffffff00000000ULL)) ==
					bpf_cpu_to_be64(0x0000ffff00000000ULL)));
}

#endif
