/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_QUIC_H
#define SLUICE_BPF_DISPATCH_QUIC_H

/*
 * A flow that is new may be a connection of QUIC whose client has moved to another address. Its
 * packets have a short header, and behind the connection id's first byte what server it is of, for
 * servers that say so (QUIC-LB, draft-ietf-quic-load-balancers section 3 and 5.1, plaintext).
 * Packets with a long header begin connections, with ids that clients make up: they go by the ring.
 * Source: RFC 9000 sections 5.2 and 17.
 */
#include "lib/dispatch_service.h"

#define QUIC_LONG_HEADER 0x80

/* Verified by itself, for its stack. Return: the endpoint that the packet's connection is of; 0: it
 * does not say, or none of @service's. */
__noinline int real_of_connection(frame_context *ctx, struct packet *packet, __u32 service,
				  __u32 server_id_len)
{
	struct dispatch_server_id key = {.service = service};
	__u32 at, *real;

	if (!packet)
		return 0;
	at = packet->l3_offset + sizeof(struct udphdr) +
	     (packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	if (frame_load(ctx, at, key.id, 1) || key.id[0] & QUIC_LONG_HEADER ||
	    frame_load(ctx, at + 2, key.id, sizeof(key.id)))
		return 0;
#pragma unroll
	for (__u32 i = 0; i < DISPATCH_SERVER_ID_MAX; i++)
		if (i >= server_id_len)
			key.id[i] = 0;
	real = bpf_map_lookup_elem(&dispatch_server_ids, &key);
	return real ? (int)*real : 0;
}

#endif
