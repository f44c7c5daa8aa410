/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_DIAL_H
#define SLUICE_PROXY_DIAL_H

#include "core/compiler.h"
#include "core/earth.h"
#include "io/stream.h"
#include "io/timer.h"
#include "proxy/access_log.h"
#include "tls/session.h"
#include "upstream/pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The way from a pool to a connection with one of its endpoints, for whatever mode:
 *
 *   pick ─► [wait for a turn, for descriptors] ─► socket ─► connect ─► PROXY header ─► TLS ─► ready
 *    ▲                                                         │                        │
 *    └───────────────────────── dial_next() ◄── on_lost ◄──────┴────────────────────────┘
 *
 * Its owner embeds it and has the stream. Nothing of the client's has been sent before it is ready,
 * so another try is always safe. Thread: the worker's.
 */
struct dial;
struct proxy_header;
struct worker_view;

#define DIAL_FAILURES(X)                                                           \
	X(NO_ENDPOINT)    /* none of the pool is available */                      \
	X(CONNECT_FAILED) /* every try failed; @error is the last one's */         \
	X(TLS_FAILED)     /* likewise, and the last one failed in its handshake */ \
	X(QUEUE_FULL)                                                              \
	X(QUEUE_TIMEOUT)                                                           \
	X(NO_DESCRIPTORS)                                                          \
	X(NO_MEMORY)

enum dial_failure {
#define X(name) DIAL_##name,
	DIAL_FAILURES(X)
#undef X
};

struct dial_ops {
	/* A PROXY header is due, whose source is known: adds what else it says. */
	void (*introduce)(const struct dial *dial, struct proxy_header *header);
	/* An endpoint is picked: does the owner have a connection to it? Then that is all, and
	 * on_ready does not come. NULL: it never has. */
	bool (*has_connection)(struct dial *dial);
	/* It waits for an endpoint below its limit, or for descriptors. NULL: never mind. */
	void (*on_wait)(struct dial *dial);
	/* @fd is the owner's now: makes the stream that is then connected. NULL: no memory, @fd is
	 * closed. */
	struct io_stream *(*on_socket)(struct dial *dial, int fd);
	/* The stream's callback of that name: goes to dial_on_handshake(). */
	void (*on_handshake)(struct io_stream *stream, const struct tls_result *result);
	/* Bytes may flow both ways. */
	void (*on_ready)(struct dial *dial);
	/* The try has failed: close the stream as @how says, and call dial_next() now or later. */
	void (*on_lost)(struct dial *dial, enum io_close_how how);
	/* There is no further try; the stream, where there is one, is still to be closed. */
	void (*on_failed)(struct dial *dial, enum dial_failure failure);
};

struct dial {
	const struct dial_ops *ops;
	struct worker_view *view;        /* the owner's */
	const struct address *source;    /* whose connection it is, as an endpoint is to see it */
	const struct address *client;    /* that endpoints are chosen for; NULL: @source */
	const struct earth_point *place; /* see struct pool_request */
	uint64_t wanted, key;            /* see struct pool_request */
	size_t pool;                     /* the configuration's index */
	struct pool_view *pool_view;
	struct endpoint *endpoint; /* one of its connections is ours; NULL: none */
	struct endpoint *tried[POOL_TRIES_MAX];
	uint32_t ntried;
	int error; /* -errno of the last try that failed; 0: none has */
	struct pool_waiter waiter;
	struct io_timer timer;           /* of connecting, or of the wait for descriptors */
	struct io_stream *stream;        /* the owner's, while it connects */
	struct tls_session *tls_session; /* the stream's own */
	struct secure_leg tls;           /* what came of the last handshake */
	uint64_t pick_us, connect_us, connected_us; /* loop time */
};

/* @dial is zero but for @ops, @view, @source, @client, @place, @wanted and @key, which live as long
 * as it. */
void dial_start(struct dial *dial, size_t pool);

/**
 * For one try beside those of @first, at an endpoint that it has not tried: picks that.
 * @dial: zero; takes on what is asked for from @first. dial_open_beside() or dial_done() follows.
 * Return: 0; -EBUSY, -EHOSTUNREACH: there is none to spare.
 */
int dial_pick_beside(struct dial *dial, const struct dial *first) WARN_UNUSED;

/* The try begins, and is one of @first's too. Return: 0; -errno: there is no socket for it. */
int dial_open_beside(struct dial *dial, struct dial *first) WARN_UNUSED;

/* Another try, if the pool allows one more. */
void dial_next(struct dial *dial);

/* Whether dial_next() would pick again. */
bool dial_has_tries_left(const struct dial *dial);

/* From the stream's callbacks. */
void dial_on_connect(struct dial *dial, int status);
void dial_on_handshake(struct dial *dial, const struct tls_result *result);

/* Nothing is wanted any more; the owner closes the stream. Idempotent. */
void dial_stop(struct dial *dial);

/* Stops, and gives back what is borrowed. A zeroed one is allowed. */
void dial_done(struct dial *dial);

/* The endpoint that serves, or else the one that failed last; NULL. */
const struct endpoint *dial_endpoint_to_tell(const struct dial *dial);

/* NULL before dial_start(). */
const struct config_pool *dial_pool(const struct dial *dial);
struct pool_counters *dial_counters(const struct dial *dial);

/* --- Between its files: dial_open.c ---------------------------------------------- */

/* The endpoint is picked. Return: 0; -errno: no socket. */
int dial_open(struct dial *dial);

/* A try has failed, the endpoint's fault. */
void dial_fail(struct dial *dial, int error, enum io_close_how how);

#endif
