/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_IO_TIMER_H
#define SLUICE_IO_TIMER_H

#include "core/list.h"
#include "io/loop.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Timers in O(1): a hierarchical wheel with ticks of one millisecond. A timer never fires early; it
 * fires once, and is then stopped. A zeroed timer with its callback set is ready.
 * Source: Varghese and Lauck 1987, scheme 7.
 */
struct io_timer {
	struct list_node node; /* the wheel's */
	uint64_t expires_ms;   /* loop time; valid while pending */
	void (*on_expire)(struct io_timer *timer);
};

/* (Re)starts the timer; @delay_ms is at most 2^32 - 1 (49 days), larger values are cut to it. */
void io_timer_start(struct io_loop *loop, struct io_timer *timer, uint64_t delay_ms);

/* Takes effect at once; stopping an idle timer does nothing. */
void io_timer_stop(struct io_loop *loop, struct io_timer *timer);

static inline bool io_timer_is_pending(const struct io_timer *timer)
{
	return list_is_linked(&timer->node);
}

#endif
