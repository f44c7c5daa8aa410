/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_GUARD_SERVICES_H
#define SLUICE_PROXY_GUARD_SERVICES_H

#include "config/config.h"
#include "core/compiler.h"
#include "fastpath/guard_maps.h"

/* What listeners are to the packet programs. Return: NULL: out of memory. */
struct guard_services *guard_services_new(const struct config *config) WARN_UNUSED;
/* Whether SYN cookies can be sent for it, if it has TCP. */
bool guard_services_take_cookies(const struct config_listener *listener);
/* Where answers to what this machine asks come to. Both ends are in it. */
struct guard_range {
	uint16_t first, last;
};

struct guard_range guard_ephemeral_ports(void);

void guard_services_free(struct guard_services *services); /* NULL is allowed */

#endif
