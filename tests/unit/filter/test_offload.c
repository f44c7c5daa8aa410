// SPDX-License-Identifier: Apache-2.0
/* The thread for slow work: who waits, who is turned away, who leaves. */
#include "filter/offload.h"

#include "core/compiler.h"
#include "io/timer.h"

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#define PATIENCE_MS 60000

static struct io_loop *loop;
static sem_t may_run, has_begun, was_dropped;
static unsigned ended;

static void run(struct offload_job *job)
{
	(void)job;
	sem_post(&has_begun);
	sem_wait(&may_run);
}

static void drop(struct offload_job *job)
{
	(void)job;
	sem_post(&was_dropped);
}

static void on_message(struct io_message *message)
{
	(void)message;
	ended++;
	io_loop_stop(loop);
}

static void out_of_patience(struct io_timer *timer)
{
	(void)timer;
	abort();
}

static void run_loop(void)
{
	struct io_timer guard = {.on_expire = out_of_patience};

	io_timer_start(loop, &guard, PATIENCE_MS);
	assert_int_equal(io_loop_run(loop), 0);
	io_timer_stop(loop, &guard);
}

static struct offload_job new_job(void)
{
	return (struct offload_job){
		.message.on_message = on_message, .run = run, .drop = drop, .loop = loop};
}

static int start(void **state)
{
	const struct io_options options = {
		.backend = IO_BACKEND_EPOLL, .buffer_size = 4096, .buffer_count = 16};

	(void)state;
	ended = 0;
	sem_init(&may_run, 0, 0);
	sem_init(&has_begun, 0, 0);
	sem_init(&was_dropped, 0, 0);
	return io_loop_new(&options, &loop);
}

static int stop(void **state)
{
	(void)state;
	io_loop_free(loop);
	return 0;
}

static void more_than_may_wait_are_turned_away(void **state)
{
	struct offload_job jobs[4] = {new_job(), new_job(), new_job(), new_job()};
	struct offload *offload;

	(void)state;
	assert_int_equal(offload_new(2, &offload), 0);
	assert_int_equal(offload_submit(offload, &jobs[0]), 0);
	sem_wait(&has_begun);
	assert_int_equal(offload_submit(offload, &jobs[1]), 0);
	assert_int_equal(offload_submit(offload, &jobs[2]), 0);
	assert_int_equal(offload_submit(offload, &jobs[3]), -EBUSY);
	for (unsigned i = 1; i <= 3; i++) {
		sem_post(&may_run);
		while (ended < i)
			run_loop();
	}
	assert_int_equal(offload_submit(offload, &jobs[3]), 0);
	sem_post(&may_run);
	run_loop();
	assert_int_equal(ended, 4);
	offload_free(offload);
}

static void who_is_cancelled_is_not_heard_of(void **state)
{
	struct offload_job running = new_job(), queued = new_job(), stays = new_job();
	struct offload *offload;

	(void)state;
	assert_int_equal(offload_new(8, &offload), 0);
	assert_int_equal(offload_submit(offload, &running), 0);
	sem_wait(&has_begun);
	assert_int_equal(offload_submit(offload, &queued), 0);
	assert_int_equal(offload_submit(offload, &stays), 0);
	assert_true(offload_cancel(offload, &queued));
	assert_int_equal(sem_trywait(&was_dropped), 0);
	/* The one that runs is dropped when it is done. */
	assert_true(offload_cancel(offload, &running));
	assert_int_not_equal(sem_trywait(&was_dropped), 0);
	sem_post(&may_run);
	sem_wait(&was_dropped);
	sem_post(&may_run);
	run_loop();
	assert_int_equal(ended, 1);
	offload_free(offload);
}

static void a_message_on_its_way_comes(void **state)
{
	struct offload_job job = new_job(), next = new_job();
	struct offload *offload;

	(void)state;
	assert_int_equal(offload_new(8, &offload), 0);
	assert_int_equal(offload_submit(offload, &job), 0);
	assert_int_equal(offload_submit(offload, &next), 0);
	sem_post(&may_run);
	sem_wait(&has_begun);
	/* The second one has begun, so the first is done. */
	sem_wait(&has_begun);
	assert_false(offload_cancel(offload, &job));
	run_loop();
	assert_int_equal(ended, 1);
	assert_true(offload_cancel(offload, &next));
	sem_post(&may_run);
	offload_free(offload);
	assert_int_equal(sem_trywait(&was_dropped), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(more_than_may_wait_are_turned_away, start, stop),
		cmocka_unit_test_setup_teardown(who_is_cancelled_is_not_heard_of, start, stop),
		cmocka_unit_test_setup_teardown(a_message_on_its_way_comes, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
