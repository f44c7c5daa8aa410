/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_DISPATCH_PLAN_H
#define SLUICE_PROXY_DISPATCH_PLAN_H

#include "config/config.h"
#include "core/arena.h"
#include "core/compiler.h"
#include "fastpath/dispatch.h"
#include "proxy/areas.h"
#include "upstream/upstream.h"

#include <stdint.h>

/* Stable over reloads, restarts and nodes: by the address, protocol and first port. */
uint64_t dispatch_plan_service_id(const struct config_bind *bind);

/* How a listener's packets go on to its endpoints. */
enum dispatch_form dispatch_plan_form(const struct config_listener *listener);

/**
 * What the packet programs shall do, by the configuration and as endpoints are now.
 * @areas: of the configuration; NULL: nothing goes by place, as pools do then that would.
 * @arena: what *@ret points to, beside @areas, is in it. Return: 0; -E2BIG: a listener has
 * too many rings, which are one for each of its pools and one for each place of those; -ENOMEM.
 */
int dispatch_plan_make(const struct config *config, struct upstream *upstream,
		       const struct areas *areas, struct arena *arena,
		       struct dispatch_plan *ret) WARN_UNUSED;

#endif
