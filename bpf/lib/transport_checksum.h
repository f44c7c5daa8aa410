/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_TRANSPORT_CHECKSUM_H
#define SLUICE_BPF_TRANSPORT_CHECKSUM_H

/*
 * The checksum of TCP and UDP in the copy of the headers. A sender on the same machine (veth, tap,
 * virtio) may leave it to a device: then the field has the pseudo-header's sum, and only an skb
 * says so. Among whole checksums one in 65,536 looks the same.
 */
#include "lib/checksum.h"
#include "lib/parse.h"

static __always_inline bool is_sum_of_pseudo(struct packet *packet, __sum16 checksum)
{
	const struct ipv6hdr *ipv6 = packet_ipv6(packet);
	const struct iphdr *ipv4 = packet_ipv4(packet);
	__u64 sum = bpf_htons(packet->protocol) +
		    bpf_htons((__u16)(packet->l4_len + packet->payload));

	if (packet->is_ipv6)
		sum += sum_words((const __u32 *)&ipv6->saddr, 8);
	else
		sum += (__u64)ipv4->saddr + ipv4->daddr;
	return fold_to_16(sum) == checksum;
}

static __always_inline bool is_checksum_whole(struct packet *packet)
{
	const struct udphdr *udp = (const struct udphdr *)packet_l4(packet);

	if (packet->protocol == IPPROTO_TCP)
		return !is_sum_of_pseudo(packet, packet_tcp(packet)->check);
	return packet->protocol != IPPROTO_UDP || !is_sum_of_pseudo(packet, udp->check);
}

/* Of UDP 0 says that there is none. */
static __always_inline void change_transport_checksum(struct packet *packet, __u32 checksum_at,
						      __u32 difference)
{
	__sum16 *checksum = (__sum16 *)(packet_l4(packet) + checksum_at);

	if (packet->protocol != IPPROTO_UDP)
		*checksum = checksum_change(*checksum, difference);
	else if (*checksum)
		*checksum = checksum_change(*checksum, difference) ?: 0xffff;
}

#endif
