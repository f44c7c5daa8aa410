// SPDX-License-Identifier: Apache-2.0
/*
 * Packet splice as the proxy sees it: keeps the maps, attaches and ends. The programs at ingress
 * are loaded in ingress.c, pairs are in pair.c, the switch itself in handoff.c, devices in
 * attach.c, ways in nexthop.c, news in network.c.
 */
#include "fastpath/splice.h"
#include "core/clock.h"
#include "core/log.h"
#include "fastpath/dispatch_internal.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/map_array.h"
#include "fastpath/flow_table.h"
#include "fastpath/guard_maps.h"
#include "fastpath/raw_packet.h"

#include "legs.skel.h"
#include "tc_egress.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_MAX_FLOWS 262144
#define MAXSEG_MAX        32767 /* the kernel's own limit */

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
	verdicts_read(ingress_map(&splice->ingress, "verdicts"), ret->verdicts);
}

void splice_untold(const struct splice *splice, uint64_t ret[FLOW_EVENT_KINDS])
{
	events_untold(ingress_map(&splice->ingress, "event_uses"), ret);
}

struct guard_maps *splice_guard_maps(const struct splice *splice)
{
	return splice->guard;
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

/* What an earlier daemon has left, and we take over. */
struct adopted {
	bool has_flows, has_dispatch;
};

/* Without, everything works as long as we live. */
static int pin_maps(struct splice *splice, const struct adopted *adopted)
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
	if (adopted->has_flows) /* and they have theirs */
		return adopted->has_dispatch
			       ? 0
			       : pin_store_dispatch(splice->pin, ingress_object(&splice->ingress));
	pin_clear_maps(splice->pin); /* what is attached is known by the programs there */
	err = pin_store(splice->pin, ingress_object(&splice->ingress), &meta);
	if (err) {
		log_warn("splice: the maps cannot be pinned: connections end with the daemon: %s",
			 strerror(-err));
		pin_clear(splice->pin);
		splice->pin = NULL;
	}
	splice->has_pinned = !err;
	return 0;
}

static void warn_of_size(const struct ingress *ingress, uint32_t wanted)
{
	uint32_t flows = ingress_map_size(ingress, "dispatch_nats");

	if (flows != wanted)
		log_warn("dispatch: max_flows stays %u: the flows of an earlier daemon go on",
			 flows);
}

static int load_ingress(struct splice *splice, const struct splice_options *options,
			const struct adopted *adopted)
{
	const struct ingress_options ingress = {
		.max_flows = splice->max_flows,
		.nbuckets = splice->nbuckets,
		.guard_sources = options->guard_sources,
		.dispatch_flows = options->dispatch_flows,
		.pin = splice->pin,
		.is_adopting_flows = adopted->has_flows,
		.is_adopting_dispatch = adopted->has_dispatch,
	};
	int err = ingress_load(&splice->ingress, &ingress);

	if (!err && adopted->has_dispatch)
		warn_of_size(&splice->ingress, options->dispatch_flows);
	if (!err)
		err = guard_maps_new(ingress_object(&splice->ingress), options->guard_sources,
				     &splice->guard);
	return err ? err : pin_maps(splice, adopted);
}

/* It has the maps that it shares with the programs at ingress from them. */
static int load_egress(struct splice *splice)
{
	struct tc_egress_bpf *egress = tc_egress_bpf__open();
	int err;

	if (!egress)
		return -errno;
	splice->egress = egress;
	egress->rodata->bucket_mask = splice->nbuckets - 1;
	err = bpf_map__reuse_fd(egress->maps.buckets, ingress_map(&splice->ingress, "buckets"));
	if (!err)
		err = bpf_map__reuse_fd(egress->maps.pairs, ingress_map(&splice->ingress, "pairs"));
	if (!err)
		err = bpf_map__reuse_fd(egress->maps.checks,
					ingress_map(&splice->ingress, "checks"));
	if (!err)
		err = bpf_map__reuse_fd(egress->maps.check_ports,
					ingress_map(&splice->ingress, "check_ports"));
	return err ? err : tc_egress_bpf__load(egress);
}

static int map_arrays(struct splice *splice)
{
	splice->pairs = map_array(ingress_map(&splice->ingress, "pairs"), pairs_size(splice));
	if (!splice->pairs)
		return -errno;
	splice->buckets = map_array(ingress_map(&splice->ingress, "buckets"), buckets_size(splice));
	return splice->buckets ? 0 : -errno;
}

static int load(struct splice *splice, const struct splice_options *options,
		const struct adopted *adopted, const char **ret_why)
{
	int err;

	*ret_why = "the packet programs cannot be loaded";
	fastpath_log_libbpf();
	err = load_ingress(splice, options, adopted);
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

static void answer_too_big(struct splice *splice, const struct flow_event *event)
{
	const struct flow_pair *pair = &splice->pairs[event->pair];
	const struct too_big too_big = {
		.key = pair->in[event->direction].key,
		.seq = event->seq,
		.mtu = event->mtu,
	};
	bool is_ipv6 = !raw_is_ipv4(too_big.key.source);

	if (pair->id == event->id)
		too_big_send(splice->reset_fd[is_ipv6], &too_big, &splice->too_big,
			     clock_monotonic_ms());
}

static void on_event(void *context, const struct flow_event *event)
{
	struct splice *splice = context;

	if (dispatch_answer(splice, event) || event->pair >= splice->max_flows)
		return;
	if (event->kind == FLOW_EVENT_OVER && splice->on_end)
		splice->on_end(splice->context, event->pair, event->id);
	else if (event->kind == FLOW_EVENT_TOO_BIG && event->direction < FLOW_DIRECTIONS)
		answer_too_big(splice, event);
}

static int follow_events(struct splice *splice)
{
	return events_new(ingress_map(&splice->ingress, "events"), splice->loop, on_event, splice,
			  &splice->events);
}

static int make_attach(struct splice *splice, const struct splice_options *options)
{
	const struct attach_options attach = {
		.ingress = ingress_tc(&splice->ingress),
		.egress = splice->egress->progs.tc_egress,
		.xdp = ingress_xdp(&splice->ingress),
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
	visit(splice, ingress_tc(&splice->ingress));
	visit(splice, splice->egress->progs.tc_egress);
	if (ingress_xdp(&splice->ingress))
		visit(splice, ingress_xdp(&splice->ingress));
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

static void adopt_ways(struct splice *splice, const struct adopted *adopted)
{
	if (adopted->has_flows)
		adopt_pairs(splice);
	if (adopted->has_dispatch)
		dispatch_adopt_ways(&splice->ingress, splice->nexthops);
	nexthops_adopted(splice->nexthops);
}

/* The programs are attached last: until then those of an earlier daemon do their work. */
static int start(struct splice *splice, const struct splice_options *options,
		 const struct adopted *adopted, const char **ret_why)
{
	int err = load(splice, options, adopted, ret_why);

	if (err)
		return err;
	if (options->hook != SPLICE_HOOK_TC)
		ingress_load_xdp(&splice->ingress);
	for_each_program(splice, pin_program_of);
	*ret_why = "out of memory";
	err = make_tables(splice);
	if (!err)
		err = make_attach(splice, options);
	if (err)
		return err;
	*ret_why = "rtnetlink cannot be used";
	err = nexthops_new(ingress_map(&splice->ingress, "nexthops"),
			   ingress_map_size(&splice->ingress, "nexthops"), splice->attach,
			   &splice->nexthops);
	if (err)
		return err;
	adopt_ways(splice, adopted);
	splice->has_pinned |= adopted->has_flows;
	err = network_follow(splice->loop, splice->attach, splice->nexthops, &splice->network);
	if (err)
		return err;
	for_each_program(splice, forget_old_program);
	nexthops_refresh(splice->nexthops);
	*ret_why = "the ends of connections cannot be heard of";
	return follow_events(splice);
}

/* Return: 0 with *@ret; -EPROTO. */
static int look_for_leftover(struct splice *splice, struct adopted *ret, const char **ret_why)
{
	int err = -ENOENT;

	ret->has_dispatch = splice->pin && splice->has_dispatch &&
			    dispatch_maps_are_pinned(splice->pin);
	if (splice->pin)
		err = adopt_choose(splice->pin, ret->has_dispatch, &splice->max_flows);
	*ret_why = "connections of an earlier daemon are in the way: "
		   "'sluicectl flows --discard' ends them";
	ret->has_flows = !err;
	return err == -ENOENT ? 0 : err;
}

int splice_new(const struct splice_options *options, struct io_loop *loop, struct splice **ret,
	       const char **ret_why)
{
	struct splice *splice = calloc(1, sizeof(*splice));
	struct adopted adopted = {};
	int err;

	*ret_why = "out of memory";
	if (!splice)
		return -ENOMEM;
	splice->loop = loop;
	splice->has_dispatch = options->dispatch_flows;
	splice->on_end = options->on_end;
	splice->context = options->context;
	splice->max_flows = options->max_flows ? options->max_flows : DEFAULT_MAX_FLOWS;
	pthread_mutex_init(&splice->table_lock, NULL);
	splice->reset_fd[0] = raw_open(AF_INET);
	splice->reset_fd[1] = raw_open(AF_INET6);
	splice->pin = options->pin;
	err = look_for_leftover(splice, &adopted, ret_why);
	splice->nbuckets = flow_table_size(2 * splice->max_flows);
	if (!err)
		err = start(splice, options, &adopted, ret_why);
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
	bool is_lasting;

	if (!splice)
		return;
	is_lasting = splice->nlasting || splice->is_dispatch_left;
	events_free(splice->events);
	network_free(splice->network);
	if (is_lasting)
		attach_leave(splice->attach);
	else
		attach_free(splice->attach);
	if (splice->has_pinned && !is_lasting)
		pin_clear(splice->pin);
	forget_adopted(splice);
	nexthops_free(splice->nexthops);
	slots_free(splice->slots);
	free(splice->owners);
	free(splice->is_adopted);
	unmap_array(splice->pairs, pairs_size(splice));
	unmap_array(splice->buckets, buckets_size(splice));
	pthread_mutex_destroy(&splice->table_lock);
	guard_maps_free(splice->guard);
	legs_bpf__destroy(splice->legs);
	tc_egress_bpf__destroy(splice->egress);
	ingress_done(&splice->ingress);
	for (size_t i = 0; i < ARRAY_SIZE(splice->reset_fd); i++)
		if (splice->reset_fd[i] >= 0)
			close(splice->reset_fd[i]);
	free(splice);
}

bool splice_can_leave(const struct splice *splice)
{
	return splice->pin;
}

void splice_leave_dispatch(struct splice *splice)
{
	splice->is_dispatch_left = splice->pin && splice->has_dispatch;
}

uint32_t splice_lasting(const struct splice *splice)
{
	return splice->nlasting;
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
