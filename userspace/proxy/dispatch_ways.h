/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_DISPATCH_WAYS_H
#define SLUICE_PROXY_DISPATCH_WAYS_H

#include "config/config.h"
#include "core/compiler.h"
#include "fastpath/dispatch_check.h"
#include "upstream/upstream.h"

/**
 * Tells @upstream's pools which ways health checks of their endpoints take: those of the listeners
 * of mode dispatch that send to them, where endpoints answer clients themselves and the pool's
 * checks are to go through the tunnel. Before upstream_start().
 * @checks: borrowed for @upstream's life. Return: 0; -ENOMEM.
 */
int dispatch_ways_set(const struct config *config, struct dispatch_checks *checks,
		      struct upstream *upstream) WARN_UNUSED;

#endif
