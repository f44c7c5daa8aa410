// SPDX-License-Identifier: Apache-2.0
/* Start: from a configuration to running workers. How one configuration follows another is in
 * reload.c, the end in drain.c. */
#include "core/clock.h"
#include "proxy/adopted.h"
#include "proxy/dispatcher.h"
#include "proxy/geography_watch.h"
#include "proxy/guard.h"
#include "proxy/kernel.h"
#include "proxy/reload.h"
#include "proxy/server_internal.h"
#include "upstream/events.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#define WORKERS_MAX          256 /* a connection's id has eight bits for its worker */
#define RESERVED_DESCRIPTORS 48
#define OFFLOAD_THREADS      4
#define OFFLOAD_BACKLOG      1024

/* --- News, for the log ----------------------------------------------- */

static void on_health_change(struct pool *pool, struct endpoint *endpoint, bool is_up,
			     const char *reason, void *context)
{
	struct server *server = context;
	char address[ADDRESS_TEXT_SIZE];

	dispatcher_refresh(server->dispatcher);
	log_at(is_up ? LOG_INFO : LOG_WARN, "pool %s: endpoint %s (%s) is %s: %s",
	       pool_config(pool)->name, endpoint->name, address_format(&endpoint->address, address),
	       is_up ? "up" : "down", reason);
}

static void on_ejected(struct pool *pool, struct endpoint *endpoint, uint32_t ejected_ms,
		       void *context)
{
	(void)context;
	log_warn("pool %s: endpoint %s is ejected for %u ms: it failed too often",
		 pool_config(pool)->name, endpoint->name, ejected_ms);
}

static void on_resolve_failed(struct pool *pool, const char *host, const char *reason,
			      int64_t kept_ms, void *context)
{
	const char *name = pool_config(pool)->name;

	(void)context;
	if (kept_ms < 0)
		log_warn("pool %s: cannot resolve %s: %s; addresses known before stay in use", name,
			 host, reason);
	else
		log_warn("pool %s: cannot resolve %s: %s; addresses known before stay in use for "
			 "%" PRId64 " ms",
			 name, host, reason, kept_ms);
}

static void on_addresses_changed(struct pool *pool, const char *host, size_t count, void *context)
{
	struct server *server = context;

	dispatcher_refresh(server->dispatcher);
	log_info("pool %s: %s now has %zu addresses", pool_config(pool)->name, host, count);
}

/* The fetching thread's. Once when it begins to fail, once when it is well again. */
static void on_staple_news(const struct tls_staple_news *news, void *context)
{
	(void)context;
	if (news->problem && news->failures == 0)
		log_warn("ocsp: %s: %s: %s; it is asked again in %u s%s", news->certificate,
			 news->url, news->problem, news->next_s,
			 news->is_first ? "" : ", and the last answer serves until it runs out");
	else if (!news->problem && (news->failures > 0 || news->is_first))
		log_info("ocsp: %s: an answer from %s is stapled", news->certificate, news->url);
}

static struct upstream_events events_for(struct server *server)
{
	return (struct upstream_events){
		.on_health_change = on_health_change,
		.on_ejected = on_ejected,
		.on_resolve_failed = on_resolve_failed,
		.on_addresses_changed = on_addresses_changed,
		.context = server,
	};
}

/* --- Snapshots ------------------------------------------------------------------------ */

static void on_snapshot_freed(void *context)
{
	struct server *server = context;

	server->nsnapshots--;
	if (server->nsnapshots == 0)
		server_on_snapshot_freed(server);
}

/* Any worker's thread. One who is banned already, or cannot be, is refused request by request. */
static void on_offender(void *context, const char *filter, const struct address *client,
			uint64_t ban_ms)
{
	struct server *server = context;

	if (ban_ms)
		(void)guard_ban(server->shared.guard, client, ban_ms, filter);
}

int server_make_snapshot(struct server *server, struct config *config,
			 const struct geography *places, struct snapshot **ret,
			 struct strbuf *ret_errors)
{
	const struct upstream_events events = events_for(server);
	const struct snapshot_options options = {
		.control = server->loop,
		.previous = server->snapshot,
		.events = &events,
		.places = places,
		.filter_events = &server->filter_events,
		.loads = server->shared.loads,
		.ticket_keys = server->ticket_keys,
		.staples = server->staples,
		.workers = server->nworkers,
		.on_freed = on_snapshot_freed,
		.on_freed_context = server,
	};
	int err = snapshot_new(config, &options, ret, ret_errors);

	if (!err)
		server->nsnapshots++;
	return err;
}

static int apply_dispatch(struct server *server, struct snapshot *snapshot,
			  struct strbuf *ret_errors)
{
	if (server->dispatcher)
		return dispatcher_apply(server->dispatcher, snapshot->config, snapshot->upstream,
					snapshot->places.areas, ret_errors);
	if (!config_has_dispatch(snapshot->config))
		return 0;
	strbuf_printf(ret_errors,
		      "%s: the first listener of mode dispatch takes a restart: the packet "
		      "programs were loaded without it\n",
		      snapshot->config->path);
	return -EOPNOTSUPP;
}

/* As it was before a reload that failed: that plan was in force once. Should it be refused now, the
 * dispatcher must not stay with a configuration that goes. */
static void restore_dispatch(struct server *server)
{
	struct strbuf ignored = {};
	struct snapshot *snapshot = server->snapshot;

	if (!server->dispatcher)
		return;
	dispatcher_stop(server->dispatcher);
	if (snapshot && dispatcher_apply(server->dispatcher, snapshot->config, snapshot->upstream,
					 snapshot->places.areas, &ignored) < 0)
		log_error("dispatch: the plan before the reload cannot be restored");
	strbuf_done(&ignored);
}

static void on_adopted(void *context)
{
	struct server *server = context;

	server->nadopting--;
	if (!server->nadopting)
		reloader_settle(server->reloader);
}

static void forget_adoptions(struct server *server)
{
	for (uint32_t w = 0; w < server->nworkers; w++) {
		worker_forget(server->adoptions[w]);
		server->adoptions[w] = NULL;
	}
}

/* Return: 0; -ENOMEM. */
static int prepare_workers(struct server *server, struct snapshot *snapshot)
{
	for (uint32_t w = 0; w < server->nworkers; w++) {
		server->adoptions[w] = worker_prepare(server->workers[w], snapshot);
		if (!server->adoptions[w]) {
			forget_adoptions(server);
			return -ENOMEM;
		}
	}
	return 0;
}

static void give_to_workers(struct server *server)
{
	for (uint32_t w = 0; w < server->nworkers; w++) {
		server->nadopting++;
		worker_adopt(server->adoptions[w], on_adopted, server);
		server->adoptions[w] = NULL;
	}
}

/* Return: 0; -errno, with all as it was. */
static int start_upstream(struct server *server, struct snapshot *snapshot,
			  struct strbuf *ret_errors)
{
	int err = apply_dispatch(server, snapshot, ret_errors);

	if (err)
		return err;
	err = dispatcher_set_ways(server->dispatcher, snapshot->config, snapshot->upstream);
	if (!err)
		err = upstream_start(snapshot->upstream);
	if (err) {
		strbuf_printf(ret_errors, "cannot start health checks and DNS: %s\n",
			      strerror(-err));
		restore_dispatch(server);
	}
	return err;
}

int server_prepare(struct server *server, struct snapshot *snapshot, struct strbuf *ret_errors)
{
	int err = prepare_workers(server, snapshot);

	if (err)
		return err;
	err = start_upstream(server, snapshot, ret_errors);
	if (err)
		forget_adoptions(server);
	return err;
}

void server_put_in_force(struct server *server, struct snapshot *snapshot)
{
	struct snapshot *old = server->snapshot;

	/* Endpoints whose state is kept are as they were only once they have started. */
	dispatcher_refresh(server->dispatcher);
	server->snapshot = snapshot;
	geography_watch_start(server->geography);
	for (size_t i = 0; i < snapshot->nbindings; i++)
		binding_apply(snapshot->bindings[i].binding,
			      snapshot->listeners[snapshot->bindings[i].listener].config);
	give_to_workers(server);
	if (tracer_configure(server->shared.tracer, &snapshot->config->tracing) < 0)
		log_warn("tracing: there is no thread to send spans: they are lost");
	if (old)
		snapshot_retire(old);
}

/* --- Start ---------------------------------------------------------------------------- */

static uint32_t count_workers(const struct config *config)
{
	uint32_t workers = config->workers;
	cpu_set_t cpus;

	if (workers == 0 && sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		workers = (uint32_t)CPU_COUNT(&cpus);
	return workers == 0 ? 1 : workers > WORKERS_MAX ? WORKERS_MAX : workers;
}

static enum io_backend backend_of(const struct config *config)
{
	switch (config->io) {
	case CONFIG_IO_URING:
		return IO_BACKEND_URING;
	case CONFIG_IO_EPOLL:
		return IO_BACKEND_EPOLL;
	case CONFIG_IO_AUTO:
		break;
	}
	return IO_BACKEND_AUTO;
}

static int start_workers(struct server *server, const struct config *config,
			 struct strbuf *ret_errors)
{
	const struct io_options options = {
		.backend = backend_of(config),
		.buffer_size = config->limits.receive_buffer_bytes,
		.buffer_count = config->limits.receive_buffers,
	};
	const char *reason;

	for (uint32_t w = 0; w < server->nworkers; w++) {
		int err = worker_start(&server->shared, w, &options, &server->workers[w]);

		if (err) {
			strbuf_printf(ret_errors, "cannot start worker %u: %s\n", w,
				      err == -ENOSYS || err == -EPERM
					      ? "the kernel refuses io_uring; set io: auto"
					      : strerror(-err));
			return err;
		}
	}
	server->io_backend = io_loop_backend(server->workers[0]->loop);
	reason = io_loop_fallback_reason(server->workers[0]->loop);
	if (reason)
		log_info("io: epoll is used, not io_uring: %s", reason);
	return 0;
}

void server_stop_workers(struct server *server)
{
	io_offload_free(server->shared.offload);
	server->shared.offload = NULL;
	for (uint32_t w = 0; w < server->nworkers; w++) {
		worker_stop(server->workers[w]);
		server->workers[w] = NULL;
	}
}

/* A connection takes two descriptors; some are left for health checks, DNS and the admin. */
static uint32_t count_possible_connections(void)
{
	uint64_t open_files = RESERVED_DESCRIPTORS, possible;
	DIR *directory = opendir("/proc/self/fd");
	struct rlimit limit;

	if (directory) {
		while (readdir(directory))
			open_files++;
		closedir(directory);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return UINT32_MAX;
	possible = limit.rlim_cur > open_files + 2 ? (limit.rlim_cur - open_files) / 2 : 1;
	return possible < UINT32_MAX ? (uint32_t)possible : UINT32_MAX;
}

static void limit_by_descriptors(struct worker_shared *shared, const struct config *config)
{
	shared->descriptor_limit = count_possible_connections();
	if (config->limits.max_connections > shared->descriptor_limit)
		log_warn("limits.max_connections is %u, but there are descriptors for %u "
			 "connections: raise the limit of open files (LimitNOFILE=, ulimit -n)",
			 config->limits.max_connections, shared->descriptor_limit);
}

static bool is_over(const struct patience *patience)
{
	return container_of(patience, struct server, patience)->is_draining;
}

/* Return: 0; -ENOMEM; -EMFILE or -ENFILE: out of descriptors. */
static int server_alloc(const struct config *config, struct io_loop *loop, struct server **ret)
{
	struct server *server = calloc(1, sizeof(*server));
	int err;

	if (!server)
		return -ENOMEM;
	server->loop = loop;
	server->shared.control = loop;
	server->patience.is_over = is_over;
	list_init(&server->adopted);
	server->nworkers = count_workers(config);
	server->started_wall_us = clock_wall_us();
	server->shared.nworkers = server->nworkers;
	server->workers = calloc(server->nworkers, sizeof(struct worker *));
	server->adoptions = calloc(server->nworkers, sizeof(struct worker_adoption *));
	server->shared.sources = source_table_new();
	server->ticket_keys = tls_ticket_keys_new();
	err = tls_staples_new(on_staple_news, server, &server->staples);
	server->shared.tracer = tracer_new();
	server->geography = geography_watch_new(server);
	server->reloader = reloader_new(server);
	server->filter_events = (struct filter_events){on_offender, server};
	server->shared.offload = io_offload_new(OFFLOAD_THREADS, OFFLOAD_BACKLOG);
	if (!err && (tls_signing_key_make(server->shared.signing_key) < 0 ||
		     !server->shared.offload || !server->workers || !server->adoptions ||
		     !server->shared.sources || !server->ticket_keys || !server->shared.tracer ||
		     !server->geography || !server->reloader))
		err = -ENOMEM;
	if (err)
		server_free(server);
	else
		*ret = server;
	return err;
}

int server_start(struct config *config, struct io_loop *loop, struct pin *pin,
		 const struct patience *patience, struct server **ret, struct strbuf *ret_errors)
{
	struct geography places = {};
	struct snapshot *snapshot;
	struct server *server;
	int err = server_alloc(config, loop, &server);

	if (err)
		return err;
	err = kernel_start(server, config, pin, ret_errors);
	if (err)
		goto fail;
	err = geography_gather(config, NULL, patience, &places, ret_errors);
	if (!err)
		err = server_make_snapshot(server, config, &places, &snapshot, ret_errors);
	geography_done(&places);
	if (err)
		goto fail;
	err = geography_watch_prepare(server->geography, snapshot, patience, ret_errors);
	if (err)
		goto fail_snapshot;
	err = start_workers(server, config, ret_errors);
	if (err)
		goto fail_snapshot;
	limit_by_descriptors(&server->shared, config);
	err = server_prepare(server, snapshot, ret_errors);
	if (err)
		goto fail_snapshot;
	server_put_in_force(server, snapshot);
	adopted_start(server);
	*ret = server;
	return 0;
fail_snapshot:
	server_stop_workers(server);
	snapshot_discard(snapshot);
fail:
	server_free(server);
	return err;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	io_offload_free(server->shared.offload);
	geography_watch_free(server->geography);
	reloader_free(server->reloader);
	tracer_free(server->shared.tracer);
	source_table_free(server->shared.sources);
	kernel_stop(server);
	tls_ticket_keys_free(server->ticket_keys);
	tls_staples_free(server->staples);
	free(server->adoptions);
	free(server->workers);
	free(server);
}

/* --- Orders --------------------------------------------------------------------------- */

int server_check(const struct config *config, struct strbuf *ret_errors)
{
	int err = guard_check_files(config, ret_errors);
	int snapshot_err = snapshot_check_files(config, ret_errors);

	return err ? err : snapshot_err;
}

int server_set_guard_mode(struct server *server, enum guard_mode mode)
{
	if (!server->snapshot)
		return -ESHUTDOWN;
	if (mode != GUARD_OFF)
		kernel_bring_guard(server, server->snapshot->config);
	return guard_set_mode(server->shared.guard, mode, server->snapshot->config);
}

int server_reopen_logs(struct server *server)
{
	struct access_log *log = server->snapshot ? server->snapshot->access_log : NULL;

	return log ? access_log_reopen(log) : 0;
}

bool server_check_workers(struct server *server)
{
	bool all_answered = true;

	for (uint32_t w = 0; w < server->nworkers; w++) {
		struct worker *worker = server->workers[w];

		all_answered &= atomic_load(&worker->answered_ms) >= server->pinged_ms;
		if (worker_ping(worker) < 0)
			all_answered = false;
	}
	server->pinged_ms = clock_monotonic_ms();
	return all_answered;
}

const struct config *server_config(const struct server *server)
{
	return server->snapshot->config;
}
