// SPDX-License-Identifier: Apache-2.0
/*
 * When a joined connection is over: by its own words, by an idle timeout, or because one end does
 * not answer any more. Answers to keep-alive probes are packets, but no bytes: only bytes keep a
 * connection from being idle, as on the relay.
 */
#include "proxy/vigil.h"

#define LOOK_MAX_MS 10000
/* Behind the last ACK: a FIN whose ACK was lost is sent again, and wants to be answered by the one
 * who knows it. */
#define LINGER_MS 1000
/* An end that was asked so often in as much time again as it may be silent has gone. */
#define PROBES 3

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void note_bytes(struct vigil *vigil, const struct splice_traffic *traffic, uint64_t now_ms)
{
	uint64_t bytes = traffic->bytes_up + traffic->bytes_down;

	if (vigil->has_looked && bytes == vigil->bytes)
		return;
	vigil->has_looked = true;
	vigil->bytes = bytes;
	vigil->quiet_ms = now_ms - least(now_ms, traffic->idle_ms);
}

static struct vigil_verdict ended(enum connection_end end, bool is_reset)
{
	return (struct vigil_verdict){.end = end, .is_reset = is_reset};
}

/* It is not over. */
static struct vigil_verdict look_for_silence(struct vigil *vigil,
					     const struct splice_traffic *traffic,
					     const struct vigil_limits *limits, uint64_t now_ms)
{
	bool is_client = traffic->silent_up_ms >= traffic->silent_down_ms;
	uint64_t silent_ms = is_client ? traffic->silent_up_ms : traffic->silent_down_ms;
	uint64_t interval_ms = limits->keepalive_ms / PROBES + 1;
	struct vigil_verdict verdict = {.wait_ms = LOOK_MAX_MS};

	if (!limits->keepalive_ms)
		return verdict;
	if (silent_ms < limits->keepalive_ms) {
		verdict.wait_ms = least(LOOK_MAX_MS, limits->keepalive_ms - silent_ms);
		return verdict;
	}
	if (silent_ms > limits->keepalive_ms + PROBES * interval_ms)
		return ended(is_client ? CONNECTION_END_CLIENT_RESET : CONNECTION_END_BACKEND_RESET,
			     true);
	verdict.wants_probe = now_ms - vigil->probed_ms >= interval_ms;
	if (verdict.wants_probe)
		vigil->probed_ms = now_ms;
	verdict.wait_ms = least(LOOK_MAX_MS, interval_ms);
	return verdict;
}

struct vigil_verdict vigil_look(struct vigil *vigil, const struct splice_traffic *traffic,
				const struct vigil_limits *limits, uint64_t now_ms)
{
	struct vigil_verdict verdict;
	uint64_t idle_ms;

	if (traffic->is_reset_by_client)
		return ended(CONNECTION_END_CLIENT_RESET, false);
	if (traffic->is_reset_by_backend)
		return ended(CONNECTION_END_BACKEND_RESET, false);
	if (traffic->is_superseded || (traffic->is_over && traffic->idle_ms >= LINGER_MS))
		return ended(CONNECTION_END_DONE, false);
	if (traffic->is_over)
		return (struct vigil_verdict){.wait_ms = LINGER_MS - traffic->idle_ms};
	note_bytes(vigil, traffic, now_ms);
	idle_ms = now_ms - vigil->quiet_ms;
	if (limits->idle_ms && idle_ms >= limits->idle_ms)
		return ended(CONNECTION_END_IDLE_TIMEOUT, true);
	verdict = look_for_silence(vigil, traffic, limits, now_ms);
	if (limits->idle_ms && verdict.wait_ms)
		verdict.wait_ms = least(verdict.wait_ms, limits->idle_ms - idle_ms);
	return verdict;
}
