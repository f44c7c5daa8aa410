/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_RESILIENCE_H
#define SLUICE_CONFIG_RESILIENCE_H

#include <stdbool.h>
#include <stdint.h>

/* What a pool of mode http does about endpoints that fail, and how much of it. */

/* When a request is sent another time; within connect_retries. */
struct config_retry {
	bool on_reset;           /* true: closed or reset before it answered */
	bool on_timeout;         /* false: response_timeout has passed */
	bool on_unavailable;     /* false: it answered 502, 503 or 504 */
	uint32_t budget_percent; /* 20: of a worker's requests */
};

/* 0: no limit. Over all workers. */
struct config_breaker {
	uint32_t max_pending;  /* requests that wait for a connection */
	uint32_t max_requests; /* requests in all */
	uint32_t max_retries;  /* requests that are sent another time */
};

#endif
