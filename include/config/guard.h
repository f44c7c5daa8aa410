/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_GUARD_H
#define SLUICE_CONFIG_GUARD_H

#include "config/file.h"
#include "core/earth.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the edge refuses before anybody works for it. */

enum config_guard_mode { CONFIG_GUARD_OFF, CONFIG_GUARD_MONITOR, CONFIG_GUARD_ENFORCE };

enum config_syn_cookies { CONFIG_SYN_COOKIES_AUTO, CONFIG_SYN_COOKIES_OFF };

enum config_udp_to { CONFIG_UDP_TO_LISTENERS, CONFIG_UDP_TO_ALL };

/* A second, to our listeners; 0: no limit. */
struct config_guard_rates {
	uint32_t packets, syns, udp;
};

/* Who is in any of these, by config.geo. */
struct config_places {
	earth_code *country, *continent;
	size_t ncountry, ncontinent;
	uint32_t *asn;
	size_t nasn;
	uint32_t line, column; /* in the file; 0: not there */
};

struct config_guard_geo {
	struct config_places block, allow; /* allow: exceptions from block */
};

struct config_guard {
	enum config_guard_mode mode;
	struct config_file *block, *allow;
	size_t nblock, nallow;
	struct config_guard_geo geo;
	struct config_guard_rates source; /* an IPv4 address, a /64 of IPv6 */
	struct config_guard_rates prefix; /* a /24 of IPv4, a /48 of IPv6 */
	enum config_udp_to udp_to;        /* where such rates hold for UDP */
	uint32_t burst_ms;                /* 1s: so much of a rate may come at once */
	uint32_t drops_malformed;         /* 1 */
	uint16_t *amplification;          /* UDP source ports */
	size_t namplification;
	enum config_syn_cookies syn_cookies;
	uint32_t syn_cookie_threshold; /* 1000 SYNs a second to one listener */
	uint32_t max_sources;          /* 262144 that have a rate at once */
};

/* Of a listener, from all sources together. */
struct config_listener_guard {
	uint32_t packets, syns;        /* a second; 0: no limit */
	uint32_t syn_cookie_threshold; /* 0: the guard's */
};

#endif
