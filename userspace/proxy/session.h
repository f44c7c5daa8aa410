/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_SESSION_H
#define SLUICE_PROXY_SESSION_H

#include "config/config.h"
#include "core/address.h"
#include "core/compiler.h"
#include "core/list.h"
#include "core/slice.h"
#include "io/stream.h"
#include "io/timer.h"
#include "proxy/access_log.h"
#include "proxy/http_client.h"
#include "proxy/input.h"
#include "proxy/inspect.h"
#include "proxy/tunnel.h"
#include "proxy/worker.h"
#include "upstream/pool.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One client connection, on its worker's thread:
 *
 *   accept ─► PROXY_HEADER ─► CLIENT_HELLO ─► TLS_HANDSHAKE ─► QUEUED ⇄ CONNECTING ─► RELAY ─►
 * CLOSING intake.c        intake.c        secure.c         connect.c          tunnel.c
 *
 * States that a listener does not need are skipped. From each state session_end() leads to CLOSING;
 * the session is freed when both streams have closed.
 */
struct session {
	struct list_node node; /* the worker's */
	struct worker *worker;
	struct worker_view *view;
	const struct snapshot_listener *listener;
	struct listener_counters *counters;

	enum connection_state state;
	enum connection_end end;
	bool has_backend_stream; /* initialised and not yet closed */
	bool is_client_closed;
	bool is_first_byte_reported;
	bool is_kept_alive; /* the backend has its keep-alive options */
	uint16_t port;      /* that the client connected to, host order */

	struct io_stream client, backend;
	struct io_timer timer;    /* of the states before RELAY */
	struct http_client *http; /* in HTTP */
	struct tunnel tunnel;     /* in RELAY, and for the log afterwards */

	/* What has come from the client before the relay begins. */
	struct input intake;

	struct address client_address; /* by the PROXY header, else the peer */
	struct address peer_address;
	struct address local_address; /* by the PROXY header, or as it was before a hand-over; see
					 session_local() */
	struct source_entry *sources[2]; /* counted in: the daemon's scope, the listener's */
	char *sni;                       /* NULL: none */
	struct tls_session *client_session, *backend_session; /* the streams' own */
	struct secure_leg client_tls, backend_tls;
	char *tlvs; /* of a v2 header, passed on */
	size_t ntlvs;

	size_t pool; /* the configuration's index; valid from QUEUED on */
	struct pool_view *pool_view;
	struct endpoint *endpoint; /* a connection of it is ours */
	struct endpoint *tried[POOL_TRIES_MAX];
	uint32_t ntried;
	struct pool_waiter waiter;

	uint64_t id;
	uint64_t accepted_wall_us;
	uint64_t accepted_us, pick_us, connect_us, connected_us, ended_us; /* loop time */
	uint64_t counted_in, counted_out; /* bytes that the counters have already */
};

/* Takes ownership of @fd. The caller has counted the connection in shared->active and
 * listener_stats.active; the session counts it out. Return: 0; -ENOMEM, with @fd closed and nothing
 * counted out. */
int session_start(struct worker_view *view, uint32_t listener, uint16_t port, int fd) WARN_UNUSED;

/* Idempotent; the first reason counts. */
void session_end(struct session *session, enum connection_end end, enum io_close_how client,
		 enum io_close_how backend);

/* Both sides at once, with RST. */
void session_reset(struct session *session, enum connection_end end);

/* If it is spliced, and not over, it goes on in the kernel, and the session ends. */
void session_leave(struct session *session);

/* The address that the client connected to. */
void session_local(const struct session *session, struct address *ret);

/* What is due once in a while, as long as it lives: counters, keep-alive of the backend's socket.
 */
void session_tend(struct session *session);

void session_describe(struct session *session, struct connection_row *ret);

const struct config_pool *session_pool_config(const struct session *session);

/* The callbacks of session->backend. */
extern const struct io_stream_ops session_backend_ops;

/* --- The states: each begins here ---------------------------------------------- */

void intake_start(struct session *session);
void intake_on_recv(struct session *session, struct io_buf *buf, int status);
void intake_on_timeout(struct session *session);

/* While there is no backend: takes what the client says first, and learns that it has gone. */
void intake_watch(struct session *session);
/* The pool is known. */
void connect_start(struct session *session);
void connect_on_connect(struct session *session, int status);
/* Also of a wait for descriptors, in state QUEUED. */
void connect_on_timeout(struct session *session);
void connect_on_backend_closed(struct session *session);

/* TLS with the client, where the listener has it; then a backend is looked for. */
void secure_client(struct session *session);
/* The backend's connection stands: TLS, where the pool has it; then connect_on_secured(). */
void secure_backend(struct session *session);
void connect_on_secured(struct session *session);
/* The backend is another one than hoped for: connect.c tries the next. */
void connect_on_insecure(struct session *session);

/* Both connections stand. */
void relay_start(struct session *session);

#endif
