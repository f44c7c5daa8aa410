/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_INSPECT_H
#define SLUICE_PROXY_INSPECT_H

#include "core/address.h"
#include "core/compiler.h"
#include "fastpath/splice.h"
#include "metrics/histogram.h"
#include "proxy/server.h"
#include "tls/context.h"
#include "tls/failure.h"
#include "upstream/pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the admin interface shows. All on the control thread; texts are borrowed for the call. */

/* Why a connection ended; the same words in the access log, in metrics and in sluicectl. */
#define CONNECTION_ENDS(X)                                                         \
	X(OPEN, "open") /* has not ended */                                        \
	X(DONE, "done") /* both sides said FIN */                                  \
	X(CLIENT_RESET, "client_reset")                                            \
	X(BACKEND_RESET, "backend_reset")                                          \
	X(IDLE_TIMEOUT, "idle_timeout")                                            \
	X(PROXY_HEADER_INVALID, "proxy_header_invalid")                            \
	X(PROXY_HEADER_TIMEOUT, "proxy_header_timeout")                            \
	X(CLIENT_GONE, "client_gone") /* closed before a backend was connected */  \
	X(CLIENT_HELLO_TOO_LARGE, "client_hello_too_large")                        \
	X(CLIENT_TLS_FAILED, "client_tls_failed")   /* the handshake did */        \
	X(CLIENT_TRUNCATED, "client_truncated")     /* FIN without close_notify */ \
	X(BACKEND_TLS_FAILED, "backend_tls_failed") /* the last try's did */       \
	X(BACKEND_TRUNCATED, "backend_truncated")                                  \
	X(NO_ROUTE, "no_route")                                                    \
	X(DENIED, "denied")                 /* by a route */                       \
	X(NO_ENDPOINT, "no_endpoint")       /* none of the pool is available */    \
	X(CONNECT_FAILED, "connect_failed") /* every try failed */                 \
	X(QUEUE_FULL, "queue_full")                                                \
	X(QUEUE_TIMEOUT, "queue_timeout")                                          \
	X(LIMIT, "limit") /* a connection limit refused it */                      \
	X(NO_DESCRIPTORS, "no_descriptors")                                        \
	X(NO_MEMORY, "no_memory")                                                  \
	X(SHUTDOWN, "shutdown") /* the drain deadline passed */                    \
	X(LEFT, "left")         /* goes on in the kernel for a later daemon; not logged */

enum connection_end {
#define X(name, text) CONNECTION_END_##name,
	CONNECTION_ENDS(X)
#undef X
		CONNECTION_END_COUNT
};

const char *connection_end_name(enum connection_end end);

/* Why an exchange ended; the same words in the access log and in metrics. */
#define EXCHANGE_ENDS(X)                                                               \
	X(OPEN, "open")                                                                \
	X(DONE, "done")                                                                \
	X(BAD_REQUEST, "bad_request") /* malformed: the log has the defect */          \
	X(TOO_LARGE, "too_large")     /* head or body above its limit */               \
	X(FILTERED, "filtered")       /* a filter has answered */                      \
	X(MISDIRECTED, "misdirected") /* for a host that the TLS session is not for */ \
	X(TOO_EARLY, "too_early")     /* unsafe, and in early data */                  \
	X(NO_ROUTE, "no_route")                                                        \
	X(DENIED, "denied")                   /* by its route */                       \
	X(LOOP, "loop")                       /* it comes back, and back again */      \
	X(REQUEST_TIMEOUT, "request_timeout") /* the client stalled while it asked */  \
	X(CLIENT_GONE, "client_gone")         /* before the answer was whole */        \
	X(CLIENT_STALLED, "client_stalled")   /* it no longer took its answer */       \
	X(NO_ENDPOINT, "no_endpoint")                                                  \
	X(QUEUE_FULL, "queue_full")                                                    \
	X(QUEUE_TIMEOUT, "queue_timeout")                                              \
	X(CIRCUIT_OPEN, "circuit_open") /* at a limit of the pool's breaker */         \
	X(CONNECT_FAILED, "connect_failed")                                            \
	X(BACKEND_RESET, "backend_reset") /* closed or reset before it answered */     \
	X(BACKEND_TIMEOUT, "backend_timeout")                                          \
	X(BAD_ANSWER, "bad_answer")     /* not HTTP as it should be */                 \
	X(ANSWER_CUT, "answer_cut")     /* the backend ended in mid-body */            \
	X(FILE_STALLED, "file_stalled") /* its disk gave no more of it in time */      \
	X(FILE_FAILED, "file_failed")   /* the kernel could not open it */             \
	X(UPGRADED, "upgraded")         /* a tunnel since */                           \
	X(NO_DESCRIPTORS, "no_descriptors")                                            \
	X(NO_MEMORY, "no_memory")                                                      \
	X(SHUTDOWN, "shutdown")

enum exchange_end {
#define X(name, text) EXCHANGE_END_##name,
	EXCHANGE_ENDS(X)
#undef X
		EXCHANGE_END_COUNT
};

const char *exchange_end_name(enum exchange_end end);

/* What a connection is doing. */
#define CONNECTION_STATES(X)                                                          \
	X(PROXY_HEADER, "proxy_header")   /* waits for the PROXY header */            \
	X(CLIENT_HELLO, "client_hello")   /* waits for the ClientHello */             \
	X(TLS_HANDSHAKE, "tls_handshake") /* with the client */                       \
	X(QUEUED, "queued")               /* waits for an endpoint below its limit */ \
	X(CONNECTING, "connecting")                                                   \
	X(HTTP, "http") /* requests and their answers */                              \
	X(RELAY, "relay")                                                             \
	X(CLOSING, "closing")

enum connection_state {
#define X(name, text) CONNECTION_##name,
	CONNECTION_STATES(X)
#undef X
};

const char *connection_state_name(enum connection_state state);

/* Handshakes of a listener or a pool. */
struct tls_row {
	bool is_enabled;
	uint64_t full, resumed;
	uint64_t early;                     /* of those resumed, with early data */
	uint64_t kernel;                    /* whose sending went to the kernel */
	uint64_t failed[TLS_FAILURE_COUNT]; /* by reason */
};

/* What carried a connection, at its end. */
#define CONNECTION_RUNGS(X)         \
	X(RELAY, "relay")           \
	X(SOCKMAP, "sockmap")       \
	X(SPLICE_TC, "splice-tc")   \
	X(SPLICE_XDP, "splice-xdp") \
	X(SPLICE_MIXED, "splice-mixed")

enum connection_rung {
#define X(name, text) CONNECTION_RUNG_##name,
	CONNECTION_RUNGS(X)
#undef X
		CONNECTION_RUNG_COUNT
};

const char *connection_rung_name(enum connection_rung rung);

/* What a try to hand a connection to the packet programs has come to. */
#define HANDOVER_RESULTS(X)                                                        \
	X(JOINED, "joined")                                                        \
	X(NOT_QUIET, "not_quiet") /* something was under way: it is tried again */ \
	X(FAILED, "failed")       /* a system call did: it stays with the relay */

enum handover_result {
#define X(name, text) HANDOVER_##name,
	HANDOVER_RESULTS(X)
#undef X
		HANDOVER_RESULT_COUNT
};

const char *handover_result_name(enum handover_result result);

/* All so far. Bytes and packets: of packet splice alone. */
struct listener_acceleration {
	uint64_t rungs[CONNECTION_RUNG_COUNT]; /* connections that have ended */
	uint64_t reasons[SPLICE_REASON_COUNT]; /* why those on the relay were not on a better one */
	uint64_t handovers[HANDOVER_RESULT_COUNT];
	uint64_t bytes_in, bytes_out, packets_in, packets_out;
};

#define STATUS_CLASSES 5 /* 1xx to 5xx */

struct request_row {
	uint64_t answers[STATUS_CLASSES];
	const struct histogram *time; /* from a request's first byte to its answer's end */
};

struct listener_row {
	const char *name;
	const char *mode;
	const struct address *binds; /* as bound; with a range one for each port */
	size_t nbinds;
	const struct config_bind *services; /* of mode dispatch, which binds no socket */
	size_t nservices;
	uint64_t active, accepted, refused; /* refused: by a limit */
	uint64_t spliced;                   /* handed to the kernel, so far */
	uint64_t bytes_in, bytes_out;       /* from clients, to clients */
	const struct listener_acceleration *acceleration;
	const uint64_t *ends; /* connections by enum connection_end */
	const struct histogram *session_time;
	struct tls_row tls;
	const struct tls_certificate_row *certificates;
	size_t ncertificates;
	/* Mode http; otherwise 0 and NULL. */
	struct request_row requests;
	const uint64_t *exchange_ends; /* requests by enum exchange_end */
};

void server_for_each_listener(struct server *server,
			      void (*visit)(const struct listener_row *row, void *context),
			      void *context);

/* A route of mode http that has a name. */
struct route_row {
	const char *listener, *name;
	struct request_row requests;
};

void server_for_each_route(struct server *server,
			   void (*visit)(const struct route_row *row, void *context),
			   void *context);

struct guard;

struct acceleration_facts {
	const char *mode;                  /* as configured */
	const char *why;                   /* connections stay with the relay; NULL: they do not */
	struct splice_facts splice;        /* zero where there is none */
	uint64_t untold[FLOW_EVENT_KINDS]; /* of dispatch's programs as well */
};

void server_describe_acceleration(struct server *server, struct acceleration_facts *ret);

/* Borrowed; NULL only where a server is not whole. include/proxy/guard.h has what can be done. */
struct guard *server_guard(const struct server *server);

struct geo;

/* In force; borrowed until the loop's next turn. NULL: there are no databases. */
const struct geo *server_geo(const struct server *server);

struct dispatcher;

/* Borrowed; NULL: there is none. include/proxy/dispatcher.h has what can be asked. */
struct dispatcher *server_dispatcher(const struct server *server);

/* The devices that the packet programs have seen. */
void server_for_each_device(struct server *server,
			    void (*visit)(const struct splice_device *device, void *context),
			    void *context);

/* Where a pool's circuit breaker counts requests. */
#define BREAKER_GAUGES(X)                                        \
	X(PENDING, "pending")   /* that wait for a connection */ \
	X(REQUESTS, "requests") /* in all */                     \
	X(RETRIES, "retries")   /* that were sent another time */

enum breaker_gauge {
#define X(name, text) BREAKER_##name,
	BREAKER_GAUGES(X)
#undef X
		BREAKER_GAUGES_COUNT
};

const char *breaker_gauge_name(enum breaker_gauge gauge);

struct breaker_row {
	uint32_t now, limit; /* 0: no limit, and nothing is counted */
	bool is_open;        /* at its limit: more is turned away */
	uint64_t refused;    /* so far */
};

/* What became of a copy for a pool that mirrors. The first three: it was sent. */
#define MIRROR_RESULTS(X)                                                              \
	X(ANSWERED, "answered")     /* the connection ended behind some answer */      \
	X(UNANSWERED, "unanswered") /* it ended without one */                         \
	X(TIMEOUT, "timeout")       /* the answer did not end in time */               \
	X(NO_ENDPOINT, "no_endpoint")                                                  \
	X(CONNECT_FAILED, "connect_failed") /* or its TLS handshake */                 \
	X(BUSY, "busy")                     /* it would have had to wait for a turn */ \
	X(CIRCUIT_OPEN, "circuit_open")     /* at a limit of the pool's breaker */     \
	X(TOO_LARGE, "too_large")           /* a body above max_body */                \
	X(UPGRADE, "upgrade")               /* such requests are not copied */         \
	X(INCOMPLETE, "incomplete")         /* the request's body never was whole */   \
	X(LIMIT, "limit")                   /* the worker has as many as it may */     \
	X(NO_MEMORY, "no_memory")                                                      \
	X(SHUTDOWN, "shutdown")

enum mirror_result {
#define X(name, text) MIRROR_##name,
	MIRROR_RESULTS(X)
#undef X
		MIRROR_RESULT_COUNT
};

const char *mirror_result_name(enum mirror_result result);

struct pool_row {
	const char *name;
	const char *balance;
	struct pool *pool; /* pool_for_each() has the endpoints */
	uint32_t waiting;
	uint64_t connect_failures, retries;
	uint64_t resent;             /* requests that were sent another time */
	uint64_t over_budget;        /* that would have been, but for the budget */
	uint64_t hedged, hedges_won; /* sent to a second endpoint as well; answered by that */
	struct breaker_row breaker[BREAKER_GAUGES_COUNT];
	uint64_t mirrors[MIRROR_RESULT_COUNT]; /* copies of requests, by result */
	const struct histogram *connect_time;
	struct request_row requests; /* of listeners of mode http */
	struct tls_row tls;
};

void server_for_each_pool(struct server *server,
			  void (*visit)(const struct pool_row *row, void *context), void *context);

/* Return: a borrowed pool of the configuration in force; NULL. */
struct pool *server_find_pool(struct server *server, const char *name);

struct connection_row {
	uint64_t id;
	uint32_t worker;
	char listener[64], pool[64], endpoint[128];
	struct address client, local, backend; /* backend: no address before one is chosen */
	enum connection_state state;
	const char *rung;             /* "relay", "splice-tc" or "sockmap" */
	const char *reason;           /* why it is not on a better one; "adopted" */
	uint64_t bytes_in, bytes_out; /* from the client, to the client */
	uint64_t age_ms, idle_ms;
	char sni[256];
	const char *tls_version, *tls_cipher; /* with the client; NULL: none */
	bool is_tls_resumed;
	bool is_tls_kernels;             /* what the client gets is encrypted by the kernel */
	char tls_client[256];            /* the subject of its certificate; "": none */
	const char *backend_tls_version; /* with the endpoint; NULL: none */
};

/**
 * Open connections of all workers, asked for by message. At most @limit come back.
 * @on_done: rows belong to the callee for the call only; @total counts also those cut off.
 * Return: 0; -ENOMEM.
 */
int server_list_connections(struct server *server, size_t limit,
			    void (*on_done)(const struct connection_row *rows, size_t count,
					    uint64_t total, void *context),
			    void *context) WARN_UNUSED;

#endif
