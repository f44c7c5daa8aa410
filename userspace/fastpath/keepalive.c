// SPDX-License-Identifier: Apache-2.0
/*
 * Asks both ends of a joined pair whether they are there. Their own sockets may not, and ours are
 * frozen: a host that has gone would leave its connection in the tables for good. The packet itself
 * is built in reset.c, when to ask is the caller's to know.
 */
#include "fastpath/fastpath_internal.h"

#include <netinet/in.h>
#include <string.h>

/* In the name of the other end, with the last that it has said. */
static void probe_end(const struct splice_pair *pair, enum flow_direction direction)
{
	enum flow_direction opposite = direction == FLOW_UP ? FLOW_DOWN : FLOW_UP;
	const struct flow_pair *shared = pair->shared;
	const struct flow_translation *back = &shared->out[opposite];
	const struct flow_key *arriving = &pair->keys[direction];
	struct keepalive keepalive = {
		.key = {.source_port = arriving->destination_port,
			.destination_port = arriving->source_port},
		.next_seq = flow_ack(shared, direction),
		.ack = flow_ack(shared, opposite) + back->ack_delta,
		.has_timestamps = back->flags & FLOW_HAS_TIMESTAMPS,
		.tsval = shared->seen[opposite].tsval + back->tsval_delta,
		.tsecr = shared->seen[direction].tsval,
	};
	int fd;

	memcpy(keepalive.key.source, arriving->destination, sizeof(keepalive.key.source));
	memcpy(keepalive.key.destination, arriving->source, sizeof(keepalive.key.destination));
	fd = pair->splice->reset_fd[!IN6_IS_ADDR_V4MAPPED((struct in6_addr *)arriving->source)];
	if (fd >= 0)
		(void)keepalive_send(fd, &keepalive); /* one that is lost is sent again */
}

void splice_pair_probe(const struct splice_pair *pair)
{
	probe_end(pair, FLOW_UP);
	probe_end(pair, FLOW_DOWN);
}
