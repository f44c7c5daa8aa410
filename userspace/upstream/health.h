/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_HEALTH_H
#define SLUICE_UPSTREAM_HEALTH_H

#include "io/loop.h"
#include "upstream/pool.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Active checks of one pool: each endpoint on a timer of its own. All on the control thread.
 *
 *   health    result  then
 *   UNKNOWN   good    UP           the first result decides by itself
 *   UNKNOWN   bad     DOWN
 *   UP        bad     DOWN         after fall in a row
 *   DOWN      good    UP           after rise in a row; slow start begins
 *
 * An endpoint in maint is not checked and keeps its health. Over a reload health stays, rows begin
 * anew.
 */
struct health;

/* First checks of endpoints of unknown health are spread over so long at most, or the interval. */
#define HEALTH_FIRST_SPREAD_MS 1000

/* Return: NULL: out of memory. */
struct health *health_new(struct pool *pool, struct io_loop *loop) WARN_UNUSED;

/*
 * Checks what the pool has now: begins with endpoints that are new, ends with those that are gone.
 * Also the start. Return: 0; -ENOMEM: some are not checked until it is called again.
 */
int health_sync(struct health *health) WARN_UNUSED;

/* Ends all checks. @on_stopped comes once nothing is in flight, from within if nothing is. */
void health_stop(struct health *health, void (*on_stopped)(struct health *health, void *context),
		 void *context);

/* Nothing may be in flight: stopped, or the loop has not run since health_new(). NULL is allowed.
 */
void health_free(struct health *health);

/* --- Pure --------------------------------------------------------------------------- */

/**
 * @row: results in a row that speak against @health; zero at first.
 * Return: what the health is after this result.
 */
enum endpoint_health health_judge(const struct config_health_check *config,
				  enum endpoint_health health, bool is_ok, uint32_t *row);

#endif
