// SPDX-License-Identifier: Apache-2.0
/*
 * When a relayed connection goes into the kernel, and what the worker does while it is there: looks
 * at its record now and then. The switch itself is fastpath/handoff.c's.
 *
 * A try costs the relay a pause, so it is made only when a first look finds the sockets quiet. A
 * connection that never is stays with the relay.
 */
#include "proxy/handoff.h"
#include "core/log.h"
#include "proxy/session.h"

#include <errno.h>
#include <string.h>

#define DELAY_MIN_MS 1
#define DELAY_MAX_MS 1000
#define TRIES_MAX    40
#define LOOK_MS      250
/* Behind the last ACK: a FIN whose ACK was lost is sent again, and wants to be answered by the one
 * who knows it. */
#define LINGER_MS 1000

static struct splice *splice_of(const struct session *session)
{
	return session->worker->shared->splice;
}

static void start_timer(struct session *session, uint64_t delay_ms)
{
	io_timer_start(session->worker->loop, &session->handoff.timer, delay_ms);
}

static void give_up(struct session *session, enum splice_reason reason)
{
	struct handoff *handoff = &session->handoff;

	handoff->state = HANDOFF_NEVER;
	handoff->reason = reason;
	if (handoff->pair)
		splice_pair_close(handoff->pair, false);
	handoff->pair = NULL;
}

static void try_later(struct session *session)
{
	struct handoff *handoff = &session->handoff;

	handoff->delay_ms *= 2;
	if (handoff->delay_ms > DELAY_MAX_MS)
		handoff->delay_ms = DELAY_MAX_MS;
	start_timer(session, handoff->delay_ms);
}

/* --- On the way in ------------------------------------------------------------------------------
 */

static bool has_carried_enough(const struct session *session)
{
	uint64_t bytes = session->up.bytes + session->down.bytes;

	return bytes && bytes >= session->view->snapshot->config->acceleration.after;
}

static void observe(struct session *session)
{
	struct handoff *handoff = &session->handoff;
	enum splice_reason reason;
	int err = splice_observe(splice_of(session), session->client.fd, session->backend.fd,
				 session->id, &handoff->pair, &reason);

	if (err) {
		give_up(session, reason);
		return;
	}
	handoff->state = HANDOFF_OBSERVED;
	handoff->reason = SPLICE_REASON_NEVER_QUIET;
	start_timer(session, handoff->delay_ms);
}

static void resume(struct session *session)
{
	io_pump_resume(&session->up);
	io_pump_resume(&session->down);
}

static void on_joined(struct session *session)
{
	struct handoff *handoff = &session->handoff;

	handoff->state = HANDOFF_JOINED;
	handoff->reason = SPLICE_REASON_NONE;
	handoff->was_joined = true;
	counter_add(&session->counters->spliced, 1);
	io_timer_stop(session->worker->loop, &session->timer);
	io_pump_cancel(&session->up);
	io_pump_cancel(&session->down);
	start_timer(session, LOOK_MS);
}

static void join(struct session *session)
{
	struct handoff *handoff = &session->handoff;
	bool are_empty = io_pump_is_empty(&session->up) && io_pump_is_empty(&session->down);
	int err = are_empty ? splice_join(handoff->pair) : -EAGAIN;

	if (!err) {
		on_joined(session);
		return;
	}
	handoff->state = HANDOFF_OBSERVED;
	resume(session);
	if (err == -EAGAIN && ++handoff->tries < TRIES_MAX) {
		try_later(session);
		return;
	}
	if (err != -EAGAIN)
		log_debug("connection %llu: stays with the relay: %s",
			  (unsigned long long)session->id, strerror(-err));
	give_up(session, err == -EAGAIN ? SPLICE_REASON_NEVER_QUIET : SPLICE_REASON_KERNEL);
}

static void on_rest(struct session *session)
{
	if (session->handoff.state == HANDOFF_RESTING && ++session->handoff.nrested == 2)
		join(session);
}

static void on_up_rest(struct io_pump *pump)
{
	on_rest(container_of(pump, struct session, up));
}

static void on_down_rest(struct io_pump *pump)
{
	on_rest(container_of(pump, struct session, down));
}

/* A pump that is over has no on_end: half of the connection has ended, the other half is relayed.
 */
static void look_for_quiet(struct session *session)
{
	struct handoff *handoff = &session->handoff;

	if (!session->up.on_end || !session->down.on_end) {
		give_up(session, SPLICE_REASON_NEVER_QUIET);
		return;
	}
	if (!splice_is_quiet(handoff->pair)) {
		if (++handoff->tries < TRIES_MAX)
			try_later(session);
		else
			give_up(session, SPLICE_REASON_NEVER_QUIET);
		return;
	}
	handoff->state = HANDOFF_RESTING;
	handoff->nrested = 0;
	io_pump_rest(&session->up);
	io_pump_rest(&session->down);
}

/* --- In the kernel
 * ----------------------------------------------------------------------------------- */

static void look_for_end(struct session *session)
{
	uint64_t idle_limit_ms = session->listener->config->idle_timeout_ms;
	struct splice_traffic traffic;

	splice_pair_traffic(session->handoff.pair, &traffic);
	if (traffic.is_reset_by_client || traffic.is_reset_by_backend)
		session_end(session,
			    traffic.is_reset_by_client ? CONNECTION_END_CLIENT_RESET
						       : CONNECTION_END_BACKEND_RESET,
			    IO_CLOSE_FIN, IO_CLOSE_FIN);
	else if (traffic.is_over && traffic.idle_ms >= LINGER_MS)
		session_end(session, CONNECTION_END_DONE, IO_CLOSE_FIN, IO_CLOSE_FIN);
	else if (!traffic.is_over && idle_limit_ms && traffic.idle_ms >= idle_limit_ms)
		session_reset(session, CONNECTION_END_IDLE_TIMEOUT);
	else
		start_timer(session, LOOK_MS);
}

static void on_timer(struct io_timer *timer)
{
	struct session *session = container_of(timer, struct session, handoff.timer);

	switch (session->handoff.state) {
	case HANDOFF_WAITING:
		if (has_carried_enough(session))
			observe(session);
		else
			try_later(session);
		break;
	case HANDOFF_OBSERVED:
		look_for_quiet(session);
		break;
	case HANDOFF_JOINED:
		look_for_end(session);
		break;
	case HANDOFF_NEVER:
	case HANDOFF_RESTING:
		break;
	}
}

/* --- For the session
 * ---------------------------------------------------------------------------------- */

void handoff_start(struct session *session)
{
	const struct config_acceleration *config = &session->view->snapshot->config->acceleration;
	struct handoff *handoff = &session->handoff;

	if (config->mode != CONFIG_SPLICE) {
		handoff->reason = SPLICE_REASON_OFF;
		return;
	}
	if (!splice_of(session)) {
		handoff->reason = SPLICE_REASON_UNAVAILABLE;
		return;
	}
	session->up.on_rest = on_up_rest;
	session->down.on_rest = on_down_rest;
	handoff->timer.on_expire = on_timer;
	handoff->delay_ms = DELAY_MIN_MS;
	handoff->state = HANDOFF_WAITING;
	handoff->reason = SPLICE_REASON_NEVER_QUIET;
	/* The programs can only say what they have seen: they watch from the first byte. */
	if (config->after == 0)
		observe(session);
	else
		start_timer(session, handoff->delay_ms);
}

void handoff_interrupt(struct session *session)
{
	struct handoff *handoff = &session->handoff;
	bool was_resting = handoff->state == HANDOFF_RESTING;

	if (handoff->state == HANDOFF_NEVER || handoff->state == HANDOFF_JOINED)
		return;
	io_timer_stop(session->worker->loop, &handoff->timer);
	give_up(session, SPLICE_REASON_NEVER_QUIET);
	if (was_resting)
		resume(session);
}

void handoff_account(struct session *session)
{
	struct handoff *handoff = &session->handoff;
	struct splice_traffic traffic;

	if (handoff->state != HANDOFF_JOINED)
		return;
	splice_pair_traffic(handoff->pair, &traffic);
	handoff->bytes_up = traffic.bytes_up;
	handoff->bytes_down = traffic.bytes_down;
}

void handoff_end(struct session *session, bool is_reset)
{
	struct handoff *handoff = &session->handoff;

	io_timer_stop(session->worker->loop, &handoff->timer);
	if (!handoff->pair)
		return;
	handoff_account(session);
	splice_pair_close(handoff->pair, is_reset);
	handoff->pair = NULL;
	handoff->state = HANDOFF_NEVER;
}

const char *handoff_rung(const struct session *session)
{
	return session->handoff.was_joined ? "splice-tc" : "relay";
}

const char *handoff_reason(const struct session *session)
{
	return splice_reason_name(session->handoff.reason);
}

uint64_t handoff_last_activity_ms(const struct session *session)
{
	uint64_t now_ms = io_loop_now_ms(session->worker->loop);
	struct splice_traffic traffic;

	if (session->handoff.state != HANDOFF_JOINED)
		return 0;
	splice_pair_traffic(session->handoff.pair, &traffic);
	return now_ms > traffic.idle_ms ? now_ms - traffic.idle_ms : 0;
}
