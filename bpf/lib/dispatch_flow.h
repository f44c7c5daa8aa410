/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_FLOW_H
#define SLUICE_BPF_DISPATCH_FLOW_H

/* A packet of a service while dispatch works on it, and the table of flows. */
#include "lib/clock.h"
#include "lib/dispatch_count.h"
#include "lib/dispatch_load.h"
#include "lib/dispatch_place.h"
#include "lib/dispatch_quic.h"

/* What a step says beside enum dispatch_drop. */
#define DISPATCH_FINE       DISPATCH_DROP_COUNT
#define DISPATCH_LEAVES     (DISPATCH_DROP_COUNT + 1) /* nothing of ours: others go on */
#define DISPATCH_LEFT_TO_TC (DISPATCH_DROP_COUNT + 2)
#define DISPATCH_TO_COOKIE  (DISPATCH_DROP_COUNT + 3) /* untouched, for dispatch_cookie() */
#define DISPATCH_GOES_ON    (DISPATCH_DROP_COUNT + 4) /* the next function does, with ->service */

struct dispatch_work {
	const struct dispatch_settings *settings;
	const struct dispatch_virtual *service;
	struct dispatch_line *line;
	struct dispatch_nat *nat; /* NAT: of the flow */
	__u64 hash, now_ns;
	__u32 half, now_s;
	__u32 protocol; /* of the flow: what an error is about */
	__u32 service_index, real_index;
	struct dispatch_load load;
	int action; /* valid with DISPATCH_FINE */
};

/* Said where the packet is not dispatch's: no action of either hook. */
#define DISPATCH_PASSES (-2)
/* The same of DISPATCH_TO_COOKIE. */
#define DISPATCH_COOKIE (-4)
/* The same of one that another function goes on with. */
#define DISPATCH_GO_ON (-5)

/* --- Its way through dispatch ----------------------------------------------------------------- */

/* @packet: a pointer argument of a function that is verified by itself may be NULL. Return: false:
 * the packet passes. */
static __always_inline bool work_begin(frame_context *ctx, const struct packet *packet,
				       struct dispatch_work *work)
{
	work->settings = dispatch_settings_of();
	if (!packet || !work->settings)
		return false;
	work->protocol = packet->protocol;
	work->now_ns = clock_coarse_ns();
	work->now_s = dispatch_seconds(work->now_ns);
	work->load.packets = frame_segments(ctx);
	work->load.bytes = frame_len(ctx);
	return true;
}

/* @packet: ->vip is set. Return: the destination; NULL: the packet passes. */
static __always_inline const struct dispatch_vip *dispatch_begin(frame_context *ctx,
								 const struct packet *packet,
								 struct dispatch_work *work)
{
	__u32 index;

	if (!work_begin(ctx, packet, work))
		return NULL;
	index = packet->vip;
	work->half = index / DISPATCH_VIP_PLACES;
	return bpf_map_lookup_elem(&dispatch_vips, &index);
}

/* Counts. Return: the hook's action, or PASSES. */
static __always_inline int dispatch_end(const struct dispatch_work *work, enum dispatch_drop why)
{
	if (why == DISPATCH_LEAVES)
		return DISPATCH_PASSES;
	if (why == DISPATCH_LEFT_TO_TC)
		return FRAME_PASS;
	if (why == DISPATCH_TO_COOKIE)
		return DISPATCH_COOKIE;
	if (why == DISPATCH_GOES_ON)
		return DISPATCH_GO_ON;
	if (why != DISPATCH_FINE) {
		count_dropped(work->service_index, why, work->load.packets);
		return FRAME_DROP;
	}
	if (work->real_index)
		count_forwarded(work->service_index, work->real_index, &work->load);
	return work->action;
}

/* A service of the flow, or LEAVES. */
static __always_inline enum dispatch_drop find_service(struct dispatch_work *work,
						       const struct dispatch_vip *vip,
						       const struct packet *packet)
{
	const struct dispatch_range *range;

	if (work->protocol != IPPROTO_TCP && work->protocol != IPPROTO_UDP)
		return DISPATCH_LEAVES;
	range = range_find(vip, work->half, work->protocol,
			   bpf_ntohs(packet->key.destination_port));
	if (!range)
		return DISPATCH_LEAVES;
	work->service_index = range->service;
	work->service = service_at(work->half, range->service);
	return work->service ? DISPATCH_FINE : DISPATCH_LEAVES;
}

/* --- The table -------------------------------------------------------------------------------- */

static __always_inline struct dispatch_line *line_of_hash(const struct dispatch_settings *settings,
							  __u64 hash)
{
	__u32 index = (__u32)hash & settings->line_mask;

	return bpf_map_lookup_elem(&dispatch_lines, &index);
}

/* Where the flow's entry is, if it has one. */
static __always_inline bool find_line(struct dispatch_work *work, const struct packet *packet)
{
	work->hash = dispatch_hash_flow(&packet->key, work->protocol, &work->settings->secret);
	work->line = line_of_hash(work->settings, work->hash);
	return work->line;
}

/* Verified by itself, for the stack of who asks. What has been quiet for the longest time gives
 * way. One of NAT may have been in front since. Return: nothing of interest. */
__noinline int line_put(__u64 hash, __u64 entry)
{
	const struct dispatch_settings *settings = dispatch_settings_of();
	struct dispatch_line *line = settings ? line_of_hash(settings, hash) : NULL;
	__u32 quietest = 0, most = 0;

	if (!line)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < DISPATCH_LINE_PLACES; i++) {
		__u64 old = line->entry[i];
		__u32 quiet = dispatch_entry_age(old, dispatch_entry_seconds(entry));

		if (!(old & DISPATCH_ENTRY_NAT))
			quiet += DISPATCH_FRONT_S;
		if (!old)
			quiet = 1u << 17;
		if (quiet > most) {
			most = quiet;
			quietest = i;
		}
	}
	line->entry[quietest & (DISPATCH_LINE_PLACES - 1)] = entry;
	return 0;
}

/* Written once a second, so that a known flow dirties no line. */
static __always_inline void entry_refresh(__u64 *entry, __u32 now_s)
{
	if ((__u16)*entry != (__u16)now_s)
		*entry = (*entry & ~0xffffULL) | (__u16)now_s;
}

static __always_inline bool entry_is_fresh(__u64 entry, const struct dispatch_work *work)
{
	return dispatch_entry_age(entry, work->now_s) <= work->service->timeout_s + 1u;
}

/* --- New flows -------------------------------------------------------------------------------- */

/* A flood of new flows shall not push the others out of the table. */
static __always_inline bool may_enter(const struct dispatch_work *work)
{
	__u32 zero = 0, *full;

	if (!work->settings->new_flows.cost)
		return true;
	full = bpf_map_lookup_elem(&dispatch_rates, &zero);
	return full && guard_rate_take(&work->settings->new_flows, full,
				       (__u32)(work->now_ns >> GUARD_TICK_BITS), 1);
}

static __always_inline __u64 ring_hash(const struct dispatch_work *work,
				       const struct packet *packet)
{
	if (work->service->algorithm == DISPATCH_SOURCE)
		return dispatch_hash_address(packet->key.source, &work->settings->ring);
	return dispatch_hash_flow(&packet->key, work->protocol, &work->settings->ring);
}

/* Which of the service's rings is the client's. */
static __always_inline __u32 ring_of(const struct dispatch_work *work, const struct packet *packet)
{
	const struct dispatch_virtual *service = work->service;

	if (!service->goes_by_place)
		return 0;
	return (__u32)ring_of_place(packet, work->half,
				    service->ring_first -
					    work->settings->halves[work->half & 1].nareas);
}

static __always_inline __u32 ring_real(const struct dispatch_work *work,
				       const struct packet *packet)
{
	return ring_pick(work->half, work->service, ring_of(work, packet), ring_hash(work, packet));
}

static __always_inline bool real_is_of(const struct dispatch_real *real,
				       const struct dispatch_work *work)
{
	return real && real->service == work->service_index &&
	       (real->state == DISPATCH_REAL_UP || real->state == DISPATCH_REAL_DRAINING);
}

/* @is_listed: as slot_choose() says. */
static __always_inline __u32 choose_real(frame_context *ctx, const struct dispatch_work *work,
					 struct packet *packet, bool is_listed)
{
	const struct dispatch_virtual *service = work->service;
	__u32 real = 0;

	if (service->server_id_len && packet->protocol == IPPROTO_UDP && !packet->is_fragment)
		real = real_of_connection(ctx, packet, work->service_index, service->server_id_len);
	if (real && real_is_of(real_at(real), work))
		return real;
	return slot_choose(work->half, work->service_index, ring_hash(work, packet), is_listed,
			   ring_of(work, packet));
}

#endif
