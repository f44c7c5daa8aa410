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
#include "proxy/session.h"

#include <errno.h>

/* For bytes that came in the same round as the RST behind them. */
#define LAST_BYTES_MS 20

static enum connection_end reset_by(const struct session *session, const struct io_stream *side)
{
	return side == &session->client ? CONNECTION_END_CLIENT_RESET
					: CONNECTION_END_BACKEND_RESET;
}

/*
 * What a side sent before its RST is still handed on if the other side takes it soon: without a
 * proxy in between it would have been in the receiver's queue already.
 */
static void reset_from(struct session *session, const struct io_stream *side)
{
	const struct io_stream *other = side == &session->client ? &session->backend
								 : &session->client;

	if (side == &session->backend && session->down.first_byte_us == 0)
		pool_view_report_reset(session->pool_view, session->endpoint);
	if (!other->queued) {
		session_reset(session, reset_by(session, side));
		return;
	}
	session->reset_side = side;
	io_timer_start(session->worker->loop, &session->timer, LAST_BYTES_MS);
}

void relay_on_sent(struct session *session, int status)
{
	(void)status;
	if (session->reset_side)
		session_reset(session, reset_by(session, session->reset_side));
}

/*
 * A socket tells of an RST once: if sending has learnt of it, receiving ends as if by FIN. Only a
 * side that had said FIN before it was reset (EPIPE, as tcp_reset() has it) did end by FIN.
 */
static void on_eof(struct session *session, const struct io_pump *pump, const struct io_pump *other)
{
	if (session->send_error && session->send_error != -EPIPE)
		reset_from(session, pump->from);
	else if (session->send_error)
		session_end(session, reset_by(session, pump->from), IO_CLOSE_FIN, IO_CLOSE_FIN);
	else if (!other->on_end)
		session_end(session, CONNECTION_END_DONE, IO_CLOSE_FIN, IO_CLOSE_FIN);
	else
		io_stream_shutdown(pump->to);
}

/* A pump that is over has no on_end any more. */
static void on_pump_end(struct session *session, struct io_pump *pump, struct io_pump *other,
			enum io_pump_end end, int error)
{
	pump->on_end = NULL;
	handoff_interrupt(session);
	if (session->reset_side)
		return;
	switch (end) {
	case IO_PUMP_EOF:
		on_eof(session, pump, other);
		break;
	case IO_PUMP_RECV_ERROR:
		reset_from(session, pump->from);
		break;
	case IO_PUMP_SEND_ERROR:
		if (!other->on_end)
			reset_from(session, pump->to);
		session->send_error = error;
		break;
	}
}

static void on_up_end(struct io_pump *pump, enum io_pump_end end, int error)
{
	struct session *session = container_of(pump, struct session, up);

	on_pump_end(session, pump, &session->down, end, error);
}

static void on_down_end(struct io_pump *pump, enum io_pump_end end, int error)
{
	struct session *session = container_of(pump, struct session, down);

	on_pump_end(session, pump, &session->up, end, error);
}

/* What intake has read goes to the backend before anything newer. */
static void hand_over_intake(struct session *session)
{
	while (session->intake_head) {
		struct io_buf *buf = session->intake_head;

		session->intake_head = buf->next;
		buf->next = NULL;
		io_stream_unread(&session->client, buf);
	}
	intake_release(session);
}

static void start_pump(struct session *session, struct io_pump *pump, struct io_stream *from,
		       struct io_stream *to)
{
	pump->from = from;
	pump->to = to;
	pump->limit = session->view->snapshot->config->limits.relay_buffer_bytes;
	pump->last_activity_ms = io_loop_now_ms(session->worker->loop);
	io_pump_start(pump);
}

void relay_start(struct session *session)
{
	uint32_t idle_ms = session->listener->config->idle_timeout_ms;

	session->state = CONNECTION_RELAY;
	session->up.on_end = on_up_end;
	session->down.on_end = on_down_end;
	hand_over_intake(session);
	start_pump(session, &session->up, &session->client, &session->backend);
	start_pump(session, &session->down, &session->backend, &session->client);
	if (idle_ms)
		io_timer_start(session->worker->loop, &session->timer, idle_ms);
	handoff_start(session);
}

uint64_t relay_last_activity_ms(const struct session *session)
{
	uint64_t spliced_ms = handoff_last_activity_ms(session);
	uint64_t last_ms = session->up.last_activity_ms > session->down.last_activity_ms
				   ? session->up.last_activity_ms
				   : session->down.last_activity_ms;

	return spliced_ms > last_ms ? spliced_ms : last_ms;
}

/* The timer is not touched by traffic: when it fires it looks how long nothing has flowed. */
void relay_on_timeout(struct session *session)
{
	uint64_t idle_ms = session->listener->config->idle_timeout_ms;
	uint64_t since_ms = io_loop_now_ms(session->worker->loop) - relay_last_activity_ms(session);

	if (session->reset_side)
		session_reset(session, reset_by(session, session->reset_side));
	else if (since_ms >= idle_ms)
		session_reset(session, CONNECTION_END_IDLE_TIMEOUT);
	else
		io_timer_start(session->worker->loop, &session->timer, idle_ms - since_ms);
}
