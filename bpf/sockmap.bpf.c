// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Moves what arrives on one socket of a pair to the other one, as long as that one has room for it.
 *
 * The kernel's own redirection has no bound: what a slow sink does not take is queued without being
 * charged to anybody, while the source's window stays open. So bytes are redirected only if the
 * sink's send buffer has room for them and for all that is queued before them: the queue then runs
 * empty by itself, whatever the sink's peer does. What finds no room is passed to the source's own
 * receive queue, which counts against its window, and so is all that follows, until the daemon has
 * relayed it and opens the way again (include/abi/sockmap.h).
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "abi/sockmap.h"

/* What is read of the kernel; the loader finds where it lies. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sk_buff {
	char cb[48];
};

struct tcp_skb_cb {
	__u32 seq;
	__u32 end_seq;
	__u8 tcp_flags;
};

struct sock {
	int sk_wmem_queued;
	int sk_sndbuf;
	void *sk_user_data;
};

struct inet_sock {
	struct sock sk;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 copied_seq;
	__u32 write_seq;
};

struct sk_buff_head {
	__u32 qlen;
};

struct sk_psock {
	struct sk_buff_head ingress_skb;
};
#pragma clang attribute pop

extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym;
extern void *bpf_rdonly_cast(const void *object, __u32 btf_id) __ksym;

#define FIN                1
#define PSOCK_POINTER_MASK (~7ULL) /* the low bits of sk_user_data are flags */

/* bpf_skb_adjust_room() takes no more at once; a receive queue's skb has at most 17 × 32 KiB. */
#define CUT_MAX    4095
#define CUTS_MAX   160
#define GATE_TURNS 8

/*
 * What redirected bytes take of a send buffer at most: small segments cost more than their bytes,
 * and each skb may begin a new one.
 */
#define ROOM_PER_BYTE 4
#define ROOM_PER_SKB  4096

/* How many pairs; the sizes of the maps follow it. Owner and writer: the daemon, if not said
 * otherwise; when full, the connection stays with the relay. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct sockmap_way);
} ways SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2);
	__type(key, __u64);
	__type(value, __u32);
} sources SEC(".maps");

/* A socket that closes takes itself out. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 2);
	__type(key, __u64);
	__type(value, __u64);
} sockets SEC(".maps");

static __always_inline struct sockmap_way *find_way(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb);
	__u32 *index = bpf_map_lookup_elem(&sources, &cookie);

	return index ? bpf_map_lookup_elem(&ways, index) : NULL;
}

/* --- Bytes that came twice ----------------------------------------------------------------------
 */

static __always_inline int drop_front(struct __sk_buff *skb, __u32 count)
{
	for (int i = 0; i < CUTS_MAX && count; i++) {
		__u32 step = count < CUT_MAX ? count : CUT_MAX;

		if (bpf_skb_adjust_room(skb, -(__s32)step, 0, 0))
			return -1;
		count -= step;
	}
	return count ? -1 : 0;
}

/*
 * A segment may repeat bytes before its new ones, and the daemon may have read part of the first
 * skb. Receiving by recv() skips them, redirecting and passing do not. The way keeps its own count,
 * since the socket's stands still while bytes are passed.
 */
static __always_inline int cut_overlap(struct __sk_buff *skb, struct sockmap_way *way)
{
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);
	struct tcp_skb_cb *cb = bpf_rdonly_cast(kernel_skb->cb,
						bpf_core_type_id_kernel(struct tcp_skb_cb));
	__u32 end_seq = cb->end_seq - (cb->tcp_flags & FIN);
	__u32 overlap = way->next_seq - cb->seq;

	if ((__s32)overlap < 0)
		return -1;
	if (overlap > skb->len)
		overlap = skb->len;
	if (overlap && drop_front(skb, overlap))
		return -1;
	if ((__s32)(end_seq - way->next_seq) > 0)
		way->next_seq = end_seq;
	return 0;
}

static __always_inline int start(struct __sk_buff *skb, struct sockmap_way *way)
{
	struct bpf_sock *sk = skb->sk;
	struct tcp_sock *tcp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;

	if (!tcp)
		return -1;
	way->next_seq = tcp->copied_seq;
	way->is_started = 1;
	return 0;
}

/* --- Room at the sink ---------------------------------------------------------------------------
 */

static __always_inline __u32 queued_skbs(const struct tcp_sock *tcp)
{
	__u64 user_data = (__u64)tcp->inet_conn.icsk_inet.sk.sk_user_data;
	struct sk_psock *psock = bpf_rdonly_cast((void *)(user_data & PSOCK_POINTER_MASK),
						 bpf_core_type_id_kernel(struct sk_psock));

	return psock->ingress_skb.qlen;
}

static __always_inline bool has_room(const struct tcp_sock *tcp, struct sockmap_way *way, __u32 len)
{
	__s64 room = (__s64)tcp->inet_conn.icsk_inet.sk.sk_sndbuf -
		     tcp->inet_conn.icsk_inet.sk.sk_wmem_queued;
	__u32 queued;

	if (way->is_opened) {
		way->sink_seq = tcp->write_seq;
		way->is_opened = 0;
	}
	queued = way->sink_seq - tcp->write_seq;
	return ((__s64)queued + len) * ROOM_PER_BYTE +
		       ((__s64)queued_skbs(tcp) + 1) * ROOM_PER_SKB <=
	       room;
}

/* A sink that takes no more is for the daemon to find out. */
static __always_inline bool can_redirect(struct sockmap_way *way, __u32 len)
{
	struct bpf_sock *sk = bpf_map_lookup_elem(&sockets, &way->sink);
	struct tcp_sock *tcp;
	bool is_good = false;

	if (!sk)
		return false;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (tcp && (sk->state == BPF_TCP_ESTABLISHED || sk->state == BPF_TCP_CLOSE_WAIT))
		is_good = has_room(tcp, way, len);
	bpf_sk_release(sk);
	return is_good;
}

/* --- The verdict --------------------------------------------------------------------------------
 */

static __always_inline bool redirect(struct __sk_buff *skb, struct sockmap_way *way)
{
	__u64 now_ns = bpf_ktime_get_ns();
	__u32 len = skb->len;

	if (bpf_sk_redirect_hash(skb, &sockets, &way->sink, 0) != SK_PASS)
		return false;
	if (!way->first_ns)
		way->first_ns = now_ns;
	way->last_ns = now_ns;
	way->sink_seq += len;
	way->redirected += len;
	return true;
}

static __always_inline int forward(struct __sk_buff *skb, struct sockmap_way *way)
{
	__u32 len = skb->len;

	for (int i = 0; i < GATE_TURNS; i++) {
		__u64 gate = *(volatile __u64 *)&way->gate;

		if (!(gate & SOCKMAP_PASS) && can_redirect(way, len) && redirect(skb, way))
			return SK_PASS;
		if (__sync_val_compare_and_swap(&way->gate, gate, (gate | SOCKMAP_PASS) + len) ==
		    gate)
			return SK_PASS;
	}
	/* The daemon cannot have opened and closed the way so often meanwhile. */
	way->is_broken = 1;
	return SK_DROP;
}

SEC("sk_skb/stream_verdict")
int sockmap_verdict(struct __sk_buff *skb)
{
	struct sockmap_way *way = find_way(skb);

	if (!way)
		return SK_PASS;
	if ((!way->is_started && start(skb, way)) || cut_overlap(skb, way)) {
		way->is_broken = 1;
		return SK_DROP;
	}
	/* A FIN alone, or nothing new: the end is told by the socket's state. */
	if (skb->len == 0)
		return SK_DROP;
	return forward(skb, way);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
