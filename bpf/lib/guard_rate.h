/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_GUARD_RATE_H
#define SLUICE_BPF_GUARD_RATE_H

/* Rates of sources and of the networks that they are in: one table for both. */
#include "lib/guard_look.h"
#include "lib/guard_maps.h"

struct guard_load {
	__u32 now; /* ticks */
	__u32 packets;
	bool is_syn, is_udp;
	__u8 padding[2]; /* none is hidden: all of it is handed to rates_look() */
};

/* Return: the reason, from @first on; GUARD_FINE. */
static __always_inline enum guard_reason rates_take(const struct guard_settings *settings,
						    void *buckets, const struct guard_rate *rates,
						    const __u64 key[2], __u64 seed,
						    const struct guard_load *load,
						    enum guard_reason first)
{
	__u64 hash = guard_hash(key, seed);
	__u32 index = (__u32)hash & settings->bucket_mask;
	struct guard_bucket *bucket = bpf_map_lookup_elem(buckets, &index);
	__u32 place;

	if (!bucket)
		return GUARD_FINE;
	place = guard_bucket_place(bucket, (__u32)(hash >> 32) | 1, load->now);
	if (load->is_syn && rates[GUARD_SYNS].cost &&
	    !guard_rate_take(&rates[GUARD_SYNS], &bucket->full[GUARD_SYNS][place & 3], load->now,
			     load->packets))
		return first + GUARD_SYNS;
	if (load->is_udp && rates[GUARD_UDP].cost &&
	    !guard_rate_take(&rates[GUARD_UDP], &bucket->full[GUARD_UDP][place & 3], load->now,
			     load->packets))
		return first + GUARD_UDP;
	if (!rates[GUARD_PACKETS].cost) {
		bucket->full[GUARD_PACKETS][place & 3] = load->now; /* it was seen */
		return GUARD_FINE;
	}
	return guard_rate_take(&rates[GUARD_PACKETS], &bucket->full[GUARD_PACKETS][place & 3],
			       load->now, load->packets)
		       ? GUARD_FINE
		       : first + GUARD_PACKETS;
}

static __always_inline bool has_rates(const struct guard_rate rates[GUARD_KINDS])
{
	return rates[GUARD_PACKETS].cost | rates[GUARD_SYNS].cost | rates[GUARD_UDP].cost;
}

/* Verified by itself, as is talkers_note(): the verifier of 6.1 follows each way through one of
 * them once for each way through the others, to a million instructions and no end. A pointer
 * argument of such a function may be NULL to it. Return: enum guard_reason; GUARD_FINE. */
__noinline int rates_look(struct guard_view *view, struct guard_load *load)
{
	const struct guard_settings *settings;
	int reason = GUARD_FINE;
	void *buckets;
	__u32 zero = 0;
	__u64 key[2];

	settings = bpf_map_lookup_elem(&guard_settings, &zero);
	buckets = bpf_map_lookup_elem(&guard_sources, &zero);
	if (!settings || !buckets || !view || !load)
		return GUARD_FINE;
	key[0] = view->source[0];
	key[1] = view->is_ipv6 ? 0 : view->source[1];
	if (has_rates(settings->source))
		reason = rates_take(settings, buckets, settings->source, key, settings->seed, load,
				    GUARD_REASON_SOURCE_PACKETS);
	if (reason != GUARD_FINE || !has_rates(settings->prefix))
		return reason;
	/* The /24 of IPv4, the /48 of IPv6. */
	if (view->is_ipv6)
		key[0] &= bpf_cpu_to_be64(0xffffffffffff0000ULL);
	else
		key[1] &= bpf_cpu_to_be64(0xffffffffffffff00ULL);
	return rates_take(settings, buckets, settings->prefix, key, ~settings->seed, load,
			  GUARD_REASON_PREFIX_PACKETS);
}

#endif
