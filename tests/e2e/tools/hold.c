/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold MIN_MS MAX_MS DEVICE...: makes TAP devices that give each frame back after a time of its
 * own, so that frames overtake each other. lib/lines.py leads some of a line's frames through them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX   2048
#define HELD_MAX    8192 /* more are lost, as in any queue */
#define DEVICES_MAX 4

struct frame {
	uint64_t due_us; /* 0: not in use */
	int fd;          /* whence it came, and where it goes */
	size_t len;
	char bytes[FRAME_MAX];
};

static struct frame held[HELD_MAX];
static size_t nheld;

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int bring_up(const char *name)
{
	struct ifreq request = {};
	int sock = socket(AF_INET, SOCK_DGRAM, 0), err;

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	err = ioctl(sock, SIOCGIFFLAGS, &request);
	request.ifr_flags |= IFF_UP;
	if (!err)
		err = ioctl(sock, SIOCSIFFLAGS, &request);
	close(sock);
	return err;
}

static int open_device(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 || bring_up(name) < 0) {
		fprintf(stderr, "hold: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

static struct frame *unused_frame(void)
{
	for (size_t i = 0; i < HELD_MAX; i++)
		if (!held[i].due_us)
			return &held[i];
	return NULL;
}

static void take_all(int fd, uint64_t min_us, uint64_t max_us)
{
	char lost[FRAME_MAX];
	struct frame *frame;
	ssize_t len;

	for (;;) {
		frame = unused_frame();
		len = read(fd, frame ? frame->bytes : lost, FRAME_MAX);
		if (len <= 0)
			return;
		if (!frame)
			continue;
		frame->fd = fd;
		frame->len = (size_t)len;
		frame->due_us = now_us() + min_us + (uint64_t)random() % (max_us - min_us + 1);
		nheld++;
	}
}

static void give_due(void)
{
	uint64_t now = now_us();

	for (size_t i = 0; nheld && i < HELD_MAX; i++) {
		if (!held[i].due_us || held[i].due_us > now)
			continue;
		if (write(held[i].fd, held[i].bytes, held[i].len) < 0 && errno != EAGAIN)
			perror("hold");
		held[i].due_us = 0;
		nheld--;
	}
}

int main(int argc, char **argv)
{
	struct pollfd devices[DEVICES_MAX] = {};
	nfds_t ndevices = argc > 3 ? (nfds_t)argc - 3 : 0;
	uint64_t min_us, max_us;

	if (!ndevices || ndevices > DEVICES_MAX) {
		fprintf(stderr, "usage: hold MIN_MS MAX_MS DEVICE...\n");
		return 2;
	}
	min_us = strtoull(argv[1], NULL, 10) * 1000;
	max_us = strtoull(argv[2], NULL, 10) * 1000;
	for (nfds_t i = 0; i < ndevices; i++)
		devices[i] = (struct pollfd){.fd = open_device(argv[3 + i]), .events = POLLIN};
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		poll(devices, ndevices, nheld ? 1 : -1);
		for (nfds_t i = 0; i < ndevices; i++)
			take_all(devices[i].fd, min_us, max_us);
		give_due();
	}
}
