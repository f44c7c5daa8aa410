/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_BREAKER_H
#define SLUICE_PROXY_BREAKER_H

#include "config/config.h"
#include "proxy/inspect.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A pool's circuit breaker: how many requests are at each gauge now, over all workers. At a gauge's
 * limit it is open: what would come in is turned away at once, until something leaves. A gauge
 * without a limit is not counted. Thread: any.
 */
struct breaker {
	_Atomic uint32_t now[BREAKER_GAUGES_COUNT];
	_Atomic uint64_t refused[BREAKER_GAUGES_COUNT];
};

/* Where one request is counted in; zero is nowhere. */
struct breaker_places {
	bool has[BREAKER_GAUGES_COUNT];
};

/* Takes a place, once. Return: false: the breaker is open there. */
bool breaker_enter(struct breaker *breaker, const struct config_breaker *config,
		   enum breaker_gauge gauge, struct breaker_places *places);

/* Gives the place back, if there is one. */
void breaker_leave(struct breaker *breaker, enum breaker_gauge gauge,
		   struct breaker_places *places);

void breaker_leave_all(struct breaker *breaker, struct breaker_places *places);

/* @ret: a row for each gauge. */
void breaker_describe(const struct breaker *breaker, const struct config_breaker *config,
		      struct breaker_row ret[BREAKER_GAUGES_COUNT]);

#endif
