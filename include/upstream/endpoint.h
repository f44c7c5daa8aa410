/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_ENDPOINT_H
#define SLUICE_UPSTREAM_ENDPOINT_H

#include "config/config.h"
#include "core/address.h"
#include "core/earth.h"
#include "metrics/counter.h"
#include "metrics/histogram.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One address that a pool can send connections to. Shared by all threads: names and addresses never
 * change, the rest is atomic. It outlives reloads: a pool of the new configuration takes over the
 * endpoints of the pool with the same name, so that health, counts and orders given by hand stay.
 */
#define ENDPOINT_ADMIN_STATES(X)                             \
	X(READY, "ready") /* takes connections */            \
	X(DRAIN, "drain") /* no new ones; open ones go on */ \
	X(MAINT, "maint") /* no new ones, not checked either */

enum endpoint_admin {
#define X(name, text) ENDPOINT_##name,
	ENDPOINT_ADMIN_STATES(X)
#undef X
};

/*
 * An endpoint is UNKNOWN, which counts as up, until its first check has ended; that one decides by
 * itself, afterwards rise and fall count. So a dead endpoint leaves with the first check after a
 * start and a live one is never waited for. Without active checks it stays UNKNOWN.
 */
#define ENDPOINT_HEALTH_STATES(X) \
	X(UNKNOWN, "unknown")     \
	X(UP, "up")               \
	X(DOWN, "down")

enum endpoint_health {
#define X(name, text) ENDPOINT_HEALTH_##name,
	ENDPOINT_HEALTH_STATES(X)
#undef X
};

struct endpoint {
	char *name;             /* as configured; for DNS "host:port" */
	struct address address; /* where it really is */
	uint64_t id;            /* hash of the address's text: the same on every node */
	char *zone;             /* NULL: none */
	bool has_location;
	struct earth_point location; /* where @has_location */

	_Atomic uint32_t refs;
	_Atomic uint32_t weight; /* 0..256 */
	_Atomic uint32_t tier;
	_Atomic uint32_t max_connections;  /* 0: no limit */
	_Atomic uint32_t admin;            /* enum endpoint_admin */
	_Atomic uint32_t health;           /* enum endpoint_health */
	_Atomic uint64_t ejected_until_ms; /* clock_monotonic_ms(); 0: not ejected */
	_Atomic uint64_t up_since_ms;      /* slow start counts from here */
	_Atomic uint32_t ejections;        /* in a row: each doubles the time */
	_Atomic uint32_t failures;         /* connects that failed, in a row */
	_Atomic uint32_t early_resets;     /* resets before the first byte, in a row */
	_Atomic uint32_t errors;           /* answers of 5xx or none in time, in a row */
	_Atomic uint64_t window_ms;        /* when counting of the two below began */
	_Atomic uint32_t window_answers, window_errors;
	_Atomic uint32_t latency_us; /* EWMA of connect and first-byte time; 0: unknown */

	struct {
		_Atomic uint32_t active; /* connections open or being opened */
		struct counter connections, connect_failures, resets, bytes_in, bytes_out;
	} CACHE_ALIGNED load; /* what every connection writes */
};

struct endpoint *endpoint_ref(struct endpoint *endpoint);
void endpoint_unref(struct endpoint *endpoint); /* NULL is allowed */

/* Room for a host name and its NUL. */
#define ENDPOINT_HOST_SIZE 256

/* The host name that it was configured with, or else its IP address. Return: @ret; NULL: neither.
 */
const char *endpoint_host(const struct endpoint *endpoint, char ret[ENDPOINT_HOST_SIZE]);

const char *endpoint_admin_name(enum endpoint_admin state);
const char *endpoint_health_name(enum endpoint_health state);

/* Not drained, not down, not ejected, weight above 0. Its connection limit is not looked at. */
bool endpoint_is_available(const struct endpoint *endpoint, uint64_t now_ms);

#endif
