// SPDX-License-Identifier: Apache-2.0
/*
 * Both ends are connected: two pumps carry the bytes. A FIN is passed on as FIN, an RST as RST.
 *
 *   a pump ends with         and then
 *   EOF                      shut the other side's sending down; both EOF: the connection is done
 *   RECV_ERROR               its source was reset: reset the other side
 *   SEND_ERROR               its sink takes no more, but what the sink sent before may still be on
 *                            its way: the pump from there ends the connection
 */
#include "proxy/tunnel.h"

#include "core/scarcity.h"
#include "net/socket.h"

#include <errno.h>

/* For bytes that came in the same round as the RST behind them. */
#define LAST_BYTES_MS 20

static struct io_loop *loop_of(const struct tunnel *tunnel)
{
	return tunnel->client->loop;
}

/* --- The end -------------------------------------------------------------------- */

void tunnel_stop(struct tunnel *tunnel, bool is_reset)
{
	if (!tunnel->up.from)
		return;
	handoff_end(tunnel, is_reset);
	io_pump_cancel(&tunnel->up);
	io_pump_cancel(&tunnel->down);
	io_timer_stop(loop_of(tunnel), &tunnel->timer);
	io_timer_stop(loop_of(tunnel), &tunnel->ack_timer);
}

void tunnel_end(struct tunnel *tunnel, enum connection_end end, enum io_close_how client,
		enum io_close_how backend)
{
	tunnel_stop(tunnel, client == IO_CLOSE_RESET);
	tunnel->on_end(tunnel, end, client, backend);
}

static void reset(struct tunnel *tunnel, enum connection_end end)
{
	tunnel_end(tunnel, end, IO_CLOSE_RESET, IO_CLOSE_RESET);
}

static enum connection_end reset_by(const struct tunnel *tunnel, const struct io_stream *side)
{
	if (is_scarcity(side->status) || is_scarcity(tunnel->send_error))
		return CONNECTION_END_NO_MEMORY;
	/* A FIN where TLS had more to say: the other side must not take it for the end. */
	if (side->status == -ECONNABORTED)
		return side == tunnel->client ? CONNECTION_END_CLIENT_TRUNCATED
					      : CONNECTION_END_BACKEND_TRUNCATED;
	return side == tunnel->client ? CONNECTION_END_CLIENT_RESET : CONNECTION_END_BACKEND_RESET;
}

/*
 * What a side sent before its RST is still handed on if the other side takes it soon: without a
 * proxy in between it would have been in the receiver's queue already.
 */
static void reset_from(struct tunnel *tunnel, const struct io_stream *side)
{
	const struct io_stream *other = side == tunnel->client ? tunnel->backend : tunnel->client;

	if (!other->queued) {
		reset(tunnel, reset_by(tunnel, side));
		return;
	}
	tunnel->reset_side = side;
	io_timer_start(loop_of(tunnel), &tunnel->timer, LAST_BYTES_MS);
}

void tunnel_on_sent(struct tunnel *tunnel)
{
	if (tunnel->reset_side)
		reset(tunnel, reset_by(tunnel, tunnel->reset_side));
}

/* --- Ends of the pumps ---------------------------------------------------------- */

static void pass_fin_on(struct tunnel *tunnel, const struct io_pump *pump)
{
	if (pump == &tunnel->down)
		held_ack_await_fin(tunnel);
	io_stream_shutdown(pump->to);
}

/*
 * A socket tells of an RST once: if sending has learnt of it, receiving ends as if by FIN. Only a
 * side that had said FIN before it was reset did end by FIN. (EPIPE alone does not tell: splice(2)
 * that moves a part tells the bytes, and the error is gone.)
 */
static bool was_reset(const struct tunnel *tunnel, const struct io_stream *side)
{
	if (tunnel->send_error != -EPIPE)
		return true;
	return !side->layer && !socket_heard_fin(side->fd, side->bytes_in);
}

static void on_eof(struct tunnel *tunnel, const struct io_pump *pump, const struct io_pump *other)
{
	if (tunnel->send_error && was_reset(tunnel, pump->from))
		reset_from(tunnel, pump->from);
	else if (tunnel->send_error)
		tunnel_end(tunnel, reset_by(tunnel, pump->from), IO_CLOSE_FIN, IO_CLOSE_FIN);
	else if (!other->on_end)
		tunnel_end(tunnel, CONNECTION_END_DONE, IO_CLOSE_FIN, IO_CLOSE_FIN);
	else
		pass_fin_on(tunnel, pump);
}

/* A pump that is over has no on_end any more. */
static void on_pump_end(struct tunnel *tunnel, struct io_pump *pump, struct io_pump *other,
			enum io_pump_end end, int error)
{
	pump->on_end = NULL;
	handoff_interrupt(tunnel);
	if (tunnel->reset_side)
		return;
	switch (end) {
	case IO_PUMP_EOF:
		on_eof(tunnel, pump, other);
		break;
	case IO_PUMP_RECV_ERROR:
		reset_from(tunnel, pump->from);
		break;
	case IO_PUMP_SEND_ERROR:
		if (!other->on_end)
			reset_from(tunnel, pump->to);
		tunnel->send_error = error;
		break;
	}
}

static void on_up_end(struct io_pump *pump, enum io_pump_end end, int error)
{
	struct tunnel *tunnel = container_of(pump, struct tunnel, up);

	on_pump_end(tunnel, pump, &tunnel->down, end, error);
}

static void on_down_end(struct io_pump *pump, enum io_pump_end end, int error)
{
	struct tunnel *tunnel = container_of(pump, struct tunnel, down);

	on_pump_end(tunnel, pump, &tunnel->up, end, error);
}

/* --- Time ----------------------------------------------------------------------- */

uint64_t tunnel_last_activity_ms(const struct tunnel *tunnel)
{
	uint64_t accelerated_ms = handoff_last_activity_ms(tunnel);
	uint64_t last_ms = tunnel->up.last_activity_ms > tunnel->down.last_activity_ms
				   ? tunnel->up.last_activity_ms
				   : tunnel->down.last_activity_ms;

	return accelerated_ms > last_ms ? accelerated_ms : last_ms;
}

/* Both are looked at, so that neither's look is old. */
static bool is_still_taken(struct tunnel *tunnel)
{
	bool by_client = uptake_goes_on(&tunnel->client_takes, tunnel->client);
	bool by_backend = uptake_goes_on(&tunnel->backend_takes, tunnel->backend);

	return by_client || by_backend;
}

/* The timer is not touched by traffic: when it fires it looks how long nothing has flowed. */
static void on_timer(struct io_timer *timer)
{
	struct tunnel *tunnel = container_of(timer, struct tunnel, timer);
	uint64_t idle_ms = tunnel->idle_timeout_ms;
	uint64_t since_ms = io_loop_now_ms(loop_of(tunnel)) - tunnel_last_activity_ms(tunnel);

	if (tunnel->reset_side)
		reset(tunnel, reset_by(tunnel, tunnel->reset_side));
	else if (since_ms < idle_ms)
		io_timer_start(loop_of(tunnel), timer, idle_ms - since_ms);
	else if (is_still_taken(tunnel))
		io_timer_start(loop_of(tunnel), timer, idle_ms);
	else
		reset(tunnel, CONNECTION_END_IDLE_TIMEOUT);
}

/* --- The beginning -------------------------------------------------------------- */

static void unread(struct io_stream *stream, struct io_buf *buf)
{
	while (buf) {
		struct io_buf *next = buf->next;

		buf->next = NULL;
		io_stream_unread(stream, buf);
		buf = next;
	}
}

static void start_pump(struct tunnel *tunnel, struct io_pump *pump, struct io_stream *from,
		       struct io_stream *to)
{
	pump->from = from;
	pump->to = to;
	pump->limit = tunnel->config->limits.relay_buffer_bytes;
	pump->last_activity_ms = io_loop_now_ms(loop_of(tunnel));
	io_pump_start(pump);
}

void tunnel_start(struct tunnel *tunnel, struct io_buf *from_client, struct io_buf *from_backend)
{
	tunnel->timer.on_expire = on_timer;
	tunnel->up.on_end = on_up_end;
	tunnel->down.on_end = on_down_end;
	if (tunnel->is_ack_held)
		held_ack_start(tunnel, from_client);
	unread(tunnel->client, from_client);
	unread(tunnel->backend, from_backend);
	start_pump(tunnel, &tunnel->up, tunnel->client, tunnel->backend);
	start_pump(tunnel, &tunnel->down, tunnel->backend, tunnel->client);
	if (tunnel->idle_timeout_ms)
		io_timer_start(loop_of(tunnel), &tunnel->timer, tunnel->idle_timeout_ms);
	handoff_start(tunnel);
}

uint64_t tunnel_bytes_in(const struct tunnel *tunnel)
{
	return tunnel->up.bytes + tunnel->handoff.bytes_up;
}

uint64_t tunnel_bytes_out(const struct tunnel *tunnel)
{
	return tunnel->down.bytes + tunnel->handoff.bytes_down;
}

void tunnel_describe(struct tunnel *tunnel, struct connection_row *ret)
{
	uint64_t active_ms = tunnel_last_activity_ms(tunnel), now_ms;

	handoff_account(tunnel);
	ret->rung = handoff_rung(tunnel);
	ret->reason = handoff_reason(tunnel);
	ret->bytes_in = tunnel_bytes_in(tunnel);
	ret->bytes_out = tunnel_bytes_out(tunnel);
	if (!active_ms)
		return;
	now_ms = io_loop_now_ms(loop_of(tunnel));
	ret->idle_ms = now_ms > active_ms ? now_ms - active_ms : 0;
}
