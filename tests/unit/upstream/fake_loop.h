/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_FAKE_LOOP_H
#define SLUICE_TESTS_FAKE_LOOP_H

/* A loop that is replaced by a clock of our own; each test that includes it wraps what is here. */
#include "core/compiler.h"
#include "io/loop.h"
#include "io/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static uint64_t fake_now_ms;
static struct io_message *posted[8];
static size_t nposted;

uint64_t __wrap_io_loop_now_ms(const struct io_loop *loop);
void __wrap_io_timer_start(struct io_loop *loop, struct io_timer *timer, uint64_t delay_ms);
void __wrap_io_timer_stop(struct io_loop *loop, struct io_timer *timer);
void __wrap_io_loop_post(struct io_loop *loop, struct io_message *message);

uint64_t __wrap_io_loop_now_ms(const struct io_loop *loop)
{
	(void)loop;
	return fake_now_ms;
}

void __wrap_io_timer_start(struct io_loop *loop, struct io_timer *timer, uint64_t delay_ms)
{
	(void)loop;
	timer->expires_ms = fake_now_ms + delay_ms;
}

void __wrap_io_timer_stop(struct io_loop *loop, struct io_timer *timer)
{
	(void)loop;
	timer->expires_ms = 0;
}

void __wrap_io_loop_post(struct io_loop *loop, struct io_message *message)
{
	(void)loop;
	assert_true(nposted < ARRAY_SIZE(posted));
	for (size_t i = 0; i < nposted; i++)
		assert_ptr_not_equal(posted[i], message);
	posted[nposted++] = message;
}

static void deliver(void)
{
	while (nposted > 0) {
		struct io_message *message = posted[0];

		nposted--;
		memmove(&posted[0], &posted[1], nposted * sizeof(posted[0]));
		message->on_message(message);
	}
}

#endif
