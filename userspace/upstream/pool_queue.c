// SPDX-License-Identifier: Apache-2.0
/*
 * Waiting for an endpoint below its connection limit. Each view has a queue of its own; the pool
 * bounds their sum. A view is kicked, by a message to its loop, when it should look whether its
 * first waiter can go on. No kick is lost:
 *  - who queues looks for room once more after it can be seen, and kicks itself if there is some;
 *  - a view that was kicked and has room left hands the kick on to another one that has waiters.
 */
#include "upstream/pool_view_internal.h"

#include <errno.h>
#include <stdlib.h>

bool pool_view_has_waiters(const struct pool_view *view)
{
	return atomic_load(&view->nwaiting) > 0;
}

void pool_view_kick(struct pool_view *view)
{
	if (!atomic_exchange(&view->is_kicked, true))
		io_loop_post(view->loop, &view->kick);
}

/* --- Queueing --------------------------------------------------------------------- */

static bool take_place(struct pool *pool)
{
	uint32_t waiting = atomic_load(&pool->line->waiting);

	do {
		if (waiting >= pool->config->queue_size)
			return false;
	} while (!atomic_compare_exchange_weak(&pool->line->waiting, &waiting, waiting + 1));
	return true;
}

static void leave(struct pool_waiter *waiter)
{
	struct pool_view *view = waiter->view;

	list_remove(&waiter->node);
	io_timer_stop(view->loop, &waiter->timer);
	waiter->view = NULL;
	atomic_fetch_sub(&view->nwaiting, 1);
	atomic_fetch_sub(&view->pool->line->waiting, 1);
	if (list_is_empty(&view->waiters))
		io_timer_stop(view->loop, &view->recheck);
}

static void on_timeout(struct io_timer *timer)
{
	struct pool_waiter *waiter = container_of(timer, struct pool_waiter, timer);

	leave(waiter);
	waiter->on_turn(waiter, -ETIMEDOUT);
}

/* A turn that came to nothing does not lengthen the wait. */
static void start_timeout(struct pool_waiter *waiter)
{
	struct pool_view *view = waiter->view;
	uint64_t now_ms = io_loop_now_ms(view->loop);

	if (waiter->deadline_ms == 0)
		waiter->deadline_ms = now_ms + view->pool->config->queue_timeout_ms;
	waiter->timer.on_expire = on_timeout;
	io_timer_start(view->loop, &waiter->timer,
		       waiter->deadline_ms > now_ms ? waiter->deadline_ms - now_ms : 0);
}

/* An ejected endpoint that comes back tells nobody. */
static void start_recheck(struct pool_view *view)
{
	uint64_t now_ms = io_loop_now_ms(view->loop);
	uint64_t until_ms = view->all.table.valid_until_ms;

	if (until_ms == UINT64_MAX)
		return;
	io_timer_start(view->loop, &view->recheck, until_ms > now_ms ? until_ms - now_ms : 0);
}

static void on_recheck(struct io_timer *timer)
{
	pool_view_kick(container_of(timer, struct pool_view, recheck));
}

int pool_view_wait(struct pool_view *view, struct pool_waiter *waiter)
{
	if (!take_place(view->pool))
		return -ENOBUFS;
	waiter->view = view;
	/* One whose turn came to nothing keeps its place. */
	if (view->is_serving)
		list_push_front(&view->waiters, &waiter->node);
	else
		list_push_back(&view->waiters, &waiter->node);
	atomic_fetch_add(&view->nwaiting, 1);
	start_timeout(waiter);
	if (pool_view_has_room(view))
		pool_view_kick(view);
	start_recheck(view);
	return 0;
}

void pool_view_cancel_wait(struct pool_waiter *waiter)
{
	if (waiter->view)
		leave(waiter);
}

/* --- Serving ---------------------------------------------------------------------- */

static void serve(struct pool_view *view)
{
	/* Those who queue again during their turn are not served twice. */
	uint32_t turns = atomic_load(&view->nwaiting);

	view->is_serving = true;
	while (turns-- > 0 && !view->is_freed && !list_is_empty(&view->waiters) &&
	       pool_view_has_room(view)) {
		struct pool_waiter *waiter = list_entry(view->waiters.next, struct pool_waiter,
							node);

		leave(waiter);
		waiter->on_turn(waiter, 0);
	}
	view->is_serving = false;
	if (view->is_freed)
		return;
	if (!list_is_empty(&view->waiters))
		start_recheck(view);
	if (atomic_load(&view->pool->line->waiting) > 0 && pool_view_has_room(view))
		pool_line_kick_other(view->pool->line, view);
}

static void on_kick(struct io_message *message)
{
	struct pool_view *view = container_of(message, struct pool_view, kick);

	/* Before looking: what happens from here on kicks again. */
	atomic_store(&view->is_kicked, false);
	if (!view->is_freed)
		serve(view);
	if (view->is_freed && !atomic_load(&view->is_kicked))
		free(view);
}

void pool_queue_init(struct pool_view *view)
{
	list_init(&view->waiters);
	view->kick.on_message = on_kick;
	view->recheck.on_expire = on_recheck;
}

void pool_queue_free(struct pool_view *view)
{
	io_timer_stop(view->loop, &view->recheck);
	if (atomic_load(&view->is_kicked) || view->is_serving)
		view->is_freed = true;
	else
		free(view);
}
