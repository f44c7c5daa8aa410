// SPDX-License-Identifier: Apache-2.0
/*
 * When a relayed connection goes into the kernel, and what the worker does while it is there: the
 * programs say when it is over, and now and then the worker looks whether it is idle. The switch
 * itself is fastpath/handoff.c's.
 *
 * A try costs the relay a pause of some microseconds, in which it reads nothing. It fails where a
 * packet comes in between, and succeeds sooner or later: where both ways are busy, one in seven or
 * so, and none for a long time where much waits for a slow reader. Long connections are those that
 * gain most, so none is given up.
 */
#include "proxy/handoff.h"
#include "core/hash.h"
#include "core/log.h"
#include "proxy/sockmap_rung.h"
#include "proxy/tunnel.h"

#include <errno.h>
#include <string.h>

#define DELAY_MIN_MS     1
#define DELAY_MAX_MS     1000
#define TRIES_MAX        40 /* for a tuple that is in use */
#define WAITS_MAX        20 /* for sockets that take no more */
#define TAIL_LOOK_MAX_MS 64

static struct io_loop *loop_of(const struct tunnel *tunnel)
{
	return tunnel->client->loop;
}

static bool is_joined(const struct handoff *handoff)
{
	return handoff->state >= HANDOFF_TAIL;
}

static void start_timer(struct tunnel *tunnel, uint64_t delay_ms)
{
	io_timer_start(loop_of(tunnel), &tunnel->handoff.timer, delay_ms);
}

static void give_up(struct tunnel *tunnel, enum splice_reason reason)
{
	struct handoff *handoff = &tunnel->handoff;

	handoff->state = HANDOFF_NEVER;
	handoff->reason = reason;
	if (handoff->pair)
		splice_pair_close(handoff->pair, false);
	handoff->pair = NULL;
}

static void try_later(struct tunnel *tunnel)
{
	struct handoff *handoff = &tunnel->handoff;

	handoff->delay_ms *= 2;
	if (handoff->delay_ms > DELAY_MAX_MS)
		handoff->delay_ms = DELAY_MAX_MS;
	start_timer(tunnel, handoff->delay_ms);
}

/* --- On the way in ------------------------------------------------------------------------------
 */

static bool has_carried_enough(const struct tunnel *tunnel)
{
	uint64_t bytes = tunnel->up.bytes + tunnel->down.bytes;

	return bytes && bytes >= tunnel->config->acceleration.after;
}

static void observe(struct tunnel *tunnel)
{
	struct handoff *handoff = &tunnel->handoff;
	enum splice_reason reason;
	int err;

	tunnel->label.owner = tunnel;
	err = splice_observe(tunnel->splice, tunnel->client->fd, tunnel->backend->fd,
			     &tunnel->label, &handoff->pair, &reason);

	if (err == 0) {
		handoff->state = HANDOFF_OBSERVED;
		handoff->reason = SPLICE_REASON_NEVER_QUIET;
		handoff->delay_ms = DELAY_MIN_MS;
		start_timer(tunnel, handoff->delay_ms);
	} else if (reason == SPLICE_REASON_TUPLE_IN_USE && ++handoff->tries < TRIES_MAX) {
		/* The one before it is about to be cleared away. */
		handoff->reason = reason;
		try_later(tunnel);
	} else {
		give_up(tunnel, reason);
	}
}

static void resume(struct tunnel *tunnel)
{
	io_pump_resume(&tunnel->up);
	io_pump_resume(&tunnel->down);
}

static void look_at_tail(struct tunnel *tunnel);

static void on_joined(struct tunnel *tunnel)
{
	struct handoff *handoff = &tunnel->handoff;

	handoff->state = HANDOFF_TAIL;
	handoff->reason = SPLICE_REASON_NONE;
	handoff->delay_ms = DELAY_MIN_MS;
	io_timer_stop(loop_of(tunnel), &tunnel->timer);
	resume(tunnel);
	look_at_tail(tunnel);
}

static void count_try(struct tunnel *tunnel, int err)
{
	enum handover_result result = !err             ? HANDOVER_JOINED
				      : err == -EAGAIN ? HANDOVER_NOT_QUIET
						       : HANDOVER_FAILED;

	counter_add(&tunnel->counters->acceleration.handovers[result], 1);
}

static void relay_on(struct tunnel *tunnel, int err)
{
	struct handoff *handoff = &tunnel->handoff;

	handoff->state = HANDOFF_OBSERVED;
	resume(tunnel);
	if (err == -EAGAIN) {
		try_later(tunnel);
		return;
	}
	log_debug("connection %llu: stays with the relay: %s", (unsigned long long)tunnel->label.id,
		  strerror(-err));
	give_up(tunnel, SPLICE_REASON_KERNEL);
}

/* Sockets that take no more for the moment are waited for: what they have not been given yet, they
 * cannot be asked about. */
static void join(struct tunnel *tunnel)
{
	struct handoff *handoff = &tunnel->handoff;
	int err;

	if (!io_pump_is_empty(&tunnel->up) || !io_pump_is_empty(&tunnel->down)) {
		if (handoff->waits++ < WAITS_MAX)
			start_timer(tunnel, DELAY_MIN_MS);
		else
			relay_on(tunnel, -EAGAIN);
		return;
	}
	splice_pair_set_relayed(handoff->pair, tunnel->up.bytes, tunnel->down.bytes);
	err = splice_join(handoff->pair);
	count_try(tunnel, err);
	if (err)
		relay_on(tunnel, err);
	else
		on_joined(tunnel);
}

static void on_rest(struct tunnel *tunnel)
{
	if (tunnel->handoff.state == HANDOFF_RESTING && ++tunnel->handoff.nrested == 2)
		join(tunnel);
}

static void on_up_rest(struct io_pump *pump)
{
	on_rest(container_of(pump, struct tunnel, up));
}

static void on_down_rest(struct io_pump *pump)
{
	on_rest(container_of(pump, struct tunnel, down));
}

/* A pump that is over has no on_end: half of the connection has ended, the other half is relayed.
 */
static void try_to_join(struct tunnel *tunnel)
{
	struct handoff *handoff = &tunnel->handoff;

	if (!tunnel->up.on_end || !tunnel->down.on_end) {
		give_up(tunnel, SPLICE_REASON_NEVER_QUIET);
		return;
	}
	if (!splice_is_watched(handoff->pair)) {
		try_later(tunnel);
		return;
	}
	handoff->state = HANDOFF_RESTING;
	handoff->nrested = 0;
	handoff->waits = 0;
	io_pump_rest(&tunnel->up);
	io_pump_rest(&tunnel->down);
}

/* --- In the kernel
 * ----------------------------------------------------------------------------------- */

/* Return: milliseconds to the next look; 0: it was over, and the tunnel has ended. */
static uint64_t end_if_over(struct tunnel *tunnel)
{
	const struct vigil_limits limits = {tunnel->idle_timeout_ms, tunnel->keepalive_ms};
	struct handoff *handoff = &tunnel->handoff;
	struct vigil_verdict verdict;
	struct splice_traffic traffic;
	enum io_close_how how;

	splice_pair_traffic(handoff->pair, &traffic);
	verdict = vigil_look(&handoff->vigil, &traffic, &limits, io_loop_now_ms(loop_of(tunnel)));
	if (verdict.wants_probe && handoff->state == HANDOFF_JOINED)
		splice_pair_probe(handoff->pair);
	if (verdict.wait_ms)
		return verdict.wait_ms;
	how = verdict.is_reset ? IO_CLOSE_RESET : IO_CLOSE_FIN;
	tunnel_end(tunnel, verdict.end, how, how);
	return 0;
}

static void look_for_end(struct tunnel *tunnel)
{
	uint64_t wait_ms = end_if_over(tunnel);

	if (wait_ms)
		start_timer(tunnel, wait_ms);
}

static void look_at_tail(struct tunnel *tunnel)
{
	struct handoff *handoff = &tunnel->handoff;

	if (!end_if_over(tunnel))
		return;
	if (!splice_is_delivered(handoff->pair)) {
		start_timer(tunnel, handoff->delay_ms);
		handoff->delay_ms = handoff->delay_ms < TAIL_LOOK_MAX_MS ? 2 * handoff->delay_ms
									 : TAIL_LOOK_MAX_MS;
		return;
	}
	splice_pair_set_relayed(handoff->pair, tunnel->up.bytes, tunnel->down.bytes);
	io_pump_cancel(&tunnel->up);
	io_pump_cancel(&tunnel->down);
	splice_cut_tail(handoff->pair);
	handoff->state = HANDOFF_SETTLING;
	handoff->was_joined = true;
	counter_add(&tunnel->counters->spliced, 1);
	start_timer(tunnel, SPLICE_SETTLE_MS);
}

static void put_to_sleep(struct tunnel *tunnel)
{
	splice_freeze(tunnel->handoff.pair);
	tunnel->handoff.state = HANDOFF_JOINED;
}

static void on_timer(struct io_timer *timer)
{
	struct tunnel *tunnel = container_of(timer, struct tunnel, handoff.timer);

	switch (tunnel->handoff.state) {
	case HANDOFF_WAITING:
		if (has_carried_enough(tunnel))
			observe(tunnel);
		else
			try_later(tunnel);
		break;
	case HANDOFF_OBSERVED:
		try_to_join(tunnel);
		break;
	case HANDOFF_RESTING:
		join(tunnel);
		break;
	case HANDOFF_TAIL:
		look_at_tail(tunnel);
		break;
	case HANDOFF_SETTLING:
		put_to_sleep(tunnel);
		look_for_end(tunnel);
		break;
	case HANDOFF_JOINED:
		look_for_end(tunnel);
		break;
	case HANDOFF_NEVER:
		break;
	}
}

/* --- For the tunnel
 * ---------------------------------------------------------------------------------- */

void handoff_start(struct tunnel *tunnel)
{
	const struct config_acceleration *config = &tunnel->config->acceleration;
	struct handoff *handoff = &tunnel->handoff;

	if (config->mode != CONFIG_SPLICE && config->mode != CONFIG_SOCKMAP) {
		handoff->reason = SPLICE_REASON_OFF;
		return;
	}
	if (tunnel->client->layer || tunnel->backend->layer) {
		handoff->reason = SPLICE_REASON_TLS;
		return;
	}
	if (config->mode == CONFIG_SOCKMAP) {
		sockmap_rung_start(tunnel);
		return;
	}
	if (!tunnel->splice) {
		handoff->reason = SPLICE_REASON_UNAVAILABLE;
		return;
	}
	tunnel->up.on_rest = on_up_rest;
	tunnel->down.on_rest = on_down_rest;
	handoff->timer.on_expire = on_timer;
	handoff->delay_ms = DELAY_MIN_MS;
	handoff->state = HANDOFF_WAITING;
	handoff->reason = SPLICE_REASON_NEVER_QUIET;
	/* The programs can only say what they have seen: they watch from the first byte. */
	if (config->after == 0)
		observe(tunnel);
	else
		start_timer(tunnel, handoff->delay_ms);
}

void handoff_on_over(struct tunnel *tunnel)
{
	if (tunnel->handoff.state == HANDOFF_JOINED)
		look_for_end(tunnel);
	else if (is_joined(&tunnel->handoff))
		(void)end_if_over(tunnel); /* its timer runs as it did */
}

bool handoff_leave(struct tunnel *tunnel)
{
	struct handoff *handoff = &tunnel->handoff;
	struct splice_traffic traffic;

	if (handoff->state == HANDOFF_SETTLING)
		put_to_sleep(tunnel);
	if (handoff->state != HANDOFF_JOINED)
		return false;
	splice_pair_traffic(handoff->pair, &traffic);
	if (traffic.is_over)
		return false;
	io_timer_stop(loop_of(tunnel), &handoff->timer);
	handoff_account(tunnel);
	handoff->rung = splice_pair_rung(handoff->pair);
	splice_pair_leave(handoff->pair);
	handoff->pair = NULL;
	handoff->state = HANDOFF_NEVER;
	return true;
}

uint32_t handoff_hash(const char *name)
{
	return (uint32_t)hash_bytes(slice_from_str(name), 0);
}

void handoff_interrupt(struct tunnel *tunnel)
{
	struct handoff *handoff = &tunnel->handoff;
	bool was_resting = handoff->state == HANDOFF_RESTING;

	if (handoff->sockmap_rung)
		sockmap_rung_interrupt(tunnel);
	if (handoff->state == HANDOFF_NEVER || is_joined(handoff))
		return;
	io_timer_stop(loop_of(tunnel), &handoff->timer);
	give_up(tunnel, SPLICE_REASON_NEVER_QUIET);
	if (was_resting)
		resume(tunnel);
}

/* What was counted before it was acknowledged may be less after: then it waits. */
static void count_growth(struct counter *counter, uint64_t before, uint64_t now)
{
	if (now > before)
		counter_add(counter, now - before);
}

static void count_traffic(struct tunnel *tunnel, const struct splice_traffic *traffic)
{
	struct acceleration_counters *counters = &tunnel->counters->acceleration;
	const struct handoff *handoff = &tunnel->handoff;

	count_growth(&counters->bytes_in, handoff->bytes_up, traffic->bytes_up);
	count_growth(&counters->bytes_out, handoff->bytes_down, traffic->bytes_down);
	count_growth(&counters->packets_in, handoff->packets_up, traffic->packets_up);
	count_growth(&counters->packets_out, handoff->packets_down, traffic->packets_down);
}

void handoff_account(struct tunnel *tunnel)
{
	struct handoff *handoff = &tunnel->handoff;
	struct splice_traffic traffic;

	if (handoff->sockmap_rung)
		sockmap_rung_account(tunnel);
	if (!is_joined(handoff))
		return;
	splice_pair_traffic(handoff->pair, &traffic);
	count_traffic(tunnel, &traffic);
	handoff->bytes_up = traffic.bytes_up;
	handoff->bytes_down = traffic.bytes_down;
	handoff->packets_up = traffic.packets_up;
	handoff->packets_down = traffic.packets_down;
}

void handoff_end(struct tunnel *tunnel, bool is_reset)
{
	struct handoff *handoff = &tunnel->handoff;

	if (handoff->sockmap_rung)
		sockmap_rung_end(tunnel);
	io_timer_stop(loop_of(tunnel), &handoff->timer);
	if (!handoff->pair)
		return;
	handoff_account(tunnel);
	handoff->rung = splice_pair_rung(handoff->pair);
	splice_pair_close(handoff->pair, is_reset);
	handoff->pair = NULL;
	handoff->state = HANDOFF_NEVER;
}

static const char *const rung_names[] = {
#define X(name, text) [CONNECTION_RUNG_##name] = text,
	CONNECTION_RUNGS(X)
#undef X
};

const char *connection_rung_name(enum connection_rung rung)
{
	return rung_names[rung];
}

static const char *const result_names[] = {
#define X(name, text) [HANDOVER_##name] = text,
	HANDOVER_RESULTS(X)
#undef X
};

const char *handover_result_name(enum handover_result result)
{
	return result_names[result];
}

static enum connection_rung rung_of(const struct tunnel *tunnel)
{
	static const enum connection_rung spliced[] = {
		[SPLICE_RUNG_TC] = CONNECTION_RUNG_SPLICE_TC,
		[SPLICE_RUNG_XDP] = CONNECTION_RUNG_SPLICE_XDP,
		[SPLICE_RUNG_MIXED] = CONNECTION_RUNG_SPLICE_MIXED,
	};
	const struct handoff *handoff = &tunnel->handoff;

	if (handoff->was_redirected)
		return CONNECTION_RUNG_SOCKMAP;
	if (!handoff->was_joined)
		return CONNECTION_RUNG_RELAY;
	return spliced[is_joined(handoff) ? splice_pair_rung(handoff->pair) : handoff->rung];
}

void handoff_count(const struct tunnel *tunnel)
{
	struct acceleration_counters *counters;
	enum connection_rung rung;

	if (!tunnel->counters)
		return;
	counters = &tunnel->counters->acceleration;
	rung = rung_of(tunnel);
	counter_add(&counters->rungs[rung], 1);
	if (rung == CONNECTION_RUNG_RELAY)
		counter_add(&counters->reasons[tunnel->handoff.reason], 1);
}

const char *handoff_rung(const struct tunnel *tunnel)
{
	return connection_rung_name(rung_of(tunnel));
}

const char *handoff_reason(const struct tunnel *tunnel)
{
	return splice_reason_name(tunnel->handoff.reason);
}

uint64_t handoff_last_activity_ms(const struct tunnel *tunnel)
{
	struct splice_traffic traffic;
	uint64_t now_ms;

	if (tunnel->handoff.sockmap_rung)
		return sockmap_rung_last_activity_ms(tunnel);
	if (!is_joined(&tunnel->handoff))
		return 0;
	splice_pair_traffic(tunnel->handoff.pair, &traffic);
	now_ms = io_loop_now_ms(loop_of(tunnel));
	return now_ms > traffic.idle_ms ? now_ms - traffic.idle_ms : 0;
}
