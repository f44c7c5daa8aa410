// SPDX-License-Identifier: Apache-2.0
/*
 * Workers on threads and loops of their own crowd around few connections: nobody may overshoot the
 * limit, be forgotten in a queue, or be overtaken within a worker. Made for ThreadSanitizer.
 */
#include "upstream/pool.h"

#include "loop_fixture.h"
#include "upstream_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define WORKERS  3
#define VISITORS 8   /* a worker */
#define VISITS   400 /* a visitor */
#define LIMIT    2

static struct config_endpoint endpoints[1];
static struct config_pool config;
static struct pool *pool;
static _Atomic unsigned inside, most_inside, timeouts;

struct worker;

/* Comes, waits where it must, stays for a round of the loop, goes, and comes again. */
struct visitor {
	struct worker *worker;
	struct pool_waiter waiter;
	struct io_task leave;
	struct io_timer arrive;
	struct endpoint *endpoint;
	unsigned visits;
	unsigned ticket; /* of this visit's waiting; 0: none */
};

struct worker {
	pthread_t thread;
	struct io_loop *loop;
	struct io_timer last;
	struct pool_view *view;
	struct visitor visitors[VISITORS];
	unsigned busy;
	unsigned tickets, last_entered;
	bool is_out_of_order;
};

static void note_inside(void)
{
	unsigned now = atomic_fetch_add(&inside, 1) + 1;
	unsigned most = atomic_load(&most_inside);

	while (now > most && !atomic_compare_exchange_weak(&most_inside, &most, now))
		;
}

static void check_order(struct visitor *visitor)
{
	struct worker *worker = visitor->worker;

	if (visitor->ticket == 0)
		return;
	if (visitor->ticket < worker->last_entered)
		worker->is_out_of_order = true;
	worker->last_entered = visitor->ticket;
	visitor->ticket = 0;
}

static void on_turn(struct pool_waiter *waiter, int status);

static void try_to_enter(struct visitor *visitor)
{
	struct worker *worker = visitor->worker;
	const struct pool_request request = {};
	int err = pool_view_pick(worker->view, &request, &visitor->endpoint);

	if (!err) {
		check_order(visitor);
		note_inside();
		io_loop_defer(worker->loop, &visitor->leave);
		return;
	}
	/* A turn that came to nothing, because another worker was faster, keeps its ticket. */
	if (visitor->ticket == 0)
		visitor->ticket = ++worker->tickets;
	visitor->waiter = (struct pool_waiter){.on_turn = on_turn};
	if (err != -EBUSY || pool_view_wait(worker->view, &visitor->waiter))
		abort();
}

static void on_turn(struct pool_waiter *waiter, int status)
{
	if (status)
		atomic_fetch_add(&timeouts, 1);
	try_to_enter(container_of(waiter, struct visitor, waiter));
}

static void on_leave(struct io_task *task)
{
	struct visitor *visitor = container_of(task, struct visitor, leave);
	struct worker *worker = visitor->worker;

	atomic_fetch_sub(&inside, 1);
	pool_view_release(worker->view, visitor->endpoint);
	if (++visitor->visits < VISITS)
		io_timer_start(worker->loop, &visitor->arrive, visitor->visits % 2);
	else if (--worker->busy == 0)
		io_loop_stop(worker->loop);
}

static void on_arrive(struct io_timer *timer)
{
	try_to_enter(container_of(timer, struct visitor, arrive));
}

static void on_last(struct io_timer *timer)
{
	io_loop_stop(container_of(timer, struct worker, last)->loop);
}

/* A kick may still be on its way; the round that delivers it ends with the view's memory. */
static void close_worker(struct worker *worker)
{
	pool_view_free(worker->view);
	worker->last.on_expire = on_last;
	io_timer_start(worker->loop, &worker->last, 0);
	fixture_run(worker->loop);
	io_loop_free(worker->loop);
}

static void *worker_main(void *context)
{
	struct worker *worker = context;

	worker->loop = fixture_loop();
	worker->view = pool_view_new(pool, worker->loop);
	worker->busy = VISITORS;
	for (unsigned i = 0; i < VISITORS; i++) {
		struct visitor *visitor = &worker->visitors[i];

		visitor->worker = worker;
		visitor->leave.on_run = on_leave;
		visitor->arrive.on_expire = on_arrive;
		io_timer_start(worker->loop, &visitor->arrive, 0);
	}
	fixture_run(worker->loop);
	close_worker(worker);
	return NULL;
}

static void crowd_is_served_within_the_limit(void **state)
{
	static struct worker workers[WORKERS];

	(void)state;
	endpoints[0] = fixture_endpoint("192.0.2.1:80");
	endpoints[0].max_connections = LIMIT;
	config = fixture_pool(endpoints, 1);
	config.queue_size = WORKERS * VISITORS;
	pool = pool_new(&config, NULL, NULL);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]),
				 0);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_false(workers[i].is_out_of_order);
	assert_int_equal(atomic_load(&most_inside), LIMIT);
	assert_int_equal(atomic_load(&timeouts), 0);
	assert_int_equal(pool_waiting(pool), 0);
	pool_unref(pool);
}

struct lone_waiter {
	struct pool_waiter waiter;
	struct io_loop *loop;
	int status;
};

static void on_lone_turn(struct pool_waiter *waiter, int status)
{
	struct lone_waiter *lone = container_of(waiter, struct lone_waiter, waiter);

	lone->status = status;
	io_loop_stop(lone->loop);
}

static void run_once(struct io_loop *loop)
{
	struct worker worker = {.loop = loop, .last.on_expire = on_last};

	io_timer_start(loop, &worker.last, 0);
	fixture_run(loop);
}

/* After a reload the pool has a successor with the same endpoints. */
static void connection_of_the_pool_before_makes_room_for_its_successor(void **state)
{
	const struct pool_request request = {};
	struct lone_waiter lone = {.waiter.on_turn = on_lone_turn, .status = 1};
	struct pool *old, *successor;
	struct pool_view *old_view, *view;
	struct endpoint *endpoint, *other;

	(void)state;
	endpoints[0] = fixture_endpoint("192.0.2.1:80");
	endpoints[0].max_connections = 1;
	config = fixture_pool(endpoints, 1);
	lone.loop = fixture_loop();
	old = pool_new(&config, NULL, NULL);
	old_view = pool_view_new(old, lone.loop);
	assert_int_equal(pool_view_pick(old_view, &request, &endpoint), 0);
	successor = pool_new(&config, NULL, old);
	view = pool_view_new(successor, lone.loop);
	assert_int_equal(pool_view_pick(view, &request, &other), -EBUSY);
	assert_int_equal(pool_view_wait(view, &lone.waiter), 0);
	pool_view_release(old_view, endpoint);
	fixture_run(lone.loop);
	assert_int_equal(lone.status, 0);
	pool_view_free(view);
	pool_view_free(old_view);
	run_once(lone.loop);
	pool_unref(old);
	pool_unref(successor);
	io_loop_free(lone.loop);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(crowd_is_served_within_the_limit),
		cmocka_unit_test(connection_of_the_pool_before_makes_room_for_its_successor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
