/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_COOKIE_H
#define SLUICE_BPF_DISPATCH_COOKIE_H

/*
 * SYN cookies of mode dispatch, for form NAT, where both directions pass us. Nothing is kept of a
 * SYN; the flow begins with the ACK that brings the cookie:
 *
 *   client                    we                          endpoint
 *     SYN ───────────────────► │                                     dispatch_cookie_answer.h
 *     ◄─── SYN, ACK: cookie, window 0
 *     ACK ───────────────────► │ ─── the client's SYN ──────►        dispatch_cookie_open.h: ASKED
 *                              │ ◄─────────────── SYN, ACK ──        dispatch_cookie_join.h: JOINED
 *     ◄──────── ACK: window ── │ ─── ACK ───────────────────►
 *     data ──────────────────► │ ─── under other numbers ───►        dispatch_cookie_shift.h
 *
 * Window 0 keeps the client from sending what nobody could keep for it. Whatever is lost, somebody
 * tries again: the client asks for a window, which sends the SYN again or brings the endpoint's
 * window; the endpoint sends its answer again; and for a client that has nothing to say, the daemon
 * sends the SYN (userspace/fastpath/dispatch_asks.c). Timestamps are not offered: the endpoint's
 * clock is not known, nor whether it has any.
 *
 * At XDP there is no room for options behind an ACK, and no second packet: the steps that want one
 * are TC's. Source: RFC 4987 section 3.6 and 3.7; the Linux kernel's cookies and SYNPROXY.
 */
#include "lib/dispatch_cookie_answer.h"
#include "lib/dispatch_cookie_join.h"
#include "lib/dispatch_cookie_open.h"
#include "lib/dispatch_cookie_shift.h"

/* @packet: dispatch_packet() has said COOKIE of it, and what it has found. */
static __always_inline int dispatch_cookie(frame_context *ctx, struct packet *packet)
{
	int action = packet->real ? cookie_shift(ctx, packet) : DISPATCH_COOKIE;

	if (action != DISPATCH_COOKIE)
		return action;
	if (packet->real && packet->is_answer)
		return cookie_join(ctx, packet);
	return packet->real || !packet_tcp(packet)->syn ? cookie_take(ctx, packet)
							: cookie_answer(ctx, packet);
}

#endif
