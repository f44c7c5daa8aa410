// SPDX-License-Identifier: Apache-2.0
/*
 * What an earlier daemon has left pinned: whether its maps can be taken over, and its joined pairs
 * as ours. The programs that it attached work on until attach.c replaces them by ours, one for one,
 * on the same maps: no packet of a joined flow reaches the stack meanwhile.
 */
#include "core/clock.h"
#include "core/log.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/flow_table.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- Whether ------------------------------------------------------------------------------------
 */

/* Their ports are not to be had, though nothing else of them can be told. They are held for as long
 * as we live. */
static void hold_ports(const struct leftover *leftover)
{
	uint32_t at = leftover->meta.backend_key;
	struct flow_key key;

	if (at + sizeof(key) > leftover->element_size)
		return;
	for (uint32_t i = 0; i < leftover->count; i++) {
		if (leftover_state(leftover, i) != GATE_SPLICED)
			continue;
		memcpy(&key, (const char *)leftover_element(leftover, i) + at, sizeof(key));
		(void)leg_hold(&key);
	}
}

static uint32_t count_buckets(const struct pin *pin)
{
	struct bpf_map_info facts = {};
	uint32_t len = sizeof(facts);
	int fd = pin_map(pin, "buckets");

	if (fd < 0)
		return 0;
	(void)bpf_obj_get_info_by_fd(fd, &facts, &len);
	close(fd);
	return facts.max_entries;
}

/* NULL: it can be. */
static const char *why_unreadable(const struct pin *pin, const struct leftover *leftover)
{
	if (leftover->meta.netns != pin_netns())
		return "they are in another network namespace";
	if (!leftover_is_readable(leftover) ||
	    count_buckets(pin) != flow_table_size(2 * leftover->count))
		return "another version of sluiced has made the tables";
	return NULL;
}

static int judge(const struct pin *pin, const struct leftover *leftover, uint32_t max_flows)
{
	uint32_t count = leftover_count_spliced(leftover);
	const char *why = why_unreadable(pin, leftover);

	if (count == 0)
		return -ENOENT;
	if (why) {
		if (leftover->meta.netns == pin_netns())
			hold_ports(leftover);
		log_warn("splice: %u connections of an earlier daemon go on without us: %s", count,
			 why);
		return -EPROTO;
	}
	if (leftover->count != max_flows)
		log_warn("splice: acceleration.max_flows stays %u: there are connections of an "
			 "earlier daemon",
			 leftover->count);
	return 0;
}

int adopt_choose(const struct pin *pin, bool keep_programs, uint32_t *max_flows)
{
	struct leftover leftover = {};
	int err = leftover_open(pin, &leftover);

	if (!err)
		err = judge(pin, &leftover, *max_flows);
	if (!err)
		*max_flows = leftover.count;
	/* Nothing is theirs to carry, and a device has room for one program at XDP. */
	if (err == -ENOENT && leftover.map_id && !keep_programs)
		detach_programs(pin, leftover.map_id);
	leftover_close(&leftover);
	return err;
}

/* --- The pairs ----------------------------------------------------------------------------------
 */

/* One whose tuple was taken by a new connection has had its end, and nobody has logged it. */
static bool is_adoptable(const struct flow_pair *shared)
{
	enum gate_state state = gate_state_of(__atomic_load_n(&shared->gate, __ATOMIC_ACQUIRE));

	return state == GATE_SPLICED || (state == GATE_PASS && flow_is_over(shared));
}

static int hold_ways(struct splice_pair *pair)
{
	for (int direction = FLOW_UP; direction <= FLOW_DOWN; direction++) {
		const struct flow_translation *out = &pair->shared->out[direction];
		int err = nexthops_adopt(pair->splice->nexthops, out->source, out->destination,
					 out->nexthop);

		if (err)
			return err;
		pair->nexthop[pair->nnexthops++] = out->nexthop;
	}
	return 0;
}

/* Without its socket it goes on as well; what may follow is a collision that the table of flows
 * refuses. */
static void hold_port(struct splice_pair *pair)
{
	pair->backend_fd = leg_hold(&pair->keys[FLOW_DOWN]);
	if (pair->backend_fd < 0)
		log_warn("splice: the port of an adopted connection cannot be held: %s",
			 strerror(-pair->backend_fd));
}

/* Return: NULL: out of memory, or it is damaged. */
static struct splice_pair *make_pair(struct splice *splice, uint32_t slot)
{
	struct splice_pair *pair = calloc(1, sizeof(*pair));

	if (!pair)
		return NULL;
	pair->splice = splice;
	pair->shared = &splice->pairs[slot];
	pair->slot = slot;
	pair->client_fd = pair->backend_fd = -1;
	pair->is_joined = pair->is_adopted = true;
	pair->nflows = FLOW_DIRECTIONS;
	pair->keys[FLOW_UP] = pair->shared->in[FLOW_UP].key;
	pair->keys[FLOW_DOWN] = pair->shared->in[FLOW_DOWN].key;
	if (hold_ways(pair) == 0)
		return pair;
	log_warn("splice: a connection of an earlier daemon has no next hop: it is given up");
	free(pair);
	return NULL;
}

static bool adopt(struct splice *splice, uint32_t slot)
{
	struct splice_pair *pair = make_pair(splice, slot);

	if (!pair)
		return false;
	hold_port(pair);
	handoff_allow_short_way(pair->shared);
	pair->next = splice->adopted;
	splice->adopted = pair;
	splice->nlasting++;
	return true;
}

/* It was never handed over, or its daemon was taking it back. */
static void clear(struct flow_pair *shared)
{
	if (!shared->gate)
		return;
	__atomic_store_n(&shared->gate, gate_word(GATE_FREE, 0), __ATOMIC_SEQ_CST);
	__atomic_store_n(&shared->in[FLOW_UP].is_spliced, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&shared->in[FLOW_DOWN].is_spliced, 0, __ATOMIC_RELEASE);
}

void adopt_pairs(struct splice *splice)
{
	for (uint32_t slot = 0; slot < splice->max_flows; slot++) {
		splice->is_adopted[slot] = is_adoptable(&splice->pairs[slot]) &&
					   adopt(splice, slot);
		if (!splice->is_adopted[slot])
			clear(&splice->pairs[slot]);
	}
	slots_remove(splice->slots, splice->is_adopted);
	flow_table_sweep(splice->buckets, splice->nbuckets, splice->pairs, splice->max_flows,
			 splice->is_adopted);
}

/* --- For the proxy ------------------------------------------------------------------------------
 */

struct splice_pair *splice_take_adopted(struct splice *splice, struct splice_origin *ret)
{
	struct splice_pair *pair = splice->adopted;
	const struct flow_pair *shared;

	if (!pair)
		return NULL;
	splice->adopted = pair->next;
	shared = pair->shared;
	*ret = (struct splice_origin){
		.label = {.id = shared->id,
			  .accepted_us = shared->accepted_us,
			  .listener_hash = shared->listener_hash,
			  .pool_hash = shared->pool_hash},
		.relayed_up = shared->relayed[FLOW_UP],
		.relayed_down = shared->relayed[FLOW_DOWN],
		.age_ms = (clock_monotonic_ns() - shared->spliced_ns) / 1000000,
	};
	address_from_key(pair->keys[FLOW_UP].source, pair->keys[FLOW_UP].source_port, &ret->client);
	address_from_key(pair->keys[FLOW_UP].destination, pair->keys[FLOW_UP].destination_port,
			 &ret->local);
	address_from_key(pair->keys[FLOW_DOWN].source, pair->keys[FLOW_DOWN].source_port,
			 &ret->backend);
	return pair;
}

bool splice_is_adopted(const struct splice *splice, uint32_t slot)
{
	return splice->is_adopted[slot];
}

void splice_pair_set_owner(struct splice_pair *pair, void *owner)
{
	pair->splice->owners[pair->slot] = owner;
}
