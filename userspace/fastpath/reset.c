// SPDX-License-Identifier: Apache-2.0
/*
 * Resets and keep-alive probes in the name of either end. The sockets of a joined pair cannot send
 * them: their sequence numbers are from before the hand-off, and the kernel lets nobody change
 * those of an established connection. An RST is taken without question only if its number is the
 * very next that its receiver expects (RFC 5961, section 3.2), which is the last that the receiver
 * acknowledged.
 */
#include "fastpath/fastpath_internal.h"
#include "fastpath/raw_packet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

#define TIMESTAMPS_SIZE 12

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
	uint32_t len = tcp_len(segment), sum = raw_sum_pseudo(key, IPPROTO_TCP, len);
	struct tcphdr tcp = {
		.source = key->source_port,
		.dest = key->destination_port,
		.seq = htonl(segment->seq),
		.ack_seq = htonl(segment->ack),
		.doff = (len / 4) & 15,
		.rst = segment->is_reset,
		.ack = 1,
	};

	memcpy(at, &tcp, sizeof(tcp));
	if (segment->has_timestamps)
		write_timestamps(segment, at + sizeof(tcp));
	raw_write_checksum(raw_sum(sum, at, len), at + offsetof(struct tcphdr, check));
}

static uint32_t build(const struct segment *segment, uint8_t *ret)
{
	uint32_t payload = tcp_len(segment);
	uint32_t len = raw_write_ip(segment->key, IPPROTO_TCP, payload, ret);

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

int reset_send(int fd, const struct flow_key *key, uint32_t seq, uint32_t ack)
{
	uint8_t packet[RESET_PACKET_SIZE];

	return raw_send(fd, key, packet, reset_build(key, seq, ack, packet));
}

int keepalive_send(int fd, const struct keepalive *keepalive)
{
	uint8_t packet[KEEPALIVE_PACKET_SIZE];

	return raw_send(fd, &keepalive->key, packet, keepalive_build(keepalive, packet));
}
