/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_DISPATCH_CHECK_H
#define SLUICE_FASTPATH_DISPATCH_CHECK_H

#include "abi/dispatch.h"
#include "core/address.h"
#include "core/compiler.h"

#include <stdint.h>

/*
 * Health checks that take the way of a service's packets. A socket connects to the endpoint's own
 * address, and the packet programs send what it says to the service's address there, by the
 * service's form; to it answers seem to come from the endpoint. So an endpoint that is without the
 * service's address, or does not take the tunnel's header off, is found out.
 * Thread: control, for all functions here.
 */
struct dispatch_checks;
struct splice;

/* How packets of a service get to its endpoints, where those answer clients themselves. */
struct dispatch_way {
	enum dispatch_form form; /* IPIP, GUE or L2 */
	struct address service;  /* IP; its port is not used */
	struct address source;   /* of the outer header, as well; no address: one is made */
	uint16_t gue_port;       /* host order; with GUE */
};

/* @programs: of splice_new() with dispatch_flows; borrowed until dispatch_checks_free().
 * Return: 0; -ENOMEM; -ENOTSUP: the programs were loaded without; -errno. */
int dispatch_checks_new(struct splice *programs, struct dispatch_checks **ret) WARN_UNUSED;
void dispatch_checks_free(struct dispatch_checks *checks); /* NULL is allowed */

/**
 * What @fd says from now on takes @way. A dozen system calls.
 * @fd:       of TCP, not connected yet; it gets a local port, of the address that it is bound to.
 * @endpoint: where @fd is going to connect to: of @way's family.
 * Return: the port, to be given to dispatch_check_end() once the socket is closed, and closed by a
 * reset, for nothing that it says afterwards arrives; 0: the endpoint is this machine, which no
 * tunnel leads to: nothing was done; -EADDRINUSE: a check has the port, on another address; -errno.
 */
int dispatch_check_begin(struct dispatch_checks *checks, int fd, const struct address *endpoint,
			 const struct dispatch_way *way) WARN_UNUSED;
void dispatch_check_end(struct dispatch_checks *checks, uint16_t port);

#endif
