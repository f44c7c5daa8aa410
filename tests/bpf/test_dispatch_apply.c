// SPDX-License-Identifier: Apache-2.0
/* Plans of mode dispatch in the packet programs, in a network namespace of its own, and what a
 * daemon that was killed leaves to the next one. */
#include "core/clock.h"
#include "core/compiler.h"
#include "fastpath/dispatch_internal.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/pin.h"
#include "io/loop.h"
#include "io/timer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define DIRECTORY "/sys/fs/bpf/dispatch_test"
#define FLOWS     4096

/* 10.1.0.1:80, its two endpoints, and our source address towards them. */
#define SERVICE "10.1.0.1:80"
#define SOURCE  "10.3.0.3:0"
#define FIRST   "10.3.0.4:8080"
#define SECOND  "10.3.0.5:8080"

struct daemon {
	struct pin *pin;
	struct io_loop *loop;
	struct splice *programs;
	struct dispatch *dispatch;
};

static uint32_t ifindex;

static struct address parsed(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(slice_from_str(text), &address), 0);
	return address;
}

static void start_at(struct daemon *daemon, enum splice_hook hook)
{
	const struct io_options io = {.backend = IO_BACKEND_EPOLL};
	struct splice_options options = {.max_flows = 16, .dispatch_flows = FLOWS, .hook = hook};
	const char *why = "";

	assert_int_equal(pin_open(DIRECTORY, (uid_t)-1, (gid_t)-1, &daemon->pin), 0);
	assert_int_equal(io_loop_new(&io, &daemon->loop), 0);
	options.pin = daemon->pin;
	if (splice_new(&options, daemon->loop, &daemon->programs, &why))
		fail_msg("%s", why);
	assert_int_equal(dispatch_new(daemon->programs, &daemon->dispatch), 0);
}

static void start(struct daemon *daemon)
{
	start_at(daemon, SPLICE_HOOK_TC);
}

static void stop(struct daemon *daemon)
{
	dispatch_free(daemon->dispatch);
	splice_free(daemon->programs);
	io_loop_free(daemon->loop);
	pin_close(daemon->pin);
}

/* --- Plans ------------------------------------------------------------------------------------ */

static struct dispatch_endpoint endpoints[2];
static struct address sources[1];
static struct dispatch_service service;
static const struct dispatch_plan plan = {.services = &service, .nservices = 1, .ring_seed = 1};

static void reset_plan(void)
{
	endpoints[0] = (struct dispatch_endpoint){.id = 11, .address = parsed(FIRST), .weight = 1};
	endpoints[1] = (struct dispatch_endpoint){.id = 12, .address = parsed(SECOND), .weight = 1};
	sources[0] = parsed(SOURCE);
	service = (struct dispatch_service){
		.id = 1,
		.address = parsed(SERVICE),
		.protocol = IPPROTO_TCP,
		.form = DISPATCH_NAT,
		.ring_size = 251,
		.sources = sources,
		.nsources = 1,
		.endpoints = endpoints,
		.nendpoints = 2,
	};
}

static void apply(const struct daemon *daemon)
{
	const char *why = "";

	if (dispatch_apply(daemon->dispatch, &plan, &why))
		fail_msg("%s", why);
}

static void assert_refused(const struct daemon *daemon, int error, const char *reason)
{
	const char *why = "";

	assert_int_equal(dispatch_apply(daemon->dispatch, &plan, &why), error);
	assert_string_equal(why, reason);
	reset_plan();
}

/* --- Packets ---------------------------------------------------------------------------------- */

struct packet {
	uint8_t ethernet[12];
	__be16 type;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

/* Return: the action. */
static uint32_t run_frame(const struct daemon *daemon, const struct packet *in, struct packet *ret)
{
	struct __sk_buff skb = {.ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = sizeof(*in),
		    .data_out = ret, .data_size_out = sizeof(*ret), .ctx_in = &skb,
		    .ctx_size_in = sizeof(skb), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(
				 bpf_program__fd(ingress_tc(&daemon->programs->ingress)), &opts),
			 0);
	return opts.retval;
}

/* A segment of the client from that port to port 80; its checksums are not looked at. Return: the
 * action. */
static uint32_t run(const struct daemon *daemon, uint16_t port, uint8_t flags, struct packet *ret)
{
	struct packet in = {
		.type = htons(0x0800),
		.ip = {.version = 4, .ihl = 5, .tot_len = htons(40), .ttl = 64, .protocol = 6},
		.tcp = {.source = htons(port), .dest = htons(80), .doff = 5},
	};

	in.ip.saddr = inet_addr("10.2.0.2");
	in.ip.daddr = inet_addr("10.1.0.1");
	in.tcp.syn = flags == TH_SYN;
	in.tcp.ack = flags == TH_ACK;
	return run_frame(daemon, &in, ret);
}

/* Return: the last byte of the endpoint's address; 0: it was dropped. */
static unsigned endpoint_of(const struct daemon *daemon, uint16_t port, uint8_t flags)
{
	struct packet out;
	uint32_t action = run(daemon, port, flags, &out);

	if (action == TC_ACT_SHOT)
		return 0;
	assert_int_equal(action, TC_ACT_REDIRECT);
	return ntohl(out.ip.daddr) & 0xff;
}

static unsigned source_port_of(const struct daemon *daemon, uint16_t port, uint8_t flags)
{
	struct packet out;

	assert_int_equal(run(daemon, port, flags, &out), TC_ACT_REDIRECT);
	return ntohs(out.tcp.source);
}

static struct dispatch_service_counts counts_of(const struct daemon *daemon)
{
	struct dispatch_service_counts counts = {};

	assert_int_equal(dispatch_count_service(daemon->dispatch, service.id, &counts), 0);
	return counts;
}

/* --- Facts ------------------------------------------------------------------------------------ */

static void flows_are_spread_and_keep_their_endpoints(void **state)
{
	struct dispatch_traffic traffic[2] = {};
	struct daemon daemon = {};
	unsigned chosen[100], first = 0;

	(void)state;
	reset_plan();
	start(&daemon);
	apply(&daemon);
	for (uint16_t i = 0; i < 100; i++) {
		chosen[i] = endpoint_of(&daemon, (uint16_t)(1000 + i), TH_SYN);
		assert_in_range(chosen[i], 4, 5);
		first += chosen[i] == 4;
	}
	assert_in_range(first, 25, 75);
	endpoints[0].weight = 0;
	apply(&daemon);
	for (uint16_t i = 0; i < 100; i++) {
		assert_int_equal(endpoint_of(&daemon, (uint16_t)(1000 + i), TH_ACK), chosen[i]);
		assert_int_equal(endpoint_of(&daemon, (uint16_t)(2000 + i), TH_SYN), 5);
	}
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
			dispatch_count_endpoint(daemon.dispatch, 1, endpoints[i].id, &traffic[i]),
			0);
	assert_int_equal(traffic[0].flows, first);
	assert_int_equal(traffic[1].flows, 200 - first);
	assert_int_equal(traffic[0].packets + traffic[1].packets, 300);
	assert_int_equal(counts_of(&daemon).traffic.flows, 200);
	stop(&daemon);
}

static void endpoint_that_is_gone_loses_its_flows_until_it_comes_back(void **state)
{
	struct daemon daemon = {};

	(void)state;
	reset_plan();
	service.nendpoints = 1;
	start(&daemon);
	apply(&daemon);
	assert_int_equal(endpoint_of(&daemon, 1000, TH_SYN), 4);
	service.endpoints = &endpoints[1];
	apply(&daemon);
	assert_int_equal(endpoint_of(&daemon, 1000, TH_ACK), 0);
	assert_int_equal(counts_of(&daemon).drops[DISPATCH_DROP_NO_FLOW], 1);
	assert_int_equal(endpoint_of(&daemon, 1000, TH_SYN), 5);
	service.nendpoints = 0;
	apply(&daemon);
	assert_int_equal(endpoint_of(&daemon, 1001, TH_SYN), 0);
	assert_int_equal(counts_of(&daemon).drops[DISPATCH_DROP_NO_ENDPOINT], 1);
	service.endpoints = endpoints;
	service.nendpoints = 1;
	apply(&daemon);
	assert_int_equal(endpoint_of(&daemon, 1001, TH_SYN), 4);
	stop(&daemon);
}

static uint64_t flows_of(const struct daemon *daemon, uint64_t endpoint)
{
	struct dispatch_traffic traffic = {};

	assert_int_equal(dispatch_count_endpoint(daemon->dispatch, service.id, endpoint, &traffic),
			 0);
	return traffic.flows;
}

static void endpoint_that_is_gone_keeps_its_counts(void **state)
{
	struct daemon daemon = {};

	(void)state;
	reset_plan();
	service.nendpoints = 1;
	start(&daemon);
	apply(&daemon);
	assert_int_equal(endpoint_of(&daemon, 1000, TH_SYN), 4);
	service.endpoints = &endpoints[1];
	apply(&daemon);
	assert_int_equal(flows_of(&daemon, 11), 1);
	service.endpoints = endpoints;
	apply(&daemon);
	assert_int_equal(endpoint_of(&daemon, 1001, TH_SYN), 4);
	assert_int_equal(flows_of(&daemon, 11), 2);
	stop(&daemon);
}

static void service_begins_without_the_counts_of_another(void **state)
{
	struct daemon daemon = {};

	(void)state;
	reset_plan();
	start(&daemon);
	apply(&daemon);
	assert_int_not_equal(endpoint_of(&daemon, 1000, TH_SYN), 0);
	service.id = 2;
	apply(&daemon);
	assert_int_equal(counts_of(&daemon).traffic.packets, 0);
	stop(&daemon);
}

/* Every slot goes by the endpoints' ids, so order and history leave no trace. */
static void choice_depends_on_the_endpoints_alone(void **state)
{
	const struct dispatch_endpoint turned[2] = {endpoints[1], endpoints[0]};
	struct daemon daemon = {};
	unsigned chosen[100];

	(void)state;
	reset_plan();
	start(&daemon);
	apply(&daemon);
	for (uint16_t i = 0; i < 100; i++)
		chosen[i] = endpoint_of(&daemon, (uint16_t)(1000 + i), TH_SYN);
	stop(&daemon);
	daemon = (struct daemon){};
	start(&daemon);
	service.nendpoints = 1;
	apply(&daemon);
	service.nendpoints = 2;
	service.endpoints = turned;
	apply(&daemon);
	for (uint16_t i = 0; i < 100; i++)
		assert_int_equal(endpoint_of(&daemon, (uint16_t)(1000 + i), TH_SYN), chosen[i]);
	stop(&daemon);
}

/* The client's network is area 1, all else is unknown. */
static const struct dispatch_change changes[] = {
	{0, 0}, {0x0a020000, 1}, {0x0a030000, 0}, {DISPATCH_NOWHERE, 0}};
static const uint32_t one_each[] = {1, 0, 0, 1}; /* weights of two rings of two endpoints */
static uint16_t rings[2];

static void apply_by_place(const struct daemon *daemon, uint64_t id, uint16_t unknown,
			   uint16_t clients)
{
	const struct dispatch_areas areas = {
		.id = id, .changes = changes, .nchanges = ARRAY_SIZE(changes), .count = 2};
	const struct dispatch_plan by_place = {
		.services = &service, .nservices = 1, .areas = &areas, .ring_seed = 1};
	const char *why = "";

	service.nrings = 2;
	service.ring_weights = one_each;
	service.ring_of_area = rings;
	rings[0] = unknown;
	rings[1] = clients;
	if (dispatch_apply(daemon->dispatch, &by_place, &why))
		fail_msg("%s", why);
}

static void new_flows_go_by_the_ring_of_their_clients_area(void **state)
{
	struct daemon daemon = {};

	(void)state;
	reset_plan();
	start(&daemon);
	apply_by_place(&daemon, 1, 0, 1);
	for (uint16_t i = 0; i < 20; i++)
		assert_int_equal(endpoint_of(&daemon, (uint16_t)(1000 + i), TH_SYN), 5);
	/* Only the choice has changed, as when a site has died. */
	for (uint16_t i = 0; i < 4; i++) {
		apply_by_place(&daemon, 1, 1, i % 2);
		assert_int_equal(endpoint_of(&daemon, (uint16_t)(2000 + i), TH_SYN), 4 + i % 2);
	}
	assert_int_equal(endpoint_of(&daemon, 1000, TH_ACK), 5);
	apply_by_place(&daemon, 1, 0, DISPATCH_NO_RING);
	assert_int_equal(endpoint_of(&daemon, 2100, TH_SYN), 0);
	assert_int_equal(counts_of(&daemon).drops[DISPATCH_DROP_NO_ENDPOINT], 1);
	/* Other areas, and none. */
	apply_by_place(&daemon, 2, 1, 0);
	assert_int_equal(endpoint_of(&daemon, 2101, TH_SYN), 4);
	reset_plan();
	apply(&daemon);
	apply_by_place(&daemon, 2, 0, 1);
	assert_int_equal(endpoint_of(&daemon, 2102, TH_SYN), 5);
	stop(&daemon);
}

static struct dispatch_settings settings_of(const struct daemon *daemon)
{
	struct dispatch_settings settings = {};
	uint32_t zero = 0;
	int fd = ingress_map(&daemon->programs->ingress, "dispatch_settings");

	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &settings), 0);
	return settings;
}

/* Whether or not it is put in force; also where a daemon has ended in the middle of one. */
static void plan_outdates_what_is_in_front(void **state)
{
	struct daemon daemon = {};
	struct dispatch_settings settings;
	uint32_t zero = 0, turn;

	(void)state;
	reset_plan();
	start(&daemon);
	apply(&daemon);
	turn = settings_of(&daemon).front_turn;
	assert_int_equal(turn % 2, 0);
	apply(&daemon);
	assert_int_equal(settings_of(&daemon).front_turn, turn + 2);
	service.ring_size = 250;
	assert_refused(&daemon, -EINVAL, "a ring's size is no prime");
	assert_int_equal(settings_of(&daemon).front_turn, turn + 4);
	settings = settings_of(&daemon);
	settings.front_turn++;
	assert_int_equal(
		bpf_map_update_elem(ingress_map(&daemon.programs->ingress, "dispatch_settings"),
				    &zero, &settings, BPF_ANY),
		0);
	dispatch_free(daemon.dispatch);
	assert_int_equal(dispatch_new(daemon.programs, &daemon.dispatch), 0);
	reset_plan();
	apply(&daemon);
	assert_int_equal(settings_of(&daemon).front_turn, turn + 6);
	stop(&daemon);
}

static void plans_that_cannot_be_are_refused_and_change_nothing(void **state)
{
	struct dispatch_service two[2];
	const struct dispatch_plan colliding = {.services = two, .nservices = 2};
	struct daemon daemon = {};
	const char *why = "";

	(void)state;
	reset_plan();
	start(&daemon);
	apply(&daemon);
	service.ring_size = 250;
	assert_refused(&daemon, -EINVAL, "a ring's size is no prime");
	service.nrings = 1;
	assert_refused(&daemon, -EINVAL, "a service goes by place, and no places are known");
	service.nsources = 0;
	assert_refused(&daemon, -EINVAL, "form nat wants one to eight source addresses");
	endpoints[0].address = parsed("[2001:db8::1]:80");
	assert_refused(&daemon, -EINVAL, "a service has addresses of another family");
	service.last_port = 79;
	assert_refused(&daemon, -EINVAL, "the ports of a service are no range");
	two[0] = two[1] = service;
	two[0].last_port = 90;
	two[1].id = 2;
	address_set_port(&two[1].address, 90);
	assert_int_equal(dispatch_apply(daemon.dispatch, &colliding, &why), -EINVAL);
	assert_string_equal(why, "two services overlap");
	two[0].last_port = 89;
	assert_int_equal(dispatch_apply(daemon.dispatch, &colliding, &why), 0);
	assert_int_not_equal(endpoint_of(&daemon, 1000, TH_SYN), 0);
	stop(&daemon);
}

/* Moves the last packets of all flows of an endpoint back, as if they had ended. */
static void age_flows(const struct daemon *daemon, const char *endpoint, uint16_t seconds)
{
	int reals = ingress_map(&daemon->programs->ingress, "dispatch_reals");
	int lines = ingress_map(&daemon->programs->ingress, "dispatch_lines");
	const struct address address = parsed(endpoint);
	struct dispatch_line line;
	struct dispatch_real real;
	uint8_t bytes[16];

	dispatch_address(&address, bytes);
	for (uint32_t i = 0; i < ingress_map_size(&daemon->programs->ingress, "dispatch_lines");
	     i++) {
		assert_int_equal(dispatch_map_get(lines, i, &line), 0);
		for (int place = 0; place < DISPATCH_LINE_PLACES; place++) {
			__u64 *entry = &line.entry[place];

			assert_int_equal(dispatch_map_get(reals,
							  dispatch_real_of_entry(*entry, *entry),
							  &real),
					 0);
			if (*entry && memcmp(real.address, bytes, sizeof(bytes)) == 0)
				*entry = (*entry & ~0xffffULL) | (uint16_t)(*entry - seconds);
		}
		assert_int_equal(dispatch_map_put(lines, i, &line), 0);
	}
}

static unsigned count_at_first(const struct daemon *daemon, uint16_t port, uint16_t count)
{
	unsigned first = 0;

	for (uint16_t i = 0; i < count; i++)
		first += endpoint_of(daemon, (uint16_t)(port + i), TH_SYN) == 4;
	return first;
}

/* By the ring alone, the first would have three flows of eight at the end. */
static void flows_of_uneven_length_even_out_by_load(void **state)
{
	struct daemon daemon = {};
	unsigned first, begun;

	(void)state;
	reset_plan();
	service.form = DISPATCH_DNAT;
	service.nsources = 0;
	service.algorithm = DISPATCH_LEAST_LOADED;
	start(&daemon);
	assert_int_equal(dispatch_follow_loads(daemon.dispatch, clock_monotonic_ns()), 0);
	apply(&daemon);
	begun = 400 - count_at_first(&daemon, 1000, 400);
	assert_in_range(begun, 190, 210);
	age_flows(&daemon, FIRST, 20); /* those were short ones */
	assert_in_range(dispatch_follow_loads(daemon.dispatch, clock_monotonic_ns()), 1, 1000);
	first = count_at_first(&daemon, 2000, 200);
	assert_in_range(first, 130, 170);
	assert_in_range(dispatch_follow_loads(daemon.dispatch, clock_monotonic_ns()), 1, 1000);
	first += count_at_first(&daemon, 3000, 400);
	assert_in_range(first, 390, 410);
	assert_in_range(begun + 600 - first, 380, 420);
	stop(&daemon);
}

/* It does not come back: what it has opened goes with the process, as by SIGKILL. */
static unsigned in_a_daemon_that_is_killed(void (*apply_plan)(const struct daemon *daemon))
{
	struct daemon daemon = {};
	int ends[2], status;
	unsigned port = 0;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		start(&daemon);
		apply_plan(&daemon);
		port = source_port_of(&daemon, 1000, TH_SYN);
		_exit(write(ends[1], &port, sizeof(port)) == sizeof(port) ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(read(ends[0], &port, sizeof(port)), sizeof(port));
	close(ends[0]);
	close(ends[1]);
	return port;
}

static void next_daemon_takes_over_flows_and_endpoints(void **state)
{
	struct daemon daemon = {};
	unsigned port, endpoint;

	(void)state;
	reset_plan();
	port = in_a_daemon_that_is_killed(apply);
	start(&daemon);
	assert_int_equal(source_port_of(&daemon, 1000, TH_ACK), port);
	endpoint = endpoint_of(&daemon, 1000, TH_ACK);
	apply(&daemon);
	assert_int_equal(source_port_of(&daemon, 1000, TH_ACK), port);
	assert_int_equal(endpoint_of(&daemon, 1000, TH_ACK), endpoint);
	assert_int_equal(counts_of(&daemon).traffic.flows, 1);
	stop(&daemon);
}

/* What the first endpoint answers to that port of our source address. Return: the action. */
static uint32_t answer(const struct daemon *daemon, unsigned port)
{
	struct packet in = {
		.type = htons(0x0800),
		.ip = {.version = 4, .ihl = 5, .tot_len = htons(40), .ttl = 64, .protocol = 6},
		.tcp = {.source = htons(8080), .dest = htons((uint16_t)port), .doff = 5, .ack = 1},
	};

	in.ip.saddr = inet_addr("10.3.0.4");
	in.ip.daddr = inet_addr("10.3.0.3");
	return run_frame(daemon, &in, &in);
}

static void want_ports(uint16_t first, uint16_t last)
{
	service.first_source_port = first;
	service.last_source_port = last;
}

static void apply_few_ports(const struct daemon *daemon)
{
	want_ports(20000, 20099);
	apply(daemon);
}

/* Each of the clients' flows has a port of its own in the range. */
static void assert_ports(const struct daemon *daemon, uint16_t client, uint16_t count,
			 unsigned first, unsigned last)
{
	bool is_taken[65536] = {};

	for (uint16_t i = 0; i < count; i++) {
		unsigned port = source_port_of(daemon, (uint16_t)(client + i), TH_SYN);

		assert_in_range(port, first, last);
		assert_false(is_taken[port]);
		is_taken[port] = true;
	}
}

static unsigned count_runs(const struct daemon *daemon)
{
	int fd = ingress_map(&daemon->programs->ingress, "dispatch_runs");
	unsigned count = 0;

	for (uint32_t i = 0; i < DISPATCH_RUN_PLACES; i++) {
		struct dispatch_run run;

		assert_int_equal(dispatch_map_get(fd, i, &run), 0);
		count += run.is_used;
	}
	return count;
}

/* As if they had been idle for long. */
static void end_flows(const struct daemon *daemon)
{
	int fd = ingress_map(&daemon->programs->ingress, "dispatch_nats");

	for (uint32_t i = 0; i < FLOWS; i++) {
		struct dispatch_nat nat;

		assert_int_equal(dispatch_map_get(fd, i, &nat), 0);
		nat.claim.seen_s -= nat.claim.timeout_s + 1u;
		assert_int_equal(dispatch_map_put(fd, i, &nat), 0);
	}
}

static void new_flows_have_ports_of_the_range_that_is_in_force(void **state)
{
	struct daemon daemon = {};
	unsigned port;

	(void)state;
	reset_plan();
	service.nendpoints = 1;
	start(&daemon);
	apply_few_ports(&daemon);
	port = source_port_of(&daemon, 1000, TH_SYN);
	assert_in_range(port, 20000, 20099);
	want_ports(30000, 30049);
	apply(&daemon);
	assert_ports(&daemon, 2000, 20, 30000, 30049);
	assert_int_equal(source_port_of(&daemon, 1000, TH_ACK), port);
	assert_int_equal(answer(&daemon, port), TC_ACT_REDIRECT);
	assert_int_equal(answer(&daemon, source_port_of(&daemon, 2000, TH_ACK)), TC_ACT_REDIRECT);
	assert_int_equal(count_runs(&daemon), 2);
	end_flows(&daemon);
	apply(&daemon);
	assert_int_equal(count_runs(&daemon), 1);
	assert_int_equal(answer(&daemon, port), (uint32_t)TC_ACT_UNSPEC);
	stop(&daemon);
}

static void new_flows_have_the_source_that_is_in_force(void **state)
{
	struct daemon daemon = {};
	struct packet out;

	(void)state;
	reset_plan();
	start(&daemon);
	apply(&daemon);
	sources[0] = parsed("10.3.0.9:0");
	apply(&daemon);
	assert_int_equal(run(&daemon, 1000, TH_SYN, &out), TC_ACT_REDIRECT);
	assert_int_equal(out.ip.saddr, inet_addr("10.3.0.9"));
	stop(&daemon);
}

static void new_ports_collide_with_none_of_before(void **state)
{
	static const struct {
		uint16_t first, last;     /* the range after 20000-20099 */
		unsigned lowest, highest; /* of new flows */
	} cases[] = {
		{20020, 20059, 20020, 20059}, /* within it */
		{20090, 20199, 20100, 20199}, /* more than half is new */
		{20010, 20105, 20010, 20099}, /* little is */
		{19000, 20200, 19000, 19999}, /* around it */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct daemon daemon = {};
		bool is_taken[65536] = {};

		reset_plan();
		service.nendpoints = 1;
		start(&daemon);
		apply_few_ports(&daemon);
		for (uint16_t client = 1000; client < 1030; client++)
			is_taken[source_port_of(&daemon, client, TH_SYN)] = true;
		want_ports(cases[i].first, cases[i].last);
		apply(&daemon);
		for (uint16_t client = 2000; client < 2010; client++) {
			unsigned port = source_port_of(&daemon, client, TH_SYN);

			assert_in_range(port, cases[i].lowest, cases[i].highest);
			assert_false(is_taken[port]);
			assert_int_equal(answer(&daemon, port), TC_ACT_REDIRECT);
		}
		for (uint16_t client = 1000; client < 1030; client++)
			assert_true(is_taken[source_port_of(&daemon, client, TH_ACK)]);
		stop(&daemon);
	}
}

/* Ports 80, 81 and 82, of which the first has the first endpoint, or none, the others the second.
 */
static void apply_beside(const struct daemon *daemon, bool has_first, size_t count)
{
	static const uint16_t ports[][2] = {{20000, 20099}, {20000, 20009}, {30000, 30049}};
	struct dispatch_service services[3];
	const struct dispatch_plan beside = {
		.services = services, .nservices = count, .ring_seed = 1};
	const char *why = "";

	for (uint16_t i = 0; i < 3; i++) {
		services[i] = service;
		services[i].id = 1 + i;
		address_set_port(&services[i].address, 80 + i);
		services[i].endpoints = &endpoints[i > 0];
		services[i].nendpoints = i > 0 || has_first;
		services[i].first_source_port = ports[i][0];
		services[i].last_source_port = ports[i][1];
	}
	if (dispatch_apply(daemon->dispatch, &beside, &why))
		fail_msg("%s", why);
}

/* When the endpoint comes back its ports have other elements, and may be other flows'. */
static void flow_is_over_with_the_ports_of_its_endpoint(void **state)
{
	struct daemon daemon = {};

	(void)state;
	reset_plan();
	start(&daemon);
	apply_beside(&daemon, true, 2);
	for (uint16_t client = 1000; client < 1100; client++)
		(void)endpoint_of(&daemon, client, TH_SYN);
	apply_beside(&daemon, false, 2);
	apply_beside(&daemon, false, 3);
	apply_beside(&daemon, true, 3);
	for (uint16_t client = 1000; client < 1100; client++)
		assert_int_equal(endpoint_of(&daemon, client, TH_ACK), 0);
	stop(&daemon);
}

static void next_daemon_takes_other_ports_and_keeps_flows(void **state)
{
	struct daemon daemon = {};
	unsigned port;

	(void)state;
	reset_plan();
	service.nendpoints = 1;
	port = in_a_daemon_that_is_killed(apply_few_ports);
	assert_in_range(port, 20000, 20099);
	start(&daemon);
	want_ports(30000, 30099);
	apply(&daemon);
	assert_ports(&daemon, 2000, 20, 30000, 30099);
	assert_int_equal(source_port_of(&daemon, 1000, TH_ACK), port);
	assert_int_equal(answer(&daemon, port), TC_ACT_REDIRECT);
	service.nendpoints = 0;
	apply(&daemon);
	assert_int_equal(count_runs(&daemon), 0);
	stop(&daemon);
}

static void apply_second(const struct daemon *daemon)
{
	apply_by_place(daemon, 1, 0, 1);
}

static void next_daemon_takes_over_places(void **state)
{
	struct daemon daemon = {};

	(void)state;
	reset_plan();
	(void)in_a_daemon_that_is_killed(apply_second);
	start(&daemon);
	assert_int_equal(endpoint_of(&daemon, 1001, TH_SYN), 5);
	/* Its first areas have the number that those before had. */
	apply_by_place(&daemon, 1, 1, 0);
	assert_int_equal(endpoint_of(&daemon, 1002, TH_SYN), 4);
	stop(&daemon);
}

static bool programs_may_send(const struct daemon *daemon)
{
	return settings_of(daemon).flags & DISPATCH_SENDS_XDP;
}

struct waiting {
	struct io_timer timer;
	const struct daemon *daemon;
	bool may_send;
	int looks;
};

static void on_look(struct io_timer *timer)
{
	struct waiting *waiting = container_of(timer, struct waiting, timer);

	if (programs_may_send(waiting->daemon) == waiting->may_send || ++waiting->looks == 500)
		io_loop_stop(waiting->daemon->loop);
	else
		io_timer_start(waiting->daemon->loop, timer, 10);
}

/* News of devices come over netlink. */
static void assert_soon(const struct daemon *daemon, bool may_send)
{
	struct waiting waiting = {
		.timer.on_expire = on_look, .daemon = daemon, .may_send = may_send};

	io_timer_start(daemon->loop, &waiting.timer, 10);
	assert_int_equal(io_loop_run(daemon->loop), 0);
	assert_int_equal(programs_may_send(daemon), may_send);
}

/* Since 6.3. Before, no veth is thought to send. */
static bool kernel_tells_of_xdp(void)
{
	struct device_xdp facts;

	device_xdp_query(if_nametoindex("d0"), &facts);
	return facts.is_told;
}

/* A veth sends what its far end can take: with a program there, or GRO. A bridge sends nothing. */
static void answers_leave_at_xdp_while_every_device_sends(void **state)
{
	struct daemon daemon = {};

	(void)state;
	if (!kernel_tells_of_xdp())
		skip();
	reset_plan();
	start_at(&daemon, SPLICE_HOOK_XDP);
	apply(&daemon);
	assert_soon(&daemon, true);
	assert_int_equal(system("ip link add e0 type bridge"), 0);
	assert_soon(&daemon, false);
	assert_int_equal(system("ip link delete e0"), 0);
	assert_soon(&daemon, true);
	apply(&daemon);
	assert_true(programs_may_send(&daemon));
	stop(&daemon);
	daemon = (struct daemon){};
	start(&daemon);
	assert_false(programs_may_send(&daemon));
	stop(&daemon);
}

/* --- Set-up ----------------------------------------------------------------------------------- */

static int enter_namespaces(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) < 0)
		return -1;
	if (system("ip link set lo up && ip link add d0 type veth peer name d1 && "
		   "ip link set d0 up && ip link set d1 up && ip addr add 10.3.0.3/24 dev d0"))
		return -1;
	ifindex = if_nametoindex("d0");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_are_spread_and_keep_their_endpoints),
		cmocka_unit_test(endpoint_that_is_gone_loses_its_flows_until_it_comes_back),
		cmocka_unit_test(endpoint_that_is_gone_keeps_its_counts),
		cmocka_unit_test(service_begins_without_the_counts_of_another),
		cmocka_unit_test(choice_depends_on_the_endpoints_alone),
		cmocka_unit_test(new_flows_go_by_the_ring_of_their_clients_area),
		cmocka_unit_test(plans_that_cannot_be_are_refused_and_change_nothing),
		cmocka_unit_test(plan_outdates_what_is_in_front),
		cmocka_unit_test(flows_of_uneven_length_even_out_by_load),
		cmocka_unit_test(next_daemon_takes_over_flows_and_endpoints),
		cmocka_unit_test(next_daemon_takes_over_places),
		cmocka_unit_test(new_flows_have_ports_of_the_range_that_is_in_force),
		cmocka_unit_test(new_flows_have_the_source_that_is_in_force),
		cmocka_unit_test(new_ports_collide_with_none_of_before),
		cmocka_unit_test(flow_is_over_with_the_ports_of_its_endpoint),
		cmocka_unit_test(next_daemon_takes_other_ports_and_keeps_flows),
		cmocka_unit_test(answers_leave_at_xdp_while_every_device_sends),
	};

	return cmocka_run_group_tests(tests, enter_namespaces, NULL);
}
