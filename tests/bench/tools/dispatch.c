// SPDX-License-Identifier: Apache-2.0
/*
 * What mode dispatch costs a packet at TC or XDP, by form and by the number of flows that packets
 * are of at random. Prints JSON. dispatch PROGRAM.o BRING.o [TEXT]: of the paths with TEXT in their
 * names. Of tunnels, the figure includes that the header is taken off again; at TC there is none,
 * for the kernel puts a header around an skb once, and a test-run has one skb for all turns.
 */
#include "abi/dispatch.h"
#include "testrun.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <err.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS    5
#define SIZE      66
#define SERVICE   1u
#define VIP       0x0aff0001u
#define OURS      0x0aff0002u /* the source address of NAT */
#define ENDPOINT  0x0afe0000u
#define ENDPOINTS 64u
#define RING      65537u
#define RUNS      1024u
#define PORTS     32768u /* of each endpoint */
#define FLOWS_MAX 1000000u
#define TIMEOUT_S 3600
#define STRANGERS 900000 /* a packet of each: more than are remembered in a round */

struct scenario {
	const char *what;
	enum dispatch_form form;
	__u32 flows;
	bool is_tcp;
	bool is_known;   /* all flows have entries before it is measured */
	bool is_limited; /* new flows get no entry */
	bool is_new;     /* every packet begins a flow, and finds room for its entry */
	bool is_others;  /* packets are for an address that is none of ours */
	bool is_flooded; /* the guard wants cookies of SYNs, and ACKs may bring them */
	bool is_ack;     /* which it brings none with */
	__u32 levels;    /* not 0: by place, in a tree of so many */
};

static const struct bring_clients clients = {.first = 0x20000000u, .stride = 4099};

/* So many that hardly any comes twice in a round. */
#define NEWCOMERS 100000000u
static const struct bring_clients newcomers = {.first = 0x20000000u, .stride = 41};

static __u32 device; /* of the process's network; not lo */

static void build_udp(struct testrun *run)
{
	struct udphdr udp = {.dest = htons(53), .len = htons(SIZE - 34), .check = htons(0x1234)};

	memcpy(testrun_l4(run), &udp, sizeof(udp));
}

static void build_tcp(struct testrun *run, bool is_syn)
{
	static const unsigned char options[] = {2, 4, 5, 0xb4, 1, 3, 3, 7, 1, 1, 4, 2};
	struct tcphdr tcp = {.dest = htons(53), .doff = 8, .syn = is_syn, .ack = !is_syn};

	memcpy(testrun_l4(run), &tcp, sizeof(tcp));
	memcpy((char *)testrun_l4(run) + sizeof(tcp), options, sizeof(options));
}

static __u8 protocol_of(const struct scenario *scenario)
{
	return scenario->is_tcp ? IPPROTO_TCP : IPPROTO_UDP;
}

static void build_frame(struct testrun *run, const struct scenario *scenario)
{
	testrun_start_frame(run, SIZE, protocol_of(scenario),
			    scenario->is_others ? VIP + 100 : VIP);
	if (scenario->is_tcp)
		build_tcp(run, !scenario->is_ack);
	else
		build_udp(run);
}

/* --- Tables ----------------------------------------------------------------------------------- */

static __u32 lines_for(__u32 flows)
{
	__u32 lines = 1024;

	while (lines * (DISPATCH_LINE_PLACES / 2) < flows && lines * 4 < FLOWS_MAX)
		lines *= 2;
	return lines;
}

static struct dispatch_settings settings_of(const struct scenario *scenario)
{
	struct dispatch_settings settings = {
		.abi_version = DISPATCH_ABI_VERSION,
		.is_on = 1,
		.halves[0].vip_mask = 15,
		.halves[0].nareas = scenario->levels ? 1 : 0,
		.halves[0].flags = scenario->form == DISPATCH_DNAT ? DISPATCH_HALF_RETURNS : 0,
		.line_mask = lines_for(scenario->flows) - 1,
		.run_mask = RUNS - 1,
	};

	for (__u32 i = 0; i < DISPATCH_KEY_WORDS; i++) {
		settings.secret.word[i] = 0x9e3779b9u * (i + 1);
		settings.ring.word[i] = 0x85ebca6bu * (i + 1);
	}
	if (scenario->is_limited)
		settings.new_flows = (struct guard_rate){.cost = 1u << 30, .burst = 1u << 30};
	return settings;
}

static void put_vip(const struct testrun *run, const struct dispatch_settings *settings,
		    __u32 address, __u32 flags, __u16 nranges)
{
	struct dispatch_vip vip = {.flags = flags, .nranges = nranges}, there;
	__u64 place;
	__u32 index;

	testrun_map_address(vip.address, address);
	place = dispatch_hash_address(vip.address, &settings->secret);
	do {
		index = (__u32)place++ & settings->halves[0].vip_mask;
		if (bpf_map_lookup_elem(testrun_map(run, "dispatch_vips"), &index, &there))
			err(1, "dispatch_vips");
	} while (there.flags);
	testrun_put(run, "dispatch_vips", index, &vip);
}

/* Behind a line whose last slot says that the one area has the first ring. */
static void put_ring(const struct testrun *run)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__u32 count = RING / DISPATCH_RING_SLOTS + 2;
	struct dispatch_ring_line line = {};
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ring", 4, sizeof(line), count, &options);

	for (__u32 i = 1; i < count; i++) {
		for (__u32 j = 0; j < DISPATCH_RING_SLOTS; j++)
			line.real[j] = (__u16)(1 + (i * DISPATCH_RING_SLOTS + j) % ENDPOINTS);
		if (bpf_map_update_elem(fd, &i, &line, BPF_ANY))
			err(1, "ring");
	}
	testrun_put(run, "dispatch_rings", 0, &fd);
	close(fd);
}

/* A tree whose changes are evenly spread over IPv4. */
static void put_areas(const struct testrun *run, __u32 levels)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	struct dispatch_node *nodes, *node;
	__u32 count = 0, width = 1;
	int fd;

	for (__u32 level = 0; level < levels; level++, width *= DISPATCH_NODE_CHANGES)
		count += width;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "nodes", 4, sizeof(*nodes), count, &options);
	nodes = mmap(NULL, count * sizeof(*nodes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (nodes == MAP_FAILED)
		err(1, "nodes");
	node = nodes;
	width = 1;
	for (__u32 level = 0; level < levels; level++, width *= DISPATCH_NODE_CHANGES)
		for (__u32 i = 0; i < width; i++, node++)
			for (__u32 j = 0; j < DISPATCH_NODE_CHANGES; j++)
				node->first[j] = ((__u64)i * DISPATCH_NODE_CHANGES + j) *
						 ((1ULL << 32) / width / DISPATCH_NODE_CHANGES);
	munmap(nodes, count * sizeof(*nodes));
	testrun_put(run, "dispatch_areas", 0, &fd);
	close(fd);
}

/* Return: its place. */
static __u16 put_run(const struct testrun *run, const struct dispatch_settings *settings,
		     const struct scenario *scenario, __u32 i)
{
	struct dispatch_run wanted = {.base = i * PORTS,
				      .first_port = 10000,
				      .nports = PORTS,
				      .protocol = protocol_of(scenario),
				      .is_used = 1},
			    there;
	__u64 place;
	__u32 index;

	testrun_map_address(wanted.endpoint, ENDPOINT + i);
	testrun_map_address(wanted.source, OURS);
	place = dispatch_hash_run(wanted.endpoint, wanted.source, wanted.protocol,
				  &settings->secret);
	do {
		index = (__u32)place++ & settings->run_mask;
		if (bpf_map_lookup_elem(testrun_map(run, "dispatch_runs"), &index, &there))
			err(1, "dispatch_runs");
	} while (there.is_used);
	testrun_put(run, "dispatch_runs", index, &wanted);
	return (__u16)index;
}

static void put_answers(const struct testrun *run, const struct dispatch_settings *settings,
			const struct dispatch_real *real, __u32 index,
			const struct scenario *scenario)
{
	struct dispatch_answerer_bits bits;
	__u32 half = 0;
	const struct dispatch_answerer answerer = {
		.answer[0] = {.first = 5300,
			      .last = 5300,
			      .service_port = htons(53),
			      .real = (__u16)index,
			      .protocol = protocol_of(scenario)}};

	if (bpf_map_update_elem(testrun_map(run, "dispatch_answerers"), real->address, &answerer,
				BPF_ANY))
		err(1, "dispatch_answerers");
	if (bpf_map_lookup_elem(testrun_map(run, "dispatch_answerer_bits"), &half, &bits))
		err(1, "dispatch_answerer_bits");
	dispatch_add_answerer(&bits, dispatch_hash_address(real->address, &settings->secret));
	testrun_put(run, "dispatch_answerer_bits", half, &bits);
}

static void put_reals(const struct testrun *run, const struct dispatch_settings *settings,
		      const struct scenario *scenario)
{
	for (__u32 i = 0; i < ENDPOINTS; i++) {
		struct dispatch_real real = {.id = i + 1,
					     .service_id = 7,
					     .port = htons(5300),
					     .service = SERVICE,
					     .state = DISPATCH_REAL_UP,
					     .nruns = 1};

		testrun_map_address(real.address, ENDPOINT + i);
		real.run[0] = put_run(run, settings, scenario, i);
		testrun_put(run, "dispatch_reals", i + 1, &real);
		put_answers(run, settings, &real, i + 1, scenario);
	}
}

/* All SYNs are beyond the threshold, and cookies good for the two minutes after this. */
static void want_cookies(const struct testrun *run)
{
	const struct guard_settings settings = {
		.mode = GUARD_ENFORCE, .flags = GUARD_HAS_SERVICES, .seed = 1};
	const struct guard_port port = {.tcp_place = 1};
	const struct guard_place place = {.flags = GUARD_PLACE_ANY4};
	const struct guard_service service = {.cookies = {.cost = 2, .burst = 1},
					      .flags = GUARD_SERVICE_DISPATCHED};
	struct dispatch_cookie_use use;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	use.wanted_s = use.sent_s = dispatch_seconds((__u64)now.tv_sec * 1000000000u);
	testrun_put(run, "dispatch_cookies", SERVICE, &use);
	testrun_put(run, "guard_ports", 53, &port);
	testrun_put(run, "guard_places", 1, &place);
	testrun_put(run, "guard_services", 0, &service);
	testrun_put(run, "guard_settings", 0, &settings);
}

static void fill(const struct testrun *run, const struct scenario *scenario)
{
	struct dispatch_settings settings = settings_of(scenario);
	struct dispatch_virtual service = {.id = 7,
					   .ring_first = DISPATCH_RING_SLOTS,
					   .ring_size = RING,
					   .goes_by_place = scenario->levels > 0,
					   .timeout_s = TIMEOUT_S,
					   .gue_port = htons(6080),
					   .protocol = protocol_of(scenario),
					   .form = (__u8)scenario->form};
	struct dispatch_range range = {
		.protocol = protocol_of(scenario), .first = 53, .last = 53, .service = SERVICE};
	struct flow_nexthop nexthop = {.ifindex = 1, .mtu = 1500, .flags = NEXTHOP_MAC_VALID};

	testrun_map_address(service.address, VIP);
	put_vip(run, &settings, VIP, DISPATCH_VIP_SERVES, 1);
	put_vip(run, &settings, OURS, DISPATCH_VIP_RETURNS, 0);
	testrun_put(run, "dispatch_ranges", 0, &range);
	testrun_put(run, "dispatch_services", SERVICE, &service);
	put_reals(run, &settings, scenario);
	put_ring(run);
	if (scenario->levels)
		put_areas(run, scenario->levels);
	testrun_put(run, "nexthops", 0, &nexthop);
	testrun_put(run, "dispatch_settings", 0, &settings);
	if (scenario->is_flooded)
		want_cookies(run);
}

static void set_sizes(struct testrun *run, const struct scenario *scenario)
{
	const struct {
		const char *name;
		__u32 count;
	} sizes[] = {
		{"dispatch_vips", DISPATCH_HALVES * DISPATCH_VIP_PLACES},
		{"dispatch_ranges", DISPATCH_HALVES * DISPATCH_RANGES_MAX},
		{"dispatch_services", DISPATCH_HALVES * DISPATCH_SERVICES_MAX},
		{"dispatch_service_counts", DISPATCH_SERVICES_MAX},
		{"dispatch_cookies", DISPATCH_SERVICES_MAX},
		{"dispatch_asked", DISPATCH_ASKED_PLACES},
		{"dispatch_reals", ENDPOINTS + 1},
		{"dispatch_real_counts", ENDPOINTS + 1},
		{"dispatch_runs", RUNS},
		{"dispatch_lines", lines_for(scenario->flows)},
		{"dispatch_fronts", lines_for(scenario->flows)},
		{"dispatch_nats", scenario->form == DISPATCH_NAT ? ENDPOINTS * PORTS : 1},
		{"dispatch_fragments", 64},
		{"dispatch_server_ids", 1},
		{"dispatch_answerers", ENDPOINTS},
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		testrun_size_map(run, sizes[i].name, sizes[i].count);
}

/* --- Runs ------------------------------------------------------------------------------------- */

/* So many packets that nearly every flow has one. */
static void warm_flows(struct testrun *run, const struct scenario *scenario)
{
	for (__u32 i = 0; i < 6 * scenario->flows; i += STRANGERS)
		testrun_warm(run, STRANGERS);
}

/* As if endpoints had answered, and clients gone on. */
static void open_flows(const struct testrun *run)
{
	size_t size = ENDPOINTS * PORTS * sizeof(struct dispatch_nat);
	struct dispatch_nat *nats = testrun_mmap(run, "dispatch_nats", size);

	for (__u32 i = 0; i < ENDPOINTS * PORTS; i++) {
		if (!nats[i].claim.word)
			continue;
		nats[i].claim.flags |= DISPATCH_NAT_ANSWERED | DISPATCH_NAT_OPEN;
		nats[i].claim.timeout_s = TIMEOUT_S;
	}
	munmap(nats, size);
}

static void learn_flows(struct testrun *run, const struct scenario *scenario)
{
	warm_flows(run, scenario);
	if (scenario->is_tcp)
		build_tcp(run, false);
	if (scenario->form != DISPATCH_NAT)
		return;
	open_flows(run);
	warm_flows(run, scenario);
}

static void clear(const struct testrun *run, const char *name, size_t element)
{
	size_t size = bpf_map__max_entries(bpf_object__find_map_by_name(run->measured, name)) *
		      element;
	void *elements = testrun_mmap(run, name, size);

	memset(elements, 0, size);
	munmap(elements, size);
}

static void forget_flows(const struct testrun *run)
{
	clear(run, "dispatch_lines", sizeof(struct dispatch_line));
	clear(run, "dispatch_nats", sizeof(struct dispatch_nat));
}

static void expect_newcomers(struct testrun *run, const struct scenario *scenario)
{
	run->before_round = forget_flows;
	run->npackets = scenario->flows < TESTRUN_PACKETS ? scenario->flows : TESTRUN_PACKETS;
}

static bool is_wrapped(const struct scenario *scenario)
{
	return scenario->form == DISPATCH_IPIP || scenario->form == DISPATCH_GUE;
}

static void measure(const char *const *objects, const struct scenario *scenario)
{
	struct testrun_ns ns;
	struct testrun run;

	testrun_open(&run, objects[0], objects[1]);
	if (is_wrapped(scenario) && testrun_has_skb(&run)) {
		printf("{\"hook\": \"%s\", \"path\": \"%s\", \"ns\": null, \"why\": \"the "
		       "kernel wraps an skb once, and a test-run has one for all turns\"}\n",
		       testrun_hook_name(&run), scenario->what);
		testrun_close(&run);
		return;
	}
	run.ifindex = device; /* dispatch leaves alone what lo brings */
	set_sizes(&run, scenario);
	build_frame(&run, scenario);
	if (scenario->is_new)
		expect_newcomers(&run, scenario);
	testrun_load(&run, scenario->is_new ? &newcomers : &clients,
		     scenario->is_new ? NEWCOMERS : scenario->flows);
	fill(&run, scenario);
	if (scenario->is_known)
		learn_flows(&run, scenario);
	ns = testrun_measure(&run, ROUNDS);
	printf("{\"hook\": \"%s\", \"path\": \"%s\", \"ns\": %.0f, \"bring_ns\": %.0f, "
	       "\"action\": \"%s\"}\n",
	       testrun_hook_name(&run), scenario->what, ns.program, ns.bring, ns.action);
	fflush(stdout);
	testrun_close(&run);
}

static void measure_wanted(const char *const *arguments, const struct scenario *scenario)
{
	if (!arguments[2] || strstr(scenario->what, arguments[2]))
		measure(arguments, scenario);
}

static const char *const forms[] = {
#define X(name, text) text,
	DISPATCH_FORMS(X)
#undef X
};

/* Every form with both protocols. */
static void measure_known(const char *const *arguments, __u32 flows)
{
	struct scenario scenario = {.flows = flows, .is_known = true};
	char what[64];

	scenario.what = what;
	for (size_t form = 0; form < DISPATCH_FORM_COUNT; form++) {
		scenario.form = (enum dispatch_form)form;
		for (int is_tcp = 0; is_tcp < 2; is_tcp++) {
			scenario.is_tcp = is_tcp;
			snprintf(what, sizeof(what), "known, %s%s, %u flow%s", forms[form],
				 is_tcp ? ", tcp" : "", flows, flows == 1 ? "" : "s");
			measure_wanted(arguments, &scenario);
		}
	}
}

/* Of every form. A flow is new once: with one flow there are only those that get no entry, which
 * nat cannot forward. */
static void measure_new(const char *const *arguments, __u32 flows)
{
	struct scenario scenario = {.flows = flows};
	char what[64];

	scenario.what = what;
	for (size_t form = 0; form < DISPATCH_FORM_COUNT; form++) {
		scenario.form = (enum dispatch_form)form;
		for (int has_entry = 0; has_entry < 2; has_entry++) {
			if (has_entry ? flows == 1 : form == DISPATCH_NAT)
				continue;
			scenario.is_limited = !has_entry;
			scenario.is_new = has_entry;
			snprintf(what, sizeof(what), "new, %s, %s, %u flow%s", forms[form],
				 has_entry ? "entry" : "no entry", flows, flows == 1 ? "" : "s");
			measure_wanted(arguments, &scenario);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct scenario others[] = {
		{.what = "pass", .form = DISPATCH_L2, .flows = 1, .is_others = true},
		{.what = "pass, beside dnat", .form = DISPATCH_DNAT, .flows = 1, .is_others = true},
	};
	static const struct scenario news[] = {
		{.form = DISPATCH_L2,
		 .what = "new, l2, no entry, by place of 1728",
		 .flows = 1000,
		 .is_limited = true,
		 .levels = 3},
		{.form = DISPATCH_L2,
		 .what = "new, l2, no entry, by place of 2985984",
		 .flows = 1000,
		 .is_limited = true,
		 .levels = 6},
		{.form = DISPATCH_L2,
		 .what = "new, l2, no entry, by place of 2985984, of 1000000",
		 .flows = 1000000,
		 .is_limited = true,
		 .levels = 6},
		{.form = DISPATCH_NAT,
		 .what = "SYN answered with a cookie, of 1000000",
		 .flows = 1000000,
		 .is_tcp = true,
		 .is_flooded = true},
		{.form = DISPATCH_NAT,
		 .what = "ACK without a good cookie, of 1000000",
		 .flows = 1000000,
		 .is_tcp = true,
		 .is_flooded = true,
		 .is_ack = true},
	};
	static const __u32 counts[] = {1, 10000, 1000000};
	const char *const arguments[] = {argv[1], argc > 2 ? argv[2] : NULL,
					 argc > 3 ? argv[3] : NULL};

	if (argc < 3)
		errx(2, "dispatch PROGRAM.o BRING.o [TEXT]");
	device = testrun_enter_network();
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		measure_wanted(arguments, &others[i]);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		measure_known(arguments, counts[i]);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		measure_new(arguments, counts[i]);
	for (size_t i = 0; i < sizeof(news) / sizeof(news[0]); i++)
		measure_wanted(arguments, &news[i]);
	return 0;
}
