// SPDX-License-Identifier: Apache-2.0
/*
 * A flood from invented sources, bounded in packets and time: flood syn|ack|udp TARGET PORT SECONDS
 * PPS over a raw socket (sources 10.99.0.0/16), in batches. PPS 0: as fast as it goes. Prints how
 * many packets it sent. For namespaces of tests alone: sources outside of them would not be routed.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH       64
#define SECONDS_MAX 30
#define PACKETS_MAX 20000000ull

struct packet {
	struct iphdr ip;
	union {
		struct tcphdr tcp;
		struct udphdr udp;
	};
};

enum kind {
	SYNS,
	ACKS, /* of no connection */
	DATAGRAMS,
};

static uint32_t random_state = 2463534242u;

static uint32_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

static uint16_t checksum(uint32_t sum, const void *bytes, size_t len)
{
	const uint16_t *words = bytes;

	for (size_t i = 0; i < len / 2; i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static size_t fill(struct packet *packet, enum kind kind, in_addr_t target, uint16_t port)
{
	int is_tcp = kind != DATAGRAMS;
	size_t l4 = is_tcp ? sizeof(packet->tcp) : sizeof(packet->udp);
	uint32_t sum;

	memset(packet, 0, sizeof(*packet));
	packet->ip.version = 4;
	packet->ip.ihl = 5;
	packet->ip.ttl = 64;
	packet->ip.protocol = is_tcp ? IPPROTO_TCP : IPPROTO_UDP;
	packet->ip.tot_len = htons((uint16_t)(sizeof(packet->ip) + l4));
	packet->ip.saddr = htonl(0x0a630000u | (next_random() & 0xffff));
	packet->ip.daddr = target;
	sum = htons(packet->ip.protocol) + htons((uint16_t)l4);
	for (int i = 0; i < 2; i++) {
		uint32_t address = i ? packet->ip.daddr : packet->ip.saddr;

		sum += (address & 0xffff) + (address >> 16);
	}
	if (is_tcp) {
		packet->tcp.source = htons((uint16_t)(1024 + next_random() % 60000));
		packet->tcp.dest = htons(port);
		packet->tcp.seq = next_random();
		packet->tcp.doff = 5;
		packet->tcp.syn = kind == SYNS;
		packet->tcp.ack = kind == ACKS;
		packet->tcp.window = htons(1024);
		packet->tcp.check = checksum(sum, &packet->tcp, l4);
	} else {
		packet->udp.source = htons((uint16_t)(1024 + next_random() % 60000));
		packet->udp.dest = htons(port);
		packet->udp.len = htons((uint16_t)l4);
		packet->udp.check = checksum(sum, &packet->udp, l4);
	}
	return sizeof(packet->ip) + l4;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static unsigned send_batch(int fd, enum kind kind, const struct sockaddr_in *target)
{
	static struct packet packets[BATCH];
	struct mmsghdr messages[BATCH];
	struct iovec iov[BATCH];
	int sent;

	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < BATCH; i++) {
		iov[i].iov_base = &packets[i];
		iov[i].iov_len = fill(&packets[i], kind, target->sin_addr.s_addr,
				      ntohs(target->sin_port));
		messages[i].msg_hdr.msg_iov = &iov[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = (void *)(uintptr_t)target;
		messages[i].msg_hdr.msg_namelen = sizeof(*target);
	}
	sent = sendmmsg(fd, messages, BATCH, 0);
	if (sent < 0 && errno != ENOBUFS && errno != EAGAIN)
		err(1, "sendmmsg");
	return sent > 0 ? (unsigned)sent : 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in target = {.sin_family = AF_INET};
	uint64_t started = now_ns(), sent = 0, seconds, pps;
	enum kind kind = DATAGRAMS;
	int fd;

	if (argc != 6 || inet_pton(AF_INET, argv[2], &target.sin_addr) != 1)
		errx(2, "flood syn|ack|udp TARGET PORT SECONDS PPS");
	if (strcmp(argv[1], "udp") != 0)
		kind = strcmp(argv[1], "syn") == 0 ? SYNS : ACKS;
	target.sin_port = htons((uint16_t)atoi(argv[3]));
	seconds = strtoul(argv[4], NULL, 10);
	pps = strtoul(argv[5], NULL, 10);
	seconds = seconds < SECONDS_MAX ? seconds : SECONDS_MAX;
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0)
		err(1, "raw socket");
	while (now_ns() - started < seconds * 1000000000u && sent < PACKETS_MAX) {
		uint64_t passed_us = (now_ns() - started) / 1000;

		if (pps && sent > pps * passed_us / 1000000)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		else
			sent += send_batch(fd, kind, &target);
	}
	printf("%llu\n", (unsigned long long)sent);
	return 0;
}
