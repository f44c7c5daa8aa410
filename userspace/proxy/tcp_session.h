/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_TCP_SESSION_H
#define SLUICE_PROXY_TCP_SESSION_H

#include "core/compiler.h"
#include "proxy/dial.h"
#include "proxy/session.h"
#include "proxy/tunnel.h"

#include <stdbool.h>
#include <stdint.h>

/* A connection of mode tcp: one backend, and a tunnel to it once it stands. */
struct tcp_session {
	struct session base;
	struct dial dial;
	struct earth_point place; /* of the client, where the pool goes by it */
	struct io_stream backend;
	struct tunnel tunnel;    /* in RELAY, and for the log afterwards */
	bool has_backend_stream; /* initialised and not yet closed */
	bool is_first_byte_reported;
	bool is_kept_alive;               /* the backend has its keep-alive options */
	uint64_t counted_in, counted_out; /* bytes that the counters have already */
};

extern const struct session_mode tcp_session_mode;

static inline struct tcp_session *tcp_session_of(struct session *session)
{
	return container_of(session, struct tcp_session, base);
}

static inline const struct tcp_session *tcp_session_of_const(const struct session *session)
{
	return container_of(session, const struct tcp_session, base);
}

/* --- The states: each begins here ------------------------------------------------- */

/* connect.c: the pool is known. */
void connect_start(struct tcp_session *session, size_t pool);
void connect_on_backend_closed(struct tcp_session *session);
extern const struct dial_ops connect_dial_ops;

/* relay.c: both connections stand. */
void relay_start(struct tcp_session *session);

#endif
