// SPDX-License-Identifier: Apache-2.0
/*
 * Outlier ejection: an endpoint that fails several times in a row sits out for a while, longer each
 * time. Pure but for the endpoint's atomics; pool_view.c feeds it and holds the pool's lock where
 * an ejection is decided. Source of the policy: Envoy's consecutive-gateway-failure detection.
 */
#include "upstream/upstream_internal.h"

uint32_t outlier_duration_ms(const struct config_outlier *config, uint32_t ejections)
{
	uint64_t duration = config->base_ejection_ms;

	for (uint32_t i = 0; i < ejections && duration < config->max_ejection_ms; i++)
		duration *= 2;
	return duration < config->max_ejection_ms ? (uint32_t)duration : config->max_ejection_ms;
}

static bool is_ejected(const struct endpoint *endpoint, uint64_t now_ms)
{
	return atomic_load(&endpoint->ejected_until_ms) > now_ms;
}

bool outlier_count_failure(const struct config_outlier *config, struct endpoint *endpoint,
			   _Atomic uint32_t *row, uint64_t now_ms)
{
	if (config->consecutive_failures == 0)
		return false;
	/* Tries that were under way when it was ejected say nothing new. */
	if (is_ejected(endpoint, now_ms))
		return false;
	return atomic_fetch_add(row, 1) + 1 >= config->consecutive_failures;
}

/* A pool keeps its last available endpoint: a try that may fail beats one that is sure to. */
static bool share_allows(const struct config_outlier *config, const struct outlier_census *census)
{
	size_t allowed = census->endpoints * config->max_ejected_percent / 100;

	if (allowed == 0)
		allowed = 1;
	return census->available > 0 && census->ejected < allowed;
}

uint32_t outlier_eject(const struct config_outlier *config, struct endpoint *endpoint,
		       const struct outlier_census *census, uint64_t now_ms)
{
	uint32_t duration;

	if (is_ejected(endpoint, now_ms) || !share_allows(config, census))
		return 0;
	duration = outlier_duration_ms(config, atomic_load(&endpoint->ejections));
	if (duration == 0)
		return 0;
	atomic_fetch_add(&endpoint->ejections, 1);
	atomic_store(&endpoint->failures, 0);
	atomic_store(&endpoint->early_resets, 0);
	atomic_store(&endpoint->errors, 0);
	atomic_store(&endpoint->window_ms, 0);
	/* Back in the pool, it starts slowly. */
	atomic_store(&endpoint->up_since_ms, now_ms + duration);
	atomic_store(&endpoint->ejected_until_ms, now_ms + duration);
	return duration;
}

/*
 * One success between two ejections does not yet make a sound endpoint: the next ejection is short
 * again once it has been in for as long as it was out.
 */
void outlier_count_success(const struct config_outlier *config, struct endpoint *endpoint,
			   _Atomic uint32_t *row, uint64_t now_ms)
{
	uint32_t ejections = atomic_load_explicit(&endpoint->ejections, memory_order_relaxed);
	uint64_t back_ms = atomic_load_explicit(&endpoint->ejected_until_ms, memory_order_relaxed);

	/* Read first: the line is shared by all workers and nearly always holds 0. */
	if (atomic_load_explicit(row, memory_order_relaxed) != 0)
		atomic_store_explicit(row, 0, memory_order_relaxed);
	if (ejections == 0)
		return;
	if (now_ms >= back_ms + outlier_duration_ms(config, ejections - 1))
		atomic_store_explicit(&endpoint->ejections, 0, memory_order_relaxed);
}
