/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_GUARD_H
#define SLUICE_BPF_GUARD_H

/*
 * The guard at either hook, before anybody works for a packet: what the lists say of its source,
 * what is wrong with it, and whether it keeps its rates.
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
	GUARD_ABSTAINS, /* passes; the guard is off, or this is no packet for it */
	GUARD_PASSES,
	GUARD_DROPS,
	GUARD_ANSWERS, /* passes, if guard_answer() has no answer to this SYN */
	GUARD_ASKS,    /* passes; dispatch shall answer this SYN with a cookie */
	/* Of guard_judge_listed() alone, for guard_judge() to say more: */
	GUARD_IS_UNLISTED,
	GUARD_IS_ALLOWED,
};

/* What becomes of a packet, and what it counts as: each as one. */
struct guard_fate {
	enum guard_count_index count;
	enum guard_action action;
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

/* What holds for every packet that no list has refused, whoever it is for. */
static __always_inline enum guard_reason judge_source(frame_context *ctx,
						      const struct guard_settings *settings,
						      const struct guard_view *view,
						      bool is_allowed)
{
	if (view->defect != GUARD_FINE && settings->flags & GUARD_HAS_MALFORMED &&
	    is_defect_real(ctx, view->defect))
		return view->defect;
	if (is_allowed)
		return GUARD_FINE;
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

static __always_inline struct guard_fate fate_of_refused(const struct guard_settings *settings,
							 enum guard_reason reason)
{
	if (settings->mode == GUARD_ENFORCE)
		return (struct guard_fate){GUARD_COUNT_DROPPED + reason, GUARD_DROPS};
	return (struct guard_fate){GUARD_COUNT_WOULD_DROP + reason, GUARD_PASSES};
}

static __always_inline struct guard_fate fate_of_fine(frame_context *ctx,
						      const struct guard_settings *settings,
						      enum guard_cookie cookie, bool is_allowed)
{
	if (cookie == COOKIE_OF_NOBODY)
		return (struct guard_fate){is_allowed ? GUARD_COUNT_ALLOWED : GUARD_COUNT_PASSED,
					   GUARD_PASSES};
	if (settings->mode != GUARD_ENFORCE)
		return (struct guard_fate){GUARD_COUNT_COOKIES_UNMADE, GUARD_PASSES};
	if (cookie == COOKIE_OF_DISPATCH)
		return (struct guard_fate){GUARD_COUNT_PASSED, GUARD_ASKS};
	if (frame_is_loopback(ctx))
		return (struct guard_fate){GUARD_COUNT_COOKIES_UNMADE, GUARD_PASSES};
	return (struct guard_fate){GUARD_COUNT_COOKIES, GUARD_ANSWERS};
}

/* @reason: GUARD_FINE: none. What is answered guard_answer() counts, by what becomes of it. */
static __always_inline void guard_note(frame_context *ctx, const struct guard_settings *settings,
				       struct guard_view *view, enum guard_reason reason,
				       const struct guard_fate *fate)
{
	bool is_open = fate->action == GUARD_ANSWERS;
	const struct guard_count *count = guard_count(
		fate->count, is_open ? 0 : frame_segments(ctx), is_open ? 0 : frame_len(ctx));

	if (settings->flags & GUARD_HAS_TALKERS && count &&
	    count->packets % GUARD_TALKER_SAMPLE == 0)
		talkers_note(view, reason != GUARD_FINE);
	if (reason != GUARD_FINE && settings->capture_until_ns)
		guard_capture_frame(ctx, settings, reason, fate->action == GUARD_DROPS);
}

/* Verified by itself, and with a stack of its own. @is_allowed: a list says so. Return: enum
 * guard_action. */
__noinline int guard_judge(frame_context *ctx, int is_allowed)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct guard_settings *settings = guard_settings_of();
	enum guard_cookie cookie = COOKIE_OF_NOBODY;
	struct guard_view view = {};
	struct guard_fate fate;
	enum guard_reason reason;
	__u32 l3_offset;

	if (!settings || !parse_ethernet(data, end, &l3_offset) ||
	    !guard_look(data, end, frame_len(ctx), l3_offset, &view))
		return GUARD_ABSTAINS;
	reason = judge_source(ctx, settings, &view, is_allowed);
	if (reason == GUARD_FINE && !is_allowed)
		reason = judge_rates(ctx, settings, &view, &cookie);
	fate = reason == GUARD_FINE ? fate_of_fine(ctx, settings, cookie, is_allowed)
				    : fate_of_refused(settings, reason);
	guard_note(ctx, settings, &view, reason, &fate);
	return fate.action;
}

/*
 * Lists come first and see to what they refuse themselves, for a call takes as long as a look at a
 * table (Safe RET of AMD: where a return leads to is guessed wrongly each time). Verified by
 * itself, and with a stack of its own: in guard_judge() the verifier would follow each way through
 * a list for each way through the headers. Return: enum guard_action.
 */
__noinline int guard_judge_listed(frame_context *ctx)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct guard_settings *settings = guard_settings_of();
	struct guard_view view = {};
	enum guard_reason reason;
	struct guard_fate fate;
	enum guard_why why;
	__u32 l3_offset;

	if (!settings || !parse_ethernet(data, end, &l3_offset) ||
	    !guard_look_at_source(data, end, l3_offset, &view))
		return GUARD_IS_UNLISTED;
	why = list_look(settings, &view);
	if (why == GUARD_WHY_NONE)
		return GUARD_IS_UNLISTED;
	if (why == GUARD_WHY_ALLOW)
		return GUARD_IS_ALLOWED;
	reason = why == GUARD_WHY_BLOCK ? GUARD_REASON_BLOCKED : GUARD_REASON_GEO;
	fate = fate_of_refused(settings, reason);
	guard_note(ctx, settings, &view, reason, &fate);
	return fate.action;
}

/* Before anything else is known of the packet: who is refused costs no more than that. */
static __always_inline enum guard_action guard_frame(frame_context *ctx)
{
	const struct guard_settings *settings = guard_settings_of();
	enum guard_action action = GUARD_IS_UNLISTED;

	if (!settings || settings->mode == GUARD_OFF)
		return GUARD_ABSTAINS;
	if (settings->flags & (GUARD_HAS_LIST4 | GUARD_HAS_LIST6))
		action = guard_judge_listed(ctx);
	if (action == GUARD_PASSES || action == GUARD_DROPS)
		return action;
	return guard_judge(ctx, action == GUARD_IS_ALLOWED);
}

/* Verified by itself, and with a stack of its own. @packet: of a SYN that guard_frame() has said
 * ANSWERS of, as parse_frame() has left it. What XDP cannot answer TC may, and counts. Return:
 * whether the frame is now the answer. */
__noinline int guard_answer(frame_context *ctx, struct packet *packet)
{
	__u32 len = frame_len(ctx);
	bool is_made;

	if (!packet)
		return 0;
	is_made = guard_answer_syn(ctx, packet);
	if (is_made || FRAME_IS_LAST)
		guard_count(is_made ? GUARD_COUNT_COOKIES : GUARD_COUNT_COOKIES_UNMADE, 1, len);
	return is_made;
}

#endif
