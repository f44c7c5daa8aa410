/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_TCP_OPTIONS_H
#define SLUICE_BPF_TCP_OPTIONS_H

/* TCP's options in the copy of a packet's headers, and those among them that we change. A receiver
 * ignores options of a wrong size, and so do we. */
#include "lib/parse.h"

enum tcp_option {
	OPTION_END,
	OPTION_NOP,
	OPTION_MSS,
	OPTION_SCALE,
	OPTION_SACK_PERMITTED,
	OPTION_SACK,
	OPTION_TIMESTAMPS = 8,
};

/* Where the options that we change can begin at most. */
#define TIMESTAMP_LAST      (L4_MAX - 10)
#define SACK_LAST           (L4_MAX - 10)
#define SACK_PERMITTED_LAST (L4_MAX - 2)

typedef void take_option(struct packet *packet, __u32 at, __u32 len);

/*
 * Calls @take with each option: where it is from the transport header's start, and its length.
 * Return: 0; not 0 if one runs over.
 *
 * For functions that are verified by themselves, not inlined; its place is in the packet instead of
 * a register: the verifier (6.1 to 6.18) follows each combination of positions that it can see, to
 * a million instructions and no end. A pointer argument of such a function may be NULL to it.
 */
static __always_inline int walk_options(struct packet *packet, take_option *take)
{
	volatile __u32 *place = &packet->option_at;
	const __u8 *l4 = packet_l4(packet);
	__u32 at, len;

	*place = sizeof(struct tcphdr);
	for (int i = 0; i < L4_MAX - (int)sizeof(struct tcphdr); i++) {
		at = *place;
		if (at >= packet->l4_len || at >= L4_MAX || l4[at] == OPTION_END)
			return 0;
		if (l4[at] == OPTION_NOP) {
			*place = at + 1;
			continue;
		}
		len = l4[at + 1];
		if (len < 2 || at + len > packet->l4_len)
			return -1;
		take(packet, at, len);
		*place = at + len;
	}
	return 0;
}

static __always_inline void take_changed_option(struct packet *packet, __u32 at, __u32 len)
{
	const __u8 *option = packet_l4(packet) + at;

	if (option[0] == OPTION_TIMESTAMPS && len == 10)
		packet->timestamp_at = at;
	else if (option[0] == OPTION_SACK && len % 8 == 2)
		packet->sack_at = at;
	else if (option[0] == OPTION_SACK_PERMITTED && len == 2)
		packet->sack_permitted_at = at;
}

/* Return: 0: ->timestamp_at and the others are set where there is one; not 0 if one runs over. */
__noinline int find_options(struct packet *packet)
{
	return packet ? walk_options(packet, take_changed_option) : -1;
}

/* @at: where find_options() has found it. @last: where it can begin at most. Return: NULL: there is
 * none. The comparisons stay apart for the reason given in load_tcp_headers(). */
static __always_inline __u8 *option_at(struct packet *packet, __u32 at, __u32 last)
{
	if (!at)
		return NULL;
	barrier_var(at);
	return at <= last ? packet_l4(packet) + at : NULL;
}

static __always_inline __u32 read_be32(const __u8 *at)
{
	return (__u32)at[0] << 24 | (__u32)at[1] << 16 | (__u32)at[2] << 8 | at[3];
}

static __always_inline void write_be32(__u8 *at, __u32 number)
{
	at[0] = number >> 24;
	at[1] = number >> 16;
	at[2] = number >> 8;
	at[3] = number;
}

#endif
