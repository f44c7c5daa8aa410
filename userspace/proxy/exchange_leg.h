/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_EXCHANGE_LEG_H
#define SLUICE_PROXY_EXCHANGE_LEG_H

#include "http/h1_parse.h"
#include "http/message.h"
#include "io/buf.h"
#include "io/stream.h"
#include "proxy/breaker.h"
#include "proxy/dial.h"
#include "proxy/http_backend.h"
#include "proxy/input.h"
#include "proxy/uptake.h"

#include <stdbool.h>
#include <stdint.h>

struct exchange;

/*
 * An exchange's way to an endpoint: from the choice of one to the head of its answer, in as many
 * tries as it takes, one after the other. There is one; while a hedge is under way there are two.
 */
struct exchange_leg {
	struct exchange *exchange;
	struct http_backend_user user;
	struct dial dial;
	struct breaker_places places;   /* at the pool's breaker */
	struct http_backend *backend;   /* NULL: not yet, or no more */
	struct input answer;            /* the response's head as far as it has come */
	struct h1_parser parser;        /* of it */
	struct http_response *response; /* the exchange's; a hedge's own until that is chosen */
	size_t answer_head;             /* bytes of the response's head, once it is whole */
	struct uptake requests;         /* that wait for the backend */
	uint64_t first_byte_us;
	bool is_reused;    /* the backend has served others before */
	bool is_head_sent; /* the request's; its body follows */
	bool wants_fresh;  /* no idle connection: one has just turned out to be dead */
	bool is_hedge;     /* and has not been tried again since */
};

/* From the backend. */
void exchange_on_answer(struct exchange_leg *leg, struct io_buf *buf, int status);
void exchange_on_request_sent(struct exchange_leg *leg, int status);

/* --- Between its files ---------------------------------------------------------- */

/* exchange_pick.c: takes a place of the pool's breaker. Return: false: it is open there. */
bool exchange_enter(struct exchange_leg *leg, enum breaker_gauge gauge);
/* The connection is done with. */
void exchange_release_backend(struct exchange_leg *leg, bool may_stay);
/* Gives back what else it has of the pool; it is nowhere from now on. */
void exchange_leave_pool(struct exchange_leg *leg);

/* exchange_retry.c: what has become of a try. */
enum exchange_trouble {
	EXCHANGE_STALE, /* a kept connection has ended, perhaps before the request came */
	EXCHANGE_RESET, /* a new one has, without an answer */
	EXCHANGE_LATE,
	EXCHANGE_UNAVAILABLE, /* 502, 503, 504 */
};

/* Return: whether the request is on its way once more, or another leg's, or has been refused; else
 * it is as it was. */
bool exchange_try_again(struct exchange_leg *leg, enum exchange_trouble trouble);
/* Whether one more request may be sent; then it is paid for. */
bool exchange_take_budget(struct exchange_leg *leg);

/* exchange_request.c: the connection stands. */
void exchange_send_request(struct exchange_leg *leg);

#endif
