/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_STICKY_H
#define SLUICE_CONFIG_STICKY_H

#include <stdbool.h>
#include <stdint.h>

/* How a client's requests come to the same endpoint of a pool, in mode http. */
enum config_secure { CONFIG_SECURE_AUTO, CONFIG_SECURE_ON, CONFIG_SECURE_OFF };
enum config_same_site { CONFIG_SAME_SITE_LAX, CONFIG_SAME_SITE_STRICT, CONFIG_SAME_SITE_NONE };

/* By a signed cookie of ours. */
struct config_sticky {
	const char *cookie;        /* its name; NULL: off */
	uint32_t ttl_ms;           /* 0: until the browser ends */
	const char *path;          /* "/" */
	enum config_secure secure; /* auto: where the client uses https */
	bool is_http_only;         /* true */
	enum config_same_site same_site;
	const char *key; /* what it is signed with; NULL: random, of this process. Secret. */
};

/* What balance: maglev and source hash in place of the client's address; at most one. */
struct config_hash_key {
	const char *header, *cookie; /* names; NULL */
};

#endif
