// SPDX-License-Identifier: Apache-2.0
/* Keeps the plan of mode dispatch what configuration and endpoints make of it: dispatch_plan.c says
 * what that is, fastpath/dispatch.h puts it in force. */
#include "proxy/dispatcher.h"
#include "core/clock.h"
#include "core/log.h"
#include "io/timer.h"
#include "proxy/dispatch_plan.h"
#include "proxy/dispatch_warnings.h"
#include "proxy/dispatch_ways.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Endpoints of a machine, or of a rack, change together. */
#define SETTLE_MS 20
/* Well within an epoch of cookies. */
#define RENEW_MS 30000

struct dispatcher {
	struct io_loop *loop;
	struct dispatch *dispatch;
	struct dispatch_checks *checks;
	struct io_timer refresh, renew, loads, asks;
	/* In force, borrowed; NULL: there is none, or none any more. */
	const struct config *config;
	struct upstream *upstream;
	struct areas *areas; /* NULL: nothing goes by place */
};

static int put_in_force(struct dispatcher *dispatcher, const struct config *config,
			struct upstream *upstream, const struct areas *areas, const char **ret_why)
{
	struct arena arena = {};
	struct dispatch_plan plan;
	int err = dispatch_plan_make(config, upstream, areas, &arena, &plan);

	*ret_why = err == -E2BIG ? "the pools of a listener have too many places" : "";
	if (!err)
		err = dispatch_apply(dispatcher->dispatch, &plan, ret_why);
	arena_done(&arena);
	if (err && !**ret_why)
		*ret_why = strerror(-err);
	return err;
}

static void on_refresh(struct io_timer *timer)
{
	struct dispatcher *dispatcher = container_of(timer, struct dispatcher, refresh);
	const char *why;

	if (dispatcher->config && put_in_force(dispatcher, dispatcher->config, dispatcher->upstream,
					       dispatcher->areas, &why) < 0)
		log_error("dispatch: %s: endpoints stay as they were for the packet programs", why);
}

static void on_renew(struct io_timer *timer)
{
	struct dispatcher *dispatcher = container_of(timer, struct dispatcher, renew);
	int err = dispatch_renew_cookies(dispatcher->dispatch);

	if (err)
		log_error("dispatch: SYN cookies keep the keys that they had: %s", strerror(-err));
	io_timer_start(dispatcher->loop, &dispatcher->renew, RENEW_MS);
}

static void follow_loads(struct dispatcher *dispatcher)
{
	uint32_t next_ms = dispatch_follow_loads(dispatcher->dispatch, clock_monotonic_ns());

	if (next_ms)
		io_timer_start(dispatcher->loop, &dispatcher->loads, next_ms);
}

static void on_loads(struct io_timer *timer)
{
	follow_loads(container_of(timer, struct dispatcher, loads));
}

static void ask_again(struct dispatcher *dispatcher)
{
	uint32_t next_ms = dispatch_ask_again(dispatcher->dispatch, clock_monotonic_ns());

	if (next_ms)
		io_timer_start(dispatcher->loop, &dispatcher->asks, next_ms);
}

static void on_asks(struct io_timer *timer)
{
	ask_again(container_of(timer, struct dispatcher, asks));
}

int dispatcher_new(struct io_loop *loop, struct splice *programs, struct dispatcher **ret)
{
	struct dispatcher *dispatcher = calloc(1, sizeof(*dispatcher));
	int err;

	if (!dispatcher)
		return -ENOMEM;
	dispatcher->loop = loop;
	dispatcher->refresh.on_expire = on_refresh;
	dispatcher->renew.on_expire = on_renew;
	dispatcher->loads.on_expire = on_loads;
	dispatcher->asks.on_expire = on_asks;
	err = dispatch_new(programs, &dispatcher->dispatch);
	if (!err)
		err = dispatch_checks_new(programs, &dispatcher->checks);
	if (err) {
		dispatcher_free(dispatcher);
		return err;
	}
	*ret = dispatcher;
	return 0;
}

void dispatcher_free(struct dispatcher *dispatcher)
{
	if (!dispatcher)
		return;
	dispatcher_stop(dispatcher);
	dispatch_checks_free(dispatcher->checks);
	dispatch_free(dispatcher->dispatch);
	free(dispatcher);
}

static void take_areas(struct dispatcher *dispatcher, struct areas *areas)
{
	struct areas *before = dispatcher->areas;

	dispatcher->areas = areas_ref(areas);
	areas_unref(before);
}

int dispatcher_apply(struct dispatcher *dispatcher, const struct config *config,
		     struct upstream *upstream, struct areas *areas, struct strbuf *ret_errors)
{
	const char *why;
	int err = put_in_force(dispatcher, config, upstream, areas, &why);

	if (err) {
		strbuf_printf(ret_errors, "%s: dispatch: %s\n", config->path, why);
		return err;
	}
	dispatcher->config = config;
	dispatcher->upstream = upstream;
	take_areas(dispatcher, areas);
	if (!io_timer_is_pending(&dispatcher->renew))
		io_timer_start(dispatcher->loop, &dispatcher->renew, RENEW_MS);
	if (!io_timer_is_pending(&dispatcher->loads))
		follow_loads(dispatcher);
	if (!io_timer_is_pending(&dispatcher->asks))
		ask_again(dispatcher);
	dispatch_warn(dispatcher, config);
	return 0;
}

int dispatcher_set_ways(const struct dispatcher *dispatcher, const struct config *config,
			struct upstream *upstream)
{
	return dispatcher ? dispatch_ways_set(config, dispatcher->checks, upstream) : 0;
}

void dispatcher_set_areas(struct dispatcher *dispatcher, struct areas *areas)
{
	if (!dispatcher)
		return;
	take_areas(dispatcher, areas);
	dispatcher_refresh(dispatcher);
}

void dispatcher_refresh(struct dispatcher *dispatcher)
{
	if (dispatcher && !io_timer_is_pending(&dispatcher->refresh))
		io_timer_start(dispatcher->loop, &dispatcher->refresh, SETTLE_MS);
}

void dispatcher_stop(struct dispatcher *dispatcher)
{
	io_timer_stop(dispatcher->loop, &dispatcher->refresh);
	io_timer_stop(dispatcher->loop, &dispatcher->renew);
	io_timer_stop(dispatcher->loop, &dispatcher->loads);
	io_timer_stop(dispatcher->loop, &dispatcher->asks);
	dispatcher->config = NULL;
	dispatcher->upstream = NULL;
	take_areas(dispatcher, NULL);
}

/* --- To look at --------------------------------------------------------------------------------*/

static void visit_listener(const struct config_listener *listener,
			   void (*visit)(const struct dispatcher_service *service, void *context),
			   void *context)
{
	for (size_t b = 0; b < listener->nbinds; b++) {
		const struct dispatcher_service service = {
			.id = dispatch_plan_service_id(&listener->binds[b]),
			.listener = listener,
			.bind = &listener->binds[b],
			.form = dispatch_plan_form(listener),
		};

		visit(&service, context);
	}
}

void dispatcher_for_each(const struct dispatcher *dispatcher,
			 void (*visit)(const struct dispatcher_service *service, void *context),
			 void *context)
{
	const struct config *config = dispatcher ? dispatcher->config : NULL;

	for (size_t i = 0; config && i < config->nlisteners; i++) {
		const struct config_listener *listener = &config->listeners[i];

		if (listener->mode == CONFIG_MODE_DISPATCH)
			visit_listener(listener, visit, context);
	}
}

/* Visits a pool's endpoints but for those that a pool before has too. */
struct visiting {
	const struct dispatcher *dispatcher;
	const struct config_listener *listener;
	size_t pool; /* config_dispatch_pool() of it */
	const struct config_pool *config;
	const struct endpoint *endpoint;
	bool is_known;
	dispatcher_visit_endpoint *visit;
	void *context;
};

static void compare(struct endpoint *endpoint, void *context)
{
	struct visiting *visiting = context;

	visiting->is_known |= endpoint->id == visiting->endpoint->id;
}

static void visit_once(struct endpoint *endpoint, void *context)
{
	struct visiting *visiting = context;
	size_t index;

	visiting->endpoint = endpoint;
	visiting->is_known = false;
	for (size_t n = 0; n < visiting->pool; n++)
		if (config_dispatch_pool(visiting->listener, n, &index))
			pool_for_each(upstream_pool(visiting->dispatcher->upstream, index), compare,
				      visiting);
	if (!visiting->is_known)
		visiting->visit(endpoint, visiting->config, visiting->context);
}

void dispatcher_for_each_endpoint(const struct dispatcher *dispatcher,
				  const struct dispatcher_service *service,
				  dispatcher_visit_endpoint *visit, void *context)
{
	struct visiting visiting = {.dispatcher = dispatcher,
				    .listener = service->listener,
				    .visit = visit,
				    .context = context};
	size_t index;

	for (; visiting.pool <= service->listener->nroutes; visiting.pool++) {
		if (!config_dispatch_pool(service->listener, visiting.pool, &index))
			continue;
		visiting.config = &dispatcher->config->pools[index];
		pool_for_each(upstream_pool(dispatcher->upstream, index), visit_once, &visiting);
	}
}

uint32_t dispatcher_max_flows(const struct dispatcher *dispatcher)
{
	return dispatch_max_flows(dispatcher->dispatch);
}

void dispatcher_count(const struct dispatcher *dispatcher, const struct dispatcher_service *service,
		      struct dispatch_service_counts *ret)
{
	if (dispatch_count_service(dispatcher->dispatch, service->id, ret) < 0)
		*ret = (struct dispatch_service_counts){};
}

void dispatcher_count_endpoint(const struct dispatcher *dispatcher,
			       const struct dispatcher_service *service,
			       const struct endpoint *endpoint, struct dispatch_traffic *ret)
{
	if (dispatch_count_endpoint(dispatcher->dispatch, service->id, endpoint->id, ret) < 0)
		*ret = (struct dispatch_traffic){};
}
