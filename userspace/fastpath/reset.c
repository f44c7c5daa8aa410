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
#include <netinet/tcp.h>
#include <string.h>

#define TIMESTAMPS_SIZE 12

/* RFC 7323 appendix A: two NOPs first. */
static void write_timestamps(const struct keepalive *keepalive, uint8_t at[TIMESTAMPS_SIZE])
{
	const uint32_t numbers[2] = {htonl(keepalive->tsval), htonl(keepalive->tsecr)};
	const uint8_t head[4] = {1, 1, 8, 2 + sizeof(numbers)};

	memcpy(at, head, sizeof(head));
	memcpy(at + sizeof(head), numbers, sizeof(numbers));
}

uint32_t reset_build(const struct flow_key *key, uint32_t seq, uint32_t ack,
		     uint8_t ret[RESET_PACKET_SIZE])
{
	const struct raw_segment segment = {
		.key = key, .seq = seq, .ack = ack, .flags = TH_RST | TH_ACK};

	return raw_write_segment(&segment, ret);
}

uint32_t keepalive_build(const struct keepalive *keepalive, uint8_t ret[KEEPALIVE_PACKET_SIZE])
{
	uint8_t timestamps[TIMESTAMPS_SIZE];
	const struct raw_segment segment = {
		.key = &keepalive->key,
		.seq = keepalive->next_seq - 1,
		.ack = keepalive->ack,
		.flags = TH_ACK,
		.options = timestamps,
		.options_len = keepalive->has_timestamps ? TIMESTAMPS_SIZE : 0,
	};

	write_timestamps(keepalive, timestamps);
	return raw_write_segment(&segment, ret);
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
