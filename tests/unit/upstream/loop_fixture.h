/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_LOOP_FIXTURE_H
#define SLUICE_TESTS_LOOP_FIXTURE_H

/* A real loop for tests, with an end to all waiting: a test that hangs fails. */
#include "core/compiler.h"
#include "io/loop.h"
#include "io/timer.h"

#include <stdlib.h>

#define FIXTURE_PATIENCE_MS 10000

static inline void fixture_out_of_patience(struct io_timer *timer)
{
	(void)timer;
	abort();
}

static inline struct io_loop *fixture_loop(void)
{
	const struct io_options options = {.buffer_size = 4096, .buffer_count = 16};
	struct io_loop *loop = NULL;

	if (io_loop_new(&options, &loop))
		abort();
	return loop;
}

/* Runs until somebody stops the loop. */
static inline void fixture_run(struct io_loop *loop)
{
	struct io_timer guard = {.on_expire = fixture_out_of_patience};

	io_timer_start(loop, &guard, FIXTURE_PATIENCE_MS);
	if (io_loop_run(loop))
		abort();
	io_timer_stop(loop, &guard);
}

#endif
