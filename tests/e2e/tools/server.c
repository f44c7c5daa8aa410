/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The traffic tool's server: does what each connection's request asks for and prints one line of
 * JSON for each that ended, so that a test also knows what the far end saw.
 */
#include "traffic.h"
#include "transfer.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define TICK_MS 5

struct session {
	struct transfer transfer;
	struct request request;
	size_t have;                            /* bytes of the request */
	struct session *next_slow, **slow_link; /* among those that go by the clock */
};

static struct session *slow_sessions;

static void slow_add(struct session *session)
{
	session->next_slow = slow_sessions;
	session->slow_link = &slow_sessions;
	if (slow_sessions)
		slow_sessions->slow_link = &session->next_slow;
	slow_sessions = session;
}

static void slow_remove(struct session *session)
{
	if (!session->slow_link)
		return;
	*session->slow_link = session->next_slow;
	if (session->next_slow)
		session->next_slow->slow_link = session->slow_link;
}

static void report(const struct session *session)
{
	const struct transfer *t = &session->transfer;

	printf("{\"id\": %llu, \"outcome\": \"%s\", \"received\": %llu, \"sent\": %llu}\n",
	       (unsigned long long)session->request.id, outcome_name(t->outcome),
	       (unsigned long long)t->received, (unsigned long long)t->sent);
	fflush(stdout);
}

static void begin(struct session *session)
{
	const struct request *request = &session->request;
	struct transfer *t = &session->transfer;

	if (request->magic != REQUEST_MAGIC) {
		transfer_end(t, OUTCOME_CORRUPT);
		return;
	}
	t->send_seed = ~request->seed;
	t->send_total = request->down;
	t->receive_seed = request->seed;
	t->receive_total = request->up;
	t->read_rate = request->read_rate;
	t->reset_after = request->reset_after;
	t->burst = request->burst;
	t->pause_us = request->pause_us;
	if (request->keepalive_s)
		transfer_keep_alive(t->fd, (int)request->keepalive_s);
	t->waits_for_fin = request->order == CLOSE_CLIENT;
	t->holds = request->order == CLOSE_HOLD;
	t->started_us = now_us();
	if (transfer_is_clocked(t))
		slow_add(session);
}

/* Return: whether the request is complete. */
static bool read_request(struct session *session)
{
	char *into = (char *)&session->request + session->have;
	ssize_t got = recv(session->transfer.fd, into, sizeof(session->request) - session->have, 0);

	if (got < 0 && errno == EAGAIN)
		return false;
	if (got <= 0) {
		transfer_end(&session->transfer, got == 0 ? OUTCOME_SHORT : OUTCOME_RESET);
		return false;
	}
	session->have += (size_t)got;
	if (session->have < sizeof(session->request))
		return false;
	begin(session);
	return true;
}

static void on_event(struct session *session)
{
	bool is_ready = session->have == sizeof(session->request) || read_request(session);

	if (is_ready && session->transfer.outcome == OUTCOME_OPEN)
		transfer_step(&session->transfer);
	if (session->transfer.outcome == OUTCOME_OPEN)
		return;
	report(session);
	slow_remove(session);
	free(session);
}

static void accept_all(int listener, int epoll)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct session *session = calloc(1, sizeof(*session));
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};

		if (!session)
			abort();
		session->transfer.fd = fd;
		session->transfer.epoll = epoll;
		session->transfer.owner = session;
		session->transfer.events = EPOLLIN;
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	}
}

static int open_listener(const char *text)
{
	struct sockaddr_storage address;
	socklen_t len;
	int fd, one = 1;

	if (parse_address(text, &address, &len) < 0)
		return -EINVAL;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 8192) < 0)
		return -errno;
	return fd;
}

static void visit_slow(void)
{
	struct session *next;

	for (struct session *s = slow_sessions; s; s = next) {
		next = s->next_slow;
		on_event(s);
	}
}

int serve(const char *listen_on)
{
	int listener = open_listener(listen_on), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN}, events[256];

	if (listener < 0) {
		fprintf(stderr, "traffic: %s: %s\n", listen_on, strerror(-listener));
		return 1;
	}
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int n = epoll_wait(epoll, events, 256, slow_sessions ? TICK_MS : -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				on_event(events[i].data.ptr);
			else
				accept_all(listener, epoll);
		}
		visit_slow();
	}
}
