// SPDX-License-Identifier: Apache-2.0
/*
 * Everybody who waits for the endpoints of a pool, by worker, and across reloads: a pool and the
 * one that takes its endpoints over share a line, because a connection that ends under one of them
 * makes room for those who wait under the other.
 */
#include "upstream/pool_line.h"

#include "upstream/pool_view_internal.h"

#include <stdlib.h>

struct pool_line *pool_line_new(void)
{
	struct pool_line *line = calloc(1, sizeof(*line));

	if (!line)
		return NULL;
	atomic_init(&line->refs, 1);
	pthread_mutex_init(&line->lock, NULL);
	list_init(&line->views);
	return line;
}

struct pool_line *pool_line_ref(struct pool_line *line)
{
	atomic_fetch_add(&line->refs, 1);
	return line;
}

void pool_line_unref(struct pool_line *line)
{
	if (!line || atomic_fetch_sub(&line->refs, 1) != 1)
		return;
	pthread_mutex_destroy(&line->lock);
	free(line);
}

void pool_line_add(struct pool_line *line, struct pool_view *view)
{
	pthread_mutex_lock(&line->lock);
	list_push_back(&line->views, &view->node);
	pthread_mutex_unlock(&line->lock);
}

void pool_line_remove(struct pool_line *line, struct pool_view *view)
{
	pthread_mutex_lock(&line->lock);
	list_remove(&view->node);
	pthread_mutex_unlock(&line->lock);
}

void pool_line_kick_all(struct pool_line *line)
{
	pthread_mutex_lock(&line->lock);
	list_for_each (node, &line->views) {
		struct pool_view *view = list_entry(node, struct pool_view, node);

		if (pool_view_has_waiters(view))
			pool_view_kick(view);
	}
	pthread_mutex_unlock(&line->lock);
}

void pool_line_kick_other(struct pool_line *line, const struct pool_view *except)
{
	pthread_mutex_lock(&line->lock);
	list_for_each (node, &line->views) {
		struct pool_view *view = list_entry(node, struct pool_view, node);

		if (view == except || !pool_view_has_waiters(view))
			continue;
		pool_view_kick(view);
		/* The next one that is kicked is another one: no worker's queue starves. */
		list_remove(node);
		list_push_back(&line->views, node);
		break;
	}
	pthread_mutex_unlock(&line->lock);
}

void pool_line_kick_one(struct pool_line *line, struct pool_view *first)
{
	/* Two pools in one line differ in endpoints: whose there is room for, only they can tell.
	 */
	if (atomic_load(&line->refs) > 1)
		pool_line_kick_all(line);
	else if (pool_view_has_waiters(first))
		pool_view_kick(first);
	else
		pool_line_kick_other(line, first);
}
