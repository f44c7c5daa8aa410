/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_WORKER_H
#define SLUICE_PROXY_WORKER_H

#include "core/compiler.h"
#include "core/free_list.h"
#include "core/list.h"
#include "core/regex.h"
#include "core/rng.h"
#include "core/strbuf.h"
#include "files/cache.h"
#include "geo/cache.h"
#include "http/date.h"
#include "io/loop.h"
#include "io/offload.h"
#include "io/timer.h"
#include "proxy/inspect.h"
#include "proxy/http_backend.h"
#include "proxy/retry_budget.h"
#include "proxy/snapshot.h"
#include "proxy/source_table.h"
#include "proxy/tracer.h"
#include "tls/client_hello.h"
#include "tls/session.h"
#include "tls/sign.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A worker: a thread with a loop, its listening sockets and its connections. Workers share nothing
 * but the atomics of struct worker_shared; the control thread speaks to them by messages.
 */
struct guard;
struct sockmap;
struct splice;

struct worker_shared {
	struct io_loop *control;
	uint32_t nworkers;
	uint32_t descriptor_limit; /* connections that there are descriptors for */
	_Atomic uint32_t active;   /* open connections of all workers */
	_Atomic uint64_t total;    /* connections since the start */
	_Atomic uint32_t backends; /* connections of mode http to endpoints, idle ones too */
	struct source_table *sources;
	struct reuseport_loads *loads; /* NULL: accepts are spread by hash */
	struct tracer *tracer;
	struct splice *splice;                          /* NULL: connections are not spliced */
	struct sockmap *sockmap;                        /* NULL: their bytes are not redirected */
	struct io_offload *offload;                     /* what would hold up a worker */
	unsigned char signing_key[TLS_SIGNING_KEY_LEN]; /* of cookies, until the daemon ends */
	struct guard *guard;                            /* who is refused */
};

/* A snapshot as one worker sees it. Held by connections and acceptors; references are plain
 * numbers, because all of them are on the worker's thread. */
struct worker_view {
	uint32_t refs;
	bool is_flush_queued;
	struct worker *worker;
	struct snapshot *snapshot;
	struct geo *geo;             /* where clients are; NULL: nobody knows */
	struct geo_cache *geo_cache; /* NULL where @geo is */
	struct strbuf lines;         /* of the access log, written at the end of the round */
	struct io_task flush;
	struct tls_session_cache **tls_caches; /* by pool; NULL where there is no TLS */
	struct retry_budget *retry_budgets;    /* by pool */
	struct pool_view *pools[];             /* by the configuration's index */
};

/* The second that was told last, as answers tell it. */
struct worker_date {
	int64_t at_s; /* since 1970 */
	char text[HTTP_DATE_LEN];
};

struct worker {
	uint32_t index;
	uint32_t nsessions;
	_Atomic uint32_t *load; /* nsessions for the kernel's balancing of accepts; NULL: none */
	uint32_t nparked;       /* accepted, waiting for a connection limit */
	bool is_draining;
	bool is_leaving; /* spliced connections, to a later daemon */
	bool is_reset;   /* the drain's deadline has passed: nobody is served any more */
	pthread_t thread;
	struct io_loop *loop;
	struct worker_shared *shared;
	struct worker_view *view; /* for new connections; NULL before the first snapshot */
	struct list_node acceptors;
	struct list_node sessions;
	struct tls_pacer *tls_pacer;
	struct http_backends backends;                              /* idle ones */
	struct exchange *free_exchanges;                            /* to be used again */
	struct free_list tcp_sessions, http_sessions, http_clients; /* likewise */
	struct io_timer unpark;
	struct io_timer tend;
	struct regex_scratch *regex_scratch;
	struct worker_date date;
	struct file_cache *files; /* open ones */
	struct rng rng;           /* for what is drawn */
	struct list_node mirrors; /* sent */
	uint32_t nmirrors;
	size_t mirror_bytes;     /* of memory that they hold */
	struct span_batch spans; /* not handed on yet */
	uint64_t next_id;
	_Atomic bool is_quiet;        /* drains, and has no listener left */
	_Atomic uint64_t answered_ms; /* clock of the last answer to worker_ping() */
	struct client_hello hello;    /* scratch of whoever parses one now */
	/* What must not fail for want of memory. */
	struct io_message drain, leave, reset, stop;
};

/**
 * Starts the thread. It serves nothing before worker_adopt().
 * Return: 0; -errno. Thread: control, as everything below unless said otherwise.
 */
int worker_start(struct worker_shared *shared, uint32_t index, const struct io_options *options,
		 struct worker **ret) WARN_UNUSED;

struct worker_adoption;

/* All that @worker takes to serve @snapshot, so that nothing can fail any more when it shall.
 * Return: NULL: out of memory. */
struct worker_adoption *worker_prepare(struct worker *worker,
				       struct snapshot *snapshot) WARN_UNUSED;
/* It shall not. NULL is allowed. */
void worker_forget(struct worker_adoption *adoption);

/**
 * Serve the snapshot from now on; takes @adoption.
 * @on_adopted: on the control thread, while a reference to the snapshot lives.
 */
void worker_adopt(struct worker_adoption *adoption, void (*on_adopted)(void *context),
		  void *context);

/* Look clients up in @geo from now on; takes a reference of its own. Return: 0; -ENOMEM. */
int worker_renew_geo(struct worker *worker, struct geo *geo) WARN_UNUSED;

/* Close the listeners; connections go on. Once. */
void worker_drain(struct worker *worker);

/* Leave every spliced connection to a later daemon, and those that still become it. Once. */
void worker_leave_spliced(struct worker *worker);

/* Reset every connection, and those that still come. Once, after worker_drain(). */
void worker_reset_sessions(struct worker *worker);

/* The spliced connection @id, of this worker, is over: see splice_options.on_end. */
void worker_on_spliced_over(struct worker *worker, uint32_t slot, uint64_t id);

/* Makes the worker note the time in @answered_ms: it is alive. */
int worker_ping(struct worker *worker) WARN_UNUSED;

/**
 * Asks for open connections.
 * @on_rows: on the control thread; owns @rows, from malloc().
 */
int worker_list(struct worker *worker, size_t limit,
		void (*on_rows)(struct connection_row *rows, size_t count, uint64_t total,
				void *context),
		void *context) WARN_UNUSED;

/* Ends the loop, joins the thread, frees. No connection may be left. NULL is allowed. */
void worker_stop(struct worker *worker);

/* --- For connections, on the worker's thread --------------------------------- */

/* With one reference; takes its own of @snapshot and @geo (NULL: there are no databases). Return:
 * NULL: out of memory. Thread: any; who keeps it from the worker drops it. */
struct worker_view *worker_view_new(struct worker *worker, struct snapshot *snapshot,
				    struct geo *geo) WARN_UNUSED;
struct worker_view *worker_view_ref(struct worker_view *view);
void worker_view_unref(struct worker_view *view);

/* Room for an access log line; NULL where there is no log. Written at the end of the round. */
struct strbuf *worker_view_log(struct worker_view *view);

/* Where an address is, by the databases in force. */
void worker_view_look(struct worker_view *view, const struct address *address,
		      struct geo_facts *ret);

/* To the tracer. */
void worker_give_spans(struct worker *worker);

/* A connection has begun; has ended, and somebody parked may take its place. */
void worker_on_session_start(struct worker *worker);
void worker_on_session_end(struct worker *worker);

#endif
