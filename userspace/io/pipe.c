// SPDX-License-Identifier: Apache-2.0
/*
 * A loop's pipes for splice(2). They count against limits that the whole user shares
 * (fs.pipe-user-pages-soft, descriptors), so there are few, and idle ones are closed after a while.
 * Whoever gets none moves bytes by copying.
 */
#include "io/splice.h"

#include "io/io_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_PIPES 32
#define MAX_SIZE  (1 << 20)
/* A smaller pipe moves no more with each call than a large buffer does. */
#define MIN_SIZE (1 << 18)
#define IDLE_MS  10000

static void free_pipe(struct io_pipe_pool *pool, struct io_pipe *pipe)
{
	close(pipe->fds[0]);
	close(pipe->fds[1]);
	free(pipe);
	pool->count--;
}

static void close_spare(struct io_pipe_pool *pool)
{
	struct list_node *node;

	while ((node = list_pop_front(&pool->spare)))
		free_pipe(pool, list_entry(node, struct io_pipe, node));
}

/* A pump whose traffic has stopped keeps its pipe from others. */
static void take_back_idle(struct io_pipe_pool *pool, uint64_t now_ms)
{
	list_for_each_safe (node, &pool->used) {
		struct io_pipe *pipe = list_entry(node, struct io_pipe, node);

		if (!pipe->held && now_ms - pipe->pump->last_activity_ms >= IDLE_MS)
			io_splice_leave(pipe->pump);
	}
}

/* What is taken back here is closed the next time, unless somebody wants it before. */
static void on_tick(struct io_timer *timer)
{
	struct io_pipe_pool *pool = container_of(timer, struct io_pipe_pool, timer);
	struct io_loop *loop = container_of(pool, struct io_loop, pipes);

	close_spare(pool);
	take_back_idle(pool, io_loop_now_ms(loop));
	if (pool->count)
		io_timer_start(loop, timer, IDLE_MS);
}

void io_pipe_pool_init(struct io_pipe_pool *pool)
{
	*pool = (struct io_pipe_pool){.timer.on_expire = on_tick};
	list_init(&pool->spare);
	list_init(&pool->used);
}

void io_pipe_pool_done(struct io_pipe_pool *pool)
{
	close_spare(pool);
}

/* Return: bytes that the pipe holds; 0 if the user has too many pages in pipes already. */
static uint32_t enlarge(int fd)
{
	for (int size = MAX_SIZE; size >= MIN_SIZE; size /= 2) {
		int got = fcntl(fd, F_SETPIPE_SZ, size);

		if (got > 0)
			return (uint32_t)got;
	}
	return 0;
}

static struct io_pipe *new_pipe(struct io_pipe_pool *pool)
{
	struct io_pipe *pipe = calloc(1, sizeof(*pipe));

	if (!pipe)
		return NULL;
	if (pipe2(pipe->fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(pipe);
		return NULL;
	}
	pool->count++;
	pipe->size = enlarge(pipe->fds[1]);
	if (pipe->size)
		return pipe;
	free_pipe(pool, pipe);
	return NULL;
}

struct io_pipe *io_pipe_take(struct io_pump *pump)
{
	struct io_loop *loop = pump->from->loop;
	struct io_pipe_pool *pool = &loop->pipes;
	struct io_pipe *pipe = NULL;

	if (!list_is_empty(&pool->spare))
		pipe = list_entry(list_pop_front(&pool->spare), struct io_pipe, node);
	else if (pool->count < MAX_PIPES)
		pipe = new_pipe(pool);
	if (!pipe)
		return NULL;
	pipe->pump = pump;
	list_push_back(&pool->used, &pipe->node);
	if (!io_timer_is_pending(&pool->timer))
		io_timer_start(loop, &pool->timer, IDLE_MS);
	return pipe;
}

void io_pipe_release(struct io_loop *loop, struct io_pipe *pipe)
{
	struct io_pipe_pool *pool = &loop->pipes;

	list_remove(&pipe->node);
	if (pipe->held)
		free_pipe(pool, pipe);
	else
		list_push_front(&pool->spare, &pipe->node);
}
