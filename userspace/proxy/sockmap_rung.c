// SPDX-License-Identifier: Apache-2.0
/*
 * A tunnel whose bytes a socket program moves (fastpath/sockmap.h) while both pumps stay at hand:
 * they read the ends, errors, and what the program passes because the sink had no room for it.
 *
 *   a way is    its pump                      and then
 *   OPEN        is held: nothing should come  something came: DRAINING
 *   DRAINING    is held                       the sink has taken all that was redirected: RELAYED
 *   RELAYED     runs, but for a FIN           all that was passed is relayed: OPEN, after a while
 *                                             a FIN came: ENDING, or OVER
 *   ENDING      is held                       look whether bytes were behind the FIN: RELAYED
 *   OVER        hands the FIN on, or has ended
 */
#include "proxy/sockmap_rung.h"
#include "fastpath/sockmap.h"
#include "proxy/tunnel.h"

#include <errno.h>
#include <stdlib.h>

#define DELAY_MIN_MS 1
#define DELAY_MAX_MS 1000
#define TRIES_MAX    40
#define DRAIN_MS     1
#define LOOK_MS      1000 /* whether the program has lost bytes */
/* A way that had to be closed soon after it was opened stays with its pump for longer and longer:
 * draining costs up to DRAIN_MS. */
#define RELAY_MIN_MS 10
#define RELAY_MAX_MS 10000
#define STEADY_MS    1000
/* Keeps a pump from splice(2), which does not see what a program has passed (io/pump.h). */
#define PUMP_LIMIT_MAX 131072

enum way_state {
	WAY_RELAYED,
	WAY_OPEN,
	WAY_DRAINING,
	WAY_ENDING,
	WAY_OVER,
};

struct way {
	enum way_state state;
	uint64_t bytes_before; /* of the pump, at the join */
	uint64_t read_before;  /* of the source, at the join */
	uint64_t since_ms;     /* in this state */
	uint32_t relay_ms;     /* how long it stays RELAYED */
};

struct sockmap_rung {
	struct tunnel *tunnel;
	struct sockmap_pair *pair; /* NULL before the join */
	struct way ways[FLOW_DIRECTIONS];
	struct io_timer timer;
	uint32_t delay_ms;
	uint8_t tries;
	uint8_t nrested; /* pumps */
	bool is_resting;
	bool is_stuck; /* half joined: the ways must stay closed */
};

static struct io_loop *loop_of(const struct sockmap_rung *rung)
{
	return rung->tunnel->client->loop;
}

static uint64_t now_ms(const struct sockmap_rung *rung)
{
	return io_loop_now_ms(loop_of(rung));
}

static struct io_pump *pump_of(const struct sockmap_rung *rung, enum flow_direction way)
{
	return way == FLOW_UP ? &rung->tunnel->up : &rung->tunnel->down;
}

/* --- Joined -------------------------------------------------------------------------------------
 */

static uint64_t relayed_bytes(const struct sockmap_rung *rung, enum flow_direction way)
{
	return pump_of(rung, way)->bytes - rung->ways[way].bytes_before;
}

static void enter(struct sockmap_rung *rung, enum flow_direction way, enum way_state state)
{
	rung->ways[way].state = state;
	rung->ways[way].since_ms = now_ms(rung);
}

/* Twice as long as before if the last time open was short. */
static void choose_relay_time(struct sockmap_rung *rung, struct way *way)
{
	bool was_steady = now_ms(rung) - way->since_ms >= STEADY_MS;

	way->relay_ms = was_steady || !way->relay_ms ? RELAY_MIN_MS : 2 * way->relay_ms;
	if (way->relay_ms > RELAY_MAX_MS)
		way->relay_ms = RELAY_MAX_MS;
}

/* The source may tell its end while the kernel still has passed bytes on their way to its queue. */
static bool has_read_all(const struct sockmap_rung *rung, enum flow_direction way)
{
	return pump_of(rung, way)->from->bytes_in - rung->ways[way].read_before ==
	       sockmap_passed(rung->pair, way);
}

static void run_pump(struct sockmap_rung *rung, enum flow_direction way)
{
	enter(rung, way, WAY_RELAYED);
	io_pump_hold(pump_of(rung, way), IO_PUMP_HOLD_END);
}

static void end_if_all_is_read(struct sockmap_rung *rung, enum flow_direction way)
{
	if (!has_read_all(rung, way)) {
		enter(rung, way, WAY_ENDING);
		return;
	}
	enter(rung, way, WAY_OVER);
	io_pump_resume(pump_of(rung, way));
}

static void relay_if_drained(struct sockmap_rung *rung, enum flow_direction way)
{
	if (!sockmap_is_drained(rung->pair, way, relayed_bytes(rung, way)))
		return;
	run_pump(rung, way);
}

static void open_if_possible(struct sockmap_rung *rung, enum flow_direction way)
{
	if (rung->is_stuck || !sockmap_open(rung->pair, way, relayed_bytes(rung, way)))
		return;
	enter(rung, way, WAY_OPEN);
	io_pump_hold(pump_of(rung, way), IO_PUMP_HOLD_ALL);
}

static uint64_t due_in_ms(const struct sockmap_rung *rung)
{
	uint64_t due_ms = LOOK_MS;

	for (unsigned i = 0; i < FLOW_DIRECTIONS; i++) {
		const struct way *way = &rung->ways[i];

		if (way->state == WAY_DRAINING || way->state == WAY_ENDING)
			return DRAIN_MS;
		if (way->state == WAY_RELAYED && way->relay_ms < due_ms)
			due_ms = way->relay_ms;
	}
	return due_ms;
}

static void start_timer(struct sockmap_rung *rung)
{
	io_timer_start(loop_of(rung), &rung->timer, due_in_ms(rung));
}

/* Bytes, the end or an error: the program must not add to what the pump is to send. */
static void close_way(struct sockmap_rung *rung, enum flow_direction way)
{
	choose_relay_time(rung, &rung->ways[way]);
	sockmap_pass(rung->pair, way);
	enter(rung, way, WAY_DRAINING);
	relay_if_drained(rung, way);
}

static void on_held(struct sockmap_rung *rung, enum flow_direction way)
{
	if (rung->ways[way].state == WAY_OPEN)
		close_way(rung, way);
	else
		end_if_all_is_read(rung, way);
	start_timer(rung);
}

static void on_up_held(struct io_pump *pump)
{
	on_held(container_of(pump, struct tunnel, up)->handoff.sockmap_rung, FLOW_UP);
}

static void on_down_held(struct io_pump *pump)
{
	on_held(container_of(pump, struct tunnel, down)->handoff.sockmap_rung, FLOW_DOWN);
}

static void tend_way(struct sockmap_rung *rung, enum flow_direction way)
{
	const struct way *state = &rung->ways[way];

	if (state->state == WAY_DRAINING)
		relay_if_drained(rung, way);
	else if (state->state == WAY_ENDING)
		run_pump(rung, way);
	else if (state->state == WAY_RELAYED && now_ms(rung) - state->since_ms >= state->relay_ms)
		open_if_possible(rung, way);
}

static bool is_broken(const struct sockmap_rung *rung)
{
	struct sockmap_traffic up, down;

	sockmap_traffic(rung->pair, FLOW_UP, &up);
	sockmap_traffic(rung->pair, FLOW_DOWN, &down);
	return up.is_broken || down.is_broken;
}

static void tend(struct sockmap_rung *rung)
{
	if (is_broken(rung)) {
		tunnel_end(rung->tunnel, CONNECTION_END_NO_MEMORY, IO_CLOSE_RESET, IO_CLOSE_RESET);
		return;
	}
	tend_way(rung, FLOW_UP);
	tend_way(rung, FLOW_DOWN);
	start_timer(rung);
}

/* --- On the way in ------------------------------------------------------------------------------
 */

static void give_up(struct sockmap_rung *rung, enum splice_reason reason)
{
	struct tunnel *tunnel = rung->tunnel;

	tunnel->handoff.reason = reason;
	tunnel->handoff.sockmap_rung = NULL;
	io_timer_stop(loop_of(rung), &rung->timer);
	free(rung);
}

static void wait(struct sockmap_rung *rung)
{
	rung->delay_ms *= 2;
	if (rung->delay_ms > DELAY_MAX_MS)
		rung->delay_ms = DELAY_MAX_MS;
	io_timer_start(loop_of(rung), &rung->timer, rung->delay_ms);
}

static void try_later(struct sockmap_rung *rung)
{
	if (++rung->tries == TRIES_MAX)
		give_up(rung, SPLICE_REASON_NEVER_QUIET);
	else
		wait(rung);
}

static bool has_carried_enough(const struct tunnel *tunnel)
{
	uint64_t bytes = tunnel->up.bytes + tunnel->down.bytes;

	return bytes && bytes >= tunnel->config->acceleration.after;
}

static bool is_quiet(const struct tunnel *tunnel)
{
	return !tunnel->client->queued && !tunnel->backend->queued &&
	       !io_pump_is_spliced(&tunnel->up) && !io_pump_is_spliced(&tunnel->down);
}

static void resume(struct sockmap_rung *rung)
{
	rung->is_resting = false;
	io_pump_resume(&rung->tunnel->up);
	io_pump_resume(&rung->tunnel->down);
}

static void begin_way(struct sockmap_rung *rung, enum flow_direction way)
{
	struct io_pump *pump = pump_of(rung, way);

	if (pump->limit > PUMP_LIMIT_MAX)
		pump->limit = PUMP_LIMIT_MAX;
	rung->ways[way] = (struct way){
		.bytes_before = pump->bytes,
		.read_before = pump->from->bytes_in,
		.relay_ms = RELAY_MIN_MS,
	};
	run_pump(rung, way);
	open_if_possible(rung, way);
}

/* The program never sees what arrives on a socket that could not be added. */
static void begin_half(struct sockmap_rung *rung)
{
	rung->is_stuck = true;
	begin_way(rung, FLOW_UP);
	rung->ways[FLOW_UP].relay_ms = RELAY_MAX_MS;
	rung->ways[FLOW_DOWN].state = WAY_OVER;
	io_pump_resume(&rung->tunnel->down);
}

static void begin_both(struct sockmap_rung *rung)
{
	struct tunnel *tunnel = rung->tunnel;

	tunnel->handoff.was_redirected = true;
	counter_add(&tunnel->counters->spliced, 1);
	begin_way(rung, FLOW_UP);
	begin_way(rung, FLOW_DOWN);
}

static void begin(struct sockmap_rung *rung, enum splice_reason reason)
{
	struct tunnel *tunnel = rung->tunnel;

	rung->is_resting = false;
	tunnel->handoff.reason = reason;
	tunnel->up.on_held = on_up_held;
	tunnel->down.on_held = on_down_held;
	if (reason == SPLICE_REASON_NONE)
		begin_both(rung);
	else
		begin_half(rung);
	start_timer(rung);
}

static void join(struct sockmap_rung *rung)
{
	struct tunnel *tunnel = rung->tunnel;
	enum splice_reason reason = SPLICE_REASON_NEVER_QUIET;
	int err = -EAGAIN;

	if (io_pump_is_empty(&tunnel->up) && io_pump_is_empty(&tunnel->down) && is_quiet(tunnel))
		err = sockmap_join(tunnel->sockmap, tunnel->client->fd, tunnel->backend->fd,
				   &rung->pair, &reason);
	if (!err) {
		begin(rung, reason);
		return;
	}
	resume(rung);
	if (err == -EAGAIN)
		try_later(rung);
	else
		give_up(rung, reason);
}

static void on_rest(struct sockmap_rung *rung)
{
	if (rung && rung->is_resting && ++rung->nrested == FLOW_DIRECTIONS)
		join(rung);
}

static void on_up_rest(struct io_pump *pump)
{
	on_rest(container_of(pump, struct tunnel, up)->handoff.sockmap_rung);
}

static void on_down_rest(struct io_pump *pump)
{
	on_rest(container_of(pump, struct tunnel, down)->handoff.sockmap_rung);
}

static void look(struct sockmap_rung *rung)
{
	struct tunnel *tunnel = rung->tunnel;

	if (!has_carried_enough(tunnel)) {
		wait(rung);
		return;
	}
	if (!is_quiet(tunnel)) {
		try_later(rung);
		return;
	}
	rung->is_resting = true;
	rung->nrested = 0;
	io_pump_rest(&tunnel->up);
	io_pump_rest(&tunnel->down);
}

static void on_timer(struct io_timer *timer)
{
	struct sockmap_rung *rung = container_of(timer, struct sockmap_rung, timer);

	if (rung->pair)
		tend(rung);
	else
		look(rung);
}

/* --- For handoff.c ------------------------------------------------------------------------------
 */

void sockmap_rung_start(struct tunnel *tunnel)
{
	struct handoff *handoff = &tunnel->handoff;
	struct sockmap_rung *rung;

	handoff->reason = SPLICE_REASON_UNAVAILABLE;
	if (!tunnel->sockmap)
		return;
	rung = calloc(1, sizeof(*rung));
	handoff->reason = SPLICE_REASON_KERNEL;
	if (!rung)
		return;
	handoff->reason = SPLICE_REASON_NEVER_QUIET;
	handoff->sockmap_rung = rung;
	rung->tunnel = tunnel;
	rung->delay_ms = DELAY_MIN_MS;
	rung->timer.on_expire = on_timer;
	tunnel->up.on_rest = on_up_rest;
	tunnel->down.on_rest = on_down_rest;
	io_timer_start(loop_of(rung), &rung->timer, rung->delay_ms);
}

/* A pump that is over has no on_end. What is joined stays: the other way goes on. */
void sockmap_rung_interrupt(struct tunnel *tunnel)
{
	struct sockmap_rung *rung = tunnel->handoff.sockmap_rung;
	bool was_resting = rung->is_resting;

	if (!rung->pair) {
		if (was_resting)
			resume(rung);
		give_up(rung, SPLICE_REASON_NEVER_QUIET);
		return;
	}
	for (unsigned way = 0; way < FLOW_DIRECTIONS; way++)
		if (!pump_of(rung, way)->on_end)
			rung->ways[way].state = WAY_OVER;
}

static uint64_t account_way(const struct sockmap_rung *rung, enum flow_direction way)
{
	struct io_pump *pump = pump_of(rung, way);
	struct sockmap_traffic traffic;

	sockmap_traffic(rung->pair, way, &traffic);
	if (!pump->first_byte_us)
		pump->first_byte_us = traffic.first_ns / 1000;
	return traffic.bytes;
}

void sockmap_rung_account(struct tunnel *tunnel)
{
	const struct sockmap_rung *rung = tunnel->handoff.sockmap_rung;

	if (!rung->pair)
		return;
	tunnel->handoff.bytes_up = account_way(rung, FLOW_UP);
	tunnel->handoff.bytes_down = account_way(rung, FLOW_DOWN);
}

void sockmap_rung_end(struct tunnel *tunnel)
{
	struct sockmap_rung *rung = tunnel->handoff.sockmap_rung;

	sockmap_rung_account(tunnel);
	sockmap_pair_close(rung->pair);
	give_up(rung, tunnel->handoff.reason);
}

uint64_t sockmap_rung_last_activity_ms(const struct tunnel *tunnel)
{
	const struct sockmap_rung *rung = tunnel->handoff.sockmap_rung;
	struct sockmap_traffic up, down;

	if (!rung->pair)
		return 0;
	sockmap_traffic(rung->pair, FLOW_UP, &up);
	sockmap_traffic(rung->pair, FLOW_DOWN, &down);
	return (up.last_ns > down.last_ns ? up.last_ns : down.last_ns) / 1000000;
}
