/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_EVENTS_H
#define SLUICE_UPSTREAM_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct endpoint;
struct pool;

/*
 * What happened to pools, told to whoever logs it. Any callback may be NULL. Texts are borrowed for
 * the call. A callback must not block; it may be called while no lock of the pool is held.
 */
struct upstream_events {
	/* Active checks changed their mind. @reason: of the last check. Thread: control. */
	void (*on_health_change)(struct pool *pool, struct endpoint *endpoint, bool is_up,
				 const char *reason, void *context);
	/* Failures in a row took an endpoint out. Thread: the worker that saw the last one. */
	void (*on_ejected)(struct pool *pool, struct endpoint *endpoint, uint32_t duration_ms,
			   void *context);
	/*
	 * A name could not be resolved; the last good answer stays for @kept_ms, or (-1) until
	 * there is another. Once for each row of failures. Thread: control.
	 */
	void (*on_resolve_failed)(struct pool *pool, const char *host, const char *reason,
				  int64_t kept_ms, void *context);
	/* A name's addresses are others now. Thread: control. */
	void (*on_addresses_changed)(struct pool *pool, const char *host, size_t count,
				     void *context);
	void *context;
};

#endif
