// SPDX-License-Identifier: Apache-2.0
/* Limits of a pool beyond which requests are turned away instead of piling up. */
#include "proxy/breaker.h"

static const char *const gauge_names[] = {
#define X(name, text) [BREAKER_##name] = text,
	BREAKER_GAUGES(X)
#undef X
};

const char *breaker_gauge_name(enum breaker_gauge gauge)
{
	return gauge_names[gauge];
}

static uint32_t limit_of(const struct config_breaker *config, enum breaker_gauge gauge)
{
	switch (gauge) {
	case BREAKER_PENDING:
		return config->max_pending;
	case BREAKER_REQUESTS:
		return config->max_requests;
	case BREAKER_RETRIES:
		return config->max_retries;
	case BREAKER_GAUGES_COUNT:
		break;
	}
	return 0;
}

bool breaker_enter(struct breaker *breaker, const struct config_breaker *config,
		   enum breaker_gauge gauge, struct breaker_places *places)
{
	uint32_t limit = limit_of(config, gauge);

	if (limit == 0 || places->has[gauge])
		return true;
	if (atomic_fetch_add(&breaker->now[gauge], 1) >= limit) {
		atomic_fetch_sub(&breaker->now[gauge], 1);
		atomic_fetch_add(&breaker->refused[gauge], 1);
		return false;
	}
	places->has[gauge] = true;
	return true;
}

void breaker_leave(struct breaker *breaker, enum breaker_gauge gauge, struct breaker_places *places)
{
	if (places->has[gauge])
		atomic_fetch_sub(&breaker->now[gauge], 1);
	places->has[gauge] = false;
}

void breaker_leave_all(struct breaker *breaker, struct breaker_places *places)
{
	for (int gauge = 0; gauge < BREAKER_GAUGES_COUNT; gauge++)
		breaker_leave(breaker, (enum breaker_gauge)gauge, places);
}

void breaker_describe(const struct breaker *breaker, const struct config_breaker *config,
		      struct breaker_row ret[BREAKER_GAUGES_COUNT])
{
	for (int i = 0; i < BREAKER_GAUGES_COUNT; i++) {
		uint32_t limit = limit_of(config, (enum breaker_gauge)i);
		uint32_t now = atomic_load(&breaker->now[i]);

		ret[i] = (struct breaker_row){
			.now = now,
			.limit = limit,
			.is_open = limit && now >= limit,
			.refused = atomic_load(&breaker->refused[i]),
		};
	}
}
