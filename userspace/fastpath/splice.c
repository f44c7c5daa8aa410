// SPDX-License-Identifier: Apache-2.0
/*
 * Packet splice as the proxy sees it: loads the programs, keeps the maps and the pairs in them.
 * The switch itself is in handoff.c, devices in attach.c, ways in nexthop.c, news in network.c.
 */
#include "fastpath/splice.h"
#include "core/clock.h"
#include "core/log.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/flow_table.h"

#include "legs.skel.h"
#include "tc_egress.skel.h"
#include "tc_ingress.skel.h"
#include "xdp_ingress.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_MAX_FLOWS 262144
#define MAXSEG_MAX        32767 /* the kernel's own limit */

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

void splice_for_each_device(struct splice *splice,
			    void (*visit)(const struct splice_device *device, void *context),
			    void *context)
{
	attach_for_each(splice->attach, visit, context);
}

void splice_describe(struct splice *splice, struct splice_facts *ret)
{
	*ret = (struct splice_facts){
		.pairs = slots_used(splice->slots),
		.max_pairs = splice->max_flows,
	};
	verdicts_read(bpf_map__fd(splice->ingress->maps.verdicts), ret->verdicts);
}

/* --- Start and end
 * -------------------------------------------------------------------------------- */

static size_t pairs_size(const struct splice *splice)
{
	return splice->max_flows * sizeof(struct flow_pair);
}

static size_t buckets_size(const struct splice *splice)
{
	return splice->nbuckets * sizeof(struct flow_bucket);
}

static int set_sizes(struct splice *splice)
{
	struct tc_ingress_bpf *ingress = splice->ingress;
	int err = bpf_map__set_max_entries(ingress->maps.buckets, splice->nbuckets);

	if (!err)
		err = bpf_map__set_max_entries(ingress->maps.pairs, splice->max_flows);
	return err ? err : bpf_map__set_max_entries(ingress->maps.nexthops, splice->max_flows);
}

/* Without, everything works as long as we live. */
static int pin_maps(struct splice *splice)
{
	const struct flow_meta meta = {
		.abi_version = FLOW_ABI_VERSION,
		.max_flows = splice->max_flows,
		.netns = pin_netns(),
		.backend_key = offsetof(struct flow_pair, in[FLOW_DOWN].key),
	};
	int err;

	if (!splice->pin)
		return 0;
	pin_clear(splice->pin);
	err = pin_store(splice->pin, splice->ingress->obj, &meta);
	if (err) {
		log_warn("splice: the maps cannot be pinned: connections end with the daemon: %s",
			 strerror(-err));
		pin_clear(splice->pin);
		splice->pin = NULL;
	}
	splice->has_pinned = !err;
	return 0;
}

static int load_ingress(struct splice *splice, bool is_adopting)
{
	struct tc_ingress_bpf *ingress = tc_ingress_bpf__open();
	int err;

	if (!ingress)
		return -errno;
	splice->ingress = ingress;
	ingress->rodata->bucket_mask = splice->nbuckets - 1;
	if (is_adopting)
		err = pin_reuse(splice->pin, ingress->obj);
	else
		err = set_sizes(splice);
	if (!err)
		err = tc_ingress_bpf__load(ingress);
	return err || is_adopting ? err : pin_maps(splice);
}

/* It has the maps that it shares with the programs at ingress from them. */
static int load_egress(struct splice *splice)
{
	const struct tc_ingress_bpf *ingress = splice->ingress;
	struct tc_egress_bpf *egress = tc_egress_bpf__open();
	int err;

	if (!egress)
		return -errno;
	splice->egress = egress;
	egress->rodata->bucket_mask = splice->nbuckets - 1;
	err = bpf_map__reuse_fd(egress->maps.buckets, bpf_map__fd(ingress->maps.buckets));
	if (!err)
		err = bpf_map__reuse_fd(egress->maps.pairs, bpf_map__fd(ingress->maps.pairs));
	return err ? err : tc_egress_bpf__load(egress);
}

/* Return: NULL, with errno. */
static void *map_array(const struct bpf_map *map, size_t size)
{
	void *elements = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return elements == MAP_FAILED ? NULL : elements;
}

static int map_arrays(struct splice *splice)
{
	splice->pairs = map_array(splice->ingress->maps.pairs, pairs_size(splice));
	if (!splice->pairs)
		return -errno;
	splice->buckets = map_array(splice->ingress->maps.buckets, buckets_size(splice));
	return splice->buckets ? 0 : -errno;
}

/* The maps are the same, by their names. */
static int share_maps(struct xdp_ingress_bpf *xdp, const struct tc_ingress_bpf *ingress)
{
	const struct bpf_map *shared;
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, xdp->obj)
	{
		shared = bpf_object__find_map_by_name(ingress->obj, bpf_map__name(map));
		if (!err && shared && !bpf_map__is_internal(map))
			err = bpf_map__reuse_fd(map, bpf_map__fd(shared));
	}
	return err;
}

/* What XDP does TC can do as well. */
static void load_xdp(struct splice *splice)
{
	struct xdp_ingress_bpf *xdp = xdp_ingress_bpf__open();
	int err = xdp ? share_maps(xdp, splice->ingress) : -errno;

	if (!err) {
		xdp->rodata->bucket_mask = splice->nbuckets - 1;
		err = xdp_ingress_bpf__load(xdp);
	}
	if (!err) {
		splice->xdp = xdp;
		return;
	}
	log_info("splice: everything at TC: the program for XDP cannot be loaded: %s",
		 strerror(-err));
	xdp_ingress_bpf__destroy(xdp);
}

static int load(struct splice *splice, bool is_adopting, const char **ret_why)
{
	int err;

	*ret_why = "the packet programs cannot be loaded";
	fastpath_log_libbpf();
	err = load_ingress(splice, is_adopting);
	if (err)
		return err;
	err = load_egress(splice);
	if (err)
		return err;
	splice->legs = legs_bpf__open_and_load();
	if (!splice->legs)
		return -errno;
	splice->legs_fd = bpf_program__fd(splice->legs->progs.read_legs);
	*ret_why = "the tables of flows cannot be mapped";
	return map_arrays(splice);
}

static void on_pair_over(void *context, uint32_t slot, uint64_t id)
{
	struct splice *splice = context;

	if (splice->on_end && slot < splice->max_flows)
		splice->on_end(splice->context, slot, id);
}

static int follow_ends(struct splice *splice)
{
	return events_new(bpf_map__fd(splice->ingress->maps.ends), splice->loop, on_pair_over,
			  splice, &splice->events);
}

static int make_attach(struct splice *splice, const struct splice_options *options)
{
	const struct attach_options attach = {
		.ingress = splice->ingress->progs.tc_ingress,
		.egress = splice->egress->progs.tc_egress,
		.xdp = splice->xdp ? splice->xdp->progs.xdp_ingress : NULL,
		.pin = splice->pin,
		.hook = options->hook,
		.interfaces = options->interfaces,
		.ninterfaces = options->ninterfaces,
	};

	return attach_new(&attach, &splice->attach);
}

static void for_each_program(struct splice *splice,
			     void (*visit)(struct splice *splice,
					   const struct bpf_program *program))
{
	if (!splice->pin)
		return;
	visit(splice, splice->ingress->progs.tc_ingress);
	visit(splice, splice->egress->progs.tc_egress);
	if (splice->xdp)
		visit(splice, splice->xdp->progs.xdp_ingress);
}

/* Without, a later daemon that is not root cannot tell it from programs of others. */
static void pin_program_of(struct splice *splice, const struct bpf_program *program)
{
	int err = pin_store_program(splice->pin, program);

	if (err)
		log_warn("splice: program %s cannot be pinned: %s", bpf_program__name(program),
			 strerror(-err));
}

static void forget_old_program(struct splice *splice, const struct bpf_program *program)
{
	pin_forget_program(splice->pin, program);
}

static int make_tables(struct splice *splice)
{
	splice->slots = slots_new(splice->max_flows);
	splice->owners = calloc(splice->max_flows, sizeof(*splice->owners));
	splice->is_adopted = calloc(splice->max_flows, sizeof(*splice->is_adopted));
	if (!splice->slots || !splice->owners || !splice->is_adopted)
		return -ENOMEM;
	return 0;
}

/* The programs are attached last: until then those of an earlier daemon do their work. */
static int start(struct splice *splice, const struct splice_options *options, bool is_adopting,
		 const char **ret_why)
{
	int err = load(splice, is_adopting, ret_why);

	if (err)
		return err;
	if (options->hook != SPLICE_HOOK_TC)
		load_xdp(splice);
	for_each_program(splice, pin_program_of);
	*ret_why = "out of memory";
	err = make_tables(splice);
	if (!err)
		err = make_attach(splice, options);
	if (err)
		return err;
	*ret_why = "rtnetlink cannot be used";
	err = nexthops_new(bpf_map__fd(splice->ingress->maps.nexthops), splice->max_flows,
			   splice->attach, &splice->nexthops);
	if (err)
		return err;
	if (is_adopting)
		adopt_pairs(splice);
	splice->has_pinned |= is_adopting;
	err = network_follow(splice->loop, splice->attach, splice->nexthops, &splice->network);
	if (err)
		return err;
	for_each_program(splice, forget_old_program);
	nexthops_refresh(splice->nexthops);
	*ret_why = "the ends of connections cannot be heard of";
	return follow_ends(splice);
}

/* Return: 0 with *@ret_is_adopting; -EPROTO. */
static int look_for_leftover(struct splice *splice, bool *ret_is_adopting, const char **ret_why)
{
	int err = splice->pin ? adopt_choose(splice->pin, &splice->max_flows) : -ENOENT;

	*ret_why = "connections of an earlier daemon are in the way: "
		   "'sluicectl flows --discard' ends them";
	*ret_is_adopting = !err;
	return err == -ENOENT ? 0 : err;
}

int splice_new(const struct splice_options *options, struct io_loop *loop, struct splice **ret,
	       const char **ret_why)
{
	struct splice *splice = calloc(1, sizeof(*splice));
	bool is_adopting;
	int err;

	*ret_why = "out of memory";
	if (!splice)
		return -ENOMEM;
	splice->loop = loop;
	splice->on_end = options->on_end;
	splice->context = options->context;
	splice->max_flows = options->max_flows ? options->max_flows : DEFAULT_MAX_FLOWS;
	pthread_mutex_init(&splice->table_lock, NULL);
	splice->reset_fd[0] = reset_open(AF_INET);
	splice->reset_fd[1] = reset_open(AF_INET6);
	splice->pin = options->pin;
	err = look_for_leftover(splice, &is_adopting, ret_why);
	splice->nbuckets = flow_table_size(2 * splice->max_flows);
	if (!err)
		err = start(splice, options, is_adopting, ret_why);
	if (err) {
		splice_free(splice);
		return err;
	}
	*ret = splice;
	return 0;
}

static void forget_adopted(struct splice *splice)
{
	while (splice->adopted) {
		struct splice_pair *next = splice->adopted->next;

		splice_pair_leave(splice->adopted);
		splice->adopted = next;
	}
}

void splice_free(struct splice *splice)
{
	if (!splice)
		return;
	events_free(splice->events);
	network_free(splice->network);
	if (splice->nlasting)
		attach_leave(splice->attach);
	else
		attach_free(splice->attach);
	if (splice->has_pinned && !splice->nlasting)
		pin_clear(splice->pin);
	forget_adopted(splice);
	nexthops_free(splice->nexthops);
	slots_free(splice->slots);
	free(splice->owners);
	free(splice->is_adopted);
	if (splice->pairs)
		munmap(splice->pairs, pairs_size(splice));
	if (splice->buckets)
		munmap(splice->buckets, buckets_size(splice));
	pthread_mutex_destroy(&splice->table_lock);
	xdp_ingress_bpf__destroy(splice->xdp);
	legs_bpf__destroy(splice->legs);
	tc_egress_bpf__destroy(splice->egress);
	tc_ingress_bpf__destroy(splice->ingress);
	for (size_t i = 0; i < ARRAY_SIZE(splice->reset_fd); i++)
		if (splice->reset_fd[i] >= 0)
			close(splice->reset_fd[i]);
	free(splice);
}

/* --- Before the backend's connection
 * ---------------------------------------------------------------- */

/* The backend shall offer no option and no larger segments than the client has or takes. */
int splice_prepare_backend(struct splice *splice, int client_fd, int backend_fd)
{
	struct leg client = {};
	int err = leg_read(client_fd, &client);
	uint32_t mark = 0;

	(void)splice;
	if (err)
		return err;
	if (client.peer_mss <= MAXSEG_MAX &&
	    setsockopt(backend_fd, IPPROTO_TCP, TCP_MAXSEG, &client.peer_mss,
		       sizeof(client.peer_mss)) < 0)
		return -errno;
	if (!(client.options & TCPI_OPT_TIMESTAMPS))
		mark |= FLOW_MARK_NO_TIMESTAMPS;
	if (!(client.options & TCPI_OPT_SACK))
		mark |= FLOW_MARK_NO_SACK;
	if (mark && setsockopt(backend_fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0)
		return -errno;
	return 0;
}

/* --- Pairs
 * -------------------------------------------------------------------------------------------- */

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

bool splice_can_leave(const struct splice *splice)
{
	return splice->pin;
}

uint32_t splice_lasting(const struct splice *splice)
{
	return splice->nlasting;
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
