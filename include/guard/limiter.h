/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_GUARD_LIMITER_H
#define SLUICE_GUARD_LIMITER_H

#include "abi/guard.h"
#include "core/compiler.h"

#include <stdint.h>

/* The sources' rates where no packet program keeps them: the same table, one lock. Thread: any. */
struct guard_limiter;

/* @per_second: 0: no limit. The rate and its burst as the tables want them. */
struct guard_rate guard_rate_of(uint32_t per_second, uint32_t burst_ms);

/* Return: NULL: out of memory. */
struct guard_limiter *guard_limiter_new(uint32_t sources, uint64_t seed) WARN_UNUSED;
void guard_limiter_free(struct guard_limiter *limiter); /* NULL is allowed */

/* Whether one more connection from @key (guard_source_key()) at @now_ns keeps the rate. */
int guard_limiter_take(struct guard_limiter *limiter, const uint8_t key[16],
		       const struct guard_rate *rate, uint64_t now_ns);

#endif
