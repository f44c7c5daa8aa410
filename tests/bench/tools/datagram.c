/* SPDX-License-Identifier: Apache-2.0 */
/*
 * datagram: questions and answers over UDP. `serve` sends every datagram back from the address that
 * it came to; `ask` keeps one question on the way on each of its sockets, for so many seconds, and
 * prints JSON. A question without an answer for RESEND_NS is asked again, and counts as lost.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S    UINT64_C(1000000000)
#define RESEND_NS   (NS_PER_S / 5)
#define BATCH       64
#define SIZE        64 /* of a question, and of its answer */
#define SOCKETS_MAX 60000

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* --- serve ------------------------------------------------------------------------------------ */

struct slot {
	struct sockaddr_in peer;
	struct iovec piece;
	char bytes[SIZE];
	char control[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

static void prepare(struct slot *slot, struct msghdr *message)
{
	slot->piece = (struct iovec){.iov_base = slot->bytes, .iov_len = sizeof(slot->bytes)};
	*message = (struct msghdr){.msg_name = &slot->peer,
				   .msg_namelen = sizeof(slot->peer),
				   .msg_iov = &slot->piece,
				   .msg_iovlen = 1,
				   .msg_control = slot->control,
				   .msg_controllen = sizeof(slot->control)};
}

/* What was told of the question, its own address among it, holds for the answer; but routes choose
 * the device. */
static void turn(struct slot *slot, struct mmsghdr *message)
{
	struct cmsghdr *told = CMSG_FIRSTHDR(&message->msg_hdr);

	slot->piece.iov_len = message->msg_len;
	if (told && told->cmsg_type == IP_PKTINFO)
		((struct in_pktinfo *)CMSG_DATA(told))->ipi_ifindex = 0;
}

static int open_server(uint16_t port)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1, size = 4 << 20;

	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0 ||
	    bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
		err(1, "port %u", port);
	return fd;
}

static void serve(uint16_t port)
{
	static struct slot slots[BATCH];
	struct mmsghdr messages[BATCH];
	int fd = open_server(port);

	printf("serving\n");
	fflush(stdout);
	for (;;) {
		int count;

		for (int i = 0; i < BATCH; i++)
			prepare(&slots[i], &messages[i].msg_hdr);
		count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
		if (count < 0 && errno != EINTR)
			err(1, "recvmmsg");
		for (int i = 0; i < count; i++)
			turn(&slots[i], &messages[i]);
		if (count > 0)
			(void)sendmmsg(fd, messages, (unsigned)count, 0);
	}
}

/* --- ask -------------------------------------------------------------------------------------- */

struct asker {
	int fd;
	uint64_t asked_ns;
};

struct asking {
	struct asker *askers;
	size_t count;
	int epoll;
	uint64_t answered, lost;
};

/* The round's time will do. */
static void ask(struct asker *asker, uint64_t now)
{
	static const char question[SIZE] = "?";

	asker->asked_ns = now;
	/* An error of the path's is as good as a loss. */
	(void)send(asker->fd, question, sizeof(question), MSG_DONTWAIT);
}

static void open_asker(struct asking *asking, struct asker *asker, const struct sockaddr_in *target)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = asker};

	asker->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (asker->fd < 0 ||
	    connect(asker->fd, (const struct sockaddr *)target, sizeof(*target)) < 0 ||
	    epoll_ctl(asking->epoll, EPOLL_CTL_ADD, asker->fd, &event) < 0)
		err(1, "socket");
}

static void read_answers(struct asking *asking, uint64_t now)
{
	struct epoll_event events[BATCH];
	int count = epoll_wait(asking->epoll, events, BATCH, 50);

	for (int i = 0; i < count; i++) {
		struct asker *asker = events[i].data.ptr;
		char answer[SIZE];

		if (recv(asker->fd, answer, sizeof(answer), 0) != SIZE)
			continue;
		asking->answered++;
		ask(asker, now);
	}
}

static void ask_again(struct asking *asking, uint64_t now)
{
	for (size_t i = 0; i < asking->count; i++) {
		if (now - asking->askers[i].asked_ns < RESEND_NS)
			continue;
		asking->lost++;
		ask(&asking->askers[i], now);
	}
}

static void run(struct asking *asking, uint64_t seconds)
{
	uint64_t begun = now_ns(), now = begun, looked = begun;

	for (size_t i = 0; i < asking->count; i++)
		ask(&asking->askers[i], now);
	while (now - begun < seconds * NS_PER_S) {
		read_answers(asking, now);
		now = now_ns();
		if (now - looked < RESEND_NS / 2)
			continue;
		looked = now;
		ask_again(asking, now);
	}
	printf("{\"rate\": %.1f, \"answered\": %llu, \"lost\": %llu}\n",
	       (double)asking->answered * 1e9 / (double)(now - begun),
	       (unsigned long long)asking->answered, (unsigned long long)asking->lost);
}

static void usage(void)
{
	errx(2, "usage: datagram serve PORT | datagram ask ADDRESS PORT SOCKETS SECONDS");
}

int main(int argc, char **argv)
{
	struct sockaddr_in target = {.sin_family = AF_INET};
	struct asking asking = {.epoll = epoll_create1(EPOLL_CLOEXEC)};

	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve((uint16_t)atoi(argv[2]));
	if (argc != 6 || strcmp(argv[1], "ask") != 0 ||
	    inet_pton(AF_INET, argv[2], &target.sin_addr) != 1)
		usage();
	target.sin_port = htons((uint16_t)atoi(argv[3]));
	asking.count = (size_t)atoi(argv[4]);
	if (asking.count == 0 || asking.count > SOCKETS_MAX)
		usage();
	asking.askers = calloc(asking.count, sizeof(*asking.askers));
	if (!asking.askers || asking.epoll < 0)
		err(1, "memory");
	for (size_t i = 0; i < asking.count; i++)
		open_asker(&asking, &asking.askers[i], &target);
	run(&asking, (uint64_t)atoi(argv[5]));
	return 0;
}
