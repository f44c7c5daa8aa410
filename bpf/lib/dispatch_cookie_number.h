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
#define COOKIE_REPEATED     (1 << 5) /* beside options, from cookie_read() */

/* --- Options ---------------------------------------------------------------------------------- */

/* Verified by itself: what it goes through would be gone through with all of the rest. After
 * read_syn_options(). */
__noinline int cookie_options_of(struct packet *packet)
{
	__u32 mss, size = 0, code;

	if (!packet)
		return 0;
	mss = packet->syn_mss;
	code = packet->syn_has_sack ? DISPATCH_COOKIE_CODE_SACK : 0;
#pragma unroll
	for (__u32 i = 1; i < 4; i++)
		if (dispatch_cookie_mss(packet->is_ipv6, i << 3) <= mss)
			size = i;
	if (code && packet->syn_scale != SYN_NO_SCALE &&
	    packet->l4_len >= sizeof(struct tcphdr) + SYN_OPTIONS_LEN) {
#pragma unroll
		for (__u32 i = DISPATCH_COOKIE_CODE_SCALE; i <= DISPATCH_COOKIE_CODE_LAST; i++)
			if (dispatch_cookie_scale(i) <= packet->syn_scale)
				code = i;
	}
	return (int)(size << 3 | code);
}

/* @scale: what is said of windows to whom the SYN goes. */
static __always_inline struct syn_options cookie_syn_options(bool is_ipv6, __u8 options, __u8 scale)
{
	return (struct syn_options){
		.mss = dispatch_cookie_mss(is_ipv6, options),
		.has_sack = dispatch_cookie_has_sack(options),
		.has_scale = dispatch_cookie_has_scale(options),
		.scale = scale,
	};
}

/* --- The number ------------------------------------------------------------------------------- */

/* As far as the number does not depend on the client's. */
static __always_inline void cookie_hash_begin(struct siphash *s, const struct packet *packet,
					      const struct dispatch_settings *settings, __u32 epoch)
{
	const __u64 *address = (const __u64 *)packet->key.source;

	siphash_begin(s, settings->cookie_keys[epoch % DISPATCH_COOKIE_KEYS].word);
	siphash_take(s, address[0]);
	siphash_take(s, address[1]);
	siphash_take(s, address[2]);
	siphash_take(s, address[3]);
}

/* @seq: of the client's SYN. Return: 31 bits; the epoch's is another. */
static __always_inline __u32 cookie_hash_end(struct siphash s, const struct packet *packet,
					     __u32 seq, __u32 epoch)
{
	siphash_take(&s, (__u64)packet->key.source_port << 16 | packet->key.destination_port |
				 (__u64)seq << 32);
	siphash_take(&s, epoch);
	return (__u32)siphash_end(&s, 6 * sizeof(__u64)) & ((1u << COOKIE_EPOCH_SHIFT) - 1);
}

/* Verified by itself, for its stack. @packet: the SYN, with its headers. Return: the cookie. */
__noinline long cookie_make(struct packet *packet, __u32 epoch, __u32 options)
{
	const struct dispatch_settings *settings = dispatch_settings_of();
	struct siphash s;
	__u32 hash;

	if (!packet || !settings)
		return 0;
	cookie_hash_begin(&s, packet, settings, epoch);
	hash = cookie_hash_end(s, packet, bpf_ntohl(packet_tcp(packet)->seq), epoch);
	return epoch << COOKIE_EPOCH_SHIFT | (hash ^ options << DISPATCH_COOKIE_HASH_BITS);
}

static __always_inline bool cookie_is_good(__u32 rest)
{
	return !(rest & COOKIE_HASH_MASK);
}

/*
 * Verified by itself, likewise. @packet: an ACK, with its headers. @now: the epoch.
 * Return: the options of the cookie that it brings; negative: it is none of ours, or too old.
 *
 * The number of the client's SYN is the one before the ACK's; with COOKIE_REPEATED it is the ACK's
 * own: a client that asks for a window with nothing to say repeats what was acknowledged last.
 */
__noinline int cookie_read(struct packet *packet, __u32 now)
{
	const struct dispatch_settings *settings = dispatch_settings_of();
	__u32 cookie, seq, epoch, rest;
	struct siphash s;

	if (!packet || !settings)
		return -1;
	cookie = bpf_ntohl(packet_tcp(packet)->ack_seq) - 1;
	seq = bpf_ntohl(packet_tcp(packet)->seq);
	epoch = now - ((cookie >> COOKIE_EPOCH_SHIFT ^ now) & 1);
	cookie_hash_begin(&s, packet, settings, epoch);
	rest = cookie ^ cookie_hash_end(s, packet, seq - 1, epoch);
	if (cookie_is_good(rest))
		return (int)(rest >> DISPATCH_COOKIE_HASH_BITS & COOKIE_OPTIONS_MASK);
	rest = cookie ^ cookie_hash_end(s, packet, seq, epoch);
	if (packet->payload || !cookie_is_good(rest))
		return -1;
	return (int)(rest >> DISPATCH_COOKIE_HASH_BITS & COOKIE_OPTIONS_MASK) | COOKIE_REPEATED;
}

#endif
