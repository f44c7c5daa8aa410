// SPDX-License-Identifier: Apache-2.0
/*
 * Pairs: two connections that the programs know. Whether they are eligible, their flows in the
 * tables, what has gone through, and their end. The switch itself is in handoff.c.
 */
#include "core/clock.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/flow_table.h"
#include "fastpath/splice.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const reason_names[] = {
#define X(name, text) [SPLICE_REASON_##name] = text,
	SPLICE_REASONS(X)
#undef X
};

const char *splice_reason_name(enum splice_reason reason)
{
	return reason_names[reason];
}

static const char *const rung_names[] = {
#define X(name, text) [SPLICE_RUNG_##name] = text,
	SPLICE_RUNGS(X)
#undef X
};

const char *splice_rung_name(enum splice_rung rung)
{
	return rung_names[rung];
}

static enum splice_reason read_keys(struct splice_pair *pair)
{
	int err = leg_read_key(pair->client_fd, &pair->keys[FLOW_UP]);

	if (!err)
		err = leg_read_key(pair->backend_fd, &pair->keys[FLOW_DOWN]);
	if (err)
		return err == -EAFNOSUPPORT ? SPLICE_REASON_NOT_TCP_SOCKETS : SPLICE_REASON_KERNEL;
	return SPLICE_REASON_NONE;
}

/* The way that packets which arrive on one leg take out on the other. */
static enum splice_reason find_way(struct splice_pair *pair, enum flow_direction direction,
				   uint32_t *ret_mtu)
{
	const struct flow_key *out = &pair->keys[direction == FLOW_UP ? FLOW_DOWN : FLOW_UP];
	enum splice_reason reason;

	reason = nexthops_get(pair->splice->nexthops, out->destination, out->source,
			      &pair->nexthop[direction], ret_mtu);
	if (reason == SPLICE_REASON_NONE)
		pair->nnexthops++;
	return reason;
}

/* A socket that knows of a narrow way tells what fits through; the ends learn of it by themselves
 * where packets go through, so what counts is what they have announced. */
static enum splice_reason compare_announced(const struct splice_pair *pair, struct leg *client,
					    struct leg *backend, uint32_t mtu_up)
{
	enum splice_reason reason = SPLICE_REASON_MSS;

	if (leg_ask_mss(pair->backend_fd, backend) == 0)
		reason = legs_compare(client, backend, mtu_up);
	if (reason == SPLICE_REASON_MSS && leg_ask_mss(pair->client_fd, client) == 0)
		reason = legs_compare(client, backend, mtu_up);
	return reason;
}

/* A packet from a device reaches a local socket only at an address of `lo` itself (bpf/lib has
 * why); one from `lo` reaches any. */
static bool is_loopback_address(const uint8_t ip[16])
{
	struct in6_addr address;

	memcpy(&address, ip, sizeof(address));
	return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && ip[12] == 127);
}

static bool is_local(const struct splice_pair *pair, enum flow_direction direction)
{
	struct flow_nexthop nexthop;

	nexthops_look(pair->splice->nexthops, pair->nexthop[direction], &nexthop);
	return nexthop.flags & NEXTHOP_LOCAL;
}

static enum splice_reason compare_local(const struct splice_pair *pair, enum splice_reason reason)
{
	const struct flow_key *to;
	bool is_up, is_down;

	if (pair->nnexthops < FLOW_DIRECTIONS)
		return reason;
	is_up = is_local(pair, FLOW_UP);
	is_down = is_local(pair, FLOW_DOWN);
	to = &pair->keys[is_up ? FLOW_DOWN : FLOW_UP];
	/* Whatever size either sends through `lo` the other takes. */
	if (is_up && is_down)
		return reason == SPLICE_REASON_MSS ? SPLICE_REASON_NONE : reason;
	if (reason == SPLICE_REASON_NONE && (is_up || is_down) && !is_loopback_address(to->source))
		return SPLICE_REASON_LOOPBACK;
	return reason;
}

static enum splice_reason compare(struct splice_pair *pair)
{
	struct leg *client = &pair->client, *backend = &pair->backend;
	enum splice_reason reason;
	uint32_t mtu_up, mtu_down;

	client->key = pair->keys[FLOW_UP];
	backend->key = pair->keys[FLOW_DOWN];
	if (leg_read(pair->client_fd, client) < 0 || leg_read(pair->backend_fd, backend) < 0)
		return SPLICE_REASON_KERNEL;
	reason = find_way(pair, FLOW_UP, &mtu_up);
	if (reason == SPLICE_REASON_NONE)
		reason = find_way(pair, FLOW_DOWN, &mtu_down);
	if (reason == SPLICE_REASON_NONE)
		reason = legs_compare(client, backend, mtu_up);
	if (reason == SPLICE_REASON_MSS)
		reason = compare_announced(pair, client, backend, mtu_up);
	return compare_local(pair, reason);
}

static enum splice_reason insert_flow(struct splice_pair *pair, enum flow_direction direction)
{
	struct splice *splice = pair->splice;
	int err;

	pair->shared->in[direction].key = pair->keys[direction];
	pthread_mutex_lock(&splice->table_lock);
	err = flow_table_put(splice->buckets, splice->nbuckets, splice->pairs, pair->slot,
			     direction);
	pthread_mutex_unlock(&splice->table_lock);
	if (err)
		return err == -EEXIST ? SPLICE_REASON_TUPLE_IN_USE : SPLICE_REASON_TABLE_FULL;
	pair->nflows++;
	return SPLICE_REASON_NONE;
}

static void remove_flows(struct splice_pair *pair)
{
	struct splice *splice = pair->splice;

	pthread_mutex_lock(&splice->table_lock);
	for (uint32_t i = 0; i < pair->nflows; i++)
		flow_table_remove(splice->buckets, splice->nbuckets, splice->pairs, pair->slot,
				  (enum flow_direction)i);
	pthread_mutex_unlock(&splice->table_lock);
}

static enum splice_reason register_pair(struct splice_pair *pair, const struct splice_label *label)
{
	struct splice *splice = pair->splice;
	enum splice_reason reason;

	if (!slots_take(splice->slots, clock_monotonic_ms(), &pair->slot))
		return SPLICE_REASON_TABLE_FULL;
	pair->shared = &splice->pairs[pair->slot];
	splice->owners[pair->slot] = label->owner;
	*pair->shared = (struct flow_pair){
		.id = label->id,
		.listener_hash = label->listener_hash,
		.pool_hash = label->pool_hash,
		.accepted_us = label->accepted_us,
	};
	__atomic_store_n(&pair->shared->gate, gate_word(GATE_OBSERVE, 0), __ATOMIC_RELEASE);
	reason = insert_flow(pair, FLOW_UP);
	return reason == SPLICE_REASON_NONE ? insert_flow(pair, FLOW_DOWN) : reason;
}

static enum splice_reason observe(struct splice_pair *pair, const struct splice_label *label)
{
	enum splice_reason reason = read_keys(pair);

	if (reason == SPLICE_REASON_NONE)
		reason = compare(pair);
	if (reason == SPLICE_REASON_NONE)
		reason = register_pair(pair, label);
	return reason;
}

int splice_observe(struct splice *splice, int client_fd, int backend_fd,
		   const struct splice_label *label, struct splice_pair **ret,
		   enum splice_reason *ret_reason)
{
	struct splice_pair *pair = calloc(1, sizeof(*pair));

	*ret_reason = SPLICE_REASON_KERNEL;
	if (!pair)
		return -ENOMEM;
	pair->splice = splice;
	pair->client_fd = client_fd;
	pair->backend_fd = backend_fd;
	*ret_reason = observe(pair, label);
	if (*ret_reason != SPLICE_REASON_NONE) {
		splice_pair_close(pair, false);
		return -ENOTSUP;
	}
	*ret = pair;
	return 0;
}

/* Only the thread that @id belongs to gives it a pair, and takes it: so what it finds stays. */
void *splice_owner(struct splice *splice, uint32_t slot, uint64_t id)
{
	if (__atomic_load_n(&splice->pairs[slot].id, __ATOMIC_RELAXED) != id)
		return NULL;
	return splice->owners[slot];
}

void splice_pair_set_relayed(struct splice_pair *pair, uint64_t bytes_up, uint64_t bytes_down)
{
	pair->shared->relayed[FLOW_UP] = bytes_up;
	pair->shared->relayed[FLOW_DOWN] = bytes_down;
}

/*
 * Bytes that went one way. The programs count every packet, what was sent again too; sequence
 * numbers tell the truth, modulo 2^32.
 */
static uint64_t bytes_since(const struct flow_record *seen, uint32_t cut)
{
	uint32_t fin = seen->flags & FLOW_SEEN_FIN ? 1 : 0;
	uint32_t advance = seen->seq_end - cut - fin;
	int32_t excess = (int32_t)((uint32_t)seen->bytes - advance);

	return (uint64_t)((int64_t)seen->bytes - excess);
}

/* The later of two moments begins it. */
static uint64_t ms_since(uint64_t spliced_ns, uint64_t seen_ns, uint64_t now_ns)
{
	uint64_t from_ns = spliced_ns > seen_ns ? spliced_ns : seen_ns;

	return now_ns > from_ns ? (now_ns - from_ns) / 1000000 : 0;
}

void splice_pair_traffic(const struct splice_pair *pair, struct splice_traffic *ret)
{
	const struct flow_record *up = &pair->shared->seen[FLOW_UP];
	const struct flow_record *down = &pair->shared->seen[FLOW_DOWN];
	uint64_t word = __atomic_load_n(&pair->shared->gate, __ATOMIC_ACQUIRE);
	uint64_t spliced_ns = pair->shared->spliced_ns, now_ns = clock_monotonic_ns();

	*ret = (struct splice_traffic){
		.bytes_up = pair->is_joined ? bytes_since(up, pair->shared->joined_seq[FLOW_UP])
					    : 0,
		.bytes_down = pair->is_joined
				      ? bytes_since(down, pair->shared->joined_seq[FLOW_DOWN])
				      : 0,
		.packets_up = up->packets,
		.packets_down = down->packets,
		.silent_up_ms = ms_since(spliced_ns, up->last_seen_ns, now_ns),
		.silent_down_ms = ms_since(spliced_ns, down->last_seen_ns, now_ns),
		.is_reset_by_client = up->flags & FLOW_SEEN_RST,
		.is_reset_by_backend = down->flags & FLOW_SEEN_RST,
	};
	ret->idle_ms = ret->silent_up_ms < ret->silent_down_ms ? ret->silent_up_ms
							       : ret->silent_down_ms;
	ret->is_superseded = pair->is_joined && gate_state_of(word) == GATE_PASS;
	ret->is_over = flow_is_over(pair->shared) || ret->is_superseded;
}

/* Packets of a direction arrive on the device that the other one leaves by. */
static bool is_at_xdp(const struct splice_pair *pair, enum flow_direction direction)
{
	enum flow_direction other = direction == FLOW_UP ? FLOW_DOWN : FLOW_UP;
	struct flow_nexthop in, out;
	struct attached attached;

	nexthops_look(pair->splice->nexthops, pair->nexthop[other], &in);
	nexthops_look(pair->splice->nexthops, pair->nexthop[direction], &out);
	return out.flags & NEXTHOP_MAC_VALID &&
	       attach_look(pair->splice->attach, in.ifindex, &attached) && attached.has_xdp;
}

enum splice_rung splice_pair_rung(const struct splice_pair *pair)
{
	bool is_up, is_down;

	if (pair->nnexthops < FLOW_DIRECTIONS)
		return SPLICE_RUNG_TC;
	is_up = is_at_xdp(pair, FLOW_UP);
	is_down = is_at_xdp(pair, FLOW_DOWN);
	return is_up && is_down   ? SPLICE_RUNG_XDP
	       : is_up || is_down ? SPLICE_RUNG_MIXED
				  : SPLICE_RUNG_TC;
}

/*
 * To who sends what @seen[@direction] records, in the other end's name. It believes an RST with the
 * number that it expects next: what it has acknowledged, or what comes behind all that was sent to
 * it, if it holds an acknowledgement back.
 */
static void reset_end(const struct splice_pair *pair, enum flow_direction direction)
{
	const struct flow_record *seen = &pair->shared->seen[direction];
	const struct flow_record *other = &pair->shared->seen[!direction];
	const struct flow_key *arriving = &pair->keys[direction];
	uint32_t sent = other->seq_end + pair->shared->out[!direction].seq_delta;
	uint32_t ack = flow_ack(pair->shared, direction);
	struct flow_key leaving = {
		.source_port = arriving->destination_port,
		.destination_port = arriving->source_port,
	};
	int fd;

	memcpy(leaving.source, arriving->destination, sizeof(leaving.source));
	memcpy(leaving.destination, arriving->source, sizeof(leaving.destination));
	fd = pair->splice->reset_fd[!IN6_IS_ADDR_V4MAPPED((struct in6_addr *)leaving.source)];
	if (fd < 0)
		return;
	/* Where both are lost, what its end still sends is answered with one. */
	(void)reset_send(fd, &leaving, ack, seen->seq_end);
	if (sent != ack)
		(void)reset_send(fd, &leaving, sent, seen->seq_end);
}

void splice_pair_reset(const struct splice_pair *pair)
{
	reset_end(pair, FLOW_UP);
	reset_end(pair, FLOW_DOWN);
}

static void close_gate(struct flow_pair *shared)
{
	__atomic_store_n(&shared->gate, gate_word(GATE_PASS, 0), __ATOMIC_SEQ_CST);
	__atomic_store_n(&shared->in[FLOW_UP].is_spliced, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&shared->in[FLOW_DOWN].is_spliced, 0, __ATOMIC_RELEASE);
}

/* The programs no longer know the pair, so its port may go. */
static void forget(struct splice_pair *pair)
{
	pair->splice->nlasting--;
	pair->splice->is_adopted[pair->slot] = false;
	if (pair->backend_fd >= 0)
		close(pair->backend_fd);
}

void splice_pair_close(struct splice_pair *pair, bool is_reset)
{
	struct splice *splice = pair->splice;

	if (pair->is_joined && !pair->is_frozen)
		splice_freeze(pair);
	if (pair->shared)
		close_gate(pair->shared);
	remove_flows(pair);
	if (is_reset && pair->is_joined)
		splice_pair_reset(pair);
	if (pair->is_adopted)
		forget(pair);
	for (uint32_t i = 0; i < pair->nnexthops; i++)
		nexthops_put(splice->nexthops, pair->nexthop[i]);
	if (pair->shared) {
		splice->owners[pair->slot] = NULL;
		/* Who looks at the tables later finds nothing to adopt. */
		__atomic_store_n(&pair->shared->gate, gate_word(GATE_FREE, 0), __ATOMIC_RELEASE);
		slots_give(splice->slots, clock_monotonic_ms(), pair->slot);
	}
	free(pair);
}

/* Its slot and its next hops stay in use. */
void splice_pair_leave(struct splice_pair *pair)
{
	struct splice *splice = pair->splice;

	splice->owners[pair->slot] = NULL;
	if (!pair->is_adopted)
		splice->nlasting++;
	else if (pair->backend_fd >= 0)
		close(pair->backend_fd);
	free(pair);
}
