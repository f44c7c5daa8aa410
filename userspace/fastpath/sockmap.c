// SPDX-License-Identifier: Apache-2.0
/*
 * Pairs of sockets in bpf/sockmap.bpf.c's maps. What orders the bytes of a way is its gate
 * (abi/sockmap.h) and two facts that are asked of the sockets: whether the program still works on
 * the source, and how much the sink has taken.
 */
#include "fastpath/sockmap.h"
#include "abi/sockmap.h"
#include "core/clock.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/sockmap_internal.h"

#include "sockmap.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define TAKEN_TRIES       8
#define STATE_CLOSE       7 /* tcpi_state: enum in the kernel's net/tcp_states.h */
#define STATE_ESTABLISHED 1

struct sockmap {
	struct sockmap_bpf *skeleton;
	struct sockmap_way *ways; /* the map, shared with the program */
	uint32_t max_pairs;
	int sources_fd, sockets_fd;
	struct slots *slots;
};

/* By direction: the socket that bytes arrive on. */
struct sockmap_pair {
	struct sockmap *sockmap;
	struct sockmap_way *ways;
	uint32_t slot;
	uint32_t nsources; /* of the cookies that are in `sources` */
	int fds[FLOW_DIRECTIONS];
	uint64_t cookies[FLOW_DIRECTIONS];
	uint64_t taken[FLOW_DIRECTIONS]; /* what the way's sink had taken before the join */
};

static enum flow_direction opposite(enum flow_direction way)
{
	return way == FLOW_UP ? FLOW_DOWN : FLOW_UP;
}

/* --- Start and end ------------------------------------------------------------------------------
 */

static int load(struct sockmap *sockmap)
{
	struct sockmap_bpf *skeleton = sockmap_bpf__open();
	int err;

	if (!skeleton)
		return -errno;
	sockmap->skeleton = skeleton;
	err = bpf_map__set_max_entries(skeleton->maps.ways, FLOW_DIRECTIONS * sockmap->max_pairs);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.sources,
					       FLOW_DIRECTIONS * sockmap->max_pairs);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.sockets,
					       FLOW_DIRECTIONS * sockmap->max_pairs);
	return err ? err : sockmap_bpf__load(skeleton);
}

/* The program first, sockets after: some kernels lose the wake-ups of sockets without one. */
static int attach(struct sockmap *sockmap)
{
	int program = bpf_program__fd(sockmap->skeleton->progs.sockmap_verdict);

	sockmap->sources_fd = bpf_map__fd(sockmap->skeleton->maps.sources);
	sockmap->sockets_fd = bpf_map__fd(sockmap->skeleton->maps.sockets);
	return bpf_prog_attach(program, sockmap->sockets_fd, BPF_SK_SKB_STREAM_VERDICT, 0);
}

static size_t ways_size(const struct sockmap *sockmap)
{
	return FLOW_DIRECTIONS * (size_t)sockmap->max_pairs * sizeof(struct sockmap_way);
}

static int map_ways(struct sockmap *sockmap)
{
	void *ways = mmap(NULL, ways_size(sockmap), PROT_READ | PROT_WRITE, MAP_SHARED,
			  bpf_map__fd(sockmap->skeleton->maps.ways), 0);

	if (ways == MAP_FAILED)
		return -errno;
	sockmap->ways = ways;
	return 0;
}

static int try_with_slots(struct sockmap *sockmap, const char **ret_why)
{
	*ret_why = "out of memory";
	sockmap->slots = slots_new(1);
	return sockmap->slots ? sockmap_probe(sockmap, ret_why) : -ENOMEM;
}

static int open_and_try(struct sockmap *sockmap, const char **ret_why)
{
	int err;

	fastpath_log_libbpf();
	*ret_why = "the kernel does not let the socket program cut what comes twice";
	err = load(sockmap);
	if (err)
		return err;
	*ret_why = "the socket program cannot be attached";
	err = attach(sockmap);
	if (!err)
		err = map_ways(sockmap);
	if (err)
		return err;
	err = try_with_slots(sockmap, ret_why);
	if (err)
		return err;
	/* What the probe used need not rest: its sockets are closed. */
	slots_free(sockmap->slots);
	*ret_why = "out of memory";
	sockmap->slots = slots_new(sockmap->max_pairs);
	return sockmap->slots ? 0 : -ENOMEM;
}

int sockmap_new(uint32_t max_pairs, struct sockmap **ret, const char **ret_why)
{
	struct sockmap *sockmap = calloc(1, sizeof(*sockmap));
	int err;

	*ret_why = "out of memory";
	if (!sockmap)
		return -ENOMEM;
	sockmap->max_pairs = max_pairs;
	err = open_and_try(sockmap, ret_why);
	if (err) {
		sockmap_free(sockmap);
		return err;
	}
	*ret = sockmap;
	return 0;
}

void sockmap_free(struct sockmap *sockmap)
{
	if (!sockmap)
		return;
	slots_free(sockmap->slots);
	if (sockmap->ways)
		munmap(sockmap->ways, ways_size(sockmap));
	sockmap_bpf__destroy(sockmap->skeleton);
	free(sockmap);
}

/* --- Asking sockets -----------------------------------------------------------------------------
 */

static int read_info(int fd, struct tcp_info *ret)
{
	socklen_t len = sizeof(*ret);

	*ret = (struct tcp_info){};
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret, &len) < 0 ? -errno : 0;
}

/* In this order: what is acknowledged in between is missing from the sum, never counted twice. */
static int read_taken_at_least(int fd, struct tcp_info *info, uint64_t *ret)
{
	int unacknowledged, err = read_info(fd, info);

	if (err)
		return err;
	if (ioctl(fd, SIOCOUTQ, &unacknowledged) < 0)
		return -errno;
	*ret = (uint64_t)info->tcpi_bytes_acked + (uint32_t)unacknowledged;
	return 0;
}

/* Bytes that the socket has ever taken to send; exact while nobody writes. */
static int read_taken(int fd, uint64_t *ret)
{
	struct tcp_info info, after;
	int err;

	for (int i = 0; i < TAKEN_TRIES; i++) {
		err = read_taken_at_least(fd, &info, ret);
		if (!err)
			err = read_info(fd, &after);
		if (err || info.tcpi_bytes_acked == after.tcpi_bytes_acked)
			return err;
	}
	return -EAGAIN;
}

static int get(int fd, int level, int option, int *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, level, option, ret, &len) < 0 ? -errno : 0;
}

static bool is_tcp(int fd)
{
	int domain = AF_UNSPEC, protocol = 0;

	return get(fd, SOL_SOCKET, SO_DOMAIN, &domain) == 0 &&
	       (domain == AF_INET || domain == AF_INET6) &&
	       get(fd, SOL_SOCKET, SO_PROTOCOL, &protocol) == 0 && protocol == IPPROTO_TCP;
}

/* Kernel TLS, above all: redirected past it, its plaintext would leave in the clear. */
static bool has_upper_protocol(int fd)
{
	char name[16];
	socklen_t len = sizeof(name);

	return getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &len) < 0 || len > 0;
}

static enum splice_reason judge(int fd)
{
	if (!is_tcp(fd))
		return SPLICE_REASON_NOT_TCP_SOCKETS;
	if (has_upper_protocol(fd))
		return SPLICE_REASON_TLS;
	return SPLICE_REASON_NONE;
}

/* --- Joining ------------------------------------------------------------------------------------
 */

/* A socket that is not established cannot be added, and one that is ending need not be. */
static int read_socket(struct sockmap_pair *pair, enum flow_direction way)
{
	socklen_t len = sizeof(pair->cookies[way]);
	struct tcp_info info;
	int err = read_info(pair->fds[way], &info);

	if (err)
		return err;
	if (info.tcpi_state != STATE_ESTABLISHED)
		return -EAGAIN;
	if (getsockopt(pair->fds[way], SOL_SOCKET, SO_COOKIE, &pair->cookies[way], &len) < 0)
		return -errno;
	return read_taken(pair->fds[way], &pair->taken[opposite(way)]);
}

/* The way stands before its socket is added: no byte finds it missing. */
static int prepare_way(struct sockmap_pair *pair, enum flow_direction way)
{
	uint32_t index = FLOW_DIRECTIONS * pair->slot + way;

	pair->ways[way] = (struct sockmap_way){
		.gate = SOCKMAP_PASS,
		.sink = pair->cookies[opposite(way)],
	};
	if (bpf_map_update_elem(pair->sockmap->sources_fd, &pair->cookies[way], &index,
				BPF_NOEXIST) < 0)
		return -errno;
	pair->nsources++;
	return 0;
}

static enum splice_reason prepare(struct sockmap_pair *pair)
{
	struct sockmap *sockmap = pair->sockmap;

	if (!slots_take(sockmap->slots, clock_monotonic_ms(), &pair->slot))
		return SPLICE_REASON_TABLE_FULL;
	pair->ways = &sockmap->ways[(size_t)FLOW_DIRECTIONS * pair->slot];
	if (prepare_way(pair, FLOW_UP) < 0 || prepare_way(pair, FLOW_DOWN) < 0)
		return SPLICE_REASON_KERNEL;
	return SPLICE_REASON_NONE;
}

/* What had arrived before is looked at by the program only when more comes, or somebody reads. */
static int add_socket(struct sockmap_pair *pair, enum flow_direction way)
{
	uint64_t fd = (uint64_t)pair->fds[way];
	char byte;

	if (bpf_map_update_elem(pair->sockmap->sockets_fd, &pair->cookies[way], &fd, BPF_NOEXIST) <
	    0)
		return -errno;
	(void)recv(pair->fds[way], &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);
	return 0;
}

/*
 * A socket that was taken out again would lose what the program had passed meanwhile: the one that
 * could be added stays.
 */
static int add_sockets(struct sockmap_pair *pair, enum splice_reason *ret_reason)
{
	int err = add_socket(pair, FLOW_UP);

	if (err)
		return err;
	*ret_reason = add_socket(pair, FLOW_DOWN) < 0 ? SPLICE_REASON_KERNEL : SPLICE_REASON_NONE;
	return 0;
}

static int join(struct sockmap_pair *pair, enum splice_reason *ret_reason)
{
	int err = read_socket(pair, FLOW_UP);

	if (!err)
		err = read_socket(pair, FLOW_DOWN);
	if (err)
		return err;
	*ret_reason = prepare(pair);
	if (*ret_reason != SPLICE_REASON_NONE)
		return -ENOTSUP;
	return add_sockets(pair, ret_reason);
}

int sockmap_join(struct sockmap *sockmap, int client_fd, int backend_fd, struct sockmap_pair **ret,
		 enum splice_reason *ret_reason)
{
	enum splice_reason reason = judge(client_fd);
	struct sockmap_pair *pair;
	int err;

	if (reason == SPLICE_REASON_NONE)
		reason = judge(backend_fd);
	*ret_reason = reason;
	if (reason != SPLICE_REASON_NONE)
		return -ENOTSUP;
	*ret_reason = SPLICE_REASON_KERNEL;
	pair = calloc(1, sizeof(*pair));
	if (!pair)
		return -ENOTSUP;
	*pair = (struct sockmap_pair){.sockmap = sockmap, .fds = {client_fd, backend_fd}};
	err = join(pair, ret_reason);
	if (err) {
		sockmap_pair_close(pair);
		return err == -EAGAIN ? -EAGAIN : -ENOTSUP;
	}
	*ret = pair;
	return 0;
}

void sockmap_pair_close(struct sockmap_pair *pair)
{
	if (!pair)
		return;
	for (uint32_t i = 0; i < pair->nsources; i++)
		(void)bpf_map_delete_elem(pair->sockmap->sources_fd, &pair->cookies[i]);
	if (pair->ways)
		slots_give(pair->sockmap->slots, clock_monotonic_ms(), pair->slot);
	free(pair);
}

/* --- Ways ---------------------------------------------------------------------------------------
 */

bool sockmap_open(struct sockmap_pair *pair, enum flow_direction way, uint64_t relayed)
{
	__u64 gate = SOCKMAP_PASS | relayed;

	pair->ways[way].is_opened = 1;
	return __atomic_compare_exchange_n(&pair->ways[way].gate, &gate, relayed, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

uint64_t sockmap_passed(const struct sockmap_pair *pair, enum flow_direction way)
{
	return __atomic_load_n(&pair->ways[way].gate, __ATOMIC_ACQUIRE) & ~SOCKMAP_PASS;
}

/* The program runs under its socket's lock, which asking for TCP_INFO takes: it has done then with
 * what it began under the open gate. */
void sockmap_pass(struct sockmap_pair *pair, enum flow_direction way)
{
	struct tcp_info info;

	__atomic_fetch_or(&pair->ways[way].gate, SOCKMAP_PASS, __ATOMIC_ACQ_REL);
	(void)read_info(pair->fds[way], &info);
}

bool sockmap_is_drained(const struct sockmap_pair *pair, enum flow_direction way, uint64_t relayed)
{
	struct tcp_info info;
	uint64_t taken = 0;

	if (read_taken_at_least(pair->fds[opposite(way)], &info, &taken) < 0 ||
	    info.tcpi_state == STATE_CLOSE)
		return true; /* it will never take more: writing tells why */
	return taken == pair->taken[way] + relayed + pair->ways[way].redirected;
}

void sockmap_traffic(const struct sockmap_pair *pair, enum flow_direction way,
		     struct sockmap_traffic *ret)
{
	const struct sockmap_way *shared = &pair->ways[way];

	*ret = (struct sockmap_traffic){
		.bytes = __atomic_load_n(&shared->redirected, __ATOMIC_RELAXED),
		.first_ns = __atomic_load_n(&shared->first_ns, __ATOMIC_RELAXED),
		.last_ns = __atomic_load_n(&shared->last_ns, __ATOMIC_RELAXED),
		.is_broken = __atomic_load_n(&shared->is_broken, __ATOMIC_RELAXED),
	};
}
