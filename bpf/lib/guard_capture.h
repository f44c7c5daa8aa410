/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_GUARD_CAPTURE_H
#define SLUICE_BPF_GUARD_CAPTURE_H

/* The beginnings of refused packets, for who has asked for them. */
#include "lib/guard_maps.h"
#include "lib/headers.h"

/* Two comparisons that stay apart, for the reason given in load_tcp_headers(). */
static __always_inline long copy_frame(frame_context *ctx, struct guard_capture *record, __u32 len)
{
	if (len < ETH_HLEN)
		return -1;
	barrier_var(len);
	if (len > GUARD_CAPTURE_BYTES)
		return -1;
	return frame_load(ctx, 0, record->frame, len);
}

static __always_inline __u32 capture_len(__u32 len)
{
	return len < GUARD_CAPTURE_BYTES ? len : GUARD_CAPTURE_BYTES;
}

static __always_inline void guard_capture_frame(frame_context *ctx,
						const struct guard_settings *settings,
						enum guard_reason reason, bool is_dropped)
{
	static __u64 next_ns; /* a lost update captures one more */
	__u64 now = bpf_ktime_get_ns();
	struct guard_capture *record;
	__u32 len = frame_len(ctx);

	if (now >= settings->capture_until_ns || now < next_ns)
		return;
	next_ns = now + settings->capture_cost;
	record = bpf_ringbuf_reserve(&guard_captured, sizeof(*record), 0);
	if (!record)
		return;
	record->at_ns = now;
	record->ifindex = frame_ifindex(ctx);
	record->len = len;
	record->reason = reason;
	record->is_dropped = is_dropped;
	record->padding[0] = record->padding[1] = 0;
	record->captured = capture_len(len);
	if (copy_frame(ctx, record, capture_len(len)))
		record->captured = 0;
	bpf_ringbuf_submit(record, 0);
}

#endif
