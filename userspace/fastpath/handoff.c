// SPDX-License-Identifier: Apache-2.0
/*
 * The switch of a pair from its sockets to the programs, at any moment, without losing, doubling or
 * reordering a byte. A line is drawn on each leg, at the number that its socket expects next:
 *
 *        the client's bytes     ──── below: our socket has them ──┃── above: not yet here ────►
 *        the backend's numbers  ──── below: our other socket's   ──┃── above: the client's  ────►
 *
 * What lies below the line has been, or will be, relayed by the sockets, who send it again where it
 * is lost; what lies above goes through the programs. A byte has the same number on the other leg
 * whichever way it takes, because the relay takes no byte away and adds none: whatever is delivered
 * twice, or out of order, is what TCP puts right every day. So nothing has to be quiet. What counts
 * is that the lines are right, and that both legs go over at once:
 *
 *   1. The relay stops reading, and all that it has read is with the kernel. Then what one socket
 *      has not been asked for yet, behind what was written to the other, is all that is below.
 *   2. The gate's word is read, then both sockets' numbers, in one system call (legs.bpf.c).
 *   3. Each socket expects the very number that the programs have seen the end of last: no packet
 *      is between the programs and a socket, and none came out of order. If not: once more.
 *   4. Translations are computed and stored; the gate is swapped to TAIL from the word that was
 *      read. If a packet came since, the swap fails: once more. After it, none reaches a socket.
 *   5. The relay goes on with what the sockets still have. The programs forward what arrives, and
 *      tell the sockets of acknowledgements that are for them (lib/tail.h).
 *   6. All is read, sent and acknowledged: the sockets go into TCP_REPAIR, so that they end without
 *      a word if the daemon does, and the gate to SPLICED. A while later, when nothing is under way
 *      to the sockets any more and no timer of theirs is left, the client's is dissolved, and the
 *      backend's frozen: it holds its port.
 *
 * The programs record a packet before they count it at the gate: if the gate can be swapped from
 * the word that was read first, the records were complete.
 */
#include "abi/leg.h"
#include "core/clock.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/splice.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

/* A packet on its way to the socket arrives within microseconds. */
#define ATTEMPTS 8

static int read_legs(const struct splice_pair *pair, struct leg *client, struct leg *backend)
{
	struct legs_query query = {.fd = {pair->client_fd, pair->backend_fd}};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &query, .ctx_size_in = sizeof(query));
	int err = bpf_prog_test_run_opts(pair->splice->legs_fd, &run);

	if (err < 0)
		return err;
	leg_take_numbers(client, &query.leg[FLOW_UP]);
	leg_take_numbers(backend, &query.leg[FLOW_DOWN]);
	return 0;
}

/* Whoever has said all before the programs watched would never be known by them. */
bool splice_is_watched(const struct splice_pair *pair)
{
	bool are_seen = true;

	for (int i = 0; i < FLOW_DIRECTIONS; i++) {
		if (pair->shared->seen[i].flags & FLOW_SEEN_ANY)
			continue;
		leg_provoke(i == FLOW_UP ? pair->client_fd : pair->backend_fd);
		are_seen = false;
	}
	return are_seen;
}

/* What a socket is told of acknowledgements counts from what it knows. */
static void store_translation(struct splice_pair *pair, const struct leg *client,
			      const struct leg *backend,
			      const struct flow_record seen[FLOW_DIRECTIONS])
{
	struct flow_translation out[FLOW_DIRECTIONS];
	struct flow_pair *shared = pair->shared;

	legs_translate(client, backend, seen, out);
	out[FLOW_UP].nexthop = pair->nexthop[FLOW_UP];
	out[FLOW_DOWN].nexthop = pair->nexthop[FLOW_DOWN];
	memcpy(shared->out, out, sizeof(out));
	shared->joined_seq[FLOW_UP] = client->rcv_nxt;
	shared->joined_seq[FLOW_DOWN] = backend->rcv_nxt;
	shared->seen[FLOW_UP].told = client->snd_una;
	shared->seen[FLOW_DOWN].told = backend->snd_una;
	shared->spliced_ns = clock_monotonic_ns();
}

static int try_to_join(struct splice_pair *pair)
{
	__u64 word = __atomic_load_n(&pair->shared->gate, __ATOMIC_ACQUIRE);
	struct leg client = pair->client, backend = pair->backend;
	struct flow_record seen[FLOW_DIRECTIONS];
	int err;

	if (gate_state_of(word) != GATE_OBSERVE)
		return -EINVAL;
	err = read_legs(pair, &client, &backend);
	if (err)
		return err;
	memcpy(seen, pair->shared->seen, sizeof(seen));
	if (!leg_is_caught_up(&client, &seen[FLOW_UP]) ||
	    !leg_is_caught_up(&backend, &seen[FLOW_DOWN]) ||
	    legs_tail(&client, &backend) > TAIL_MAX)
		return -EAGAIN;
	store_translation(pair, &client, &backend, seen);
	if (!__atomic_compare_exchange_n(&pair->shared->gate, &word, gate_word(GATE_TAIL, 0), false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return -EAGAIN;
	return 0;
}

/* By numbers, for bytes may also be in the relay's hands. */
static bool is_below(const struct leg *leg, uint32_t line)
{
	return (int32_t)(line - leg->snd_una) > 0 || leg->snd_una != leg->snd_end || leg->unread;
}

static bool has_tail(const struct splice_pair *pair)
{
	const struct flow_pair *shared = pair->shared;
	uint32_t to_backend = shared->joined_seq[FLOW_UP] + shared->out[FLOW_UP].seq_delta;
	uint32_t to_client = shared->joined_seq[FLOW_DOWN] + shared->out[FLOW_DOWN].seq_delta;
	struct leg client = {}, backend = {};

	return read_legs(pair, &client, &backend) || is_below(&client, to_client) ||
	       is_below(&backend, to_backend);
}

/* Both may have to send again what they have sent. The relay has not gone on yet: what they sent
 * before this has the newest that there was to acknowledge. */
static void mark_tails(const struct splice_pair *pair)
{
	leg_mark(pair->client_fd, FLOW_MARK_TAIL);
	leg_mark(pair->backend_fd, FLOW_MARK_TAIL);
}

int splice_join(struct splice_pair *pair)
{
	int err = -EAGAIN;

	for (int i = 0; i < ATTEMPTS && err == -EAGAIN; i++)
		err = try_to_join(pair);
	if (err)
		return err;
	pair->is_joined = true;
	if (has_tail(pair))
		mark_tails(pair);
	return 0;
}

/* The pair may have ended since it was joined; who ends it closes the gate first. */
void handoff_allow_short_way(struct flow_pair *shared)
{
	for (int allowed = 1; allowed >= 0; allowed--) {
		__atomic_store_n(&shared->in[FLOW_UP].is_spliced, allowed, __ATOMIC_SEQ_CST);
		__atomic_store_n(&shared->in[FLOW_DOWN].is_spliced, allowed, __ATOMIC_SEQ_CST);
		if (gate_state_of(__atomic_load_n(&shared->gate, __ATOMIC_SEQ_CST)) == GATE_SPLICED)
			return;
	}
}

bool splice_is_delivered(const struct splice_pair *pair)
{
	return !has_tail(pair);
}

/* The sockets first: joined for good, the pair outlives a daemon that is killed in between. */
void splice_cut_tail(struct splice_pair *pair)
{
	__u64 word = gate_word(GATE_TAIL, 0);

	leg_silence(pair->client_fd);
	leg_silence(pair->backend_fd);
	if (__atomic_compare_exchange_n(&pair->shared->gate, &word, gate_word(GATE_SPLICED, 0),
					false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		handoff_allow_short_way(pair->shared);
}

void splice_freeze(struct splice_pair *pair)
{
	pair->is_frozen = true;
	leg_silence(pair->client_fd);
	if (leg_dissolve(pair->client_fd) < 0)
		leg_freeze(pair->client_fd);
	leg_freeze(pair->backend_fd); /* it holds its port */
}
