/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_ABI_DISPATCH_CHECK_H
#define SLUICE_ABI_DISPATCH_CHECK_H

#include <linux/types.h>

#include "abi/dispatch.h"

#define DISPATCH_CHECK_PORTS 65536

/*
 * Element of the array `checks`: a socket's health check under way, by its local port. What the
 * socket sends to the endpoint's own address goes to the service's address there, by the service's
 * form; answers, that come from the service's address, are from the endpoint's for the socket.
 * Owner and only writer: the daemon. Not pinned: the sockets end with it.
 */
struct dispatch_check {
	__u8 endpoint[16]; /* v4-mapped for IPv4 */
	__be16 port;       /* the endpoint's; the service's is the same */
	__u8 is_used;      /* written last */
	__u8 padding[5];
	struct dispatch_virtual service; /* address, tunnel_source, gue_port, form */
};

_Static_assert(sizeof(struct dispatch_check) == 88, "no hidden padding");

#endif
