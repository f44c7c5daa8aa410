/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_PACE_H
#define SLUICE_PROXY_PACE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether a peer that is waited for moves its bytes fast enough: looked at now and then, it has to
 * have moved so many in each window. Pauses within a window are allowed, so are slow beginnings.
 * Pure; a zeroed one has never looked.
 */
struct pace {
	uint64_t since_ms; /* the window's beginning; 0: nobody is waited for */
	uint64_t bytes;    /* moved before it */
};

struct pace_limit {
	uint32_t rate;      /* bytes a second; 0: any will do */
	uint32_t window_ms; /* at least; looks may be further apart */
};

/* @bytes: moved so far, in all. @now_ms: any clock but 0. */
static inline bool pace_is_too_slow(struct pace *pace, const struct pace_limit *limit,
				    bool is_awaited, uint64_t bytes, uint64_t now_ms)
{
	struct pace before = *pace;
	uint64_t elapsed_ms = now_ms - before.since_ms;

	if (!is_awaited || limit->rate == 0) {
		*pace = (struct pace){};
		return false;
	}
	if (before.since_ms && elapsed_ms < limit->window_ms)
		return false;
	*pace = (struct pace){.since_ms = now_ms, .bytes = bytes};
	return before.since_ms && (bytes - before.bytes) * 1000 < limit->rate * elapsed_ms;
}

#endif
