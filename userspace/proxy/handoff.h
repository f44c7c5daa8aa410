/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_HANDOFF_H
#define SLUICE_PROXY_HANDOFF_H

#include "fastpath/splice.h"
#include "io/timer.h"
#include "proxy/inspect.h"
#include "proxy/vigil.h"

#include <stdbool.h>
#include <stdint.h>

struct tunnel;

/*
 * What a tunnel knows of its way into the kernel:
 *
 *   WAITING ──enough bytes──► OBSERVED ──────► RESTING ──joined──► TAIL ──► SETTLING ──► JOINED
 *      │                         ▲               │
 *      └─not eligible─► NEVER    └── -EAGAIN ────┘
 *
 * A zeroed one has never begun.
 */
enum handoff_state {
	HANDOFF_NEVER, /* @reason says why */
	HANDOFF_WAITING,
	HANDOFF_OBSERVED, /* the programs watch; the relay carries on */
	HANDOFF_RESTING,  /* the relay reads nothing, for a try */
	/* What arrives from here on goes through the programs. */
	HANDOFF_TAIL,     /* the relay delivers what it had before */
	HANDOFF_SETTLING, /* it has; the sockets may still have an ACK to send */
	HANDOFF_JOINED,
};

struct handoff {
	enum handoff_state state;
	enum splice_reason reason; /* why it is not spliced */
	struct splice_pair *pair;  /* from OBSERVED on */
	struct vigil vigil;        /* from JOINED on */
	bool was_joined;
	enum splice_rung rung;             /* the last, of one that was joined */
	bool was_redirected;               /* by the sockmap rung */
	struct sockmap_rung *sockmap_rung; /* in place of what is below; NULL */
	uint8_t nrested;                   /* pumps */
	uint8_t tries, waits;              /* @tries: of a tuple in use */
	uint32_t delay_ms;
	struct io_timer timer;
	uint64_t packets_up, packets_down; /* spliced, as far as they are counted */
	uint64_t bytes_up, bytes_down;     /* not through the pumps, up to the end */
};

/* The relay has begun. */
void handoff_start(struct tunnel *tunnel);

/* The tunnel ends, for whatever reason: before its pumps and sockets go. */
void handoff_end(struct tunnel *tunnel, bool is_reset);

/* The programs say that the joined connection is over. */
void handoff_on_over(struct tunnel *tunnel);

/* Leaves the connection to a later daemon, if it is joined and not over: then the owner closes its
 * streams, of which nobody hears. Return: whether it has. */
bool handoff_leave(struct tunnel *tunnel);

/* Names are too long for the kernel's table: a later daemon knows its own by their hash. */
uint32_t handoff_hash(const char *name);

/* A direction of the relay has ended: what is left of the connection stays where it is. */
void handoff_interrupt(struct tunnel *tunnel);

/* Brings @bytes_up and @bytes_down up to date. */
void handoff_account(struct tunnel *tunnel);

/* Counts what carried the connection; at its end. */
void handoff_count(const struct tunnel *tunnel);

const char *handoff_rung(const struct tunnel *tunnel);
const char *handoff_reason(const struct tunnel *tunnel);

/* When a packet last went through, in loop time; 0 if the pair is not joined. */
uint64_t handoff_last_activity_ms(const struct tunnel *tunnel);

#endif
