// SPDX-License-Identifier: Apache-2.0
/*
 * The switch of a pair from its sockets to the programs, without losing or reordering a byte:
 *
 *   gate read ─► both quiet ─► TCP_REPAIR ─► numbers ─► still quiet ─► translations ─► gate swapped
 *                    │                                       │                            │
 *                    └──────────── -EAGAIN ◄──── leave repair, forget translations ◄──────┘
 *
 * The programs record a packet before they count it at the gate. So if the gate can be swapped from
 * the word that was read first, the records were complete, and every packet in them has reached its
 * socket, because the socket says the same numbers. tests/model/ checks this order of steps.
 */
#include "core/clock.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/splice.h"

#include <errno.h>
#include <string.h>

struct legs {
	struct leg client, backend;
};

static int read_legs(const struct splice_pair *pair, struct legs *ret)
{
	int err = leg_read(pair->client_fd, &ret->client);

	return err ? err : leg_read(pair->backend_fd, &ret->backend);
}

static bool is_settled(const struct leg *leg, const struct flow_record *seen)
{
	const uint8_t flags = FLOW_SEEN_ANY | FLOW_SEEN_FIN | FLOW_SEEN_RST;

	return leg->is_established && leg->is_settled && (seen->flags & flags) == FLOW_SEEN_ANY;
}

static bool are_settled(const struct splice_pair *pair, const struct legs *legs)
{
	return is_settled(&legs->client, &pair->shared->seen[FLOW_UP]) &&
	       is_settled(&legs->backend, &pair->shared->seen[FLOW_DOWN]);
}

/* Whoever has said all before the programs watched would never be known by them. */
static void provoke_unseen(int fd, const struct leg *leg, const struct flow_record *seen)
{
	if (leg->is_established && leg->is_settled && !(seen->flags & FLOW_SEEN_ANY))
		leg_provoke(fd);
}

bool splice_is_quiet(const struct splice_pair *pair)
{
	struct legs legs = {};

	if (read_legs(pair, &legs) < 0)
		return false;
	provoke_unseen(pair->client_fd, &legs.client, &pair->shared->seen[FLOW_UP]);
	provoke_unseen(pair->backend_fd, &legs.backend, &pair->shared->seen[FLOW_DOWN]);
	return are_settled(pair, &legs);
}

/* Held back, an acknowledgement would never be sent: its receiver would send again. */
static int settle(const struct splice_pair *pair, struct legs *legs)
{
	int err = read_legs(pair, legs);

	if (err)
		return err;
	if (!are_settled(pair, legs))
		return -EAGAIN;
	err = leg_acknowledge(pair->client_fd);
	return err ? err : leg_acknowledge(pair->backend_fd);
}

static int read_numbers(const struct splice_pair *pair, struct legs *legs)
{
	int err = leg_read_numbers(pair->client_fd, &legs->client);

	return err ? err : leg_read_numbers(pair->backend_fd, &legs->backend);
}

static void open_gate(struct splice_pair *pair, const struct legs *legs,
		      const struct flow_record seen[FLOW_DIRECTIONS])
{
	struct flow_translation out[FLOW_DIRECTIONS];

	legs_translate(&legs->client, &legs->backend, seen, out);
	out[FLOW_UP].nexthop = pair->nexthop[FLOW_UP];
	out[FLOW_DOWN].nexthop = pair->nexthop[FLOW_DOWN];
	memcpy(pair->shared->out, out, sizeof(out));
	pair->shared->joined_seq[FLOW_UP] = legs->client.rcv_nxt;
	pair->shared->joined_seq[FLOW_DOWN] = legs->backend.rcv_nxt;
	pair->shared->spliced_ns = clock_monotonic_ns();
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

/*
 * Both sockets are in repair mode. The numbers come before the look at the queues: a byte that
 * comes between the two is then missing in the numbers; the other way round it would be in them,
 * unread.
 */
static int swap(struct splice_pair *pair, struct legs *legs, __u64 word)
{
	struct flow_record seen[FLOW_DIRECTIONS];
	int err = read_numbers(pair, legs);

	if (!err)
		err = read_legs(pair, legs);
	if (err)
		return err;
	memcpy(seen, pair->shared->seen, sizeof(seen));
	if (!leg_is_caught_up(&legs->client, &seen[FLOW_UP]) ||
	    !leg_is_caught_up(&legs->backend, &seen[FLOW_DOWN]))
		return -EAGAIN;
	open_gate(pair, legs, seen);
	if (!__atomic_compare_exchange_n(&pair->shared->gate, &word, gate_word(GATE_SPLICED, 0),
					 false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return -EAGAIN;
	handoff_allow_short_way(pair->shared);
	return 0;
}

static int repair_and_swap(struct splice_pair *pair, struct legs *legs, __u64 word)
{
	int err = leg_enter_repair(pair->client_fd);

	if (err)
		return err;
	err = leg_enter_repair(pair->backend_fd);
	if (!err) {
		err = swap(pair, legs, word);
		if (err)
			leg_leave_repair(pair->backend_fd);
	}
	if (err)
		leg_leave_repair(pair->client_fd);
	return err;
}

int splice_join(struct splice_pair *pair)
{
	__u64 word = __atomic_load_n(&pair->shared->gate, __ATOMIC_ACQUIRE);
	struct legs legs = {.client.key = pair->keys[FLOW_UP],
			    .backend.key = pair->keys[FLOW_DOWN]};
	int err;

	if (gate_state_of(word) != GATE_OBSERVE)
		return -EINVAL;
	err = settle(pair, &legs);
	if (err)
		return err;
	err = repair_and_swap(pair, &legs, word);
	if (err)
		return err;
	pair->is_joined = true;
	if (leg_dissolve(pair->client_fd) < 0)
		leg_freeze(pair->client_fd);
	leg_freeze(pair->backend_fd); /* it holds its port */
	return 0;
}
