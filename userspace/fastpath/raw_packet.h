/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_RAW_PACKET_H
#define SLUICE_FASTPATH_RAW_PACKET_H

/* Packets with headers of our own making, in the name of an address that a connection is known by.
 */
#include "abi/flow.h"
#include "core/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The larger of the network headers. */
#define RAW_IP_MAX 40

bool raw_is_ipv4(const uint8_t ip[16]);

/* RFC 1071: adds 16-bit words in network order; @sum in host order. An odd last byte is left out.
 */
uint32_t raw_sum(uint32_t sum, const uint8_t *bytes, size_t len);
/* The addresses and @protocol and @len of a pseudo-header (RFC 9293 3.1, RFC 8200 8.1). */
uint32_t raw_sum_pseudo(const struct flow_key *key, uint8_t protocol, uint32_t len);
void raw_write_checksum(uint32_t sum, uint8_t *at);

/* An IPv4 or IPv6 header from @key's source to its destination. Return: its length. */
uint32_t raw_write_ip(const struct flow_key *key, uint8_t protocol, uint32_t payload, uint8_t *at);

/* A TCP segment without data. */
struct raw_segment {
	const struct flow_key *key; /* source: whom it seems to come from */
	uint32_t seq, ack;
	uint16_t window;
	uint8_t flags;       /* TH_RST and others of <netinet/tcp.h> */
	uint8_t options_len; /* a multiple of four, 40 at most */
	const uint8_t *options;
};

/* With the IP header in front: RAW_IP_MAX and RAW_TCP_LEN, and the options. Return: its length. */
#define RAW_TCP_LEN 20
uint32_t raw_write_segment(const struct raw_segment *segment, uint8_t *at);

/* Of what goes back. */
struct flow_key raw_turned_round(const struct flow_key *key);

/* IPPROTO_RAW: packets come with their IP header, and none are received (raw(7)). Return: the
 * descriptor; -errno. */
int raw_open(int family);
/* @fd: from raw_open(), of the addresses' family. Return: 0; -errno. */
int raw_send(int fd, const struct flow_key *key, const uint8_t *packet, uint32_t len) WARN_UNUSED;

/* How many were sent lately: who sends many packets needs one answer. Zero is valid. */
struct raw_budget {
	uint64_t since_ms;
	uint32_t nsent;
};

/* Return: whether one more may be sent: a hundred in a tenth of a second. Thread: one for a budget.
 */
bool raw_budget_take(struct raw_budget *budget, uint64_t now_ms);

#endif
