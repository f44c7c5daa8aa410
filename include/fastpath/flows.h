/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_FLOWS_H
#define SLUICE_FASTPATH_FLOWS_H

#include "abi/flow.h"
#include "core/address.h"
#include "core/compiler.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Spliced connections as the kernel has them, with a daemon or without: what is pinned in the
 * directory of an instance. Nothing here asks a daemon, or changes what one uses.
 */
struct flows;

/**
 * @directory: of the instance.
 * Return: 0; -ENOENT: nothing is pinned there; -EPROTO: its tables are of another version of
 * Sluice; -EACCES, -EPERM; another -errno.
 */
int flows_open(const char *directory, struct flows **ret) WARN_UNUSED;
void flows_close(struct flows *flows); /* NULL is allowed */

struct flows_facts {
	bool has_daemon;
	uint32_t abi_version, max_flows;
	uint64_t verdicts[FLOW_VERDICT_COUNT]; /* packets, of all CPUs */
};

void flows_describe(const struct flows *flows, struct flows_facts *ret);

/* One direction, by who sends. */
struct flow_way {
	uint64_t bytes, packets; /* spliced only */
	uint64_t relayed;        /* bytes that a daemon has carried before */
	bool has_fin, is_fin_acknowledged, has_reset;
};

struct flow_row {
	uint64_t id;       /* in the log of the daemon that joined it */
	const char *state; /* "observed": its daemon relays it; "spliced"; "over"; "passed" */
	struct address client, front; /* the client, and what it connected to */
	struct address via, backend;  /* the connection to the backend, from our end */
	struct flow_way up, down;
	uint64_t age_ms, idle_ms; /* since it was joined; 0 while observed */
};

void flows_for_each(const struct flows *flows,
		    void (*visit)(const struct flow_row *row, void *context), void *context);

/**
 * Ends what a daemon has left that never comes back: RST to both ends of each connection, programs
 * detached, nothing pinned any more. Tables of another version are thrown away as well; ends of
 * their connections hear of it when they send next.
 * @ret_count: connections that were spliced.
 * Return: 0; -ENOENT: nothing is pinned; -EBUSY: a daemon has it; -EXDEV: it is of another network
 * namespace; -EACCES, -EPERM; another -errno.
 */
int flows_discard(const char *directory, uint32_t *ret_count) WARN_UNUSED;

const char *flow_verdict_name(enum flow_verdict verdict);

#endif
