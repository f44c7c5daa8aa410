/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_DISPATCH_H
#define SLUICE_FASTPATH_DISPATCH_H

#include "abi/dispatch.h"
#include "core/address.h"
#include "core/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Mode dispatch: packets to an address of a service go to one of its endpoints, chosen by the
 * packet programs at a flow's first packet. No socket takes part, so the service's address need not
 * be one of this machine's; routing has to bring its packets here.
 *
 * The life of it: splice_new() with dispatch_flows, dispatch_new(), dispatch_apply() whenever the
 * configuration or the endpoints' health has changed, dispatch_free(). What a daemon that was
 * killed has left pinned goes on and is taken over by dispatch_new(): flows keep their endpoints,
 * known by the ids of services and endpoints.
 *
 * Thread: control, for all functions here. Integers are in host order, addresses as everywhere.
 */
struct dispatch;
struct splice;

struct dispatch_endpoint {
	uint64_t id;            /* stable, unique within its service; not 0. The ring goes by it:
				   make it from what every node knows (the endpoint's name) */
	struct address address; /* IP, the service's family; port 0: the packet's, as DNAT wants it
				   of a range. With IPIP, GUE and L2 the port is not used */
	uint32_t weight;        /* 0..65535; 0: draining: no new flows, but it keeps those it has */
	uint8_t server_id[DISPATCH_SERVER_ID_MAX]; /* of QUIC; the first server_id_len bytes */
};

struct dispatch_service {
	uint64_t id;            /* stable, unique in the plan; not 0 */
	struct address address; /* IP; its port is the first */
	uint16_t last_port;     /* of the range; 0: the one port alone */
	uint8_t protocol;       /* IPPROTO_TCP, IPPROTO_UDP */
	enum dispatch_form form;
	enum dispatch_algorithm algorithm;
	uint32_t ring_size;     /* slots, a prime; 0: 65537 */
	uint32_t tcp_timeout_s; /* idle flows are forgotten; 1..32767; 0: 3600 */
	uint32_t udp_timeout_s; /* 1..32767; 0: 60 */

	/* NAT: at least one, of the service's family, the ports kept free by the operator
	 * (net.ipv4.ip_local_reserved_ports or outside of ip_local_port_range).
	 * IPIP, GUE: the outer source address, at most one; none: made from the flow (172.16/16 or
	 * 100::/64 and a hash), so that receivers spread flows over their queues. */
	const struct address *sources; /* ports are not used */
	size_t nsources;
	uint16_t first_source_port, last_source_port; /* NAT: 0: 10000 and 32767 */

	bool resets_lost; /* NAT: an RST answers TCP segments of flows that are not known, as of an
			     endpoint that is gone; a thousand a second at most */

	uint16_t gue_port;     /* the endpoints' port; 0: 6080 */
	uint8_t server_id_len; /* UDP: 1..8: QUIC connection ids carry a server id of so many
				  bytes behind their first one (QUIC-LB, plaintext); 0: none */

	const struct dispatch_endpoint *endpoints; /* in any order */
	size_t nendpoints;                         /* 0: packets are dropped, counted */

	/* By place: new flows of the plan's areas go by rings of their own. Then an endpoint's own
	 * weight is what it counts for with LEAST_LOADED, and not 0 where one of a ring is not. */
	size_t nrings;                /* 0: the one ring of all endpoints */
	const uint32_t *ring_weights; /* of each endpoint, ring by ring */
	const uint16_t *ring_of_area; /* DISPATCH_NO_RING: no endpoint takes them */
};

/* From @first on, a dispatch_position(), addresses are in that area. */
struct dispatch_change {
	uint64_t first;
	uint16_t area;
};

/* Where clients are. Never empty: the first change is at 0, the last at DISPATCH_NOWHERE and to
 * DISPATCH_AREA_UNKNOWN. */
struct dispatch_areas {
	uint64_t id; /* others have another one; not 0 */
	const struct dispatch_change *changes;
	size_t nchanges; /* up to DISPATCH_CHANGES_MAX */
	uint32_t count;  /* of areas: up to DISPATCH_AREAS_MAX */
};

#define DISPATCH_CHANGES_MAX ((size_t)8 << 20)

/* All of what is wanted; borrowed for the call of dispatch_apply(). */
struct dispatch_plan {
	const struct dispatch_service *services; /* in any order */
	size_t nservices;
	const struct dispatch_areas *areas; /* NULL: no service goes by place */
	uint64_t ring_seed;                 /* equal on all nodes that are to agree */
	uint32_t new_flow_rate; /* table entries a second and CPU; 0: 125000. Beyond it new flows
				   follow the ring without an entry; those of NAT are dropped */
};

/**
 * @programs: of splice_new() with dispatch_flows; borrowed until dispatch_free().
 * Return: 0; -ENOMEM; -ENOTSUP: the programs were loaded without; -errno.
 */
int dispatch_new(struct splice *programs, struct dispatch **ret) WARN_UNUSED;

/* The programs go on with the last plan if they do. NULL is allowed. */
void dispatch_free(struct dispatch *dispatch);

/**
 * Puts @plan in force: all services at once, between two packets. Some milliseconds a service whose
 * endpoints have changed, and one grace period of RCU.
 * Return: 0; -EINVAL with *@ret_why: the plan cannot be (two services overlap, or with DNAT share
 * an endpoint's address and port; a ring size is no prime, a family is mixed); -ENOSPC with
 * *@ret_why: a table has no room; -ENOMEM; -errno. Then the plan before stays in force. *@ret_why:
 * static text.
 */
int dispatch_apply(struct dispatch *dispatch, const struct dispatch_plan *plan,
		   const char **ret_why) WARN_UNUSED;

/* Draws the key of SYN cookies that will be in use after the next one; at least once a
 * DISPATCH_COOKIE_EPOCH_BITS. Return: 0; -errno. */
int dispatch_renew_cookies(struct dispatch *dispatch) WARN_UNUSED;

/**
 * Finds out which flows have ended, for services that choose by load; a part of the table of flows
 * at once, some milliseconds.
 * @now_ns: of CLOCK_MONOTONIC. Return: ms after which it wants to be called again; 0: not before
 * the next plan.
 */
uint32_t dispatch_follow_loads(struct dispatch *dispatch, uint64_t now_ns) WARN_UNUSED;

/**
 * Sends SYNs to endpoints again that flows of SYN cookies wait for. A thousand at most; without any
 * some microseconds.
 * @now_ns: of CLOCK_MONOTONIC. Return: ms after which it wants to be called again; 0: not before
 * the next plan.
 */
uint32_t dispatch_ask_again(struct dispatch *dispatch, uint64_t now_ns) WARN_UNUSED;

/* Since the programs were loaded first. Sums over all CPUs. */
struct dispatch_traffic {
	uint64_t packets, bytes;                   /* from clients, forwarded; bytes of frames */
	uint64_t flows;                            /* new ones */
	uint64_t returned_packets, returned_bytes; /* of NAT forms: from endpoints, forwarded */
};

struct dispatch_service_counts {
	struct dispatch_traffic traffic;
	uint64_t drops[DISPATCH_DROP_COUNT];
	uint64_t unlisted;     /* new flows that went by the ring without an entry */
	uint64_t cookies;      /* SYNs that were answered with a cookie */
	uint64_t cookie_flows; /* that one has begun */
};

/* What the tables are made for, by this daemon or an earlier one. */
uint32_t dispatch_max_flows(const struct dispatch *dispatch);

/* Return: 0; -ENOENT: no such service is in force. */
int dispatch_count_service(struct dispatch *dispatch, uint64_t service_id,
			   struct dispatch_service_counts *ret) WARN_UNUSED;

/* Return: 0; -ENOENT. */
int dispatch_count_endpoint(struct dispatch *dispatch, uint64_t service_id, uint64_t endpoint_id,
			    struct dispatch_traffic *ret) WARN_UNUSED;

/* For texts and labels: "nat", "no_endpoint". */
const char *dispatch_form_name(enum dispatch_form form);
const char *dispatch_drop_name(enum dispatch_drop drop);

#endif
