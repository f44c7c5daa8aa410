/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_VIGIL_H
#define SLUICE_PROXY_VIGIL_H

#include "fastpath/splice.h"
#include "proxy/inspect.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What a joined connection has come to, by looks at its record now and then: pure but for what it
 * remembers of them. A zeroed one has never looked.
 */
struct vigil {
	uint64_t bytes;    /* at the last look that found new ones */
	uint64_t quiet_ms; /* since when, at the earliest, none have flowed */
	uint64_t probed_ms;
	bool has_looked;
};

struct vigil_limits {
	uint64_t idle_ms;      /* without a byte; 0: none */
	uint64_t keepalive_ms; /* of silence of an end before it is asked; 0: never */
};

struct vigil_verdict {
	uint64_t wait_ms; /* when to look again, at the latest; 0: it is over, as @end says */
	enum connection_end end;
	bool is_reset;    /* at its end both ends get an RST */
	bool wants_probe; /* both ends shall be asked now */
};

/* @now_ms: any clock in milliseconds. */
struct vigil_verdict vigil_look(struct vigil *vigil, const struct splice_traffic *traffic,
				const struct vigil_limits *limits, uint64_t now_ms);

#endif
