// SPDX-License-Identifier: Apache-2.0
/*
 * The loop itself: rounds, messages from other threads, deferred tasks, and the choice between the
 * back ends. One round: wait, events, timers, messages, tasks, a long task.
 */
#include "io/loop.h"

#include "core/clock.h"
#include "io/io_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Tasks may queue tasks; so often in one round, then the kernel gets its turn. */
#define TASK_PASSES 4

static void read_clock(struct io_loop *loop)
{
	loop->now_us = clock_monotonic_ns() / 1000;
}

int io_loop_init(struct io_loop *loop, const struct io_backend_ops *backend,
		 const struct io_options *options)
{
	int error = io_buf_pools_init(loop->pools, options);

	if (error)
		return error;
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0) {
		error = -errno;
		io_buf_pools_done(loop->pools);
		return error;
	}
	loop->backend = backend;
	list_init(&loop->tasks);
	list_init(&loop->long_tasks);
	list_init(&loop->starved);
	list_init(&loop->watches);
	atomic_init(&loop->inbox, NULL);
	atomic_init(&loop->is_asleep, false);
	read_clock(loop);
	timer_wheel_init(&loop->wheel, io_loop_now_ms(loop));
	io_pipe_pool_init(&loop->pipes);
	return 0;
}

void io_loop_done(struct io_loop *loop)
{
	io_watch_states_free(loop);
	io_pipe_pool_done(&loop->pipes);
	close(loop->wake_fd);
	io_buf_pools_done(loop->pools);
}

static const char *fallback_reason(int error)
{
	switch (error) {
	case -EPERM:
		return "io_uring is forbidden (kernel.io_uring_disabled or a seccomp filter)";
	case -ENOMEM:
		return "no memory for io_uring's rings (RLIMIT_MEMLOCK)";
	default:
		return "the kernel's io_uring is absent or too old (6.0 is needed)";
	}
}

int io_loop_new(const struct io_options *options, struct io_loop **ret)
{
	const char *fallback;
	int error;

	if (options->backend == IO_BACKEND_EPOLL)
		return io_epoll_backend.open(options, ret);
	error = io_uring_backend.open(options, ret);
	if (!error || options->backend == IO_BACKEND_URING)
		return error;
	fallback = fallback_reason(error);
	error = io_epoll_backend.open(options, ret);
	if (!error)
		(*ret)->fallback_reason = fallback;
	return error;
}

void io_loop_free(struct io_loop *loop)
{
	if (loop)
		loop->backend->close(loop);
}

/* Newest first in the inbox, oldest first to their callbacks. */
static void deliver_messages(struct io_loop *loop)
{
	struct io_message *newest, *oldest = NULL;

	if (!atomic_load_explicit(&loop->inbox, memory_order_relaxed))
		return;
	newest = atomic_exchange_explicit(&loop->inbox, NULL, memory_order_acquire);
	while (newest) {
		struct io_message *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	while (oldest) {
		struct io_message *next = oldest->next;

		oldest->on_message(oldest);
		oldest = next;
	}
}

static void run_tasks(struct io_loop *loop)
{
	for (int pass = 0; pass < TASK_PASSES && !list_is_empty(&loop->tasks); pass++) {
		struct list_node tasks;
		struct list_node *node;

		list_init(&tasks);
		list_splice_back(&tasks, &loop->tasks);
		while ((node = list_pop_front(&tasks))) {
			struct io_task *task = list_entry(node, struct io_task, node);

			task->on_run(task);
		}
	}
}

void io_loop_submit(struct io_loop *loop)
{
	if (loop->backend->submit)
		loop->backend->submit(loop);
}

bool io_loop_has_news(struct io_loop *loop)
{
	return !loop->backend->has_news || loop->backend->has_news(loop);
}

/* What waits to be sent need not wait for it. */
static void run_long_task(struct io_loop *loop)
{
	struct list_node *node = list_pop_front(&loop->long_tasks);
	struct io_task *task;

	if (likely(!node))
		return;
	io_loop_submit(loop);
	task = list_entry(node, struct io_task, node);
	task->on_run(task);
}

static bool has_tasks(const struct io_loop *loop)
{
	return !list_is_empty(&loop->tasks) || !list_is_empty(&loop->long_tasks);
}

static int64_t wait_timeout_us(const struct io_loop *loop)
{
	uint64_t next;

	if (loop->is_stopping || has_tasks(loop))
		return 0;
	next = timer_wheel_next_ms(&loop->wheel);
	if (next == UINT64_MAX)
		return -1;
	return next * 1000 > loop->now_us ? (int64_t)(next * 1000 - loop->now_us) : 0;
}

/*
 * The order matters: first is_asleep, then a look at the inbox. A sender does it the other way
 * round, so that either it sees the sleeper or the sleeper sees the message.
 */
static int wait_for_events(struct io_loop *loop)
{
	int64_t timeout_us = wait_timeout_us(loop);
	int error;

	if (timeout_us != 0) {
		atomic_store(&loop->is_asleep, true);
		if (atomic_load(&loop->inbox))
			timeout_us = 0;
	}
	error = loop->backend->wait(loop, timeout_us);
	atomic_store_explicit(&loop->is_asleep, false, memory_order_relaxed);
	return error;
}

int io_loop_run(struct io_loop *loop)
{
	int error;

	if (!loop->is_started) {
		error = loop->backend->start(loop);
		if (error)
			return error;
		loop->is_started = true;
	}
	loop->is_stopping = false;
	do {
		error = wait_for_events(loop);
		if (error)
			return error;
		read_clock(loop);
		loop->backend->dispatch(loop);
		/* What has happened is told before anyone is found late. */
		run_tasks(loop);
		io_timers_run(loop);
		deliver_messages(loop);
		run_tasks(loop);
		run_long_task(loop);
	} while (!loop->is_stopping);
	return 0;
}

void io_loop_stop(struct io_loop *loop)
{
	loop->is_stopping = true;
}

enum io_backend io_loop_backend(const struct io_loop *loop)
{
	return loop->backend->id;
}

const char *io_backend_name(enum io_backend backend)
{
	static const char *const names[] = {
#define X(name, text) text,
		IO_BACKENDS(X)
#undef X
	};

	return names[backend];
}

const char *io_loop_fallback_reason(const struct io_loop *loop)
{
	return loop->fallback_reason;
}

uint64_t io_loop_now_ms(const struct io_loop *loop)
{
	return loop->now_us / 1000;
}

uint64_t io_loop_now_us(const struct io_loop *loop)
{
	return loop->now_us;
}

uint64_t io_loop_delivered_us(const struct io_loop *loop)
{
	return loop->delivered_us;
}

void io_loop_post(struct io_loop *loop, struct io_message *message)
{
	const uint64_t one = 1;

	message->next = atomic_load_explicit(&loop->inbox, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&loop->inbox, &message->next, message))
		;
	if (!atomic_load(&loop->is_asleep) || !atomic_exchange(&loop->is_asleep, false))
		return;
	/* Fails only when 2^64 - 2 wake-ups wait, which wakes as well. */
	while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void io_loop_defer(struct io_loop *loop, struct io_task *task)
{
	if (!list_is_linked(&task->node))
		list_push_back(&loop->tasks, &task->node);
}

void io_loop_defer_long(struct io_loop *loop, struct io_task *task)
{
	if (!list_is_linked(&task->node))
		list_push_back(&loop->long_tasks, &task->node);
}
