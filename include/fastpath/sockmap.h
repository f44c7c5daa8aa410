/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_SOCKMAP_H
#define SLUICE_FASTPATH_SOCKMAP_H

#include "core/compiler.h"
#include "fastpath/splice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Two connected TCP sockets whose bytes a program moves from one to the other, while both stay what
 * they are: options, families and devices of the connections may differ in everything.
 *
 * Each direction of a pair is a way, which is open (the program redirects what arrives) or passes
 * (the program lets the source's owner read it). A way passes at first. The program closes an open
 * way for want of room at its sink, and its owner does before it writes to the sink; only the owner
 * opens one, having relayed all that was passed. A FIN, an RST and all errors are the owner's, who
 * learns of them by reading the sockets as ever.
 *
 *   passes ──sockmap_open()──► open ──no room, or sockmap_pass()──► closing ──is_drained──► passes
 */
struct sockmap;
struct sockmap_pair;

/**
 * Loads the program and tries on loopback whether this kernel moves bytes as it should: what was
 * queued before, what comes twice, and whether readers still wake.
 * @max_pairs: 1 or more.
 * Return: 0; -EPERM; -ENOTSUP or another -errno with @ret_why (static text). Thread: control.
 */
int sockmap_new(uint32_t max_pairs, struct sockmap **ret, const char **ret_why) WARN_UNUSED;

/* After the last pair. NULL is allowed. */
void sockmap_free(struct sockmap *sockmap);

/**
 * Puts two established sockets in; both ways pass. Nobody may be reading or writing them in that
 * moment, and all that was read from either has been written to the other.
 * Return: 0: from now on splice(2) does not see what they receive, and they leave only by close().
 * *ret_reason is NONE, or says why the ways must never be opened (one socket could not be added).
 * -ENOTSUP with *ret_reason, or -EAGAIN for another try: neither was touched.
 * Thread: any, as everything below: the worker that owns the pair.
 */
int sockmap_join(struct sockmap *sockmap, int client_fd, int backend_fd, struct sockmap_pair **ret,
		 enum splice_reason *ret_reason) WARN_UNUSED;

/* @relayed: bytes that the sink's socket has taken from the owner in this way since the join.
 * Return: whether the way is open now; else something was passed that has not been relayed yet. */
bool sockmap_open(struct sockmap_pair *pair, enum flow_direction way, uint64_t relayed) WARN_UNUSED;

/* Bytes that the program has let the source's owner read since the join; some may still be on their
 * way into its queue, even where recv() already tells a FIN that came behind them. */
uint64_t sockmap_passed(const struct sockmap_pair *pair, enum flow_direction way);

/* Nothing that arrives after this call is redirected. */
void sockmap_pass(struct sockmap_pair *pair, enum flow_direction way);

/* For a way that passes: whether the sink's socket has taken all that was redirected, so that the
 * owner may write. Soon true by itself, whether the sink's peer reads or not. @relayed: as above.
 */
bool sockmap_is_drained(const struct sockmap_pair *pair, enum flow_direction way, uint64_t relayed);

struct sockmap_traffic {
	uint64_t bytes;             /* redirected */
	uint64_t first_ns, last_ns; /* CLOCK_MONOTONIC; 0: none yet */
	bool is_broken;             /* bytes are lost for want of memory: reset both connections */
};

/* Reads shared memory. */
void sockmap_traffic(const struct sockmap_pair *pair, enum flow_direction way,
		     struct sockmap_traffic *ret);

/* Forgets the pair: neither way redirects any more. Close the sockets right after. NULL is allowed.
 */
void sockmap_pair_close(struct sockmap_pair *pair);

#endif
