// SPDX-License-Identifier: Apache-2.0
/* Connections of an earlier daemon, from its maps to their line in our access log. */
#include "proxy/adopted.h"
#include "core/clock.h"
#include "core/log.h"
#include "fastpath/splice.h"
#include "proxy/access_log.h"
#include "proxy/handoff.h"
#include "proxy/server_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEND_MS         2000
#define UNKNOWN_IDLE_MS 3600000 /* where the listener is in the configuration no more */

/* Where others say why a connection is not on a better rung. */
static const char adopted_reason[] = "adopted";

struct adopted {
	struct list_node node;
	struct server *server;
	struct splice_pair *pair;
	struct splice_origin origin;
	struct listener_stats *stats; /* NULL: no listener of ours has that name */
	struct io_timer timer;
	struct vigil vigil;
	uint64_t found_ms;                /* loop time */
	uint64_t counted_in, counted_out; /* in our counters, or in those of the daemon before */
};

/* --- Names, by the configuration in force -------------------------------------------------------
 */

static const struct snapshot_listener *find_listener(const struct adopted *adopted)
{
	const struct snapshot *snapshot = adopted->server->snapshot;

	for (size_t i = 0; snapshot && i < snapshot->config->nlisteners; i++)
		if (handoff_hash(snapshot->listeners[i].config->name) ==
		    adopted->origin.label.listener_hash)
			return &snapshot->listeners[i];
	return NULL;
}

static const char *listener_name(const struct adopted *adopted)
{
	const struct snapshot_listener *listener = find_listener(adopted);

	return listener ? listener->config->name : "-";
}

static const char *pool_name(const struct adopted *adopted)
{
	const struct snapshot *snapshot = adopted->server->snapshot;

	for (size_t i = 0; snapshot && i < snapshot->config->npools; i++)
		if (handoff_hash(snapshot->config->pools[i].name) ==
		    adopted->origin.label.pool_hash)
			return snapshot->config->pools[i].name;
	return "";
}

/* --- What it carries ----------------------------------------------------------------------------
 */

struct bytes {
	uint64_t in, out; /* from the client, to the client, from its beginning on */
};

static struct bytes bytes_of(const struct adopted *adopted, struct splice_traffic *ret)
{
	splice_pair_traffic(adopted->pair, ret);
	return (struct bytes){
		.in = adopted->origin.relayed_up + ret->bytes_up,
		.out = adopted->origin.relayed_down + ret->bytes_down,
	};
}

static struct listener_counters *counters_of(const struct adopted *adopted)
{
	return &adopted->stats->by_worker[adopted->server->nworkers];
}

static void account(struct adopted *adopted)
{
	struct splice_traffic traffic;
	struct bytes bytes = bytes_of(adopted, &traffic);

	if (adopted->stats) {
		counter_add(&counters_of(adopted)->bytes_in, bytes.in - adopted->counted_in);
		counter_add(&counters_of(adopted)->bytes_out, bytes.out - adopted->counted_out);
	}
	adopted->counted_in = bytes.in;
	adopted->counted_out = bytes.out;
}

static uint64_t age_ms(const struct adopted *adopted)
{
	return adopted->origin.age_ms + io_loop_now_ms(adopted->server->loop) - adopted->found_ms;
}

/* --- Its end ------------------------------------------------------------------------------------
 */

static void write_access_log(const struct adopted *adopted, enum connection_end end)
{
	struct access_log *log = adopted->server->snapshot->access_log;
	const struct splice_origin *origin = &adopted->origin;
	uint64_t age_us = age_ms(adopted) * 1000, now_us = clock_wall_us();
	uint64_t started_us = origin->label.accepted_us ? origin->label.accepted_us
							: now_us - age_us;
	char endpoint[ADDRESS_TEXT_SIZE];
	const struct access_record record = {
		.started_wall_us = started_us,
		.id = origin->label.id,
		.worker = adopted->server->nworkers,
		.listener = listener_name(adopted),
		.pool = pool_name(adopted),
		.endpoint = address_format(&origin->backend, endpoint),
		.client = &origin->client,
		.peer = &origin->client,
		.local = &origin->local,
		.backend = &origin->backend,
		.bytes_in = adopted->counted_in,
		.bytes_out = adopted->counted_out,
		.queue_us = -1,
		.connect_us = -1,
		.first_byte_us = -1,
		.duration_us = now_us > started_us ? now_us - started_us : age_us,
		.tries = 1,
		.end = end,
		.rung = splice_rung_name(splice_pair_rung(adopted->pair)),
		.reason = adopted_reason,
	};
	struct strbuf line = {};

	if (!log)
		return;
	access_log_format(log->format, &record, &line);
	access_log_write(log, &line);
	strbuf_done(&line);
}

static void forget(struct adopted *adopted)
{
	struct server *server = adopted->server;

	io_timer_stop(server->loop, &adopted->timer);
	list_remove(&adopted->node);
	server->nadopted--;
	if (adopted->stats)
		stats_unref(&adopted->stats->head);
	free(adopted);
	if (!server->nadopted)
		io_timer_stop(server->loop, &server->adopted_tend);
}

static void end(struct adopted *adopted, enum connection_end why, bool is_reset)
{
	account(adopted);
	if (adopted->stats) {
		counter_add(&counters_of(adopted)->ends[why], 1);
		histogram_observe(&counters_of(adopted)->session_time, age_ms(adopted) * 1000);
	}
	write_access_log(adopted, why);
	splice_pair_close(adopted->pair, is_reset);
	forget(adopted);
}

static struct vigil_limits limits_of(const struct adopted *adopted)
{
	const struct snapshot_listener *listener = find_listener(adopted);

	if (!listener)
		return (struct vigil_limits){.idle_ms = UNKNOWN_IDLE_MS};
	return (struct vigil_limits){
		.idle_ms = listener->config->idle_timeout_ms,
		.keepalive_ms = listener->config->keepalive_ms,
	};
}

static void look_for_end(struct adopted *adopted)
{
	const struct vigil_limits limits = limits_of(adopted);
	struct splice_traffic traffic;
	struct vigil_verdict verdict;

	splice_pair_traffic(adopted->pair, &traffic);
	verdict = vigil_look(&adopted->vigil, &traffic, &limits,
			     io_loop_now_ms(adopted->server->loop));
	if (verdict.wants_probe)
		splice_pair_probe(adopted->pair);
	if (verdict.wait_ms)
		io_timer_start(adopted->server->loop, &adopted->timer, verdict.wait_ms);
	else
		end(adopted, verdict.end, verdict.is_reset);
}

static void on_timer(struct io_timer *timer)
{
	look_for_end(container_of(timer, struct adopted, timer));
}

void adopted_on_over(struct server *server, uint32_t slot, uint64_t id)
{
	struct adopted *adopted = splice_owner(server->shared.splice, slot, id);

	if (adopted)
		look_for_end(adopted);
}

/* --- All of them --------------------------------------------------------------------------------
 */

static void on_tend(struct io_timer *timer)
{
	struct server *server = container_of(timer, struct server, adopted_tend);

	list_for_each (node, &server->adopted)
		account(list_entry(node, struct adopted, node));
	io_timer_start(server->loop, timer, TEND_MS);
}

/* What has flowed so far is counted already, by the daemon that is gone. */
static void start(struct adopted *adopted)
{
	const struct snapshot_listener *listener = find_listener(adopted);
	struct splice_traffic traffic;
	struct bytes bytes = bytes_of(adopted, &traffic);

	if (listener) {
		adopted->stats = listener->stats;
		stats_ref(&adopted->stats->head);
	}
	adopted->counted_in = bytes.in;
	adopted->counted_out = bytes.out;
	adopted->found_ms = io_loop_now_ms(adopted->server->loop);
	adopted->timer.on_expire = on_timer;
	splice_pair_set_owner(adopted->pair, adopted);
	io_timer_start(adopted->server->loop, &adopted->timer, 1);
}

/* Return: false when there is none left. */
static bool take_one(struct server *server)
{
	struct splice_origin origin;
	struct splice_pair *pair = splice_take_adopted(server->shared.splice, &origin);
	struct adopted *adopted;

	if (!pair)
		return false;
	adopted = calloc(1, sizeof(*adopted));
	if (!adopted) {
		splice_pair_leave(pair);
		return true;
	}
	adopted->server = server;
	adopted->pair = pair;
	adopted->origin = origin;
	list_push_back(&server->adopted, &adopted->node);
	server->nadopted++;
	start(adopted);
	return true;
}

void adopted_start(struct server *server)
{
	if (!server->shared.splice)
		return;
	while (take_one(server))
		continue;
	if (!server->nadopted)
		return;
	log_info("acceleration: %" PRIu32 " connections of an earlier daemon go on",
		 server->nadopted);
	server->adopted_tend.on_expire = on_tend;
	io_timer_start(server->loop, &server->adopted_tend, TEND_MS);
}

void adopted_reset(struct server *server)
{
	list_for_each_safe (node, &server->adopted)
		end(list_entry(node, struct adopted, node), CONNECTION_END_SHUTDOWN, true);
}

void adopted_leave(struct server *server)
{
	list_for_each_safe (node, &server->adopted) {
		struct adopted *adopted = list_entry(node, struct adopted, node);
		struct splice_traffic traffic;

		splice_pair_traffic(adopted->pair, &traffic);
		if (traffic.is_over)
			continue;
		splice_pair_leave(adopted->pair);
		forget(adopted);
	}
}

static void describe(const struct adopted *adopted, struct connection_row *ret)
{
	struct splice_traffic traffic;
	struct bytes bytes = bytes_of(adopted, &traffic);
	char endpoint[ADDRESS_TEXT_SIZE];

	*ret = (struct connection_row){
		.id = adopted->origin.label.id,
		.worker = adopted->server->nworkers,
		.client = adopted->origin.client,
		.local = adopted->origin.local,
		.backend = adopted->origin.backend,
		.state = CONNECTION_RELAY,
		.rung = splice_rung_name(splice_pair_rung(adopted->pair)),
		.reason = adopted_reason,
		.bytes_in = bytes.in,
		.bytes_out = bytes.out,
		.age_ms = age_ms(adopted),
		.idle_ms = traffic.idle_ms,
	};
	snprintf(ret->listener, sizeof(ret->listener), "%s", listener_name(adopted));
	snprintf(ret->pool, sizeof(ret->pool), "%s", pool_name(adopted));
	snprintf(ret->endpoint, sizeof(ret->endpoint), "%s",
		 address_format(&adopted->origin.backend, endpoint));
}

size_t adopted_describe(struct server *server, struct connection_row *rows, size_t limit)
{
	size_t count = 0;

	list_for_each (node, &server->adopted) {
		if (count == limit)
			break;
		describe(list_entry(node, struct adopted, node), &rows[count++]);
	}
	return count;
}
