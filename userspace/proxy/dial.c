// SPDX-License-Identifier: Apache-2.0
/* Picks an endpoint, waits where none is free, and picks another one where a try has failed. The
 * tries themselves are dial_open.c's. */
#include "proxy/dial.h"
#include "core/log.h"
#include "core/scarcity.h"
#include "proxy/worker.h"

#include <errno.h>
#include <string.h>

#define RESOURCES_WAIT_MS 50

static void pick(struct dial *dial);

static struct io_loop *loop_of(const struct dial *dial)
{
	return dial->view->worker->loop;
}

const struct config_pool *dial_pool(const struct dial *dial)
{
	return dial->pool_view ? pool_config(pool_view_pool(dial->pool_view)) : NULL;
}

struct pool_counters *dial_counters(const struct dial *dial)
{
	const struct worker_view *view = dial->view;

	return &view->snapshot->pools[dial->pool]->by_worker[view->worker->index];
}

const struct endpoint *dial_endpoint_to_tell(const struct dial *dial)
{
	if (dial->endpoint || dial->ntried == 0)
		return dial->endpoint;
	return dial->tried[dial->ntried - 1];
}

/* --- Waiting --------------------------------------------------------------------- */

static void on_turn(struct pool_waiter *waiter, int status)
{
	struct dial *dial = container_of(waiter, struct dial, waiter);

	if (status < 0)
		dial->ops->on_failed(dial, DIAL_QUEUE_TIMEOUT);
	else
		pick(dial);
}

static void tell_wait(struct dial *dial)
{
	if (dial->ops->on_wait)
		dial->ops->on_wait(dial);
}

static void wait_for_turn(struct dial *dial)
{
	dial->waiter.on_turn = on_turn;
	if (pool_view_wait(dial->pool_view, &dial->waiter) < 0)
		dial->ops->on_failed(dial, DIAL_QUEUE_FULL);
	else
		tell_wait(dial);
}

static void on_resources_due(struct io_timer *timer)
{
	pick(container_of(timer, struct dial, timer));
}

/* No descriptor or memory for a socket: as if all endpoints were busy. */
static void wait_for_resources(struct dial *dial, int error)
{
	uint64_t waited_us = io_loop_now_us(loop_of(dial)) - dial->pick_us;

	endpoint_unref(dial->tried[--dial->ntried]);
	pool_view_release(dial->pool_view, dial->endpoint);
	dial->endpoint = NULL;
	if (waited_us / 1000 >= dial_pool(dial)->queue_timeout_ms) {
		dial->ops->on_failed(dial, is_out_of_descriptors(error) ? DIAL_NO_DESCRIPTORS
									: DIAL_NO_MEMORY);
		return;
	}
	dial->timer.on_expire = on_resources_due;
	io_timer_start(loop_of(dial), &dial->timer, RESOURCES_WAIT_MS);
	tell_wait(dial);
}

/* --- Tries ------------------------------------------------------------------------ */

/* Ours to answer for, so it is not held against the endpoint. */
static void on_no_socket(struct dial *dial, int error)
{
	log_warn("pool %s: endpoint %s: no socket to connect with: %s", dial_pool(dial)->name,
		 dial->endpoint->name, strerror(-error));
	if (is_scarcity(error)) {
		wait_for_resources(dial, error);
		return;
	}
	dial->error = error;
	counter_add(&dial_counters(dial)->connect_failures, 1);
	dial_next(dial);
}

static struct pool_request request_of(const struct dial *dial)
{
	return (struct pool_request){
		.client = dial->client ? dial->client : dial->source,
		.tried = dial->tried,
		.ntried = dial->ntried,
		.wanted = dial->wanted,
		.key = dial->key,
		.place = dial->place,
	};
}

static void note_try(struct dial *dial, struct endpoint *endpoint)
{
	dial->tried[dial->ntried++] = endpoint_ref(endpoint);
}

/* The endpoint is picked. Return: 0; -errno: no socket. */
static int begin_try(struct dial *dial)
{
	note_try(dial, dial->endpoint);
	dial->connect_us = io_loop_now_us(loop_of(dial));
	if (dial->ops->has_connection && dial->ops->has_connection(dial))
		return 0;
	return dial_open(dial);
}

static void pick(struct dial *dial)
{
	const struct pool_request request = request_of(dial);
	int err = pool_view_pick(dial->pool_view, &request, &dial->endpoint);

	if (err == -EBUSY) {
		wait_for_turn(dial);
		return;
	}
	if (err) {
		dial->ops->on_failed(dial, dial->ntried ? DIAL_CONNECT_FAILED : DIAL_NO_ENDPOINT);
		return;
	}
	err = begin_try(dial);
	if (err)
		on_no_socket(dial, err);
}

void dial_start(struct dial *dial, size_t pool)
{
	dial->pool = pool;
	dial->pool_view = dial->view->pools[pool];
	dial->pick_us = io_loop_now_us(loop_of(dial));
	pick(dial);
}

void dial_fail(struct dial *dial, int error, enum io_close_how how)
{
	io_timer_stop(loop_of(dial), &dial->timer);
	dial->error = error;
	dial->stream = NULL;
	pool_view_report_connect(dial->pool_view, dial->endpoint, error, 0);
	counter_add(&dial_counters(dial)->connect_failures, 1);
	dial->ops->on_lost(dial, how);
}

bool dial_has_tries_left(const struct dial *dial)
{
	return dial->ntried <= dial_pool(dial)->connect_retries && dial->ntried < POOL_TRIES_MAX;
}

void dial_next(struct dial *dial)
{
	pool_view_release(dial->pool_view, dial->endpoint);
	dial->endpoint = NULL;
	if (!dial_has_tries_left(dial)) {
		dial->ops->on_failed(dial,
				     dial->tls.failure ? DIAL_TLS_FAILED : DIAL_CONNECT_FAILED);
		return;
	}
	dial->tls.failure = TLS_FAILURE_NONE;
	counter_add(&dial_counters(dial)->retries, 1);
	pick(dial);
}

/* --- Beside another --------------------------------------------------------------- */

int dial_pick_beside(struct dial *dial, const struct dial *first)
{
	struct pool_request request;

	*dial = (struct dial){
		.ops = first->ops,
		.view = first->view,
		.source = first->source,
		.client = first->client,
		.place = first->place,
		.wanted = first->wanted,
		.key = first->key,
		.pool = first->pool,
		.pool_view = first->pool_view,
		.pick_us = io_loop_now_us(loop_of(first)),
	};
	for (uint32_t i = 0; i < first->ntried; i++)
		note_try(dial, first->tried[i]);
	request = request_of(dial);
	request.wanted = 0;
	request.is_extra = true;
	return pool_view_pick(dial->pool_view, &request, &dial->endpoint);
}

int dial_open_beside(struct dial *dial, struct dial *first)
{
	note_try(first, dial->endpoint);
	return begin_try(dial);
}

/* --- The end ---------------------------------------------------------------------- */

void dial_stop(struct dial *dial)
{
	if (!dial->pool_view)
		return;
	io_timer_stop(loop_of(dial), &dial->timer);
	pool_view_cancel_wait(&dial->waiter);
	dial->stream = NULL;
}

void dial_done(struct dial *dial)
{
	dial_stop(dial);
	if (dial->endpoint)
		pool_view_release(dial->pool_view, dial->endpoint);
	dial->endpoint = NULL;
	for (uint32_t i = 0; i < dial->ntried; i++)
		endpoint_unref(dial->tried[i]);
	dial->ntried = 0;
}
