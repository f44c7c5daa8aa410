// SPDX-License-Identifier: Apache-2.0
/*
 * Tells who sends what size fits through, where a packet of a joined pair was too big for the
 * device that it should have left by: no stack forwards it, so none answers. Source: RFC 1191, RFC
 * 8201; RFC 792 and RFC 4443 for the messages.
 */
#include "fastpath/too_big.h"
#include "fastpath/raw_packet.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

/* The message's own header, and what a receiver needs of the packet: ports and number. */
#define MESSAGE_LEN 8
#define QUOTED_TCP  8

_Static_assert(TOO_BIG_PACKET_SIZE == 2 * RAW_IP_MAX + MESSAGE_LEN + QUOTED_TCP, "all of it");

static uint32_t write_quote(const struct too_big *too_big, uint8_t *at)
{
	const struct flow_key *key = &too_big->key;
	uint32_t ip_len = raw_is_ipv4(key->source) ? 20 : RAW_IP_MAX, seq = htonl(too_big->seq);
	/* How long it was is not known, but too long. */
	uint8_t protocol = too_big->protocol ? too_big->protocol : IPPROTO_TCP;
	uint32_t len = raw_write_ip(key, protocol, too_big->mtu + 1 - ip_len, at);

	memcpy(at + len, &key->source_port, 2);
	memcpy(at + len + 2, &key->destination_port, 2);
	memcpy(at + len + 4, &seq, 4);
	return len + QUOTED_TCP;
}

static void write_message(const struct flow_key *back, const struct too_big *too_big, uint32_t len,
			  uint8_t *at)
{
	bool is_ipv4 = raw_is_ipv4(back->source);
	uint32_t mtu = htonl(too_big->mtu), sum = 0;

	at[0] = is_ipv4 ? ICMP_DEST_UNREACH : ICMP6_PACKET_TOO_BIG;
	at[1] = is_ipv4 ? ICMP_FRAG_NEEDED : 0;
	at[2] = at[3] = 0;
	memcpy(at + 4, &mtu, sizeof(mtu)); /* IPv4 has it in the lower half */
	if (!is_ipv4)
		sum = raw_sum_pseudo(back, IPPROTO_ICMPV6, len);
	raw_write_checksum(raw_sum(sum, at, len), at + 2);
}

uint32_t too_big_build(const struct too_big *too_big, uint8_t ret[TOO_BIG_PACKET_SIZE])
{
	const struct flow_key back = raw_turned_round(&too_big->key);
	bool is_ipv4 = raw_is_ipv4(back.source);
	uint32_t ip_len = is_ipv4 ? 20 : RAW_IP_MAX;
	uint32_t len = MESSAGE_LEN + write_quote(too_big, ret + ip_len + MESSAGE_LEN);

	(void)raw_write_ip(&back, is_ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, len, ret);
	write_message(&back, too_big, len, ret + ip_len);
	return ip_len + len;
}

void too_big_send(int fd, const struct too_big *too_big, struct raw_budget *budget, uint64_t now_ms)
{
	const struct flow_key back = raw_turned_round(&too_big->key);
	uint8_t packet[TOO_BIG_PACKET_SIZE];

	if (fd >= 0 && raw_budget_take(budget, now_ms) &&
	    raw_send(fd, &back, packet, too_big_build(too_big, packet)) < 0)
		return; /* its sender tries again, and so do we */
}
