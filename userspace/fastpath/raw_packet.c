// SPDX-License-Identifier: Apache-2.0
/* Network and TCP headers, checksums, and the raw sockets that packets of our own making leave by.
 */
#include "fastpath/raw_packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define BURST    100
#define BURST_MS 100

#define HOP_LIMIT 64

_Static_assert(RAW_TCP_LEN == sizeof(struct tcphdr), "without options");

bool raw_is_ipv4(const uint8_t ip[16])
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)ip);
}

uint32_t raw_sum(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

uint32_t raw_sum_pseudo(const struct flow_key *key, uint8_t protocol, uint32_t len)
{
	size_t skip = raw_is_ipv4(key->source) ? 12 : 0;
	uint32_t sum = raw_sum(protocol + len, key->source + skip, 16 - skip);

	return raw_sum(sum, key->destination + skip, 16 - skip);
}

void raw_write_checksum(uint32_t sum, uint8_t *at)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	at[0] = (uint8_t)(~sum >> 8);
	at[1] = (uint8_t)~sum;
}

static uint32_t write_ipv4(const struct flow_key *key, uint8_t protocol, uint32_t payload,
			   uint8_t *at)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tot_len = htons((uint16_t)(sizeof(ip) + payload)),
		.frag_off = htons(IP_DF),
		.ttl = HOP_LIMIT,
		.protocol = protocol,
	};

	memcpy(&ip.saddr, key->source + 12, 4);
	memcpy(&ip.daddr, key->destination + 12, 4);
	memcpy(at, &ip, sizeof(ip));
	raw_write_checksum(raw_sum(0, at, sizeof(ip)), at + offsetof(struct iphdr, check));
	return sizeof(ip);
}

static uint32_t write_ipv6(const struct flow_key *key, uint8_t protocol, uint32_t payload,
			   uint8_t *at)
{
	struct ip6_hdr ip = {};

	ip.ip6_flow = htonl(6U << 28);
	ip.ip6_plen = htons((uint16_t)payload);
	ip.ip6_nxt = protocol;
	ip.ip6_hlim = HOP_LIMIT;
	memcpy(&ip.ip6_src, key->source, 16);
	memcpy(&ip.ip6_dst, key->destination, 16);
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

uint32_t raw_write_ip(const struct flow_key *key, uint8_t protocol, uint32_t payload, uint8_t *at)
{
	return raw_is_ipv4(key->source) ? write_ipv4(key, protocol, payload, at)
					: write_ipv6(key, protocol, payload, at);
}

static void write_tcp(const struct raw_segment *segment, uint32_t len, uint8_t *at)
{
	const struct flow_key *key = segment->key;
	uint32_t sum = raw_sum_pseudo(key, IPPROTO_TCP, len);
	struct tcphdr tcp = {
		.source = key->source_port,
		.dest = key->destination_port,
		.seq = htonl(segment->seq),
		.ack_seq = htonl(segment->ack),
		.window = htons(segment->window),
	};

	tcp.th_off = (len / 4) & 15;
	tcp.th_flags = segment->flags;
	memcpy(at, &tcp, sizeof(tcp));
	if (segment->options_len)
		memcpy(at + sizeof(tcp), segment->options, segment->options_len);
	raw_write_checksum(raw_sum(sum, at, len), at + offsetof(struct tcphdr, check));
}

uint32_t raw_write_segment(const struct raw_segment *segment, uint8_t *at)
{
	uint32_t payload = RAW_TCP_LEN + segment->options_len;
	uint32_t len = raw_write_ip(segment->key, IPPROTO_TCP, payload, at);

	write_tcp(segment, payload, at + len);
	return len + payload;
}

int raw_open(int family)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);

	return fd < 0 ? -errno : fd;
}

int raw_send(int fd, const struct flow_key *key, const uint8_t *packet, uint32_t len)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	ssize_t sent;

	memcpy(&v4.sin_addr, key->destination + 12, 4);
	memcpy(&v6.sin6_addr, key->destination, 16);
	if (raw_is_ipv4(key->source))
		sent = sendto(fd, packet, len, 0, (struct sockaddr *)&v4, sizeof(v4));
	else
		sent = sendto(fd, packet, len, 0, (struct sockaddr *)&v6, sizeof(v6));
	return sent < 0 ? -errno : 0;
}

struct flow_key raw_turned_round(const struct flow_key *key)
{
	struct flow_key back = {
		.source_port = key->destination_port,
		.destination_port = key->source_port,
	};

	memcpy(back.source, key->destination, sizeof(back.source));
	memcpy(back.destination, key->source, sizeof(back.destination));
	return back;
}

bool raw_budget_take(struct raw_budget *budget, uint64_t now_ms)
{
	if (now_ms - budget->since_ms >= BURST_MS)
		*budget = (struct raw_budget){.since_ms = now_ms};
	return budget->nsent++ < BURST;
}
