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

/* --- Cancelled --------------------------------------------------------------------- */

static sem_t may_run, has_begun, was_dropped;

static void on_slow_run(struct io_job *job)
{
	(void)job;
	sem_post(&has_begun);
	sem_wait(&may_run);
}

static void on_drop(struct io_job *job)
{
	(void)job;
	sem_post(&was_dropped);
}

static void slow_init(struct work *work, struct io_loop *loop, uint32_t *left)
{
	work_init(work, loop, left, NULL);
	work->job.run = on_slow_run;
	work->job.on_drop = on_drop;
}

static int start(void **state)
{
	(void)state;
	sem_init(&may_run, 0, 0);
	sem_init(&has_begun, 0, 0);
	sem_init(&was_dropped, 0, 0);
	return 0;
}

static void who_is_cancelled_is_not_heard_of(void **state)
{
	struct io_offload *offload = io_offload_new(1, 8);
	struct io_loop *loop = new_loop();
	struct work running, queued, last, stays;
	uint32_t left = 1;

	(void)state;
	slow_init(&running, loop, &left);
	slow_init(&queued, loop, &left);
	slow_init(&stays, loop, &left);
	slow_init(&last, loop, &left);
	assert_int_equal(io_offload_submit(offload, loop, &running.job), 0);
	sem_wait(&has_begun);
	assert_int_equal(io_offload_submit(offload, loop, &queued.job), 0);
	assert_int_equal(io_offload_submit(offload, loop, &last.job), 0);
	assert_true(io_offload_cancel(offload, &queued.job));
	assert_int_equal(sem_trywait(&was_dropped), 0);
	assert_true(io_offload_cancel(offload, &last.job));
	assert_int_equal(sem_trywait(&was_dropped), 0);
	assert_int_equal(io_offload_submit(offload, loop, &stays.job), 0);
	/* The one that runs is dropped when it is done. */
	assert_true(io_offload_cancel(offload, &running.job));
	assert_int_not_equal(sem_trywait(&was_dropped), 0);
	sem_post(&may_run);
	sem_wait(&was_dropped);
	sem_post(&may_run);
	assert_int_equal(io_loop_run(loop), 0);
	assert_int_equal(left, 0);
	io_offload_free(offload);
	io_loop_free(loop);
}

static void a_job_on_its_way_comes(void **state)
{
	struct io_offload *offload = io_offload_new(1, 8);
	struct io_loop *loop = new_loop();
	struct work work, next;
	uint32_t left = 1;

	(void)state;
	slow_init(&work, loop, &left);
	slow_init(&next, loop, &left);
	assert_int_equal(io_offload_submit(offload, loop, &work.job), 0);
	assert_int_equal(io_offload_submit(offload, loop, &next.job), 0);
	sem_post(&may_run);
	sem_wait(&has_begun);
	/* The second one has begun, so the first is done. */
	sem_wait(&has_begun);
	assert_false(io_offload_cancel(offload, &work.job));
	assert_int_equal(io_loop_run(loop), 0);
	assert_int_equal(left, 0);
	assert_true(io_offload_cancel(offload, &next.job));
	sem_post(&may_run);
	io_offload_free(offload);
	assert_int_equal(sem_trywait(&was_dropped), 0);
	io_loop_free(loop);
}

/* What it had cancelled may outlive it. */
static void a_cancelled_jobs_loop_may_go(void **state)
{
	struct io_offload *offload = io_offload_new(1, 8);
	struct io_loop *loop = new_loop();
	struct work work;
	uint32_t left = 1;

	(void)state;
	slow_init(&work, loop, &left);
	assert_int_equal(io_offload_submit(offload, loop, &work.job), 0);
	sem_wait(&has_begun);
	assert_true(io_offload_cancel(offload, &work.job));
	io_loop_free(loop);
	sem_post(&may_run);
	io_offload_free(offload);
	assert_int_equal(sem_trywait(&was_dropped), 0);
	assert_int_equal(left, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_run_elsewhere_and_end_here),
		cmocka_unit_test(no_more_wait_than_may),
		cmocka_unit_test(what_waits_is_done_before_the_end),
		cmocka_unit_test_setup(who_is_cancelled_is_not_heard_of, start),
		cmocka_unit_test_setup(a_job_on_its_way_comes, start),
		cmocka_unit_test_setup(a_cancelled_jobs_loop_may_go, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
