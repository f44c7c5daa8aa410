// SPDX-License-Identifier: Apache-2.0
/* A snapshot as one worker sees it: its pools, its caches, its lines of the access log. */
#include "proxy/worker.h"

#include <errno.h>
#include <stdlib.h>

static void on_flush(struct io_task *task)
{
	struct worker_view *view = container_of(task, struct worker_view, flush);

	view->is_flush_queued = false;
	access_log_write(view->snapshot->access_log, &view->lines);
	worker_view_unref(view);
}

struct strbuf *worker_view_log(struct worker_view *view)
{
	if (!view->snapshot->access_log)
		return NULL;
	if (!view->is_flush_queued) {
		view->is_flush_queued = true;
		io_loop_defer(view->worker->loop, &worker_view_ref(view)->flush);
	}
	return &view->lines;
}

void worker_view_look(struct worker_view *view, const struct address *address,
		      struct geo_facts *ret)
{
	geo_cache_look(view->geo_cache, view->geo, address, ret);
}

static void view_free(struct worker_view *view)
{
	for (size_t i = 0; i < view->snapshot->config->npools; i++)
		pool_view_free(view->pools[i]);
	for (size_t i = 0; view->tls_caches && i < view->snapshot->config->npools; i++)
		tls_session_cache_free(view->tls_caches[i]);
	free(view->tls_caches);
	free(view->retry_budgets);
	strbuf_done(&view->lines);
	geo_cache_free(view->geo_cache);
	geo_unref(view->geo);
	snapshot_unref(view->snapshot);
	free(view);
}

/* Return: 0; -ENOMEM. */
static int add_geo(struct worker_view *view, struct geo *geo)
{
	if (!geo)
		return 0;
	view->geo = geo_ref(geo);
	view->geo_cache = geo_cache_new();
	return view->geo_cache ? 0 : -ENOMEM;
}

/* Return: 0; -ENOMEM. */
static int add_pool(struct worker_view *view, size_t index)
{
	struct snapshot *snapshot = view->snapshot;

	view->pools[index] = pool_view_new(upstream_pool(snapshot->upstream, index),
					   view->worker->loop);
	if (snapshot->pool_tls[index])
		view->tls_caches[index] = tls_session_cache_new();
	return view->pools[index] && (view->tls_caches[index] || !snapshot->pool_tls[index])
		       ? 0
		       : -ENOMEM;
}

struct worker_view *worker_view_new(struct worker *worker, struct snapshot *snapshot,
				    struct geo *geo)
{
	size_t npools = snapshot->config->npools;
	struct worker_view *view = calloc(1, sizeof(*view) + npools * sizeof(view->pools[0]));
	int err;

	if (!view)
		return NULL;
	view->refs = 1;
	view->worker = worker;
	view->snapshot = snapshot_ref(snapshot);
	view->flush.on_run = on_flush;
	view->tls_caches = calloc(npools + 1, sizeof(struct tls_session_cache *));
	view->retry_budgets = calloc(npools + 1, sizeof(*view->retry_budgets));
	err = add_geo(view, geo);
	for (size_t i = 0; i < npools && !err; i++)
		err = view->tls_caches && view->retry_budgets ? add_pool(view, i) : -ENOMEM;
	if (err) {
		view_free(view);
		return NULL;
	}
	return view;
}

struct worker_view *worker_view_ref(struct worker_view *view)
{
	view->refs++;
	return view;
}

void worker_view_unref(struct worker_view *view)
{
	if (view && --view->refs == 0)
		view_free(view);
}
