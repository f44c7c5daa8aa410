/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_IO_LOOP_H
#define SLUICE_IO_LOOP_H

#include "core/compiler.h"
#include "core/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The proactor: operations are started, and end in a callback on the loop's thread. One loop a
 * thread; two back ends, io_uring and epoll, behave alike.
 *
 * Rules that hold for every object in io/ (stream, acceptor, pump, watch, timer):
 *  1. It is embedded in its owner and belongs to one loop and its thread.
 *  2. A callback is never called from inside the function that started the operation.
 *  3. Closing is asynchronous: memory stays valid until on_closed, which comes exactly once and
 *     last. Timers and watches are the exception: stopping them takes effect at once.
 *  4. A callback may close or stop any object, its own included.
 */
struct io_loop;

#define IO_BACKENDS(X)       \
	X(AUTO, "auto")      \
	X(URING, "io_uring") \
	X(EPOLL, "epoll")

enum io_backend {
#define X(name, text) IO_BACKEND_##name,
	IO_BACKENDS(X)
#undef X
};

struct io_options {
	enum io_backend backend;
	uint32_t buffer_size;  /* bytes of one receive buffer; 0: 16384 */
	uint32_t buffer_count; /* receive buffers that the loop may hold at once; 0: 1024 */
};

/**
 * @options: borrowed for the call.
 * Return: 0; -ENOMEM; -ENOSYS or -EPERM where io_uring was asked for by name and the kernel lacks
 * or forbids it. IO_BACKEND_AUTO falls back to epoll; io_loop_fallback_reason() then says why.
 */
int io_loop_new(const struct io_options *options, struct io_loop **ret) WARN_UNUSED;

/* All objects of the loop must be closed. NULL is allowed. */
void io_loop_free(struct io_loop *loop);

/*
 * Runs until io_loop_stop(); may be called again. The thread that runs it first is the loop's from
 * then on. Another thread may make the loop and start objects before that.
 * Return: 0; -errno if waiting itself failed.
 */
int io_loop_run(struct io_loop *loop) WARN_UNUSED;

/* Ends io_loop_run() after the present round of callbacks. */
void io_loop_stop(struct io_loop *loop);

enum io_backend io_loop_backend(const struct io_loop *loop);
const char *io_backend_name(enum io_backend backend);

/* Why AUTO did not take io_uring, for one log line; NULL if it did. Static text. */
const char *io_loop_fallback_reason(const struct io_loop *loop);

/* Monotonic time, read once a round: good for timeouts, not for measuring a callback. */
uint64_t io_loop_now_ms(const struct io_loop *loop);
uint64_t io_loop_now_us(const struct io_loop *loop);

/* When bytes last came for a stream's owner or its pump; those of handshakes do not count. */
uint64_t io_loop_delivered_us(const struct io_loop *loop);

/*
 * A message to a loop, from any thread. The sender fills it, the loop's thread gets it in
 * on_message and owns it from then on. Messages of one sender arrive in order.
 */
struct io_message {
	struct io_message *next; /* the loop's */
	void (*on_message)(struct io_message *message);
};

/* Takes ownership of @message until its callback. Thread: any. Never blocks. */
void io_loop_post(struct io_loop *loop, struct io_message *message);

/* Work for later in the present round, once the callback is over: where objects are freed, and
 * where is told what I/O has done, before any timer expires. It cannot be undone. Queueing a task
 * that waits already does nothing. */
struct io_task {
	struct list_node node;
	void (*on_run)(struct io_task *task);
};

void io_loop_defer(struct io_loop *loop, struct io_task *task);

/* Work that takes long: one such task a round, once everything else is done and what it sends is on
 * its way. Queueing a task that waits already does nothing. */
void io_loop_defer_long(struct io_loop *loop, struct io_task *task);

/* Within such a task, between its steps: what has been started so far is on its way. */
void io_loop_submit(struct io_loop *loop);

/* Likewise: whether something has come since the round began, for all that is known without asking
 * the kernel. An engine that would have to ask says yes. */
bool io_loop_has_news(struct io_loop *loop);

#endif
