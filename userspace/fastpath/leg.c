// SPDX-License-Identifier: Apache-2.0
/* What is asked of a leg's socket, and done to it, for a hand-off. Source: tcp(7); the repair mode
 * is what CRIU uses to move connections. */
#include "core/compiler.h"
#include "fastpath/fastpath_internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#define TIMESTAMPS_SIZE 12 /* bytes of the option in each segment, padded */

/* --- Who is at its ends ------------------------------------------------------------------------
 */

static int unfold(const struct sockaddr_storage *storage, __u8 ret_ip[16], __be16 *ret_port)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)storage;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)storage;

	switch (storage->ss_family) {
	case AF_INET:
		memset(ret_ip, 0, 10);
		memset(ret_ip + 10, 0xff, 2);
		memcpy(ret_ip + 12, &v4->sin_addr, 4);
		*ret_port = v4->sin_port;
		return 0;
	case AF_INET6:
		memcpy(ret_ip, &v6->sin6_addr, 16);
		*ret_port = v6->sin6_port;
		return 0;
	default:
		return -EAFNOSUPPORT;
	}
}

int leg_read_key(int fd, struct flow_key *ret)
{
	struct sockaddr_storage peer = {}, local = {};
	socklen_t peer_len = sizeof(peer), local_len = sizeof(local);
	int err;

	if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&local, &local_len) < 0)
		return -errno;
	err = unfold(&peer, ret->source, &ret->source_port);
	return err ? err : unfold(&local, ret->destination, &ret->destination_port);
}

/* --- How it stands -----------------------------------------------------------------------------
 */

/* The kernel counts segments without the timestamps; announcements are with them. */
static uint32_t peer_mss(const struct tcp_info *info)
{
	return info->tcpi_snd_mss +
	       (info->tcpi_options & TCPI_OPT_TIMESTAMPS ? TIMESTAMPS_SIZE : 0);
}

int leg_read(int fd, struct leg *ret)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -errno;
	ret->options = info.tcpi_options;
	ret->snd_wscale = info.tcpi_snd_wscale;
	ret->rcv_wscale = info.tcpi_rcv_wscale;
	ret->peer_mss = peer_mss(&info);
	ret->our_mss = info.tcpi_advmss;
	return 0;
}

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int get(int fd, int option, uint32_t *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, IPPROTO_TCP, option, ret, &len) < 0 ? -errno : 0;
}

static int read_queue_end(int fd, int queue, uint32_t *ret)
{
	int err = set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);

	return err ? err : get(fd, TCP_QUEUE_SEQ, ret);
}

int leg_read_numbers(int fd, struct leg *ret)
{
	int err = read_queue_end(fd, TCP_SEND_QUEUE, &ret->snd_end);

	if (!err)
		err = read_queue_end(fd, TCP_RECV_QUEUE, &ret->rcv_nxt);
	if (!err)
		err = get(fd, TCP_TIMESTAMP, &ret->clock);
	/* The kernel uses the lowest bit of its answer for the unit of the clock. */
	ret->clock++;
	return err;
}

/* --- What is done to it -------------------------------------------------------------------------
 */

/* Without the privilege it was not joined. */
void leg_silence(int fd)
{
	(void)set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
}

void leg_mark(int fd, uint32_t mark)
{
	(void)set(fd, SOL_SOCKET, SO_MARK, (int)mark);
}

int leg_enter_repair(int fd)
{
	return set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
}

/* The kernel forgets SO_REUSEADDR over it, without which a new daemon could not bind while this
 * connection stands. */
void leg_leave_repair(int fd)
{
	(void)set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
	(void)set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

int leg_ask_mss(int fd, struct leg *ret)
{
	int err = leg_enter_repair(fd);

	if (err)
		return err;
	err = get(fd, TCP_MAXSEG, &ret->peer_mss);
	leg_leave_repair(fd);
	return err;
}

/* Leaving repair mode with a window probe, which its receiver acknowledges at once. */
void leg_provoke(int fd)
{
	if (leg_enter_repair(fd) < 0)
		return;
	(void)set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF);
	(void)set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

/*
 * In repair mode this ends the connection without a word; the descriptor stays. A frozen socket
 * would swallow the SYN of a new connection with the same addresses and ports.
 */
int leg_dissolve(int fd)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	return connect(fd, &nobody, sizeof(nobody)) < 0 ? -errno : 0;
}

/* One program for all sockets, for as long as we live: a classic filter would be checked, compiled
 * and stored for each of them, which is most of what freezing cost. */
static int drop_filter = -1;

static void load_drop_filter(void)
{
	const struct bpf_insn drop[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	drop_filter = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "drop", "Dual BSD/GPL", drop,
				    ARRAY_SIZE(drop), NULL);
}

/*
 * A frozen socket answers nothing: an answer would be from the past, and data that it took and
 * acknowledged would be lost. Its own probes would get no answer, and end in a reset.
 */
void leg_freeze(int fd)
{
	static pthread_once_t is_loaded = PTHREAD_ONCE_INIT;

	(void)pthread_once(&is_loaded, load_drop_filter);
	leg_silence(fd);
	(void)set(fd, SOL_SOCKET, SO_ATTACH_BPF, drop_filter);
	(void)set(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
}
