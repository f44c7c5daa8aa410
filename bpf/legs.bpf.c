// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reads two sockets of the calling process for a hand-over, by descriptor, without their locks:
 * softirqs go on meanwhile, and who asks finds out by the gate whether a packet came in between.
 *
 * Of the kernel's structures only what is read is declared; CO-RE finds where it lies.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "abi/leg.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sock_common {
	unsigned char skc_state;
};

struct socket;

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type, sk_protocol;
	struct socket *sk_socket;
};

struct rb_node;

struct rb_root {
	struct rb_node *rb_node;
};

struct tcp_sock {
	__u64 bytes_received, bytes_acked;
	__u32 rcv_nxt, copied_seq, snd_una, write_seq, tsoffset;
	struct rb_root out_of_order_queue;
};

struct file {
	void *private_data;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct task_struct {
	struct files_struct *files;
};

#pragma clang attribute pop

#define IPPROTO_TCP 6
#define SOCK_STREAM 1

/* The table may be replaced while it is looked at (a thread opens its 1,025th descriptor), so what
 * is found has to know of each other. */
static struct sock *find_socket(__s32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file = NULL;
	struct socket *socket;
	struct sock *sk;

	if (fd < 0 || (__u32)fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	if (bpf_probe_read_kernel(&file, sizeof(file), files + fd) || !file)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (!sk || BPF_CORE_READ(socket, file) != file || BPF_CORE_READ(sk, sk_socket) != socket)
		return NULL;
	return BPF_CORE_READ(sk, sk_type) == SOCK_STREAM &&
			       BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP
		       ? sk
		       : NULL;
}

static void read_leg(__s32 fd, struct leg_numbers *ret)
{
	struct sock *sk = find_socket(fd);
	struct tcp_sock *tcp = (struct tcp_sock *)sk;

	if (!sk)
		return;
	ret->bytes_received = BPF_CORE_READ(tcp, bytes_received);
	ret->bytes_acked = BPF_CORE_READ(tcp, bytes_acked);
	ret->rcv_nxt = BPF_CORE_READ(tcp, rcv_nxt);
	ret->copied_seq = BPF_CORE_READ(tcp, copied_seq);
	ret->snd_una = BPF_CORE_READ(tcp, snd_una);
	ret->write_seq = BPF_CORE_READ(tcp, write_seq);
	ret->clock_offset = BPF_CORE_READ(tcp, tsoffset);
	ret->has_gap = BPF_CORE_READ(tcp, out_of_order_queue.rb_node) != NULL;
	ret->state = BPF_CORE_READ(sk, __sk_common.skc_state);
}

/* By way of the stack: the verifier wants to see constant offsets into the context. */
SEC("syscall")
int read_legs(struct legs_query *query)
{
	struct leg_numbers client = {}, backend = {};

	read_leg(query->fd[FLOW_UP], &client);
	read_leg(query->fd[FLOW_DOWN], &backend);
	query->leg[FLOW_UP] = client;
	query->leg[FLOW_DOWN] = backend;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
