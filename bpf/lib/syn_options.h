/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_SYN_OPTIONS_H
#define SLUICE_BPF_SYN_OPTIONS_H

/* Options that only a SYN has, in the copy of a packet's headers: read, and written. */
#include "lib/tcp_options.h"

#define SCALE_MAX    14 /* RFC 7323 section 2.3 */
#define SYN_NO_SCALE 15

static __always_inline void take_syn_option(struct packet *packet, __u32 at, __u32 len)
{
	const __u8 *option = packet_l4(packet) + at;

	if (option[0] == OPTION_MSS && len == 4)
		packet->syn_mss = (__u32)option[2] << 8 | option[3];
	else if (option[0] == OPTION_SCALE && len == 3)
		packet->syn_scale = option[2] < SCALE_MAX ? option[2] : SCALE_MAX;
	else if (option[0] == OPTION_SACK_PERMITTED && len == 2)
		packet->syn_has_sack = 1;
}

/* Return: 0: ->syn_mss and the others are set, or say that there is none; not 0 if one runs over.
 */
__noinline int read_syn_options(struct packet *packet)
{
	if (!packet)
		return -1;
	packet->syn_mss = 0;
	packet->syn_scale = SYN_NO_SCALE;
	packet->syn_has_sack = 0;
	return walk_options(packet, take_syn_option);
}

/* Options of a SYN as far as there is room: for the first 4 bytes, for all 12. */
struct syn_options {
	__u16 mss; /* 0: none of all */
	bool has_sack, has_scale;
	__u8 scale;
};

#define SYN_OPTIONS_LEN 12

static __always_inline void put_syn_options(__u8 *l4, __u32 l4_len,
					    const struct syn_options *options)
{
	__u8 *at = l4 + sizeof(struct tcphdr);

	if (!options->mss || l4_len < sizeof(struct tcphdr) + 4)
		return;
	at[0] = OPTION_MSS;
	at[1] = 4;
	at[2] = options->mss >> 8;
	at[3] = (__u8)options->mss;
	if (l4_len < sizeof(struct tcphdr) + SYN_OPTIONS_LEN)
		return;
	if (options->has_sack) {
		at[4] = OPTION_SACK_PERMITTED;
		at[5] = 2;
	}
	if (options->has_scale) {
		at[7] = OPTION_SCALE;
		at[8] = 3;
		at[9] = options->scale;
	}
}

#endif
