/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The traffic tool's client: keeps a number of connections going, each a checked transfer both
 * ways, and prints one JSON object with how they ended.
 */
#include "pattern.h"
#include "traffic.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define TICK_MS 5

struct link {
	struct transfer transfer;
	struct request request;
	size_t asked; /* bytes of the request that are sent */
	bool is_used, is_counted;
};

struct client {
	const struct plan *plan;
	struct link *links;
	size_t nlinks;
	int epoll;
	uint64_t started, ended, idle; /* idle: complete, and held open */
	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t sent, received;
	uint64_t to_abort, to_be_reset; /* connections that shall end so */
	uint64_t begun_us;
	bool is_winding_up, has_said_holding;
	char odd[256]; /* of the first connection that ended as it should not */
};

static bool is_odd(const struct link *link)
{
	enum outcome outcome = link->transfer.outcome;

	if (outcome == OUTCOME_RESET)
		return !link->request.reset_after;
	return outcome != OUTCOME_OK && outcome != OUTCOME_ABORTED;
}

static void note_odd(struct client *client, const struct link *link)
{
	const struct request *r = &link->request;
	const struct transfer *t = &link->transfer;

	snprintf(client->odd, sizeof(client->odd),
		 "%llu %s: up %llu of %llu, down %llu of %llu, order %u, resets %llu %llu",
		 (unsigned long long)r->id, outcome_name(t->outcome), (unsigned long long)t->sent,
		 (unsigned long long)r->up, (unsigned long long)t->received,
		 (unsigned long long)r->down, r->order, (unsigned long long)t->reset_after,
		 (unsigned long long)r->reset_after);
}

static void account(struct client *client, struct link *link)
{
	client->ended++;
	client->outcomes[link->transfer.outcome]++;
	client->sent += link->transfer.sent;
	client->received += link->transfer.received;
	if (is_odd(link) && !client->odd[0])
		note_odd(client, link);
	if (link->is_counted)
		client->idle--;
	link->is_used = false;
}

/* Of all magnitudes up to @most. */
static uint64_t any_size(uint64_t random, uint64_t most)
{
	return (random >> 8) % ((most >> random % 16) + 1);
}

/* Return: where a connection of so many bytes is reset; 0: not at all, as 15 of 16. */
static uint64_t any_reset(uint64_t random, uint64_t bytes)
{
	return random % 16 || !bytes ? 0 : 1 + (random >> 8) % bytes;
}

/* Makes of a connection one of many kinds. */
static void mix(struct client *client, struct link *link)
{
	struct request *request = &link->request;
	uint64_t random[8], bytes;

	for (size_t i = 0; i < 8; i++)
		random[i] = pattern_word(request->seed, i);
	request->order = random[0] % 3; /* all but CLOSE_HOLD */
	request->up = any_size(random[1], request->up);
	request->down = any_size(random[2], request->down);
	bytes = request->up + request->down;
	link->transfer.reset_after = any_reset(random[3], bytes);
	if (!link->transfer.reset_after)
		request->reset_after = any_reset(random[4], bytes);
	if (random[5] % 4) {
		request->burst = 1 + bytes / (1 + random[6] % 24); /* at most so many pauses */
		request->pause_us = 500 + random[7] % 40000;
	}
	request->keepalive_s = 2;
	client->to_abort += link->transfer.reset_after != 0;
	client->to_be_reset += request->reset_after != 0;
}

static void fill_request(struct client *client, struct link *link)
{
	const struct plan *plan = client->plan;
	struct request *request = &link->request;

	*request = (struct request){
		.magic = REQUEST_MAGIC,
		.order = plan->order,
		.id = client->started,
		.seed = plan->seed + client->started * 0x100000001b3u,
		.up = plan->up,
		.down = plan->down,
		.read_rate = plan->peer_read_rate,
		.reset_after = plan->peer_reset_after,
	};
	link->transfer.reset_after = plan->reset_after;
	if (plan->mixed)
		mix(client, link);
	link->transfer = (struct transfer){
		.epoll = client->epoll,
		.owner = link,
		.events = EPOLLIN | EPOLLOUT,
		.send_seed = request->seed,
		.send_total = request->up,
		.receive_seed = ~request->seed,
		.receive_total = request->down,
		.read_rate = plan->read_rate,
		.reset_after = link->transfer.reset_after,
		.burst = request->burst,
		.pause_us = request->pause_us,
		.waits_for_fin = request->order == CLOSE_SERVER,
		.holds = request->order == CLOSE_HOLD,
		.started_us = now_us(),
	};
}

static int connect_link(const struct plan *plan, int *ret)
{
	int one = 1,
	    fd = socket(plan->target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	*ret = fd;
	if (plan->source_len) {
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		if (bind(fd, (const struct sockaddr *)&plan->source, plan->source_len) < 0)
			return -errno;
	}
	if (connect(fd, (const struct sockaddr *)&plan->target, plan->target_len) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	return 0;
}

static void start_link(struct client *client, struct link *link)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = link};
	int fd = -1, error = connect_link(client->plan, &fd);

	*link = (struct link){.is_used = true};
	fill_request(client, link);
	link->transfer.fd = fd;
	client->started++;
	if (error < 0) {
		transfer_end(&link->transfer,
			     error == -ECONNREFUSED ? OUTCOME_REFUSED : OUTCOME_FAILED);
		account(client, link);
		return;
	}
	if (link->request.keepalive_s)
		transfer_keep_alive(fd, (int)link->request.keepalive_s);
	epoll_ctl(client->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Return: whether the request is out. */
static bool send_request(struct link *link)
{
	const char *from = (const char *)&link->request + link->asked;
	ssize_t put = send(link->transfer.fd, from, sizeof(link->request) - link->asked,
			   MSG_NOSIGNAL);

	if (put < 0 && (errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS))
		return false;
	if (put < 0) {
		transfer_end(&link->transfer, errno == ECONNREFUSED ? OUTCOME_REFUSED
					      : errno == ETIMEDOUT  ? OUTCOME_TIMEOUT
								    : OUTCOME_RESET);
		return false;
	}
	link->asked += (size_t)put;
	return link->asked == sizeof(link->request);
}

static void on_event(struct client *client, struct link *link)
{
	struct transfer *t = &link->transfer;

	if (!link->is_used)
		return;
	if (link->asked == sizeof(link->request) || send_request(link)) {
		if (t->outcome == OUTCOME_OPEN)
			transfer_step(t);
	}
	if (t->outcome != OUTCOME_OPEN) {
		account(client, link);
	} else if (t->holds && !link->is_counted && transfer_is_complete(t)) {
		link->is_counted = true;
		client->idle++;
	}
}

static bool may_start(const struct client *client)
{
	return !client->is_winding_up && client->started < client->plan->connections;
}

static void fill_links(struct client *client)
{
	for (size_t i = 0; i < client->nlinks && may_start(client); i++) {
		if (!client->links[i].is_used)
			start_link(client, &client->links[i]);
	}
}

/* What goes by the clock: epoll does not watch those. */
static void visit_slow(struct client *client)
{
	for (size_t i = 0; i < client->nlinks; i++)
		if (transfer_is_clocked(&client->links[i].transfer))
			on_event(client, &client->links[i]);
}

static void let_go(struct client *client)
{
	client->is_winding_up = true;
	for (size_t i = 0; i < client->nlinks; i++) {
		client->links[i].transfer.holds = false;
		on_event(client, &client->links[i]);
	}
}

/* Says once, on a line of its own, that all connections are up and idle. */
static void say_holding(struct client *client)
{
	if (client->has_said_holding || client->idle < client->plan->connections)
		return;
	client->has_said_holding = true;
	printf("holding %llu\n", (unsigned long long)client->idle);
	fflush(stdout);
}

static bool input_ended(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	char byte;

	return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

static void time_out(struct client *client)
{
	for (size_t i = 0; i < client->nlinks; i++) {
		if (!client->links[i].is_used)
			continue;
		transfer_end(&client->links[i].transfer, OUTCOME_TIMEOUT);
		account(client, &client->links[i]);
	}
}

static int report(const struct client *client)
{
	uint64_t us = now_us() - client->begun_us;
	uint64_t good = client->outcomes[OUTCOME_OK];

	printf("{\"connections\": %llu, \"sent\": %llu, \"received\": %llu, \"seconds\": %.6f",
	       (unsigned long long)client->started, (unsigned long long)client->sent,
	       (unsigned long long)client->received, (double)us / 1e6);
	for (int o = OUTCOME_OK; o < OUTCOME_COUNT; o++)
		printf(", \"%s\": %llu", outcome_name((enum outcome)o),
		       (unsigned long long)client->outcomes[o]);
	printf(", \"to_abort\": %llu, \"to_be_reset\": %llu, \"odd\": \"%s\"}\n",
	       (unsigned long long)client->to_abort, (unsigned long long)client->to_be_reset,
	       client->odd);
	return good == client->started ? 0 : 1;
}

static bool is_over(const struct client *client)
{
	return client->ended == client->started && !may_start(client);
}

static void run(struct client *client)
{
	const struct plan *plan = client->plan;
	bool until_told = plan->order == CLOSE_HOLD || plan->connections == UINT64_MAX;
	uint64_t deadline_us = client->begun_us + plan->timeout_ms * 1000;
	struct epoll_event events[256];

	while (!is_over(client)) {
		int n;

		fill_links(client);
		n = epoll_wait(client->epoll, events, 256, TICK_MS);
		for (int i = 0; i < n; i++)
			on_event(client, events[i].data.ptr);
		visit_slow(client);
		if (plan->order == CLOSE_HOLD)
			say_holding(client);
		if (until_told && !client->is_winding_up && input_ended())
			let_go(client);
		if (now_us() > deadline_us) {
			client->is_winding_up = true;
			time_out(client);
		}
	}
}

int run_client(const struct plan *plan)
{
	struct client client = {.plan = plan, .begun_us = now_us()};
	int status;

	client.nlinks = plan->concurrency < plan->connections ? plan->concurrency
							      : plan->connections;
	client.links = calloc(client.nlinks, sizeof(*client.links));
	client.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!client.links || client.epoll < 0) {
		perror("traffic");
		return 2;
	}
	run(&client);
	status = report(&client);
	close(client.epoll);
	free(client.links);
	return status;
}
