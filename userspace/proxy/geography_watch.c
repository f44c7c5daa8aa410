// SPDX-License-Identifier: Apache-2.0
/*
 * Databases whose files change: each second a thread that may block looks at them, and opens them
 * once they have been the same twice, so that a file that is being written over is left alone. What
 * the guard and mode dispatch want to know of places is gathered there too.
 *
 *   tick ───► thread: stamp, perhaps open, gather ─► control: all who ask them get the new
 *   reload ─► thread: gather                      └► or say once why not: those before stay
 */
#include "proxy/geography_watch.h"
#include "core/log.h"
#include "proxy/dispatcher.h"
#include "proxy/errand.h"
#include "proxy/geography.h"
#include "proxy/guard.h"
#include "proxy/places.h"
#include "proxy/server_internal.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS 1000

struct geography_watch {
	struct server *server;
	struct io_timer tick;
	struct errand look; /* with the snapshot that it is for */
	uint64_t loaded;    /* stamps: of what is in force, */
	uint64_t seen;      /* of the last look, */
	uint64_t refused;   /* of what could not be used */
	uint32_t ruled;     /* generation whose rules of places have been followed */
	bool has_places;

	/* Of the look. */
	bool only_gathers; /* from the databases in force: files wait for the next tick */
	int err;
	struct geography opened;
	struct guard_list places; /* gathered */
	struct strbuf errors;
};

static int gather(const struct config *config, const struct geo *geo,
		  const struct patience *patience, struct guard_list *places, struct strbuf *errors)
{
	if (!places_are_ruled(config))
		return 0;
	return places_gather(config, geo, GUARD_LIST_MAX, patience, places, errors);
}

/* --- On a thread that may block ------------------------------------------------- */

static void open_changed(struct geography_watch *watch)
{
	const struct config *config = watch->look.snapshot->config;
	uint64_t stamp = geography_stamp(config), before = watch->seen;

	watch->seen = stamp;
	if (stamp != before || stamp == watch->loaded || stamp == watch->refused)
		return;
	watch->err = geography_open(config, &watch->server->patience, &watch->opened.geo,
				    &watch->errors);
}

/* The snapshot's databases change only when the look is over. */
static void look(struct errand *errand)
{
	struct geography_watch *watch = container_of(errand, struct geography_watch, look);
	const struct snapshot *snapshot = errand->snapshot;
	const struct patience *patience = &watch->server->patience;
	const struct geo *geo = snapshot->places.geo;

	if (!watch->only_gathers) {
		open_changed(watch);
		geo = watch->opened.geo;
	}
	if (!watch->err && geo)
		watch->err = gather(snapshot->config, geo, patience, &watch->places,
				    &watch->errors);
	if (!watch->err && watch->opened.geo)
		watch->err = areas_make(snapshot->config, watch->opened.geo, NULL, patience,
					&watch->opened.areas, &watch->errors);
}

/* --- What comes of it ----------------------------------------------------------- */

/* Told once of a file, and once of a configuration. */
static void refuse(struct geography_watch *watch)
{
	const char *errors = watch->errors.len ? watch->errors.text : "out of memory";

	if (!watch->only_gathers) {
		watch->refused = watch->seen;
		log_lines(LOG_ERROR,
			  "geo: a changed database cannot be used, those before stay: ", errors);
		return;
	}
	watch->ruled = watch->look.snapshot->generation;
	guard_note_places(watch->server->shared.guard, errors);
	log_lines(LOG_ERROR, "guard: the places before stay in force: ", errors);
}

/* Takes over the references that the look has left. */
static void renew_geo(struct geography_watch *watch)
{
	struct server *server = watch->server;

	geography_done(&server->snapshot->places);
	server->snapshot->places = watch->opened;
	dispatcher_set_areas(server->dispatcher, watch->opened.areas);
	for (uint32_t w = 0; w < server->nworkers; w++)
		if (worker_renew_geo(server->workers[w], watch->opened.geo) < 0)
			log_error("worker %u: out of memory: stays with the databases before", w);
	log_info("geo: the databases have changed, and are loaded anew");
	watch->opened = (struct geography){};
}

static int set_places(struct geography_watch *watch, const struct snapshot *snapshot,
		      struct guard_list *places)
{
	size_t count = places->count;
	int err = guard_set_places(watch->server->shared.guard, places);

	watch->ruled = snapshot->generation;
	if (err)
		return err;
	watch->has_places = places_are_ruled(snapshot->config);
	if (watch->has_places)
		log_info("guard: places: %zu networks are listed", count);
	return 0;
}

static void renew_places(struct geography_watch *watch)
{
	int err = set_places(watch, watch->look.snapshot, &watch->places);

	if (!err)
		return;
	guard_note_places(watch->server->shared.guard, strerror(-err));
	log_error("guard: places: the networks cannot be loaded, those before stay: %s",
		  strerror(-err));
}

static void put_in_force(struct geography_watch *watch)
{
	bool has_gathered = watch->opened.geo || watch->only_gathers;

	if (has_gathered && places_are_ruled(watch->look.snapshot->config))
		renew_places(watch);
	if (watch->opened.geo)
		renew_geo(watch);
}

static void forget_look(struct geography_watch *watch)
{
	geography_done(&watch->opened);
	guard_list_done(&watch->places);
	strbuf_done(&watch->errors);
	watch->errors = (struct strbuf){};
	watch->err = 0;
	errand_end(&watch->look);
}

static bool wants_places(const struct geography_watch *watch)
{
	const struct snapshot *snapshot = watch->server->snapshot;

	return places_are_ruled(snapshot->config) && watch->ruled != snapshot->generation;
}

/* --- When to look --------------------------------------------------------------- */

static void begin_look(struct geography_watch *watch)
{
	struct server *server = watch->server;

	watch->loaded = geo_opened_stamp(server->snapshot->places.geo);
	watch->only_gathers = wants_places(watch);
	if (errand_begin(&watch->look, server) < 0)
		errand_end(&watch->look);
}

static void on_looked(struct errand *errand)
{
	struct geography_watch *watch = container_of(errand, struct geography_watch, look);
	const struct server *server = watch->server;

	/* Another configuration may have come meanwhile, and opened its own. */
	if (watch->look.snapshot == server->snapshot && !server->is_draining) {
		if (watch->err)
			refuse(watch);
		else
			put_in_force(watch);
	}
	forget_look(watch);
	if (!server->is_draining && wants_places(watch))
		begin_look(watch);
}

static void on_tick(struct io_timer *timer)
{
	struct geography_watch *watch = container_of(timer, struct geography_watch, tick);
	const struct server *server = watch->server;

	if (server->is_draining || !server->snapshot->places.geo)
		return;
	if (!watch->look.snapshot)
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
	watch->look.run = look;
	watch->look.on_back = on_looked;
	return watch;
}

int geography_watch_prepare(struct geography_watch *watch, const struct snapshot *snapshot,
			    const struct patience *patience, struct strbuf *ret_errors)
{
	struct guard_list places = {};
	int err = gather(snapshot->config, snapshot->places.geo, patience, &places, ret_errors);

	if (!err && places_are_ruled(snapshot->config)) {
		err = set_places(watch, snapshot, &places);
		if (err)
			strbuf_printf(ret_errors,
				      "guard: places: the networks cannot be loaded: %s\n",
				      strerror(-err));
	}
	guard_list_done(&places);
	return err;
}

/* A look may be under way, and have a list of its own. */
static void drop_places(struct geography_watch *watch)
{
	struct guard_list none = {};

	guard_note_places(watch->server->shared.guard, "");
	if (watch->has_places && set_places(watch, watch->server->snapshot, &none) < 0)
		log_error("guard: places: out of memory: those before stay");
}

void geography_watch_start(struct geography_watch *watch)
{
	const struct snapshot *snapshot = watch->server->snapshot;

	if (!places_are_ruled(snapshot->config))
		drop_places(watch);
	if (!watch->look.snapshot && wants_places(watch))
		begin_look(watch);
	if (snapshot->places.geo && !io_timer_is_pending(&watch->tick))
		io_timer_start(watch->server->loop, &watch->tick, LOOK_MS);
}

const char *geography_watch_pending(const struct geography_watch *watch)
{
	const struct server *server = watch->server;

	return server->snapshot && wants_places(watch)
		       ? "guard.geo: its networks are being gathered, and those before hold until "
			 "then"
		       : "";
}

void geography_watch_free(struct geography_watch *watch)
{
	if (!watch)
		return;
	if (io_timer_is_pending(&watch->tick))
		io_timer_stop(watch->server->loop, &watch->tick);
	free(watch);
}
