/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_HTTP_CLIENT_H
#define SLUICE_PROXY_HTTP_CLIENT_H

#include "core/address.h"
#include "io/loop.h"
#include "proxy/exchange.h"
#include "proxy/input.h"
#include "proxy/pace.h"
#include "proxy/uptake.h"

#include <stdbool.h>
#include <stdint.h>

struct http_tunnel;
struct session;
struct worker;

/*
 * A client's connection in mode http (HTTP/1.0 and 1.1): one request after another is read, each
 * becomes an exchange, and the next one is looked at when that is over. What a client sends ahead
 * waits, a little in @input and the rest in its socket.
 *
 *   IDLE ──first byte──► HEAD ──whole──► EXCHANGE ──over──► IDLE or LINGER
 *                                           └──101──► TUNNEL
 *
 * Belongs to a session, which owns the stream and ends the connection. Thread: its worker's.
 */
enum http_client_phase {
	HTTP_CLIENT_IDLE,
	HTTP_CLIENT_HEAD,     /* part of a head is there */
	HTTP_CLIENT_EXCHANGE, /* a request is being answered */
	HTTP_CLIENT_TUNNEL,   /* no HTTP any more */
	HTTP_CLIENT_LINGER,   /* FIN is said or will be; what still comes is thrown away */
};

struct http_client {
	struct session *session;
	struct worker *worker;
	struct exchange *exchange;  /* in HEAD and EXCHANGE; NULL otherwise */
	struct http_tunnel *tunnel; /* in TUNNEL */
	struct input input;
	struct io_task next;         /* the exchange is over: look for another request */
	uint64_t deadline_ms;        /* loop time: when the present phase has taken too long */
	struct pace sending, taking; /* of what it was asked for, of its answers */
	struct uptake answers;       /* that wait for it */
	enum http_client_phase phase;
	char address[ADDRESS_IP_SIZE]; /* the client's IP, for what backends are told */
	bool has_ended;                /* the client has said FIN */
	bool is_freed;                 /* as soon as @next has run */
	uint32_t served;               /* exchanges so far */
	uint64_t bytes_in, bytes_out;  /* of exchanges that are over */
};

/* The session's client is known and its stream may be read. Return: 0; -ENOMEM. */
int http_client_start(struct session *session) WARN_UNUSED;

/* From the session: what happens to its client's stream and timer. */
void http_client_on_recv(struct http_client *client, struct io_buf *buf, int status);
void http_client_on_sent(struct http_client *client, int status);
void http_client_on_timeout(struct http_client *client);

/* Now and then: is it fast enough? */
void http_client_tend(struct http_client *client);

/* Adds what is known of its requests so far, and of the present one's backend. */
void http_client_describe(const struct http_client *client, struct connection_row *ret);

/* A tunnel that is spliced goes on in the kernel, and the session ends. */
void http_client_leave(struct http_client *client);

/* The daemon drains: an idle connection ends now, another one with its present exchange. */
void http_client_drain(struct http_client *client);

/* The session ends: lets go of the exchange. NULL is allowed. */
void http_client_stop(struct http_client *client);
void http_client_free(struct http_client *client); /* after the stop; NULL is allowed */

/* --- For the exchange ----------------------------------------------------------- */

/* Time out after so long, counted from now; 0: never. */
void http_client_allow(struct http_client *client, uint32_t ms);

/* Reads no more until io_stream_recv_start(): how slow the client is, is not its fault until then.
 */
void http_client_hold_back(struct http_client *client);

/* The exchange is over. @may_stay: its message ends are known on both sides, so that another
 * request may follow. */
void http_client_on_exchange_over(struct http_client *client, bool may_stay);

/* The client has ended in the middle of its request, which is not answered; what was asked for
 * before is delivered all the same. */
void http_client_end_in_request(struct http_client *client);

/* Both sides have left HTTP: the bytes between the client's stream and the backend's are a tunnel's
 * now. @from_backend: what it has said already; taken over. */
void http_client_on_upgrade(struct http_client *client, struct io_buf *from_backend);

#endif
