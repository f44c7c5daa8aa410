// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "io/offload.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define JOBS 200

struct work {
	struct io_job job;
	struct io_loop *loop;
	pthread_t ran_on;
	sem_t *gate; /* NULL: does not wait */
	uint32_t *left;
};

static void on_run(struct io_job *job)
{
	struct work *work = container_of(job, struct work, job);

	work->ran_on = pthread_self();
	if (work->gate)
		sem_wait(work->gate);
}

static void on_done(struct io_job *job)
{
	struct work *work = container_of(job, struct work, job);

	if (--*work->left == 0)
		io_loop_stop(work->loop);
}

static struct io_loop *new_loop(void)
{
	const struct io_options options = {.backend = IO_BACKEND_EPOLL};
	struct io_loop *loop;

	assert_int_equal(io_loop_new(&options, &loop), 0);
	return loop;
}

static void work_init(struct work *work, struct io_loop *loop, uint32_t *left, sem_t *gate)
{
	*work = (struct work){.job = {.run = on_run, .on_done = on_done},
			      .loop = loop,
			      .left = left,
			      .gate = gate};
}

static void jobs_run_elsewhere_and_end_here(void **state)
{
	struct io_offload *offload = io_offload_new(3, JOBS);
	struct io_loop *loop = new_loop();
	static struct work works[JOBS];
	uint32_t left = JOBS;

	(void)state;
	for (size_t i = 0; i < JOBS; i++) {
		work_init(&works[i], loop, &left, NULL);
		assert_int_equal(io_offload_submit(offload, loop, &works[i].job), 0);
	}
	assert_int_equal(io_loop_run(loop), 0);
	assert_int_equal(left, 0);
	for (size_t i = 0; i < JOBS; i++)
		assert_false(pthread_equal(works[i].ran_on, pthread_self()));
	io_offload_free(offload);
	io_loop_free(loop);
}

static void no_more_wait_than_may(void **state)
{
	struct io_offload *offload = io_offload_new(1, 2);
	struct io_loop *loop = new_loop();
	struct work works[4];
	uint32_t left = 0;
	sem_t gate;
	int err = 0;

	(void)state;
	sem_init(&gate, 0, 0);
	/* One runs or is about to, two wait. */
	for (size_t i = 0; i < ARRAY_SIZE(works) && !err; i++) {
		work_init(&works[i], loop, &left, &gate);
		err = io_offload_submit(offload, loop, &works[i].job);
		left += !err;
	}
	assert_int_equal(err, -EBUSY);
	assert_true(left == 2 || left == 3);
	for (size_t i = 0; i < ARRAY_SIZE(works); i++)
		sem_post(&gate);
	assert_int_equal(io_loop_run(loop), 0);
	io_offload_free(offload);
	io_loop_free(loop);
	sem_destroy(&gate);
}

static void what_waits_is_done_before_the_end(void **state)
{
	struct io_offload *offload = io_offload_new(1, JOBS);
	struct io_loop *loop = new_loop();
	static struct work works[JOBS];
	uint32_t left = JOBS;

	(void)state;
	for (size_t i = 0; i < JOBS; i++) {
		work_init(&works[i], loop, &left, NULL);
		assert_int_equal(io_offload_submit(offload, loop, &works[i].job), 0);
	}
	io_offload_free(offload);
	assert_int_equal(io_loop_run(loop), 0);
	assert_int_equal(left, 0);
	io_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_run_elsewhere_and_end_here),
		cmocka_unit_test(no_more_wait_than_may),
		cmocka_unit_test(what_waits_is_done_before_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
