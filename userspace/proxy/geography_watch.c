// SPDX-License-Identifier: Apache-2.0
/*
 * Databases whose files change: each second a thread that may block looks at them, and opens them
 * once they have been the same twice, so that a file that is being written over is left alone.
 *
 *   tick ─► thread: stamp, perhaps open ─► control: all workers get the new ones
 *                                      └─► or say once why not: those before stay
 */
#include "proxy/geography_watch.h"
#include "core/log.h"
#include "io/offload.h"
#include "proxy/geography.h"
#include "proxy/server_internal.h"

#include <stdlib.h>

#define LOOK_MS 1000

struct geography_watch {
	struct server *server;
	struct io_timer tick;
	struct io_job job;
	struct snapshot *snapshot; /* held by the look under way; NULL: there is none */
	uint64_t loaded;           /* stamps: of what is in force, */
	uint64_t seen;             /* of the last look, */
	uint64_t refused;          /* of what could not be used */
	int err;
	struct geo *geo; /* opened by the look */
	struct strbuf errors;
};

/* On a thread that may block. */
static void look(struct io_job *job)
{
	struct geography_watch *watch = container_of(job, struct geography_watch, job);
	const struct config *config = watch->snapshot->config;
	uint64_t stamp = geography_stamp(config), before = watch->seen;

	watch->seen = stamp;
	if (stamp != before || stamp == watch->loaded || stamp == watch->refused)
		return;
	watch->err = geography_open(config, &watch->geo, &watch->errors);
}

static void refuse(struct geography_watch *watch)
{
	watch->refused = watch->seen;
	log_lines(LOG_ERROR, "geo: a changed database cannot be used, those before stay: ",
		  watch->errors.len ? watch->errors.text : "out of memory");
}

/* Takes over the reference that the look has left. */
static void put_in_force(struct geography_watch *watch)
{
	struct server *server = watch->server;

	geo_unref(server->snapshot->geo);
	server->snapshot->geo = watch->geo;
	for (uint32_t w = 0; w < server->nworkers; w++)
		if (worker_renew_geo(server->workers[w], watch->geo) < 0)
			log_error("worker %u: out of memory: stays with the databases before", w);
	log_info("geo: the databases have changed, and are loaded anew");
	watch->geo = NULL;
}

static void on_looked(struct io_job *job)
{
	struct geography_watch *watch = container_of(job, struct geography_watch, job);
	struct snapshot *snapshot = watch->snapshot;

	/* Another configuration may have come meanwhile, and opened its own. */
	if (snapshot == watch->server->snapshot && !watch->server->is_draining) {
		if (watch->err)
			refuse(watch);
		else if (watch->geo)
			put_in_force(watch);
	}
	geo_unref(watch->geo);
	strbuf_done(&watch->errors);
	watch->geo = NULL;
	watch->errors = (struct strbuf){};
	watch->err = 0;
	watch->snapshot = NULL;
	snapshot_unref(snapshot);
}

static void begin_look(struct geography_watch *watch)
{
	struct server *server = watch->server;

	watch->loaded = geo_opened_stamp(server->snapshot->geo);
	watch->snapshot = snapshot_ref(server->snapshot);
	if (io_offload_submit(server->shared.offload, server->loop, &watch->job) == 0)
		return;
	snapshot_unref(watch->snapshot);
	watch->snapshot = NULL;
}

static void on_tick(struct io_timer *timer)
{
	struct geography_watch *watch = container_of(timer, struct geography_watch, tick);
	const struct server *server = watch->server;

	if (server->is_draining || !server->snapshot->geo)
		return;
	if (!watch->snapshot)
		begin_look(watch);
	io_timer_start(server->loop, &watch->tick, LOOK_MS);
}

struct geography_watch *geography_watch_new(struct server *server)
{
	struct geography_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->server = server;
	watch->tick.on_expire = on_tick;
	watch->job.run = look;
	watch->job.on_done = on_looked;
	return watch;
}

void geography_watch_start(struct geography_watch *watch)
{
	if (watch->server->snapshot->geo && !io_timer_is_pending(&watch->tick))
		io_timer_start(watch->server->loop, &watch->tick, LOOK_MS);
}

void geography_watch_free(struct geography_watch *watch)
{
	if (!watch)
		return;
	if (io_timer_is_pending(&watch->tick))
		io_timer_stop(watch->server->loop, &watch->tick);
	free(watch);
}
