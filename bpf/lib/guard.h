/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_GUARD_H
#define SLUICE_BPF_GUARD_H

/*
 * The guard at either hook, behind parse.h and before anybody works for a packet: what is wrong
 * with it, what the lists say of its source, and whether it keeps its rates.
 */
#include "lib/clock.h"
#include "lib/guard_capture.h"
#include "lib/guard_cookie.h"
#include "lib/guard_list.h"
#include "lib/guard_rate.h"
#include "lib/guard_service.h"
#include "lib/guard_talkers.h"

/* Who answers a SYN by a cookie. */
enum guard_cookie {
	COOKIE_OF_NOBODY,
	COOKIE_OF_KERNEL,
	COOKIE_OF_DISPATCH,
};

enum guard_action {
	GUARD_PASSES,
	GUARD_DROPS,
	GUARD_ANSWERS, /* passes, if guard_answer() has no answer to this SYN */
	GUARD_ASKS,    /* passes; dispatch shall answer this SYN with a cookie */
};

static __always_inline struct guard_count *guard_count(__u32 index, __u32 packets, __u32 bytes)
{
	struct guard_count *count = bpf_map_lookup_elem(&guard_counts, &index);

	if (!count)
		return NULL;
	count->packets += packets;
	count->bytes += bytes;
	return count;
}

/* Whatever comes in through lo is from this machine, and may well be from 127.0.0.1. */
static __always_inline bool is_defect_real(frame_context *ctx, enum guard_reason defect)
{
	if (defect != GUARD_REASON_MARTIAN && defect != GUARD_REASON_LAND)
		return true;
	return !frame_is_loopback(ctx);
}

static __always_inline bool is_amplified(const struct guard_settings *settings,
					 const struct guard_view *view)
{
	__u32 port = bpf_ntohs(view->source_port);
	const struct guard_port *entry;

	if (!(settings->flags & GUARD_HAS_PORTS) || !view->has_ports ||
	    view->protocol != IPPROTO_UDP)
		return false;
	entry = bpf_map_lookup_elem(&guard_ports, &port);
	return entry && entry->flags & GUARD_PORT_AMPLIFIES;
}

/* What holds for every packet, whoever it is for. */
static __always_inline enum guard_reason judge_source(frame_context *ctx,
						      const struct guard_settings *settings,
						      struct guard_view *view, bool *ret_is_allowed)
{
	int why;

	if (view->defect != GUARD_FINE && settings->flags & GUARD_HAS_MALFORMED &&
	    is_defect_real(ctx, view->defect))
		return view->defect;
	why = list_look(view);
	if (why == GUARD_WHY_ALLOW) {
		*ret_is_allowed = true;
		return GUARD_FINE;
	}
	if (why)
		return why == GUARD_WHY_BLOCK ? GUARD_REASON_BLOCKED : GUARD_REASON_GEO;
	if (settings->flags & GUARD_HAS_BANS && is_banned(view))
		return GUARD_REASON_BANNED;
	return is_amplified(settings, view) ? GUARD_REASON_AMPLIFICATION : GUARD_FINE;
}

/* UDP that is for nobody of ours, and no answer to this machine either. */
static __always_inline bool is_stray(const struct guard_settings *settings,
				     const struct guard_view *view)
{
	__u32 port = bpf_ntohs(view->destination_port);
	const struct guard_port *entry;

	if (!(settings->flags & GUARD_HAS_ALL_UDP) || !view->has_ports ||
	    view->protocol != IPPROTO_UDP)
		return false;
	entry = bpf_map_lookup_elem(&guard_ports, &port);
	return entry && !(entry->flags & GUARD_PORT_ANSWERS);
}

/* What holds for packets to our listeners, and for stray ones as far as it is the source's. */
static __always_inline enum guard_reason judge_rates(frame_context *ctx,
						     const struct guard_settings *settings,
						     struct guard_view *view,
						     enum guard_cookie *ret_cookie)
{
	struct guard_load load = {.packets = frame_segments(ctx)};
	enum guard_reason reason = GUARD_FINE;
	struct guard_service *service;
	__u64 now;

	if (!(settings->flags & GUARD_HAS_SERVICES))
		return GUARD_FINE;
	service = service_find(view);
	if (!service && !is_stray(settings, view))
		return GUARD_FINE;
	now = clock_coarse_ns();
	load.now = (__u32)(now >> GUARD_TICK_BITS);
	load.is_syn = view_is_syn(view);
	load.is_udp = view->protocol == IPPROTO_UDP;
	if (settings->flags & GUARD_HAS_RATES)
		reason = rates_look(view, &load);
	if (!service)
		return reason;
	if (reason == GUARD_FINE)
		reason = service_take(service, &load);
	if (reason == GUARD_FINE && load.is_syn && service_wants_cookie(service, &load, now))
		*ret_cookie = service->flags & GUARD_SERVICE_DISPATCHED ? COOKIE_OF_DISPATCH
									: COOKIE_OF_KERNEL;
	return reason;
}

static __always_inline const struct guard_settings *guard_settings_of(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&guard_settings, &zero);
}

/* Each packet counts as one of them. */
static __always_inline enum guard_count_index fate_of(const struct guard_settings *settings,
						      enum guard_reason reason,
						      enum guard_cookie cookie, bool is_allowed)
{
	if (reason != GUARD_FINE)
		return reason + (settings->mode == GUARD_ENFORCE ? GUARD_COUNT_DROPPED
								 : GUARD_COUNT_WOULD_DROP);
	if (cookie == COOKIE_OF_KERNEL ||
	    (cookie == COOKIE_OF_DISPATCH && settings->mode != GUARD_ENFORCE))
		return GUARD_COUNT_COOKIES_UNMADE;
	return is_allowed ? GUARD_COUNT_ALLOWED : GUARD_COUNT_PASSED;
}

/* @reason: GUARD_FINE: none. @is_open: guard_answer() counts it, by what becomes of it. */
static __always_inline void guard_note(frame_context *ctx, const struct guard_settings *settings,
				       struct guard_view *view, enum guard_reason reason,
				       enum guard_count_index fate, bool is_open)
{
	const struct guard_count *count = guard_count(fate, is_open ? 0 : frame_segments(ctx),
						      is_open ? 0 : frame_len(ctx));

	if (settings->flags & GUARD_HAS_TALKERS && count &&
	    count->packets % GUARD_TALKER_SAMPLE == 0)
		talkers_note(view, reason != GUARD_FINE);
	if (reason != GUARD_FINE && settings->capture_until_ns)
		guard_capture_frame(ctx, settings, reason, settings->mode == GUARD_ENFORCE);
}

static __always_inline enum guard_action action_for(enum guard_count_index fate,
						    enum guard_cookie cookie)
{
	if (fate < GUARD_COUNT_WOULD_DROP)
		return GUARD_DROPS;
	if (fate == GUARD_COUNT_COOKIES)
		return GUARD_ANSWERS;
	return fate == GUARD_COUNT_PASSED && cookie == COOKIE_OF_DISPATCH ? GUARD_ASKS
									  : GUARD_PASSES;
}

/* Verified by itself, and with a stack of its own. Return: enum guard_action. */
__noinline int guard_judge(frame_context *ctx)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct guard_settings *settings = guard_settings_of();
	enum guard_cookie cookie = COOKIE_OF_NOBODY;
	bool is_allowed = false, is_answered;
	struct guard_view view = {};
	enum guard_count_index fate;
	enum guard_reason reason;
	__u32 l3_offset;

	if (!settings || !parse_ethernet(data, end, &l3_offset) ||
	    !guard_look(data, end, frame_len(ctx), l3_offset, &view))
		return GUARD_PASSES;
	reason = judge_source(ctx, settings, &view, &is_allowed);
	if (reason == GUARD_FINE && !is_allowed)
		reason = judge_rates(ctx, settings, &view, &cookie);
	is_answered = cookie == COOKIE_OF_KERNEL && settings->mode == GUARD_ENFORCE &&
		      !frame_is_loopback(ctx);
	fate = is_answered ? GUARD_COUNT_COOKIES : fate_of(settings, reason, cookie, is_allowed);
	guard_note(ctx, settings, &view, reason, fate, is_answered);
	return action_for(fate, cookie);
}

/* Before anything else is known of the packet: who is refused costs no more than that. */
static __always_inline int guard_frame(frame_context *ctx)
{
	const struct guard_settings *settings = guard_settings_of();

	if (!settings || settings->mode == GUARD_OFF)
		return GUARD_PASSES;
	return guard_judge(ctx);
}

/* Verified by itself, and with a stack of its own. @packet: of a SYN that guard_frame() has said
 * ANSWERS of, as parse_frame() has left it. Return: whether the frame is now the answer. */
__noinline int guard_answer(frame_context *ctx, struct packet *packet)
{
	__u32 len = frame_len(ctx);
	bool is_made;

	if (!packet)
		return 0;
	is_made = guard_answer_syn(ctx, packet);
	guard_count(is_made ? GUARD_COUNT_COOKIES : GUARD_COUNT_COOKIES_UNMADE, 1, len);
	return is_made;
}

#endif
