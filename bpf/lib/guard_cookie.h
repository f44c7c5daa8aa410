/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_GUARD_COOKIE_H
#define SLUICE_BPF_GUARD_COOKIE_H

/*
 * Answers a SYN with a SYN cookie in the packet's own buffer, and keeps nothing. The kernel makes
 * the cookie, for its own listening socket, and takes the ACK that brings it back
 * (net.ipv4.tcp_syncookies = 2; with 1 it makes one only while that socket's queue is full).
 *
 * The answer has the length of the question: options give way to the segment size and NOPs. Without
 * timestamps there is nowhere to keep window scale and SACK, so such a connection has neither.
 */
#include "lib/guard_look.h"
#include "lib/handshake.h"
#include "lib/headers.h"

#define COOKIE_WINDOW 29200

static __always_inline void fill_tuple(struct packet *packet, struct bpf_sock_tuple *tuple)
{
	if (packet->is_ipv6) {
		__builtin_memcpy(tuple->ipv6.saddr, packet->key.source, 16);
		__builtin_memcpy(tuple->ipv6.daddr, packet->key.destination, 16);
		tuple->ipv6.sport = packet->key.source_port;
		tuple->ipv6.dport = packet->key.destination_port;
	} else {
		tuple->ipv4.saddr = unmap_ipv4(packet->key.source);
		tuple->ipv4.daddr = unmap_ipv4(packet->key.destination);
		tuple->ipv4.sport = packet->key.source_port;
		tuple->ipv4.dport = packet->key.destination_port;
	}
}

/* Return: the cookie and, in the upper half, the segment size; negative: none. */
static __always_inline __s64 make_cookie(frame_context *ctx, struct packet *packet)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	__s64 cookie = -1;
	__u32 l4_len;

	fill_tuple(packet, &tuple);
	sk = bpf_skc_lookup_tcp(ctx, &tuple,
				packet->is_ipv6 ? sizeof(tuple.ipv6) : sizeof(tuple.ipv4),
				(__u64)BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return -1;
	/* Read where it is used: kept on the stack, the verifier (6.1) forgets what it has been
	 * compared with. */
	l4_len = *(volatile __u32 *)&packet->l4_len;
	if (l4_len >= sizeof(struct tcphdr)) {
		barrier_var(l4_len);
		if (l4_len <= L4_MAX)
			cookie = packet->is_ipv6
					 ? bpf_tcp_gen_syncookie(sk, packet_ipv6(packet),
								 sizeof(struct ipv6hdr),
								 packet_tcp(packet), l4_len)
					 : bpf_tcp_gen_syncookie(sk, packet_ipv4(packet),
								 sizeof(struct iphdr),
								 packet_tcp(packet), l4_len);
	}
	bpf_sk_release(sk);
	return cookie;
}

/*
 * Return: whether the frame is now the answer, to be sent back. @packet: a SYN. Left to the stack
 * are SYNs that bring data and, for their ports are not known, those with options in the network
 * header or of fragments.
 */
static __always_inline bool guard_answer_syn(frame_context *ctx, struct packet *packet)
{
	__s64 cookie;

	if (packet->protocol != IPPROTO_TCP || packet->payload || !packet->key.destination_port ||
	    load_tcp_headers(ctx, packet) || !frame_can_reply(ctx, packet))
		return false;
	cookie = make_cookie(ctx, packet);
	if (cookie < 0 || !(cookie >> 32))
		return false;
	return !answer_syn(ctx, packet, (__u32)cookie, bpf_htons(COOKIE_WINDOW),
			   (struct syn_options){.mss = (__u16)(cookie >> 32)});
}

#endif
