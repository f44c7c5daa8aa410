/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_DISPATCH_H
#define SLUICE_CONFIG_DISPATCH_H

#include "core/address.h"

#include <stddef.h>
#include <stdint.h>

/* Mode dispatch: packets go to endpoints by the packet programs alone. */

/* How packets get to endpoints; enum dispatch_form says what each does. */
#define CONFIG_FORWARDS(X) \
	X(NAT, "nat")      \
	X(DNAT, "dnat")    \
	X(IPIP, "ipip")    \
	X(GUE, "gue")      \
	X(L2, "l2")

enum config_forward {
#define X(name, text) CONFIG_FORWARD_##name,
	CONFIG_FORWARDS(X)
#undef X
};

/* What becomes of TCP segments of flows that are not known. */
enum config_lost_flows { CONFIG_LOST_RESET, CONFIG_LOST_DROP };

struct config_port_range {
	uint16_t first, last;
};

/* What connection ids of QUIC say of an endpoint, behind their first byte. */
#define CONFIG_SERVER_ID_MAX 8

struct config_server_id {
	uint8_t len; /* 0: nothing */
	uint8_t bytes[CONFIG_SERVER_ID_MAX];
};

/* Of a listener of mode dispatch. */
struct config_listener_dispatch {
	enum config_forward forward; /* nat */
	struct address *sources;     /* of nat at least one, of a tunnel at most one */
	size_t nsources;
	struct config_port_range source_ports; /* 10000-32767: of nat, towards the endpoints */
	uint16_t gue_port;                     /* 6080: the endpoints' */
	uint32_t tcp_timeout_ms;               /* 1h: an idle flow is forgotten */
	uint32_t udp_timeout_ms;               /* 1m */
	enum config_lost_flows lost_flows;     /* reset: of nat */
};

/* Of all of them. */
struct config_dispatch {
	uint32_t max_flows;     /* 262144 */
	uint32_t new_flow_rate; /* 125000 table entries a second and CPU */
	uint32_t ring_seed;     /* 0; equal on all nodes that are to agree */
};

#endif
