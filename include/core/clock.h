/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_CLOCK_H
#define SLUICE_CORE_CLOCK_H

#include <stdint.h>

/*
 * Two clocks: monotonic for durations and deadlines, wall for what is shown to people.
 * Thread: any. Both cost a vDSO call, so loops cache them.
 */
uint64_t clock_monotonic_ns(void);
uint64_t clock_monotonic_ms(void);

/* Microseconds since 1970-01-01 UTC. */
uint64_t clock_wall_us(void);

/* Room for "2026-11-23T14:20:30.123456Z" and its NUL. */
#define CLOCK_RFC3339_SIZE 28

/* RFC 3339 in UTC with microseconds. Return: @ret. */
const char *clock_format_rfc3339(uint64_t wall_us, char ret[CLOCK_RFC3339_SIZE]);

#endif
