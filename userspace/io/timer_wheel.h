/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_IO_TIMER_WHEEL_H
#define SLUICE_IO_TIMER_WHEEL_H

#include "io/timer.h"

#include <stdint.h>

/*
 * The wheel without a clock: time is what its owner says. Level n has 64 slots of 64^n ms; a timer
 * sits at the level of the highest digit (base 64) in which its expiry differs from now, and moves
 * down as that digit is reached.
 */
#define WHEEL_DIGIT_BITS 6
#define WHEEL_SLOTS      64
#define WHEEL_LEVELS     8 /* 2^48 ms: longer than machines run */

struct timer_wheel {
	uint64_t now_ms;
	uint64_t occupied[WHEEL_LEVELS]; /* a bit a slot */
	struct list_node slots[WHEEL_LEVELS][WHEEL_SLOTS];
	struct list_node due; /* expired, in order, not yet taken */
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);

/* @timer->expires_ms is set; what is not after now is due at once. */
void timer_wheel_add(struct timer_wheel *wheel, struct io_timer *timer);
void timer_wheel_remove(struct timer_wheel *wheel, struct io_timer *timer);

/* Time goes on to @now_ms; timers that expire until then become due in the order of expiry. */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms);

/* Return: a due timer, now stopped; NULL if there is none. */
struct io_timer *timer_wheel_take(struct timer_wheel *wheel);

/* When to advance next: not after the first expiry, but perhaps before. UINT64_MAX: no timer. */
uint64_t timer_wheel_next_ms(const struct timer_wheel *wheel);

#endif
