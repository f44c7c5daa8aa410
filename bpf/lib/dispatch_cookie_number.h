/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_COOKIE_NUMBER_H
#define SLUICE_BPF_DISPATCH_COOKIE_NUMBER_H

/*
 * What a SYN cookie says: the number that answers a SYN of a service, made and read again, and the
 * client's options in it. abi/dispatch.h has its bits.
 */
#include "lib/dispatch_service.h"
#include "lib/handshake.h"
#include "lib/siphash.h"

/* Said to clients that scale their windows, whatever the endpoint's scale will be: that of most. */
#define COOKIE_SCALE 7

#define COOKIE_HASH_MASK    ((1u << DISPATCH_COOKIE_HASH_BITS) - 1)
#define COOKIE_EPOCH_SHIFT  31
#define COOKIE_OPTIONS_MASK 31

/* --- Options ---------------------------------------------------------------------------------- */

/* Tables are numbers: of an array clang makes a section that libbpf 1.1 cannot load. Sizes that are
 * met with (as the kernel's net/ipv4/syncookies.c has them, and net/ipv6's): the largest that is
 * not above the client's. */
#define COOKIE_SIZES4 (536 | 1300 << 16 | 1440ULL << 32 | 1460ULL << 48)
#define COOKIE_SIZES6 (1220 | 1420 << 16 | 1440ULL << 32 | 8940ULL << 48)

static __always_inline __u16 cookie_mss(bool is_ipv6, __u32 code)
{
	return (__u16)((is_ipv6 ? COOKIE_SIZES6 : COOKIE_SIZES4) >> 16 * (code & 3));
}

/* Scales likewise: a client that is taken to have a smaller one is sent less at a time. Codes 0
 * and 1: none; without SACK, and with it. */
#define COOKIE_SCALES (4 << 12 | 6 << 16 | 7 << 20 | 8 << 24 | 10u << 28)

static __always_inline __u8 cookie_scale(__u32 code)
{
	return COOKIE_SCALES >> 4 * (code & 7) & 15;
}

#define COOKIE_CODE_SACK  1
#define COOKIE_CODE_SCALE 2 /* the first of those with a scale, and SACK */
#define COOKIE_CODE_LAST  7

/* Verified by itself: what it goes through would be gone through with all of the rest. After
 * read_syn_options(). */
__noinline int cookie_options_of(struct packet *packet)
{
	__u32 mss, size = 0, code;

	if (!packet)
		return 0;
	mss = packet->syn_mss;
	code = packet->syn_has_sack ? COOKIE_CODE_SACK : 0;
#pragma unroll
	for (__u32 i = 1; i < 4; i++)
		if (cookie_mss(packet->is_ipv6, i) <= mss)
			size = i;
	if (code && packet->syn_scale != SYN_NO_SCALE &&
	    packet->l4_len >= sizeof(struct tcphdr) + SYN_OPTIONS_LEN) {
#pragma unroll
		for (__u32 i = COOKIE_CODE_SCALE; i <= COOKIE_CODE_LAST; i++)
			if (cookie_scale(i) <= packet->syn_scale)
				code = i;
	}
	return (int)(size << 3 | code);
}

static __always_inline bool cookie_has_scale(__u8 options)
{
	return (options & 7) >= COOKIE_CODE_SCALE;
}

/* @scale: what is said of windows to whom the SYN goes. */
static __always_inline struct syn_options cookie_syn_options(bool is_ipv6, __u8 options, __u8 scale)
{
	return (struct syn_options){
		.mss = cookie_mss(is_ipv6, options >> 3),
		.has_sack = options & 7,
		.has_scale = cookie_has_scale(options),
		.scale = scale,
	};
}

/* --- The number ------------------------------------------------------------------------------- */

/* Verified by itself, for its stack. @seq: of the client's SYN. Return: 31 bits; the epoch's is
 * another. */
__noinline long cookie_hash(struct packet *packet, __u32 seq, __u32 epoch)
{
	const struct dispatch_settings *settings = dispatch_settings_of();
	const __u64 *address;
	struct siphash s;

	if (!packet || !settings)
		return 0;
	siphash_begin(&s, settings->cookie_keys[epoch % DISPATCH_COOKIE_KEYS].word);
	address = (const __u64 *)packet->key.source;
	siphash_take(&s, address[0]);
	siphash_take(&s, address[1]);
	siphash_take(&s, address[2]);
	siphash_take(&s, address[3]);
	siphash_take(&s, (__u64)packet->key.source_port << 16 | packet->key.destination_port |
				 (__u64)seq << 32);
	siphash_take(&s, epoch);
	return (long)(siphash_end(&s, 6 * sizeof(__u64)) & ((1u << COOKIE_EPOCH_SHIFT) - 1));
}

static __always_inline __u32 cookie_make(struct packet *packet, __u32 epoch, __u8 options)
{
	__u32 hash = (__u32)cookie_hash(packet, bpf_ntohl(packet_tcp(packet)->seq), epoch);

	return epoch << COOKIE_EPOCH_SHIFT | (hash ^ (__u32)options << DISPATCH_COOKIE_HASH_BITS);
}

/* Return: its options; negative: it is none of ours, or too old. */
static __always_inline int cookie_read(struct packet *packet, __u32 cookie, __u32 seq, __u32 now)
{
	__u32 epoch = now - ((cookie >> COOKIE_EPOCH_SHIFT ^ now) & 1);
	__u32 rest = cookie ^ (__u32)cookie_hash(packet, seq, epoch);

	if (rest & COOKIE_HASH_MASK)
		return -1;
	return (int)(rest >> DISPATCH_COOKIE_HASH_BITS & COOKIE_OPTIONS_MASK);
}

#endif
