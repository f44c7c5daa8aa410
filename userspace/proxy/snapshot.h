/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_SNAPSHOT_H
#define SLUICE_PROXY_SNAPSHOT_H

#include "config/config.h"
#include "core/compiler.h"
#include "core/strbuf.h"
#include "files/root.h"
#include "filter/filter.h"
#include "io/loop.h"
#include "proxy/access_log.h"
#include "proxy/binding.h"
#include "proxy/error_pages.h"
#include "proxy/geography.h"
#include "proxy/stats.h"
#include "http/h1_body.h"
#include "http/h1_parse.h"
#include "route/http_route.h"
#include "route/tcp_route.h"
#include "tls/context.h"
#include "upstream/upstream.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A configuration in force: the checked file and all that was made from it. Immutable; workers and
 * connections hold it by reference, so that a connection ends under the rules it began with.
 */
struct snapshot_listener {
	const struct config_listener *config;
	uint32_t backlog;                     /* as the kernel grants it */
	struct tcp_route_table *routes;       /* mode tcp */
	struct http_route_table *http_routes; /* mode http, with what its parsers are told */
	struct filter_chain *filters;         /* NULL: none */
	struct filter_chain **route_filters;  /* by route; NULL: no route has its own */
	struct h1_limits http_limits;
	struct h1_body_limits body_limits;
	struct error_pages *error_pages;
	struct file_root **roots; /* by route; NULL: it serves no files */
	struct listener_stats *stats;
	struct route_stats **route_stats; /* by the route's index; NULL: of one without a name, or
					     there is none with one */
	struct tls_server_context *tls;   /* NULL: plain */
};

struct snapshot_binding {
	struct binding *binding;
	uint32_t listener; /* index into listeners */
	bool is_new;       /* the snapshot before had none such: nobody accepts yet */
};

struct snapshot {
	_Atomic uint32_t refs;
	struct io_message released; /* takes the last reference to the control thread */
	struct io_loop *control;
	void (*on_freed)(void *context);
	void *on_freed_context;
	uint32_t generation;
	uint64_t loaded_wall_us;
	struct config *config;
	struct upstream *upstream;
	struct access_log *access_log; /* NULL: none */
	struct geography places;       /* the control thread's: worker_view has its own */
	struct snapshot_listener *listeners;
	struct snapshot_binding *bindings;
	size_t nbindings;
	struct pool_stats **pools;            /* by the configuration's index */
	struct tls_client_context **pool_tls; /* likewise; NULL: plain */
};

struct snapshot_options {
	struct io_loop *control;
	const struct snapshot
		*previous; /* NULL at start; its sockets and counters are taken over */
	const struct upstream_events *events; /* copied */
	const struct geography *places;       /* of the configuration; references are taken */
	const struct reuseport_loads *loads;  /* NULL: accepts are spread by hash */
	struct tls_ticket_keys *ticket_keys;
	struct tls_staples *staples;
	const struct filter_events
		*filter_events; /* outlives all snapshots; NULL: nobody listens */
	uint32_t workers;
	void (*on_freed)(void *context); /* on the control thread; not called by a failed start */
	void *on_freed_context;
};

/**
 * Opens what the configuration asks for, and takes over from the previous one what stays.
 * @config:     ownership passes on success.
 * @ret_errors: a line for each thing that could not be opened.
 * Return: 0 with one reference; -errno, with nothing changed. Thread: control.
 */
int snapshot_new(struct config *config, const struct snapshot_options *options,
		 struct snapshot **ret, struct strbuf *ret_errors) WARN_UNUSED;

/**
 * Reads the files that TLS, filters and places need, and forgets them again.
 * @ret_errors: as above; on success perhaps warnings.
 * Return: 0; -EINVAL; -E2BIG; -ENOMEM.
 */
int snapshot_check_files(const struct config *config, struct strbuf *ret_errors) WARN_UNUSED;

/* One that never came into force: frees it at once, but for its configuration. */
void snapshot_discard(struct snapshot *snapshot);

/* Thread: any. The memory goes on the control thread. */
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot);

/* Another one is in force: ends health checks and resolution, and takes over the caller's
 * reference. */
void snapshot_retire(struct snapshot *snapshot);

/* --- Between its files: snapshot_routes.c ---------------------------------------- */

/* Return: 0; -ENOMEM, with some of them there. */
int snapshot_count_routes(struct snapshot_listener *listener,
			  const struct snapshot_options *options) WARN_UNUSED;
void snapshot_forget_routes(struct snapshot_listener *listener);
/* @snapshot: NULL is allowed. Return: NULL: there is none. */
const struct snapshot_listener *snapshot_find_listener(const struct snapshot *snapshot,
						       const char *name);

/* --- snapshot_filters.c ----------------------------------------------------------- */

/* Return: 0; -EINVAL with errors; -ENOMEM; with some of them there. */
int snapshot_add_filters(struct snapshot *snapshot, const struct snapshot_options *options,
			 struct strbuf *ret_errors) WARN_UNUSED;
void snapshot_free_filters(struct snapshot_listener *listener,
			   const struct config_listener *config);

#endif
