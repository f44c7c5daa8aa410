/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_ABI_DISPATCH_CHECK_H
#define SLUICE_ABI_DISPATCH_CHECK_H

#include <linux/types.h>

#include "abi/dispatch.h"

#define DISPATCH_CHECK_PORTS 65536
#define DISPATCH_CHECK_WORDS (DISPATCH_CHECK_PORTS / 64) /* of `check_ports`, a bit a port */

/*
 * Element of the array `checks`: a socket's health check under way, by its local port. What the
 * socket sends to the endpoint's own address goes to the service's address there, by the service's
 * form; answers, that come from the service's address, are from the endpoint's for the socket. It
 * is in use while its bit in the array `check_ports` is set, which is all that other packets look
 * at: 8 KiB instead of 5.5 MiB. Owner and only writer of both: the daemon. Not pinned: the sockets
 * end with it.
 */
struct dispatch_check {
	__u8 endpoint[16]; /* v4-mapped for IPv4 */
	__be16 port;       /* the endpoint's; the service's is the same */
	__u8 padding[6];
	struct dispatch_virtual service; /* address, tunnel_source, gue_port, form */
};

_Static_assert(sizeof(struct dispatch_check) == 88, "no hidden padding");

#endif
