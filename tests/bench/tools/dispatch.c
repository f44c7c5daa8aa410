// SPDX-License-Identifier: Apache-2.0
/*
 * What mode dispatch costs a packet of UDP at TC, by form and by the number of flows that packets
 * are of at random: BPF_PROG_TEST_RUN, net of the program that brings the packets. Prints JSON.
 * dispatch PROGRAM.o BRING.o. Of tunnels, the figure includes that the header is taken off again.
 */
#include "abi/dispatch.h"
#include "guard.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPEAT    400000
#define ROUNDS    5
#define SIZE      66
#define HEADERS   (14 + 20 + 8)
#define SERVICE   1u
#define VIP       0x0aff0001u
#define OURS      0x0aff0002u /* the source address of NAT */
#define ENDPOINT  0x0afe0000u
#define ENDPOINTS 64u
#define RING      65537u
#define RUNS      1024u
#define PORTS     32768u /* of each endpoint */
#define FLOWS_MAX 1000000u
#define STRANGERS 900000 /* a packet of each: more than are remembered in a round */

static const struct scenario {
	const char *what;
	enum dispatch_form form;
	__u32 flows;
	bool is_known;   /* all flows have entries before it is measured */
	bool is_limited; /* new flows get no entry */
	bool is_others;  /* packets are for an address that is none of ours */
} scenarios[] = {
	{.what = "pass", .form = DISPATCH_L2, .flows = 1, .is_others = true},
	{"known, l2, 1 flow", DISPATCH_L2, 1, true, false, false},
	{"known, l2, 10000 flows", DISPATCH_L2, 10000, true, false, false},
	{"known, l2, 1000000 flows", DISPATCH_L2, 1000000, true, false, false},
	{"known, ipip, 1 flow", DISPATCH_IPIP, 1, true, false, false},
	{"known, ipip, 1000000 flows", DISPATCH_IPIP, 1000000, true, false, false},
	{"known, gue, 1 flow", DISPATCH_GUE, 1, true, false, false},
	{"known, nat, 1 flow", DISPATCH_NAT, 1, true, false, false},
	{"known, nat, 10000 flows", DISPATCH_NAT, 10000, true, false, false},
	{"known, nat, 1000000 flows", DISPATCH_NAT, 1000000, true, false, false},
	{"new, l2, no entry", DISPATCH_L2, 1000, false, true, false},
	{"new, l2, no entry, of 1000000", DISPATCH_L2, 1000000, false, true, false},
	{"new, l2, entry, of 10000000", DISPATCH_L2, 10000000, false, false, false},
};

static int map_of(struct bpf_object *object, const char *name)
{
	return bpf_object__find_map_fd_by_name(object, name);
}

static void put(struct bpf_object *object, const char *name, __u32 index, const void *value)
{
	if (bpf_map_update_elem(map_of(object, name), &index, value, BPF_ANY))
		err(1, "%s", name);
}

static void map_address(__u8 to[16], __u32 address)
{
	__be32 be = htonl(address);

	memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	memcpy(to + 12, &be, 4);
}

static void build_frame(unsigned char *frame, __u32 destination)
{
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = 17};
	struct udphdr udp = {.source = htons(40000), .dest = htons(53), .check = htons(0x1234)};

	memset(frame, 0, SIZE);
	frame[5] = 1;
	frame[11] = 2;
	frame[12] = ETH_P_IP >> 8;
	ip.tot_len = htons(SIZE - 14);
	ip.saddr = htonl(bring_source(0));
	ip.daddr = htonl(destination);
	udp.len = htons(SIZE - 34);
	memcpy(frame + 14, &ip, sizeof(ip));
	memcpy(frame + 34, &udp, sizeof(udp));
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

static void put_vip(struct bpf_object *object, const struct dispatch_settings *settings,
		    __u32 address, __u32 flags, __u16 nranges)
{
	struct dispatch_vip vip = {.flags = flags, .nranges = nranges}, there;
	__u64 place;
	__u32 index;

	map_address(vip.address, address);
	place = dispatch_hash_address(vip.address, &settings->secret);
	do {
		index = (__u32)place++ & settings->halves[0].vip_mask;
		if (bpf_map_lookup_elem(map_of(object, "dispatch_vips"), &index, &there))
			err(1, "dispatch_vips");
	} while (there.flags);
	put(object, "dispatch_vips", index, &vip);
}

static void put_ring(struct bpf_object *object)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__u32 count = RING / DISPATCH_RING_SLOTS + 1;
	struct dispatch_ring_line line;
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ring", 4, sizeof(line), count, &options);

	for (__u32 i = 0; i < count; i++) {
		for (__u32 j = 0; j < DISPATCH_RING_SLOTS; j++)
			line.real[j] = (__u16)(1 + (i * DISPATCH_RING_SLOTS + j) % ENDPOINTS);
		if (bpf_map_update_elem(fd, &i, &line, BPF_ANY))
			err(1, "ring");
	}
	put(object, "dispatch_rings", 0, &fd);
	close(fd);
}

/* Return: its place. */
static __u16 put_run(struct bpf_object *object, const struct dispatch_settings *settings, __u32 i)
{
	struct dispatch_run run = {.base = i * PORTS,
				   .first_port = 10000,
				   .nports = PORTS,
				   .protocol = 17,
				   .is_used = 1},
			    there;
	__u64 place;
	__u32 index;

	map_address(run.endpoint, ENDPOINT + i);
	map_address(run.source, OURS);
	place = dispatch_hash_run(run.endpoint, run.source, run.protocol, &settings->secret);
	do {
		index = (__u32)place++ & settings->run_mask;
		if (bpf_map_lookup_elem(map_of(object, "dispatch_runs"), &index, &there))
			err(1, "dispatch_runs");
	} while (there.is_used);
	put(object, "dispatch_runs", index, &run);
	return (__u16)index;
}

static void put_reals(struct bpf_object *object, const struct dispatch_settings *settings)
{
	for (__u32 i = 0; i < ENDPOINTS; i++) {
		struct dispatch_real real = {.id = i + 1,
					     .service_id = 7,
					     .port = htons(5300),
					     .service = SERVICE,
					     .state = DISPATCH_REAL_UP,
					     .nruns = 1};

		map_address(real.address, ENDPOINT + i);
		real.run[0] = put_run(object, settings, i);
		put(object, "dispatch_reals", i + 1, &real);
	}
}

static void fill(struct bpf_object *object, const struct scenario *scenario)
{
	struct dispatch_settings settings = settings_of(scenario);
	struct dispatch_virtual service = {.id = 7,
					   .ring_size = RING,
					   .timeout_s = 3600,
					   .gue_port = htons(6080),
					   .protocol = 17,
					   .form = (__u8)scenario->form};
	struct dispatch_range range = {.protocol = 17, .first = 53, .last = 53, .service = SERVICE};
	struct flow_nexthop nexthop = {.ifindex = 1, .mtu = 1500};

	map_address(service.address, VIP);
	put_vip(object, &settings, VIP, DISPATCH_VIP_SERVES, 1);
	put_vip(object, &settings, OURS, DISPATCH_VIP_RETURNS, 0);
	put(object, "dispatch_ranges", 0, &range);
	put(object, "dispatch_services", SERVICE, &service);
	put_reals(object, &settings);
	put_ring(object);
	put(object, "nexthops", 0, &nexthop);
	put(object, "dispatch_settings", 0, &settings);
}

static void set_sizes(struct bpf_object *object, const struct scenario *scenario)
{
	const struct {
		const char *name;
		__u32 count;
	} sizes[] = {
		{"dispatch_vips", DISPATCH_HALVES * DISPATCH_VIP_PLACES},
		{"dispatch_ranges", DISPATCH_HALVES * DISPATCH_RANGES_MAX},
		{"dispatch_services", DISPATCH_HALVES * DISPATCH_SERVICES_MAX},
		{"dispatch_service_counts", DISPATCH_SERVICES_MAX},
		{"dispatch_reals", ENDPOINTS + 1},
		{"dispatch_real_counts", ENDPOINTS + 1},
		{"dispatch_runs", RUNS},
		{"dispatch_lines", lines_for(scenario->flows)},
		{"dispatch_nats", scenario->form == DISPATCH_NAT ? ENDPOINTS * PORTS : 1},
		{"dispatch_fragments", 64},
		{"dispatch_server_ids", 1},
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (bpf_map__set_max_entries(bpf_object__find_map_by_name(object, sizes[i].name),
					     sizes[i].count))
			errx(1, "%s", sizes[i].name);
}

/* --- Runs ------------------------------------------------------------------------------------- */

static int program_of(struct bpf_object *object, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

/* From a device that is not lo, whose packets dispatch leaves alone. Return: ns a packet. */
static double run_once(struct bpf_object *bring, int repeat)
{
	static unsigned char frame[SIZE];
	struct __sk_buff skb = {.ifindex = if_nametoindex("d0")};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = SIZE, .ctx_in = &skb,
		    .ctx_size_in = sizeof(skb), .repeat = repeat);

	build_frame(frame, VIP);
	if (bpf_prog_test_run_opts(program_of(bring, "bring"), &opts))
		err(1, "test run");
	return opts.duration;
}

static void aim(struct bpf_object *bring, int program)
{
	put(bring, "measured", 0, &program);
}

static double run(struct bpf_object *bring, int program)
{
	double best = 1e9;

	aim(bring, program);
	for (int i = 0; i < ROUNDS; i++) {
		double ns = run_once(bring, REPEAT);

		best = ns < best ? ns : best;
	}
	return best;
}

struct rodata {
	__u32 nsources, size;
	unsigned char frame[HEADERS];
};

static void load_bringer(struct bpf_object *bring, const struct scenario *scenario)
{
	struct rodata init = {.nsources = scenario->flows, .size = SIZE};
	struct bpf_map *rodata = bpf_object__find_map_by_name(bring, ".rodata");
	unsigned char frame[SIZE];

	build_frame(frame, scenario->is_others ? VIP + 100 : VIP);
	memcpy(init.frame, frame, HEADERS);
	if (bpf_map__set_initial_value(rodata, &init, bpf_map__value_size(rodata)) ||
	    bpf_object__load(bring))
		errx(1, "load");
}

static void measure(const char *program, const char *bringer, const struct scenario *scenario)
{
	struct bpf_object *object = bpf_object__open(program), *bring = bpf_object__open(bringer);
	double empty, full;

	if (!object || !bring)
		err(1, "open");
	set_sizes(object, scenario);
	if (bpf_object__load(object))
		errx(1, "load");
	load_bringer(bring, scenario);
	fill(object, scenario);
	empty = run(bring, program_of(bring, "nothing"));
	aim(bring, program_of(object, "tc_ingress"));
	if (scenario->is_known)
		for (__u32 i = 0; i < 6 * scenario->flows; i += STRANGERS)
			(void)run_once(bring, STRANGERS);
	full = run(bring, program_of(object, "tc_ingress"));
	printf("{\"path\": \"%s\", \"ns\": %.0f, \"bring_ns\": %.0f}\n", scenario->what,
	       full - empty, empty);
	fflush(stdout);
	bpf_object__close(bring);
	bpf_object__close(object);
}

static void enter_network(void)
{
	if (unshare(CLONE_NEWNET) || system("ip link add d0 type veth peer name d1"))
		err(1, "a network of our own");
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "dispatch PROGRAM.o BRING.o");
	enter_network();
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		measure(argv[1], argv[2], &scenarios[i]);
	return 0;
}
