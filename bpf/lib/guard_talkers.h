/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_GUARD_TALKERS_H
#define SLUICE_BPF_GUARD_TALKERS_H

/* The sketch of the heaviest sources: abi/guard.h has the algorithm. */
#include "lib/clock.h"
#include "lib/guard_look.h"
#include "lib/guard_maps.h"

static __always_inline void talker_age(struct guard_talker *talker, __u32 epoch)
{
	__u32 passed = epoch - talker->epoch;

	if (!passed)
		return;
	talker->count = passed > 31 ? 0 : talker->count >> passed;
	talker->dropped = passed > 31 ? 0 : talker->dropped >> passed;
	talker->epoch = epoch;
}

static __always_inline void talker_note(__u32 slot, const __u64 key[2], __u32 epoch,
					bool is_dropped)
{
	struct guard_talker *talker = bpf_map_lookup_elem(&guard_talkers, &slot);
	__u64 *source;

	if (!talker)
		return;
	source = (__u64 *)talker->source;
	talker_age(talker, epoch);
	if (source[0] != key[0] || source[1] != key[1]) {
		if (talker->count) {
			talker->count--;
			return;
		}
		source[0] = key[0];
		source[1] = key[1];
		talker->dropped = 0;
	}
	talker->count++;
	talker->dropped += is_dropped;
}

/* See rates_look(). Return: 0. */
__noinline int talkers_note(struct guard_view *view, int is_dropped)
{
	const struct guard_settings *settings;
	__u32 zero = 0, epoch;
	__u64 key[2], hash;

	settings = bpf_map_lookup_elem(&guard_settings, &zero);
	if (!settings || !view)
		return 0;
	key[0] = view->source[0];
	key[1] = view->is_ipv6 && view->source[0] ? 0 : view->source[1];
	hash = guard_hash(key, settings->seed);
	epoch = (__u32)(clock_coarse_ns() >> GUARD_TALKER_EPOCH_BITS);
	talker_note((__u32)hash % GUARD_TALKER_SLOTS, key, epoch, is_dropped);
	talker_note(GUARD_TALKER_SLOTS + (__u32)(hash >> 32) % GUARD_TALKER_SLOTS, key, epoch,
		    is_dropped);
	return 0;
}

#endif
