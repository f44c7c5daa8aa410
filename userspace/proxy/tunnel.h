/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_TUNNEL_H
#define SLUICE_PROXY_TUNNEL_H

#include "config/config.h"
#include "io/pump.h"
#include "io/stream.h"
#include "io/timer.h"
#include "proxy/handoff.h"
#include "proxy/inspect.h"
#include "proxy/stats.h"
#include "proxy/uptake.h"

#include <stdint.h>

struct sockmap;
struct splice;

/*
 * Two connected sockets whose bytes belong to each other and to nobody else: a connection of mode
 * tcp once its backend is chosen, or what an HTTP upgrade or CONNECT leaves behind. Either may have
 * TLS as a layer. Relayed at first, and handed to the kernel where the configuration asks for it
 * and neither has.
 *
 * The owner embeds it, sets the first half of its members, starts it, and closes the streams after
 * its end. Meanwhile the streams are the tunnel's, but their callbacks stay the owner's: on_sent
 * has to call tunnel_on_sent(), on_recv is not called, on_closed follows the owner's own close.
 *
 * Thread: the streams' loop.
 */
struct tunnel {
	struct io_stream *client, *backend;
	const struct config *config; /* acceleration and limits; outlives the tunnel */
	struct listener_counters *counters;
	struct splice *splice;    /* NULL: it is not spliced */
	struct sockmap *sockmap;  /* NULL: its bytes are not redirected */
	uint32_t idle_timeout_ms; /* 0: none */
	uint32_t keepalive_ms; /* of silence, once joined, before both ends are asked; 0: never */
	bool is_ack_held;      /* socket_hold_ack() was said of the backend's socket */
	struct splice_label label; /* for those who look at it in the kernel; no owner */
	/*
	 * Called once, last, and not after tunnel_stop(): nothing flows any more. Close the streams
	 * as @client and @backend say, so that either peer learns what the other one did.
	 */
	void (*on_end)(struct tunnel *tunnel, enum connection_end end, enum io_close_how client,
		       enum io_close_how backend);

	/* The tunnel's; bytes and first_byte_us of the pumps may be read. */
	struct io_pump up, down;   /* client → backend, backend → client */
	struct io_timer timer;     /* idle, or the wait for the last bytes before a reset */
	struct io_timer ack_timer; /* held_ack.c's */
	struct handoff handoff;
	const struct io_stream *reset_side;        /* was reset; its last bytes are on their way */
	struct uptake client_takes, backend_takes; /* what waits for them */
	int send_error; /* -errno: one side takes no more, the other direction still flows */
};

/*
 * @from_client, @from_backend: chains of what has been read but is not the owner's to use, such as
 * bytes behind an HTTP head. They go first, and count. Ownership passes; NULL: none.
 * What the owner has queued by io_stream_send() before, such as the head of an answer, goes before
 * them and does not count. Nothing ends within this call.
 */
void tunnel_start(struct tunnel *tunnel, struct io_buf *from_client, struct io_buf *from_backend);

/* The owner ends it, with RST if @is_reset; it closes both streams right after. Harmless on one
 * that never began or has ended. */
void tunnel_stop(struct tunnel *tunnel, bool is_reset);

/* From on_sent of either stream. */
void tunnel_on_sent(struct tunnel *tunnel);

/* From and to the client by whatever way, right up to tunnel_stop() or on_end and from then on. */
uint64_t tunnel_bytes_in(const struct tunnel *tunnel);
uint64_t tunnel_bytes_out(const struct tunnel *tunnel);

/* When a byte last flowed, in loop time; 0 if it never began. */
uint64_t tunnel_last_activity_ms(const struct tunnel *tunnel);

/* Its bytes, what carries them, and for how long there was none. One that never began has none. */
void tunnel_describe(struct tunnel *tunnel, struct connection_row *ret);

/* --- For tunnel.c, in held_ack.c ------------------------------------------------ */

/* Before the pumps start: does what waits for the backend take the ACK along? */
void held_ack_start(struct tunnel *tunnel, const struct io_buf *from_client);
/* The backend has said FIN, and the client has not. */
void held_ack_await_fin(struct tunnel *tunnel);

/* --- For handoff.c -------------------------------------------------------------- */

/* Stops it and tells the owner. */
void tunnel_end(struct tunnel *tunnel, enum connection_end end, enum io_close_how client,
		enum io_close_how backend);

#endif
