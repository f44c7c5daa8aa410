/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_ABI_DISPATCH_H
#define SLUICE_ABI_DISPATCH_H

#include <linux/types.h>

/* Mode dispatch: the packet programs choose an endpoint for each flow and send its packets there.
 */
#define DISPATCH_SERVICES_MAX  1024
#define DISPATCH_ENDPOINTS_MAX 32767 /* of all services */
#define DISPATCH_SOURCES_MAX   8     /* source addresses of a service */
#define DISPATCH_SERVER_ID_MAX 8     /* bytes of a QUIC server id */

/*
 * How a packet gets to its endpoint.
 * NAT: both addresses are changed; answers come back to the source address that we chose.
 * NAT_KEEP_SOURCE: the destination is changed; answers come by us, the endpoints' gateway.
 * IPIP, GUE: within a packet of the same family, or within UDP (GUE variant 1); answers go to the
 * client without us, as with L2: unchanged, to the endpoint's link layer address.
 */
#define DISPATCH_FORMS(X)                     \
	X(NAT, "nat")                         \
	X(NAT_KEEP_SOURCE, "nat_keep_source") \
	X(IPIP, "ipip")                       \
	X(GUE, "gue")                         \
	X(L2, "l2")

enum dispatch_form {
#define X(name, text) DISPATCH_##name,
	DISPATCH_FORMS(X)
#undef X
		DISPATCH_FORM_COUNT
};

/* Which endpoint takes a new flow. */
enum dispatch_algorithm {
	DISPATCH_MAGLEV,       /* by the flow's addresses and ports: the same on every node */
	DISPATCH_SOURCE,       /* by the client's address alone: the same on every node */
	DISPATCH_LEAST_LOADED, /* of two by the ring, the one with fewer flows for its weight */
};

/* What becomes of the flows of an endpoint that is gone from the plan. */
enum dispatch_on_gone {
	DISPATCH_REBALANCE, /* as new ones; those of TCP with form NAT are lost all the same */
	DISPATCH_RESET,     /* TCP: the client gets an RST; UDP: as new ones */
};

/* Why a packet to a service was dropped. */
#define DISPATCH_DROPS(X)                                                                    \
	X(NO_ENDPOINT, "no_endpoint")   /* none has a weight */                              \
	X(NO_FLOW, "no_flow")           /* NAT: a TCP segment of a flow that is not known */ \
	X(NO_PORT, "no_port")           /* NAT: every source port that was tried is taken */ \
	X(RATE, "rate")                 /* NAT: more new flows than new_flow_rate */         \
	X(NEXTHOP_GONE, "nexthop_gone") /* no way to the endpoint */                         \
	X(TTL_EXPIRED, "ttl_expired")                                                        \
	X(TOO_BIG, "too_big")     /* its sender is told what fits */                         \
	X(MALFORMED, "malformed") /* headers that do not fit */                              \
	X(FRAGMENT, "fragment")   /* a later one whose first was not seen, or of TCP */      \
	X(NO_HEADROOM, "no_headroom")

enum dispatch_drop {
#define X(name, text) DISPATCH_DROP_##name,
	DISPATCH_DROPS(X)
#undef X
		DISPATCH_DROP_COUNT
};

#endif
