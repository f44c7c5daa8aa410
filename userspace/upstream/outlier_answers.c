// SPDX-License-Identifier: Apache-2.0
/*
 * Answers that are errors: many in a row, or a large share of those within a window, make an
 * outlier of an endpoint that connects well. Workers count together without a lock; one answer more
 * or less at a window's beginning does not matter. Source of the policy: Envoy's consecutive-5xx
 * and failure-percentage detection.
 */
#include "upstream/upstream_internal.h"

static void begin_window(const struct config_outlier *config, struct endpoint *endpoint,
			 uint64_t now_ms)
{
	uint64_t began_ms = atomic_load_explicit(&endpoint->window_ms, memory_order_relaxed);

	if (began_ms && now_ms < began_ms + config->error_window_ms)
		return;
	if (!atomic_compare_exchange_strong(&endpoint->window_ms, &began_ms, now_ms))
		return;
	atomic_store(&endpoint->window_answers, 0);
	atomic_store(&endpoint->window_errors, 0);
}

static bool is_share_reached(const struct config_outlier *config, struct endpoint *endpoint,
			     bool is_error, uint64_t now_ms)
{
	uint64_t answers, errors;

	if (config->error_share_percent == 0)
		return false;
	begin_window(config, endpoint, now_ms);
	answers = atomic_fetch_add(&endpoint->window_answers, 1) + 1;
	errors = atomic_fetch_add(&endpoint->window_errors, is_error) + is_error;
	return is_error && answers >= config->error_minimum &&
	       errors * 100 >= answers * config->error_share_percent;
}

static bool is_row_reached(const struct config_outlier *config, struct endpoint *endpoint,
			   bool is_error, uint64_t now_ms)
{
	if (config->consecutive_errors == 0)
		return false;
	if (is_error)
		return atomic_fetch_add(&endpoint->errors, 1) + 1 >= config->consecutive_errors;
	outlier_count_success(config, endpoint, &endpoint->errors, now_ms);
	return false;
}

bool outlier_count_answer(const struct config_outlier *config, struct endpoint *endpoint,
			  bool is_error, uint64_t now_ms)
{
	bool has_row = is_row_reached(config, endpoint, is_error, now_ms);
	bool has_share = is_share_reached(config, endpoint, is_error, now_ms);

	/* Answers to what was asked before it was ejected say nothing new. */
	return (has_row || has_share) && atomic_load(&endpoint->ejected_until_ms) <= now_ms;
}
