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
#include "proxy/input.h"
#include "proxy/inspect.h"
#include "proxy/worker.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One client connection, on its worker's thread; what all of them have. A mode's own object begins
 * with it: struct tcp_session, or this alone, with a struct http_client beside it.
 *
 *   accept ─► PROXY_HEADER ─► CLIENT_HELLO ─► TLS_HANDSHAKE ─┬► QUEUED ⇄ CONNECTING ─► RELAY ─┬►
 * CLOSING intake.c        intake.c        secure.c       │  dial.c   dial_open.c   relay.c │ └►
 * HTTP ──────────────────────────┘ http_client.c
 *
 * States that a listener does not need are skipped. From each state session_end() leads to CLOSING;
 * the session is freed when its streams have closed.
 */
struct http_client;
struct proxy_header;
struct session;
struct tls_facts;

/* What becomes of a connection once its client is known. What has nothing to do may be NULL, but
 * for start, on_recv, on_sent, stop, on_end and describe. */
struct session_mode {
	void (*init)(struct session *session); /* its own part is zero */
	/* The client's bytes are plain from here on. */
	void (*start)(struct session *session);
	/* What happens to the client's stream and to the timer, from then on. */
	void (*on_recv)(struct session *session, struct io_buf *buf, int status);
	void (*on_sent)(struct session *session, int status);
	void (*on_timeout)(struct session *session);
	/* Once in a while, as long as it lives: counters and such. */
	void (*tend)(struct session *session);
	/* If it is spliced, and not over, it goes on in the kernel, and the session ends. */
	void (*leave)(struct session *session);
	/* The daemon drains: what idles may end. */
	void (*drain)(struct session *session);
	/* The session ends: whatever flows stops; streams of its own are closed as @backend says.
	 */
	void (*stop)(struct session *session, enum io_close_how client, enum io_close_how backend);
	/* Whether streams of its own have closed. */
	bool (*is_stopped)(const struct session *session);
	/* Last: counts, logs, gives back what is borrowed. */
	void (*on_end)(struct session *session);
	/* Adds what it knows. */
	void (*describe)(struct session *session, struct connection_row *ret);
};

struct session {
	struct list_node node; /* the worker's */
	struct worker *worker;
	struct worker_view *view;
	const struct snapshot_listener *listener;
	const struct session_mode *mode;
	struct listener_counters *counters;

	enum connection_state state;
	enum connection_end end;
	bool is_client_closed;
	uint16_t port; /* that the client connected to, host order */

	struct io_stream client;
	struct io_timer timer;    /* of the states before QUEUED, and of HTTP */
	struct http_client *http; /* in HTTP */

	/* What has come from the client and nobody has used yet. */
	struct input intake;

	struct address client_address; /* by the PROXY header, else the peer */
	struct address peer_address;
	struct address local_address; /* by the PROXY header, or as it was before a hand-over; see
					 session_local() */
	struct source_entry *sources[2];    /* counted in: the daemon's scope, the listener's */
	char *sni;                          /* NULL: none */
	struct tls_session *client_session; /* the stream's own */
	struct secure_leg client_tls;
	char *tlvs; /* of a v2 header, passed on */
	size_t ntlvs;

	uint64_t id;
	uint64_t accepted_wall_us;
	uint64_t accepted_us, ended_us; /* loop time */
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

/* The address that the client connected to. */
void session_local(const struct session *session, struct address *ret);

/* Adds to a PROXY header for a backend what it says beside the source. */
void session_introduce(const struct session *session, struct proxy_header *header);

void session_describe(struct session *session, struct connection_row *ret);

/* For modes: streams of its own have closed. */
void session_free_if_over(struct session *session);

/* --- The states: each begins here ---------------------------------------------- */

void intake_start(struct session *session);
void intake_on_recv(struct session *session, struct io_buf *buf, int status);
void intake_on_timeout(struct session *session);

/* While there is no backend: takes what the client says first, and learns that it has gone. */
void intake_watch(struct session *session);
/* TLS with the client, where the listener has it; then the mode starts. */
void secure_client(struct session *session);

/* Keeps of @facts what is told of a leg. */
void secure_keep_facts(struct secure_leg *leg, const struct tls_facts *facts);

#endif
