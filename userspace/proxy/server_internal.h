/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_SERVER_INTERNAL_H
#define SLUICE_PROXY_SERVER_INTERNAL_H

#include "core/patience.h"
#include "io/timer.h"
#include "proxy/geography.h"
#include "proxy/server.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What server.c, reload.c, drain.c and inspect.c share. Thread: control. */
struct server {
	struct io_loop *loop;
	struct worker_shared shared;
	struct splice *programs;       /* the packet programs; NULL: none are loaded */
	struct dispatcher *dispatcher; /* NULL: no listener was of mode dispatch at start */
	struct tls_ticket_keys *ticket_keys;
	struct tls_staples *staples;
	struct geography_watch *geography;
	struct reloader *reloader;
	struct filter_events filter_events; /* of every snapshot's filters */
	struct snapshot *snapshot;          /* in force; NULL once drained */
	struct worker **workers;
	struct worker_adoption **adoptions; /* by worker: of a snapshot that is to be in force */
	uint32_t nworkers;
	uint32_t nsnapshots; /* alive, retired ones included */
	uint32_t nadopting;  /* adoptions under way; a worker takes its own in turn */
	uint32_t reload_failures;
	uint64_t started_wall_us;
	uint64_t pinged_ms; /* when the workers were asked for a sign of life */
	enum io_backend io_backend;
	enum config_acceleration_mode mode; /* at start */
	const char *why_relay; /* connections stay with the relay; static; NULL: they do not */

	struct list_node adopted; /* connections of an earlier daemon: adopted.c */
	uint32_t nadopted;
	struct io_timer adopted_tend;

	struct patience patience; /* until the end begins */
	atomic_bool is_draining;
	bool is_reset; /* the deadline has passed */
	uint64_t deadline_ms;
	struct io_timer drain_timer;
	void (*on_drained)(void *context);
	void *drained_context;
};

/* From here on @config is the snapshot's, unless it fails. @places: of @config. */
int server_make_snapshot(struct server *server, struct config *config,
			 const struct geography *places, struct snapshot **ret,
			 struct strbuf *ret_errors) WARN_UNUSED;

/* All of @snapshot's start that may be refused. On failure all is as it was, and @snapshot the
 * caller's. */
int server_prepare(struct server *server, struct snapshot *snapshot,
		   struct strbuf *ret_errors) WARN_UNUSED;

/* Takes what was prepared; the one before goes. */
void server_put_in_force(struct server *server, struct snapshot *snapshot);

/* Nothing is left for them to do. Jobs that go on for nobody any more end first: they hold what
 * belongs to workers, and wake them. */
void server_stop_workers(struct server *server);

/* The last snapshot is gone: drain.c ends there. */
void server_on_snapshot_freed(struct server *server);

#endif
