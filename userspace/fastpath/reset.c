// SPDX-License-Identifier: Apache-2.0
/*
 * Resets and keep-alive probes in the name of either end. The sockets of a joined pair cannot send
 * them: their sequence numbers are from before the hand-off, and the kernel lets nobody change
 * those of an established connection. An RST is taken without question only if its number is the
 * very next that its receiver expects (RFC 5961, section 3.2), which is the last that the receiver
 * acknowledged.
 */
#include "fastpath/fastpath_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define HOP_LIMIT       64
#define TIMESTAMPS_SIZE 12

static bool is_ipv4(const __u8 ip[16])
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)ip);
}

static uint32_t add_words(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

/* RFC 1071. @sum in host order. */
static void write_checksum(uint32_t sum, uint8_t *at)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	at[0] = (uint8_t)(~sum >> 8);
	at[1] = (uint8_t)~sum;
}

struct segment {
	const struct flow_key *key; /* source: whom it seems to come from */
	uint32_t seq, ack;
	bool is_reset, has_timestamps;
	uint32_t tsval, tsecr;
};

/* RFC 7323 appendix A: two NOPs first. */
static void write_timestamps(const struct segment *segment, uint8_t *at)
{
	const uint32_t numbers[2] = {htonl(segment->tsval), htonl(segment->tsecr)};
	const uint8_t head[4] = {1, 1, 8, 2 + sizeof(numbers)};

	memcpy(at, head, sizeof(head));
	memcpy(at + sizeof(head), numbers, sizeof(numbers));
}

static uint32_t tcp_len(const struct segment *segment)
{
	return (uint32_t)sizeof(struct tcphdr) + (segment->has_timestamps ? TIMESTAMPS_SIZE : 0);
}

static void write_tcp(const struct segment *segment, uint8_t *at)
{
	const struct flow_key *key = segment->key;
	size_t skip = is_ipv4(key->source) ? 12 : 0;
	uint32_t len = tcp_len(segment), sum = IPPROTO_TCP + len;
	struct tcphdr tcp = {
		.source = key->source_port,
		.dest = key->destination_port,
		.seq = htonl(segment->seq),
		.ack_seq = htonl(segment->ack),
		.doff = (len / 4) & 15,
		.rst = segment->is_reset,
		.ack = 1,
	};

	sum = add_words(sum, key->source + skip, 16 - skip);
	sum = add_words(sum, key->destination + skip, 16 - skip);
	memcpy(at, &tcp, sizeof(tcp));
	if (segment->has_timestamps)
		write_timestamps(segment, at + sizeof(tcp));
	write_checksum(add_words(sum, at, len), at + offsetof(struct tcphdr, check));
}

static uint32_t write_ipv4(const struct flow_key *key, uint32_t payload, uint8_t *at)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tot_len = htons((uint16_t)(sizeof(ip) + payload)),
		.frag_off = htons(IP_DF),
		.ttl = HOP_LIMIT,
		.protocol = IPPROTO_TCP,
	};

	memcpy(&ip.saddr, key->source + 12, 4);
	memcpy(&ip.daddr, key->destination + 12, 4);
	memcpy(at, &ip, sizeof(ip));
	write_checksum(add_words(0, at, sizeof(ip)), at + offsetof(struct iphdr, check));
	return sizeof(ip);
}

static uint32_t write_ipv6(const struct flow_key *key, uint32_t payload, uint8_t *at)
{
	struct ip6_hdr ip = {};

	ip.ip6_flow = htonl(6U << 28);
	ip.ip6_plen = htons((uint16_t)payload);
	ip.ip6_nxt = IPPROTO_TCP;
	ip.ip6_hlim = HOP_LIMIT;
	memcpy(&ip.ip6_src, key->source, 16);
	memcpy(&ip.ip6_dst, key->destination, 16);
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

static uint32_t build(const struct segment *segment, uint8_t *ret)
{
	uint32_t payload = tcp_len(segment);
	uint32_t len = is_ipv4(segment->key->source) ? write_ipv4(segment->key, payload, ret)
						     : write_ipv6(segment->key, payload, ret);

	write_tcp(segment, ret + len);
	return len + payload;
}

uint32_t reset_build(const struct flow_key *key, uint32_t seq, uint32_t ack,
		     uint8_t ret[RESET_PACKET_SIZE])
{
	const struct segment segment = {.key = key, .seq = seq, .ack = ack, .is_reset = true};

	return build(&segment, ret);
}

uint32_t keepalive_build(const struct keepalive *keepalive, uint8_t ret[KEEPALIVE_PACKET_SIZE])
{
	const struct segment segment = {
		.key = &keepalive->key,
		.seq = keepalive->next_seq - 1,
		.ack = keepalive->ack,
		.has_timestamps = keepalive->has_timestamps,
		.tsval = keepalive->tsval,
		.tsecr = keepalive->tsecr,
	};

	return build(&segment, ret);
}

/* IPPROTO_RAW: packets come with their IP header, and none are received. Source: raw(7). */
int reset_open(int family)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);

	return fd < 0 ? -errno : fd;
}

static int send_packet(int fd, const struct flow_key *key, const uint8_t *packet, uint32_t len)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	ssize_t sent;

	memcpy(&v4.sin_addr, key->destination + 12, 4);
	memcpy(&v6.sin6_addr, key->destination, 16);
	if (is_ipv4(key->source))
		sent = sendto(fd, packet, len, 0, (struct sockaddr *)&v4, sizeof(v4));
	else
		sent = sendto(fd, packet, len, 0, (struct sockaddr *)&v6, sizeof(v6));
	return sent < 0 ? -errno : 0;
}

int reset_send(int fd, const struct flow_key *key, uint32_t seq, uint32_t ack)
{
	uint8_t packet[RESET_PACKET_SIZE];

	return send_packet(fd, key, packet, reset_build(key, seq, ack, packet));
}

int keepalive_send(int fd, const struct keepalive *keepalive)
{
	uint8_t packet[KEEPALIVE_PACKET_SIZE];

	return send_packet(fd, &keepalive->key, packet, keepalive_build(keepalive, packet));
}
