/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves the two streams of one connection: fills what is sent, compares what comes, keeps the close
 * order and the reading speed, and says how it ended.
 */
#include "transfer.h"
#include "pattern.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (256 * 1024)
/* Moves one direction can make before the other gets its turn. */
#define TURNS 4

static char chunk[CHUNK], expected[CHUNK];

static const char *const outcome_names[] = {
#define X(name, text) text,
	OUTCOMES(X)
#undef X
};

const char *outcome_name(enum outcome outcome)
{
	return outcome_names[outcome];
}

uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void transfer_keep_alive(int fd, int seconds)
{
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
}

void transfer_end(struct transfer *transfer, enum outcome outcome)
{
	if (outcome == OUTCOME_ABORTED) {
		struct linger linger = {.l_onoff = 1};

		setsockopt(transfer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	}
	close(transfer->fd);
	transfer->fd = -1;
	transfer->outcome = outcome;
}

/* ENOTCONN is what shutdown() says after a reset. */
static void end_by_errno(struct transfer *transfer)
{
	if (errno == ECONNRESET || errno == EPIPE || errno == ENOTCONN)
		transfer_end(transfer, OUTCOME_RESET);
	else if (errno == ECONNREFUSED)
		transfer_end(transfer, OUTCOME_REFUSED);
	else
		transfer_end(transfer, OUTCOME_FAILED);
}

bool transfer_is_complete(const struct transfer *transfer)
{
	return transfer->sent == transfer->send_total &&
	       transfer->received == transfer->receive_total;
}

static uint64_t until_reset(const struct transfer *transfer)
{
	uint64_t moved = transfer->sent + transfer->received;

	if (transfer->reset_after == 0)
		return UINT64_MAX;
	return moved < transfer->reset_after ? transfer->reset_after - moved : 0;
}

/* How much the reading speed allows now. */
static uint64_t read_allowance(const struct transfer *transfer)
{
	uint64_t due;

	if (transfer->read_rate == 0)
		return CHUNK;
	due = (now_us() - transfer->started_us) * transfer->read_rate / 1000000;
	return due > transfer->received ? due - transfer->received : 0;
}

/* How much may have been sent by now, pauses considered. */
static uint64_t send_allowance(const struct transfer *transfer)
{
	uint64_t due;

	if (transfer->burst == 0)
		return CHUNK;
	due = ((now_us() - transfer->started_us) / transfer->pause_us + 1) * transfer->burst;
	return due > transfer->sent ? due - transfer->sent : 0;
}

bool transfer_is_clocked(const struct transfer *transfer)
{
	return transfer->read_rate || transfer->burst;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Return: whether it may be worth trying again at once. */
static bool receive_some(struct transfer *transfer)
{
	uint64_t want = least(least(CHUNK, read_allowance(transfer)), until_reset(transfer));
	ssize_t got;

	if (transfer->fin_seen || want == 0)
		return false;
	got = recv(transfer->fd, chunk, want, MSG_DONTWAIT);
	if (got < 0) {
		if (errno != EAGAIN)
			end_by_errno(transfer);
		return false;
	}
	if (got == 0) {
		transfer->fin_seen = true;
		if (transfer->received < transfer->receive_total)
			transfer_end(transfer, OUTCOME_SHORT);
		return false;
	}
	pattern_fill(transfer->receive_seed, transfer->received, expected, (size_t)got);
	transfer->received += (uint64_t)got;
	if (transfer->received > transfer->receive_total ||
	    memcmp(chunk, expected, (size_t)got) != 0) {
		transfer_end(transfer, OUTCOME_CORRUPT);
		return false;
	}
	return true;
}

static bool may_send(const struct transfer *transfer)
{
	return !transfer->waits_for_fin || transfer->fin_seen;
}

static bool send_some(struct transfer *transfer)
{
	uint64_t left = least(transfer->send_total - transfer->sent, until_reset(transfer));
	size_t len = (size_t)least(least(CHUNK, send_allowance(transfer)), left);
	ssize_t put;

	if (len == 0 || !may_send(transfer))
		return false;
	pattern_fill(transfer->send_seed, transfer->sent, chunk, len);
	put = send(transfer->fd, chunk, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (put < 0) {
		if (errno != EAGAIN)
			end_by_errno(transfer);
		return false;
	}
	transfer->sent += (uint64_t)put;
	return (size_t)put == len;
}

static void say_fin(struct transfer *transfer)
{
	if (transfer->fin_sent || transfer->sent < transfer->send_total || !may_send(transfer))
		return;
	if (transfer->holds && !transfer->fin_seen)
		return;
	if (shutdown(transfer->fd, SHUT_WR) < 0)
		end_by_errno(transfer);
	else
		transfer->fin_sent = true;
}

static void watch(struct transfer *transfer)
{
	struct epoll_event event = {.data.ptr = transfer->owner};

	/* Who reads slowly or sends in bursts is asked again by the clock, not by epoll. */
	if (!transfer->fin_seen && transfer->read_rate == 0)
		event.events |= EPOLLIN;
	if (transfer->sent < transfer->send_total && may_send(transfer) && !transfer->burst)
		event.events |= EPOLLOUT;
	if (event.events == transfer->events)
		return;
	transfer->events = event.events;
	epoll_ctl(transfer->epoll, EPOLL_CTL_MOD, transfer->fd, &event);
}

bool transfer_step(struct transfer *transfer)
{
	for (int turn = 0; turn < TURNS && transfer->outcome == OUTCOME_OPEN; turn++) {
		bool again = receive_some(transfer);

		if (transfer->outcome == OUTCOME_OPEN)
			again |= send_some(transfer);
		if (!again)
			break;
	}
	if (transfer->outcome == OUTCOME_OPEN && until_reset(transfer) == 0)
		transfer_end(transfer, OUTCOME_ABORTED);
	if (transfer->outcome == OUTCOME_OPEN)
		say_fin(transfer);
	if (transfer->outcome == OUTCOME_OPEN && transfer->fin_sent && transfer->fin_seen)
		transfer_end(transfer, OUTCOME_OK);
	if (transfer->outcome != OUTCOME_OPEN)
		return false;
	watch(transfer);
	return true;
}

static int parse_unix(const char *path, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_un *address = (struct sockaddr_un *)ret;

	if (strlen(path) >= sizeof(address->sun_path))
		return -EINVAL;
	address->sun_family = AF_UNIX;
	strcpy(address->sun_path, path);
	*ret_len = sizeof(*address);
	return 0;
}

int parse_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	char host[64] = "";
	unsigned int port = 0;

	memset(ret, 0, sizeof(*ret));
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, ret, ret_len);
	if (sscanf(text, "[%63[^]]]:%u", host, &port) == 2 && port < 65536) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*ret_len = sizeof(*v6);
		return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	if (sscanf(text, "%63[0-9.]:%u", host, &port) == 2 && port < 65536) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		*ret_len = sizeof(*v4);
		return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? 0 : -EINVAL;
	}
	return -EINVAL;
}
