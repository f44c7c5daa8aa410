/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_TOO_BIG_H
#define SLUICE_FASTPATH_TOO_BIG_H

#include "abi/flow.h"
#include "fastpath/raw_packet.h"

#include <stdint.h>

/* IPv6 and ICMPv6, with an IPv6 header and eight bytes of TCP or UDP in it. */
#define TOO_BIG_PACKET_SIZE 96

struct too_big {
	struct flow_key key; /* of the packet, as it arrived */
	uint32_t seq;        /* its number, or of UDP what is in that place; host order */
	uint32_t mtu;        /* that it should have kept to */
	uint8_t protocol;    /* 0: TCP */
};

/* "Fragmentation needed" or "packet too big" to who sent it. Return: the packet's length. */
uint32_t too_big_build(const struct too_big *too_big, uint8_t ret[TOO_BIG_PACKET_SIZE]);

/* @fd: of raw_open(); negative: nothing is sent. Thread: one for a budget. */
void too_big_send(int fd, const struct too_big *too_big, struct raw_budget *budget,
		  uint64_t now_ms);

#endif
