// SPDX-License-Identifier: Apache-2.0
/*
 * Whether the kernel moves bytes through sockets in a sockmap as it should, tried on loopback with
 * a pair of our own. Kernels have differed in each of these: what was queued before a socket was
 * added was left behind, readers of what was passed or of a FIN were not woken, and what a segment
 * repeats was delivered twice.
 *
 *   client ──► near ══ pair ══ far ──► backend
 */
#include "fastpath/fastpath_internal.h"
#include "fastpath/sockmap_internal.h"
#include "core/compiler.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS  1000 /* for what takes microseconds where it works */
#define REPEATED 4    /* bytes of the segment that repeats */

struct probe {
	struct sockmap *sockmap;
	struct sockmap_pair *pair;
	int client, near, far, backend;
	int epoll;
	uint64_t relayed; /* from client to backend, by us */
};

/* --- Sockets ------------------------------------------------------------------------------------
 */

static int connect_pair(int listener, const struct sockaddr_in *address, int *ret_connected,
			int *ret_accepted)
{
	*ret_connected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*ret_connected < 0 ||
	    connect(*ret_connected, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	*ret_accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return *ret_accepted < 0 ? -errno : 0;
}

static int open_sockets(struct probe *probe, int listener)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);
	int err;

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 2) < 0 || getsockname(listener, (struct sockaddr *)&address, &len) < 0)
		return -errno;
	err = connect_pair(listener, &address, &probe->client, &probe->near);
	return err ? err : connect_pair(listener, &address, &probe->far, &probe->backend);
}

static int watch(struct probe *probe)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};

	probe->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (probe->epoll < 0 || epoll_ctl(probe->epoll, EPOLL_CTL_ADD, probe->near, &event) < 0)
		return -errno;
	return 0;
}

static int probe_open(struct probe *probe)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = open_sockets(probe, listener);

	if (listener >= 0)
		close(listener);
	return err ? err : watch(probe);
}

static void close_socket(int fd)
{
	struct linger reset = {.l_onoff = 1};

	if (fd < 0)
		return;
	/* No TIME_WAIT is left behind. */
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static void probe_close(struct probe *probe)
{
	sockmap_pair_close(probe->pair);
	close_socket(probe->near);
	close_socket(probe->far);
	close_socket(probe->client);
	close_socket(probe->backend);
	if (probe->epoll >= 0)
		close(probe->epoll);
}

/* --- What is tried ------------------------------------------------------------------------------
 */

/* An edge since the last call. */
static bool wakes(const struct probe *probe)
{
	struct epoll_event event;

	return epoll_wait(probe->epoll, &event, 1, WAIT_MS) == 1;
}

static void forget_edges(const struct probe *probe)
{
	struct epoll_event event;

	(void)epoll_wait(probe->epoll, &event, 1, 0);
}

static bool says(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

/* These bytes and no others arrive at @fd. */
static bool hears(int fd, const char *text)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	size_t len = strlen(text), have = 0;
	char bytes[16] = {};

	while (have < len && poll(&ready, 1, WAIT_MS) == 1) {
		ssize_t got = recv(fd, bytes + have, sizeof(bytes) - have, MSG_DONTWAIT);

		if (got <= 0)
			return false;
		have += (size_t)got;
	}
	return have == len && !memcmp(bytes, text, len);
}

static bool relays(struct probe *probe, const char *text)
{
	probe->relayed += strlen(text);
	return hears(probe->near, text) && says(probe->far, text) && hears(probe->backend, text);
}

static bool finds_what_was_queued(struct probe *probe)
{
	enum splice_reason reason;

	return says(probe->client, "queued") &&
	       sockmap_join(probe->sockmap, probe->near, probe->far, &probe->pair, &reason) == 0 &&
	       reason == SPLICE_REASON_NONE && relays(probe, "queued");
}

static bool redirects(struct probe *probe)
{
	return sockmap_open(probe->pair, FLOW_UP, probe->relayed) && says(probe->client, "moved") &&
	       hears(probe->backend, "moved") &&
	       sockmap_is_drained(probe->pair, FLOW_UP, probe->relayed);
}

static bool wakes_readers(struct probe *probe)
{
	sockmap_pass(probe->pair, FLOW_UP);
	forget_edges(probe);
	return says(probe->client, "passed") && wakes(probe) && relays(probe, "passed");
}

static bool tells_the_end(struct probe *probe)
{
	char byte;

	forget_edges(probe);
	return shutdown(probe->client, SHUT_WR) == 0 && wakes(probe) &&
	       recv(probe->near, &byte, sizeof(byte), MSG_DONTWAIT) == 0;
}

/* --- A segment that repeats ---------------------------------------------------------------------
 */

struct numbers {
	struct sockaddr_in local, peer;
	struct tcp_repair_window window;
	struct leg leg;
};

static int set(int fd, int option, const void *value, socklen_t len)
{
	return setsockopt(fd, IPPROTO_TCP, option, value, len) < 0 ? -errno : 0;
}

static int set_queue(int fd, int queue, uint32_t seq)
{
	int err = set(fd, TCP_REPAIR_QUEUE, &queue, sizeof(queue));

	return err ? err : set(fd, TCP_QUEUE_SEQ, &seq, sizeof(seq));
}

/* Closed in repair mode, a socket goes without a word. */
static int take_numbers(int fd, struct numbers *ret)
{
	socklen_t local_len = sizeof(ret->local), peer_len = sizeof(ret->peer);
	socklen_t window_len = sizeof(ret->window);
	int err = leg_enter_repair(fd);

	if (err)
		return err;
	if (getsockname(fd, (struct sockaddr *)&ret->local, &local_len) < 0 ||
	    getpeername(fd, (struct sockaddr *)&ret->peer, &peer_len) < 0 ||
	    getsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &ret->window, &window_len) < 0)
		return -errno;
	return leg_read_numbers(fd, &ret->leg);
}

/* The same connection again, but for what it last said. */
static int revive(int fd, const struct numbers *numbers)
{
	int err = leg_enter_repair(fd);

	if (!err)
		err = set_queue(fd, TCP_SEND_QUEUE, numbers->leg.snd_end - REPEATED);
	if (!err)
		err = set_queue(fd, TCP_RECV_QUEUE, numbers->leg.rcv_nxt);
	if (err)
		return err;
	/* In repair mode the port may be anybody's. */
	if (bind(fd, (const struct sockaddr *)&numbers->local, sizeof(numbers->local)) < 0 ||
	    connect(fd, (const struct sockaddr *)&numbers->peer, sizeof(numbers->peer)) < 0)
		return -errno;
	err = set(fd, TCP_REPAIR_WINDOW, &numbers->window, sizeof(numbers->window));
	leg_leave_repair(fd);
	return err;
}

static int forget_last_words(struct probe *probe)
{
	struct numbers numbers = {};
	int err = take_numbers(probe->client, &numbers);

	if (err)
		return err;
	close(probe->client);
	probe->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return probe->client < 0 ? -errno : revive(probe->client, &numbers);
}

/* Once while the way is open, once while it passes and the first is still unread. */
static bool cuts_what_comes_twice(struct probe *probe)
{
	if (!says(probe->client, "1234") || !hears(probe->backend, "1234") ||
	    forget_last_words(probe) < 0 || !says(probe->client, "123456") ||
	    !hears(probe->backend, "56"))
		return false;
	sockmap_pass(probe->pair, FLOW_UP);
	return says(probe->client, "789a") && forget_last_words(probe) == 0 &&
	       says(probe->client, "789abc") && relays(probe, "789abc") &&
	       sockmap_open(probe->pair, FLOW_UP, probe->relayed);
}

/* --- All of it ----------------------------------------------------------------------------------
 */

static const struct {
	bool (*holds)(struct probe *probe);
	const char *otherwise;
} claims[] = {
	{finds_what_was_queued, "the kernel forgets what a socket in a sockmap had queued"},
	{redirects, "the kernel does not redirect between sockets"},
	{cuts_what_comes_twice, "the kernel delivers twice what a segment repeats"},
	{wakes_readers, "the kernel does not wake readers of a socket in a sockmap"},
	{tells_the_end, "the kernel does not tell the end of a socket in a sockmap"},
};

int sockmap_probe(struct sockmap *sockmap, const char **ret_why)
{
	struct probe probe = {sockmap, NULL, -1, -1, -1, -1, -1, 0};
	int err = probe_open(&probe);

	*ret_why = "sockets cannot be tried on loopback";
	for (size_t i = 0; i < ARRAY_SIZE(claims) && !err; i++) {
		*ret_why = claims[i].otherwise;
		err = claims[i].holds(&probe) ? 0 : -ENOTSUP;
	}
	probe_close(&probe);
	return err;
}
