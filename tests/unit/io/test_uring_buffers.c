// SPDX-License-Identifier: Apache-2.0
/* How many receive buffers the kernel is given: more after a lack of them, fewer again later. */
#include "io/uring_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct stopper {
	struct io_task task;
	struct io_loop *loop;
};

static void on_run(struct io_task *task)
{
	io_loop_stop(container_of(task, struct stopper, task)->loop);
}

static void run_once(struct io_loop *loop)
{
	struct stopper stopper = {.task.on_run = on_run, .loop = loop};

	io_loop_defer(loop, &stopper.task);
	assert_int_equal(io_loop_run(loop), 0);
}

static void depth_grows_with_need_and_shrinks_without(void **state)
{
	const struct io_options options = {.backend = IO_BACKEND_URING};
	struct uring_buffers *buffers;
	struct io_loop *loop;
	uint32_t first;
	int err = io_loop_new(&options, &loop);

	(void)state;
	if (err == -ENOSYS || err == -EPERM)
		skip();
	assert_int_equal(err, 0);
	run_once(loop);
	buffers = &uring_of(loop)->buffers[IO_POOL_SMALL];
	first = buffers->depth;
	uring_deepen_buffers(uring_of(loop), buffers);
	uring_deepen_buffers(uring_of(loop), buffers);
	assert_int_equal(buffers->depth, 4 * first);
	/* As if a good while had passed. */
	buffers->judged_ms = 0;
	run_once(loop);
	assert_int_equal(buffers->depth, 2 * first);
	for (int i = 0; i < 3; i++) {
		buffers->judged_ms = 0;
		run_once(loop);
	}
	assert_int_equal(buffers->depth, first);
	io_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth_grows_with_need_and_shrinks_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
