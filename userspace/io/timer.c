// SPDX-License-Identifier: Apache-2.0
/* Timers on the loop's clock; the structure behind them is timer_wheel.c. */
#include "io/timer.h"

#include "core/clock.h"
#include "io/io_internal.h"

#define NS_PER_MS 1000000

/*
 * The clock is read anew and rounded up: the loop's own is as old as the present round, and a timer
 * that counts from it would fire early.
 */
void io_timer_start(struct io_loop *loop, struct io_timer *timer, uint64_t delay_ms)
{
	uint64_t now_ms = (clock_monotonic_ns() + NS_PER_MS - 1) / NS_PER_MS;

	if (delay_ms > UINT32_MAX)
		delay_ms = UINT32_MAX;
	io_timer_stop(loop, timer);
	timer->expires_ms = now_ms + delay_ms;
	timer_wheel_add(&loop->wheel, timer);
}

void io_timer_stop(struct io_loop *loop, struct io_timer *timer)
{
	if (io_timer_is_pending(timer))
		timer_wheel_remove(&loop->wheel, timer);
}

void io_timers_run(struct io_loop *loop)
{
	struct io_timer *timer;

	timer_wheel_advance(&loop->wheel, io_loop_now_ms(loop));
	while ((timer = timer_wheel_take(&loop->wheel)))
		timer->on_expire(timer);
}
