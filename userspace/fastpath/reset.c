// SPDX-License-Identifier: Apache-2.0
/*
 * Resets in the name of either end. The sockets of a joined pair cannot send them: their sequence
 * numbers are from before the hand-off, and the kernel lets nobody change those of an established
 * connection. An RST is taken without question only if its number is the very next that its
 * receiver expects (RFC 5961, section 3.2), which is the last that the receiver acknowledged.
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

#define HOP_LIMIT 64

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

static void write_tcp(const struct flow_key *key, uint32_t seq, uint32_t ack, uint8_t *at)
{
	size_t skip = is_ipv4(key->source) ? 12 : 0;
	struct tcphdr tcp = {
		.source = key->source_port,
		.dest = key->destination_port,
		.seq = htonl(seq),
		.ack_seq = htonl(ack),
		.doff = sizeof(tcp) / 4,
		.rst = 1,
		.ack = 1,
	};
	uint32_t sum = IPPROTO_TCP + sizeof(tcp);

	sum = add_words(sum, key->source + skip, 16 - skip);
	sum = add_words(sum, key->destination + skip, 16 - skip);
	memcpy(at, &tcp, sizeof(tcp));
	write_checksum(add_words(sum, at, sizeof(tcp)), at + offsetof(struct tcphdr, check));
}

static uint32_t write_ipv4(const struct flow_key *key, uint8_t *at)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tot_len = htons(sizeof(ip) + sizeof(struct tcphdr)),
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

static uint32_t write_ipv6(const struct flow_key *key, uint8_t *at)
{
	struct ip6_hdr ip = {};

	ip.ip6_flow = htonl(6U << 28);
	ip.ip6_plen = htons(sizeof(struct tcphdr));
	ip.ip6_nxt = IPPROTO_TCP;
	ip.ip6_hlim = HOP_LIMIT;
	memcpy(&ip.ip6_src, key->source, 16);
	memcpy(&ip.ip6_dst, key->destination, 16);
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

uint32_t reset_build(const struct flow_key *key, uint32_t seq, uint32_t ack,
		     uint8_t ret[RESET_PACKET_SIZE])
{
	uint32_t len = is_ipv4(key->source) ? write_ipv4(key, ret) : write_ipv6(key, ret);

	write_tcp(key, seq, ack, ret + len);
	return len + (uint32_t)sizeof(struct tcphdr);
}

/* IPPROTO_RAW: packets come with their IP header, and none are received. Source: raw(7). */
int reset_open(int family)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);

	return fd < 0 ? -errno : fd;
}

int reset_send(int fd, const struct flow_key *key, uint32_t seq, uint32_t ack)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	uint8_t packet[RESET_PACKET_SIZE];
	uint32_t len = reset_build(key, seq, ack, packet);
	ssize_t sent;

	memcpy(&v4.sin_addr, key->destination + 12, 4);
	memcpy(&v6.sin6_addr, key->destination, 16);
	if (is_ipv4(key->source))
		sent = sendto(fd, packet, len, 0, (struct sockaddr *)&v4, sizeof(v4));
	else
		sent = sendto(fd, packet, len, 0, (struct sockaddr *)&v6, sizeof(v6));
	return sent < 0 ? -errno : 0;
}
