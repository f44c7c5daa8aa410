// SPDX-License-Identifier: Apache-2.0
/*
 * The end of the daemon:
 *
 *   close listeners ─► leave what is spliced to the next daemon, if it can be left
 *                      ─► wait for connections ─► deadline: reset them ─► stop workers
 *                      ─► retire the snapshot ─► all snapshots freed: on_drained
 */
#include "fastpath/splice.h"
#include "proxy/adopted.h"
#include "proxy/dispatcher.h"
#include "proxy/kernel.h"
#include "proxy/reload.h"
#include "proxy/server_internal.h"

#include <errno.h>

#define LOOK_MS 10

/* They need nobody: it would be idle to wait for them. */
static void leave_spliced(struct server *server)
{
	for (uint32_t w = 0; w < server->nworkers; w++)
		worker_leave_spliced(server->workers[w]);
	adopted_leave(server);
}

static void reset_sessions(struct server *server)
{
	server->is_reset = true;
	adopted_reset(server);
	for (uint32_t w = 0; w < server->nworkers; w++)
		worker_reset_sessions(server->workers[w]);
}

/* With the endpoints as they are now: nobody checks them until the next daemon does. */
static void leave_dispatch(struct server *server)
{
	if (!server->dispatcher)
		return;
	dispatcher_stop(server->dispatcher);
	if (!kernel_outlives(server) || !config_has_dispatch(server->snapshot->config))
		return;
	splice_leave_dispatch(server->programs);
	log_info("drain: listeners of mode dispatch go on in the kernel, for the next daemon; "
		 "'sluicectl flows --discard' ends them");
}

static void say_what_is_left(const struct server *server)
{
	uint32_t count = server->shared.splice ? splice_lasting(server->shared.splice) : 0;

	if (count)
		log_info("drain: %u spliced connections go on in the kernel, for the next daemon",
			 count);
}

static void finish(struct server *server)
{
	struct snapshot *snapshot = server->snapshot;

	server_stop_workers(server);
	server->nworkers = 0;
	say_what_is_left(server);
	leave_dispatch(server);
	server->snapshot = NULL;
	snapshot_retire(snapshot);
}

void server_on_snapshot_freed(struct server *server)
{
	server->on_drained(server->drained_context);
}

/* In this order: until a worker is quiet, it may still count a connection in. */
static bool is_idle(struct server *server)
{
	for (uint32_t w = 0; w < server->nworkers; w++)
		if (!atomic_load(&server->workers[w]->is_quiet))
			return false;
	return atomic_load(&server->shared.active) == 0 &&
	       atomic_load(&server->shared.backends) == 0 && server->nadopted == 0;
}

static void on_look(struct io_timer *timer)
{
	struct server *server = container_of(timer, struct server, drain_timer);

	if (is_idle(server)) {
		finish(server);
		return;
	}
	if (!server->is_reset && io_loop_now_ms(server->loop) >= server->deadline_ms) {
		log_warn("drain: the deadline has passed: %u connections are reset",
			 atomic_load(&server->shared.active) + server->nadopted);
		reset_sessions(server);
	}
	io_timer_start(server->loop, &server->drain_timer, LOOK_MS);
}

void server_drain(struct server *server, void (*on_drained)(void *context), void *context)
{
	if (server->is_draining) {
		if (!server->is_reset && server->snapshot)
			reset_sessions(server);
		return;
	}
	server->is_draining = true;
	reloader_settle(server->reloader);
	server->on_drained = on_drained;
	server->drained_context = context;
	server->deadline_ms = io_loop_now_ms(server->loop) +
			      server->snapshot->config->drain_timeout_ms;
	server->drain_timer.on_expire = on_look;
	for (uint32_t w = 0; w < server->nworkers; w++)
		worker_drain(server->workers[w]);
	if (server->shared.splice && kernel_outlives(server))
		leave_spliced(server);
	io_timer_start(server->loop, &server->drain_timer, LOOK_MS);
}

bool server_is_draining(const struct server *server)
{
	return server->is_draining;
}
