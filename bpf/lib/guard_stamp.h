/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_GUARD_STAMP_H
#define SLUICE_BPF_GUARD_STAMP_H

/*
 * What the guard at XDP has let in, TC of the same device sees again: it is counted, and takes from
 * its rates, once. XDP stamps what it passes, beside the frame. Where a driver has no room for
 * that, TC judges as if there were no XDP.
 */
#include "lib/guard.h"

/* The last thing that XDP does to a frame that it passes. */
static __always_inline void guard_stamp(frame_context *ctx, enum guard_action action)
{
	const struct guard_settings *settings;
	struct guard_stamp *stamp;

	if (action == GUARD_ABSTAINS)
		return;
	settings = guard_settings_of();
	if (!settings)
		return;
	stamp = frame_add_metadata(ctx, sizeof(*stamp));
	if (!stamp)
		return;
	stamp->seed = settings->seed;
	stamp->ifindex = frame_ifindex(ctx);
	stamp->action = action;
}

/* Return: what XDP has said of this frame; ABSTAINS: nothing. */
static __always_inline enum guard_action guard_stamped(frame_context *ctx)
{
	const struct guard_stamp *stamp = frame_metadata(ctx, sizeof(*stamp));
	const struct guard_settings *settings;

	if (!stamp)
		return GUARD_ABSTAINS;
	settings = guard_settings_of();
	if (!settings || stamp->seed != settings->seed || stamp->ifindex != frame_ifindex(ctx))
		return GUARD_ABSTAINS;
	return stamp->action;
}

#endif
