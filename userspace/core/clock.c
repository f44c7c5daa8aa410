// SPDX-License-Identifier: Apache-2.0
/* Time: monotonic for deadlines, wall for people. */
#include "core/clock.h"

#include <stdio.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

static uint64_t read_clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return read_clock_ns(CLOCK_MONOTONIC);
}

uint64_t clock_monotonic_ms(void)
{
	return clock_monotonic_ns() / 1000000;
}

uint64_t clock_wall_us(void)
{
	return read_clock_ns(CLOCK_REALTIME) / 1000;
}

const char *clock_format_rfc3339(uint64_t wall_us, char ret[CLOCK_RFC3339_SIZE])
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm utc;
	size_t len;

	gmtime_r(&seconds, &utc);
	len = strftime(ret, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(ret + len, CLOCK_RFC3339_SIZE - len, ".%06uZ", (unsigned)(wall_us % 1000000));
	return ret;
}
