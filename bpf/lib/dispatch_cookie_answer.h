/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_COOKIE_ANSWER_H
#define SLUICE_BPF_DISPATCH_COOKIE_ANSWER_H

/* A SYN is answered with a cookie, and nothing is kept of it. */
#include "lib/dispatch_cookie_number.h"
#include "lib/dispatch_cookie_packet.h"

static __always_inline void cookie_note_sent(const struct packet *packet, __u32 service,
					     __u32 now_s)
{
	struct dispatch_cookie_use *use = bpf_map_lookup_elem(&dispatch_cookies, &service);

	if (use && use->sent_s != now_s)
		use->sent_s = now_s;
	if (use && packet->wants_cookie && use->wanted_s != now_s)
		use->wanted_s = now_s;
	count_cookie(service, false);
}

static __always_inline long cookie_answer_frame(frame_context *ctx, struct packet *packet,
						__u64 now_ns)
{
	__u8 options = (__u8)cookie_options_of(packet);
	__u32 cookie = (__u32)cookie_make(packet, dispatch_cookie_epoch(now_ns), options);

	return answer_syn(ctx, packet, cookie, 0,
			  cookie_syn_options(packet->is_ipv6, options, COOKIE_SCALE));
}

/* Verified by itself, as dispatch_packet(); @packet as that has left it. Return: the hook's action.
 */
__noinline int cookie_answer(frame_context *ctx, struct packet *packet)
{
	__u64 now_ns = clock_coarse_ns();
	__u32 service;

	if (!packet)
		return FRAME_PASS;
	service = packet->service;
	if (cookie_load(ctx, packet) || read_syn_options(packet)) {
		count_dropped(service, DISPATCH_DROP_MALFORMED, 1);
		return FRAME_DROP;
	}
	if (packet->payload) {
		count_dropped(service, DISPATCH_DROP_NO_COOKIE, 1);
		return FRAME_DROP;
	}
	if (!frame_can_reply(ctx, packet))
		return FRAME_PASS;
	if (cookie_answer_frame(ctx, packet, now_ns)) {
		count_dropped(service, DISPATCH_DROP_NO_HEADROOM, 1);
		return FRAME_DROP;
	}
	cookie_note_sent(packet, service, dispatch_seconds(now_ns));
	return frame_reply(ctx);
}

#endif
