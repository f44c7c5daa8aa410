/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_EXCHANGE_H
#define SLUICE_PROXY_EXCHANGE_H

#include "core/arena.h"
#include "filter/filter.h"
#include "geo/geo.h"
#include "http/h1_body.h"
#include "http/h1_parse.h"
#include "http/message.h"
#include "io/buf.h"
#include "proxy/body_pass.h"
#include "proxy/exchange_leg.h"
#include "proxy/inspect.h"

#include <stdbool.h>
#include <stdint.h>

struct http_client;
struct worker;

/*
 * A request and its response, from the first byte of the one to the last byte of the other:
 *
 *   http_client.c      reads the request's head
 *   exchange.c         begins: refuses or routes; ends: counts, logs, gives everything back
 *   action_*.c         what the route does: a file each
 *   exchange_reply.c   an answer of our own
 *   exchange_pick.c    a connection to an endpoint, idle or new (dial.h)
 *   exchange_retry.c   another one, after that has failed
 *   exchange_hedge.c   another one, while that makes it wait
 *   exchange_request.c head and body to the backend
 *   exchange_answer.c  head and body to the client
 *
 * Bodies are passed on as they come. Whoever is slow stops the other side's reading once more than
 * limits.relay_buffer_size waits. All that a request needs is in the arena; ended exchanges are
 * kept by their worker and used again, so that a request on a warm connection allocates nothing.
 */

/* In Via (RFC 9110 section 7.6.3). */
#define EXCHANGE_PSEUDONYM "sluice"

/* Fields of an ordinary head need no memory. */
#define EXCHANGE_FIELDS 48

/* Whom the request is from, where a trusted proxy in front of us said so. In the arena. */
struct exchange_origin {
	const struct address *address; /* NULL: the connection's client */
	struct slice text;             /* its IP */
	bool has_scheme, is_https;
	bool has_facts; /* they have been looked up */
	struct geo_facts facts;
};

/* An action that gives the answer's body itself, piece by piece. */
struct exchange_source {
	void (*on_room)(struct exchange_source *source); /* the client's queue is empty */
	void (*on_end)(struct exchange_source *source);  /* the exchange is over, once */
	bool awaits_disk;                                /* it has nothing to give until then */
};

/* exchange_gather.c's: a body that is read before an endpoint is chosen. */
struct gather {
	uint32_t limit;      /* bytes that are waited for; 0: nothing is */
	size_t scanned;      /* of the client's input */
	struct h1_body body; /* what they say */
	struct http_fields trailers;
};

/* Whether a second endpoint was asked as well. */
enum exchange_hedging { EXCHANGE_NOT_HEDGED, EXCHANGE_HEDGED, EXCHANGE_HEDGE_WON };

struct exchange {
	struct exchange *next_free; /* the worker's */
	struct http_client *client;
	struct arena arena;

	struct h1_parser parser; /* of the request's head */
	struct http_request request;
	struct http_response response;
	struct h1_body up, down; /* of the request, of the response */
	struct http_fields up_trailers, down_trailers;
	struct slice upgrade;    /* to which protocol the client wants to switch; empty: none */
	struct slice path;       /* of the request, or what a rewrite made of it, normalised */
	struct slice new_path;   /* to be sent in its place; empty: none */
	struct slice request_id; /* empty until somebody asks for it: exchange_request_id() */
	struct exchange_origin origin;
	struct exchange_trace *trace;    /* NULL: there is no tracing; exchange_trace.c's */
	struct filter_exchange *filters; /* NULL: there are none, or they were not reached */

	const struct config_route *route; /* NULL: none yet, or none holds */
	struct exchange_leg *leg;         /* to a backend, once routed to a pool */
	struct exchange_leg *hedge;       /* beside it, until one of them has answered; NULL */
	struct exchange_leg first;
	struct gather gather;
	struct io_timer total;          /* over all tries; runs where it is configured */
	struct io_timer hedge_due;      /* of a try; likewise */
	struct io_timer flush_due;      /* of what filters hold back of the answer */
	struct mirror *mirror;          /* collects the request's body; NULL: none does */
	struct exchange_source *source; /* NULL: no such action */

	bool is_early;        /* in TLS early data: it may be a copy */
	bool is_answer_begun; /* the final response's head has gone to the client */
	bool has_chunks;      /* of our own, in the answer */
	bool has_up_chunks;   /* of our own, in the request */
	bool is_last;         /* the client's connection ends with it */
	bool is_over;
	enum exchange_hedging hedging;
	enum body_form form; /* of the answer's body for the client */
	enum exchange_end end;
	const char *detail; /* static: what was wrong; NULL: nothing */
	uint16_t status;    /* that the client got; 0: none */

	uint64_t started_wall_us;
	uint64_t started_us;        /* loop time */
	uint64_t head_in, head_out; /* bytes of heads from and to the client */
	uint64_t replaced_out;      /* of the body, where filters have made another one */
};

/* One that waits for a request's first bytes. Return: NULL: out of memory. */
struct exchange *exchange_new(struct http_client *client) WARN_UNUSED;

/* The request's head is whole and in the arena. */
void exchange_begin(struct exchange *exchange);

/* Answers by itself: a page for @status. The client's connection ends with it unless the request
 * was read to its end. Not once the answer has begun. */
void exchange_refuse(struct exchange *exchange, unsigned status, enum exchange_end end,
		     const char *detail);

/* Ends it where no answer can be given any more; the client is reset. */
void exchange_abort(struct exchange *exchange, enum exchange_end end, const char *detail);

/* From the client: more of the body (or what comes ahead); its end; room in its queue; no time
 * left. */
void exchange_on_request(struct exchange *exchange);
void exchange_on_client_end(struct exchange *exchange);
void exchange_on_answer_sent(struct exchange *exchange);
void exchange_on_timeout(struct exchange *exchange);
/* exchange_request.c: how long a pause of whoever is waited for may be; 0: any. */
uint32_t exchange_patience(const struct exchange *exchange);
/* Whether more of the request's body is wanted now; it comes too slowly. */
bool exchange_awaits_client(const struct exchange *exchange);
void exchange_on_slow_client(struct exchange *exchange);

/* The client's connection ends, whatever was still to come. */
void exchange_stop(struct exchange *exchange, enum exchange_end end);
/* It is over, and nobody knows of it any more. */
void exchange_free(struct exchange *exchange);
/* The worker ends: the memory of those that it has kept. */
void exchanges_forget(struct worker *worker);

uint64_t exchange_bytes_in(const struct exchange *exchange);
uint64_t exchange_bytes_out(const struct exchange *exchange);

/* --- Between its files ---------------------------------------------------------- */

struct worker *exchange_worker(const struct exchange *exchange);
struct io_stream *exchange_client(const struct exchange *exchange);
const struct config_pool *exchange_pool(const struct exchange *exchange);
const struct config_listener *exchange_listener(const struct exchange *exchange);
uint32_t exchange_buffer_limit(const struct exchange *exchange);

/* exchange_origin.c: believes those who are trusted, and nobody else. Return: 0; -ENOMEM. */
int exchange_find_origin(struct exchange *exchange) WARN_UNUSED;
const struct address *exchange_source(const struct exchange *exchange);
struct slice exchange_source_text(const struct exchange *exchange); /* its IP */
/* Where that is; looked up when it is first asked for. */
const struct geo_facts *exchange_facts(struct exchange *exchange);
/* The same for a pool that goes by places. NULL: it does not, or nobody knows. */
const struct earth_point *exchange_place(struct exchange *exchange, const struct config_pool *pool);
bool exchange_is_https(const struct exchange *exchange); /* as the client asked */
/* Empty: out of memory. */
struct slice exchange_request_id(struct exchange *exchange);
/* The fields that tell the backend of all this. Return: 0; -ENOMEM. */
int exchange_add_way(struct exchange *exchange) WARN_UNUSED;

/* exchange_trace.c: the request's span, once its origin is known. Return: 0; -ENOMEM. */
int exchange_trace_begin(struct exchange *exchange) WARN_UNUSED;
void exchange_trace_end(struct exchange *exchange);

/* exchange_reply.c: the answer that is ours. */
struct reply {
	uint16_t status;
	struct http_fields fields; /* without Content-Length; its arena is the exchange's */
	struct slice body;         /* borrowed for the call; not sent to HEAD */
};

/* The page of an error: the listener's own, or ours, in the form that the client prefers; a
 * request that could not be read prefers none. @reply: gets status, body and Content-Type.
 * Return: 0; -ENOMEM. */
int exchange_page(struct exchange *exchange, unsigned status, bool was_read,
		  struct reply *reply) WARN_UNUSED;

void exchange_reply(struct exchange *exchange, const struct reply *reply, enum exchange_end end);

/**
 * The head of an answer whose body of @length bytes exchange->source gives; for HEAD
 * and 304 too, where exchange_finish() is all that follows.
 * Return: false: the exchange is over, for a filter has answered otherwise or there is no memory.
 */
bool exchange_reply_begin(struct exchange *exchange, const struct reply *reply, uint64_t length);

/* exchange_secure.c: whether it is, and has been answered so. */
bool exchange_is_refused_by_tls(struct exchange *exchange);

/* exchange_prepare.c: the request is made fit for another server. Return: 0; -ENOMEM. */
int exchange_prepare(struct exchange *exchange) WARN_UNUSED;

/* exchange_date.c: of an answer that has none. The worker keeps the text. Return: 0; -ENOMEM. */
int exchange_add_date(struct exchange *exchange, struct http_fields *fields) WARN_UNUSED;

/* exchange_hops.c: whether it goes no further, and has been answered so. Its route is known. */
bool exchange_ends_here(struct exchange *exchange);

/* exchange_variable.c: a template_value of enum config_variable; @context is the exchange. */
struct slice exchange_variable(void *context, uint32_t variable, struct slice argument);

/* exchange_filter.c: the request's way through the filters, and back. */
void exchange_filter(struct exchange *exchange);
/* A reply passes the filters that have seen the request. */
void exchange_filter_reply(struct exchange *exchange, struct reply *reply);
/* The backend's head is whole. Return: false: a filter has answered in its place. */
bool exchange_filter_answer(struct exchange *exchange);
/* Who looks at the bodies. Return: NULL: nobody. @room: the caller's. */
struct body_tap *exchange_filter_tap_up(struct exchange *exchange, struct body_tap *room);
struct body_tap *exchange_filter_tap_down(struct exchange *exchange, struct body_tap *room);
/* What a trailer must not say, for it is decided here: a body_judge, @context is the exchange. */
void exchange_judge_request_trailer(void *context, struct http_fields *trailer);
void exchange_judge_answer_trailer(void *context, struct http_fields *trailer);
/* It is over, however: filters let go of it. */
void exchange_filter_end(struct exchange *exchange);
/* A filter has refused the request's body. */
void exchange_filter_refuse(struct exchange *exchange);
/* exchange.c: the filters have let it through. */
void exchange_act(struct exchange *exchange);

/* exchange_pick.c: the pool is known; so is what of the body was waited for. */
void exchange_pick(struct exchange *exchange, size_t pool);
void exchange_pick_now(struct exchange *exchange);
/* exchange_gather.c: whether the request's body is waited for, or was refused; exchange_pick_now()
 * follows in the first case. More of it has come. */
bool exchange_gather(struct exchange *exchange);
void exchange_gather_more(struct exchange *exchange);
/* exchange_request.c: its body is bad, too large, or found no memory. */
void exchange_refuse_body(struct exchange *exchange, int err);

/* exchange_retry.c: whether it may be sent more than once. */
bool exchange_is_repeatable(const struct exchange *exchange);
/* The tries begin. */
void exchange_limit_tries(struct exchange *exchange);
/* The pool is known: what it takes until the answer begins is bounded, its body included. */
void exchange_limit_time(struct exchange *exchange);

/* exchange_hedge.c: a try begins; it may become time for a second endpoint. */
void exchange_expect(struct exchange_leg *leg);
/* @leg answers: its response is the exchange's, and what is asked of another one is given up. */
void exchange_choose(struct exchange_leg *leg);
/* @leg has failed. Return: whether another one goes on without it; else all is as it was. */
bool exchange_give_way(struct exchange_leg *leg);
/* Nobody is asked beside exchange->leg any more. */
void exchange_end_hedge(struct exchange *exchange);

/* exchange_request.c: what a backend is asked for. Return: empty: no memory. */
struct slice exchange_target(struct exchange *exchange);
/* exchange_answer.c: both messages have ended. */
void exchange_finish_if_done(struct exchange *exchange);
void exchange_finish(struct exchange *exchange, enum exchange_end end, bool may_stay);

#endif
