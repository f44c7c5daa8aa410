// SPDX-License-Identifier: Apache-2.0
/*
 * What the guard costs a packet at TC, path by path, with sources drawn at random:
 * BPF_PROG_TEST_RUN, net of the program that brings the packets. Prints JSON.
 * guard PROGRAM.o BRING.o
 */
#include "abi/guard.h"
#include "guard/limiter.h"
#include "guard/table.h"
#include "guard.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define REPEAT  400000
#define ROUNDS  7
#define SIZE    66
#define SERVICE 0x0aff0001u

enum with {
	WITH_NOTHING = 0,
	WITH_LIST = 1 << 0,      /* of the sources that packets come from */
	WITH_STRANGERS = 1 << 1, /* of others */
	WITH_RATES = 1 << 2,     /* that nobody goes beyond */
	WITH_DEFECT = 1 << 3,    /* flags that nobody sends */
	WITH_CHECKS = 1 << 4,    /* of defects */
	WITH_TALKERS = 1 << 5,
};

static const struct scenario {
	const char *what;
	enum guard_mode mode;
	unsigned with;
	__u32 sources;
} scenarios[] = {
	{"off", GUARD_OFF, WITH_NOTHING, 1},
	{"pass, no list", GUARD_ENFORCE, WITH_CHECKS | WITH_TALKERS, 1},
	{"pass, 500000 others listed", GUARD_ENFORCE, WITH_CHECKS | WITH_TALKERS | WITH_STRANGERS,
	 500000},
	{"drop malformed", GUARD_ENFORCE, WITH_CHECKS | WITH_DEFECT, 1},
	{"drop by list, 1 entry", GUARD_ENFORCE, WITH_LIST, 1},
	{"drop by list, 10000 entries", GUARD_ENFORCE, WITH_LIST, 10000},
	{"drop by list, 500000 entries", GUARD_ENFORCE, WITH_LIST, 500000},
	{"source rate, 1 source", GUARD_ENFORCE, WITH_RATES, 1},
	{"source rate, 500000 sources", GUARD_ENFORCE, WITH_RATES, 500000},
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

static void build_frame(unsigned char *frame, bool has_defect)
{
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = 6};
	struct tcphdr tcp = {.dest = htons(80), .doff = 8, .ack = !has_defect};

	memset(frame, 0, SIZE);
	frame[5] = 1;
	frame[11] = 2;
	frame[12] = ETH_P_IP >> 8;
	ip.tot_len = htons(SIZE - 14);
	ip.saddr = htonl(bring_source(0));
	ip.daddr = htonl(SERVICE);
	tcp.source = htons(40000);
	memcpy(frame + 14, &ip, sizeof(ip));
	memcpy(frame + 34, &tcp, sizeof(tcp));
}

static void add(struct guard_list *list, __u32 address)
{
	struct guard_entry entry = {.why = GUARD_WHY_BLOCK,
				    .prefix = {.family = AF_INET, .bits = 32}};
	__be32 be = htonl(address);

	memcpy(entry.prefix.ip, &be, sizeof(be));
	guard_list_add(list, &entry);
}

/* Strangers are strewn over all networks. */
static void load_list(struct bpf_object *object, const struct scenario *scenario)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	struct guard_list list = {};
	struct guard_table *table;
	struct guard_line *lines;
	size_t nlines;
	int fd;

	for (__u32 i = 0; i < scenario->sources; i++)
		add(&list, scenario->with & WITH_LIST ? bring_source(i) : bring_source(i) + 2000);
	if (guard_table_new(&list, 0, &table))
		errx(1, "out of memory");
	nlines = guard_table_lines(table);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lines", 4, sizeof(*lines), (__u32)nlines,
			    &options);
	lines = mmap(NULL, nlines * sizeof(*lines), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || lines == MAP_FAILED)
		err(1, "list");
	guard_table_fill(table, lines);
	munmap(lines, nlines * sizeof(*lines));
	put(object, "guard_list4", 0, &fd);
	close(fd);
	guard_table_free(table);
	guard_list_done(&list);
}

static void load_rates(struct bpf_object *object, struct guard_settings *settings)
{
	struct guard_service service = {};
	struct guard_place place = {.flags = GUARD_PLACE_ANY4};
	struct guard_port port = {.tcp_place = 1};

	settings->source[GUARD_PACKETS] = guard_rate_of(100000000, 1000);
	settings->bucket_mask = (1u << 18) - 1;
	put(object, "guard_services", 0, &service);
	put(object, "guard_places", 1, &place);
	put(object, "guard_ports", 80, &port);
}

static void prepare(struct bpf_object *object, const struct scenario *scenario)
{
	struct guard_settings settings = {.mode = scenario->mode, .seed = 7};

	if (scenario->with & (WITH_LIST | WITH_STRANGERS)) {
		settings.flags |= GUARD_HAS_LIST4;
		load_list(object, scenario);
	}
	if (scenario->with & WITH_RATES) {
		settings.flags |= GUARD_HAS_RATES | GUARD_HAS_SERVICES;
		load_rates(object, &settings);
	}
	if (scenario->with & WITH_CHECKS)
		settings.flags |= GUARD_HAS_MALFORMED;
	if (scenario->with & WITH_TALKERS)
		settings.flags |= GUARD_HAS_TALKERS;
	put(object, "guard_settings", 0, &settings);
}

static int program_of(struct bpf_object *object, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

static double run(struct bpf_object *bring, int measured, bool has_defect)
{
	static unsigned char frame[SIZE];
	double best = 1e9;
	__u32 zero = 0;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = SIZE,
		    .repeat = REPEAT);

	build_frame(frame, has_defect);
	if (bpf_map_update_elem(map_of(bring, "measured"), &zero, &measured, BPF_ANY))
		err(1, "tail call");
	for (int i = 0; i < ROUNDS; i++) {
		if (bpf_prog_test_run_opts(program_of(bring, "bring"), &opts))
			err(1, "test run");
		if (opts.duration < best)
			best = opts.duration;
	}
	return best;
}

static void measure(const char *program, const char *bringer, const struct scenario *scenario,
		    double *ret_off)
{
	struct bpf_object *object = bpf_object__open(program), *bring = bpf_object__open(bringer);
	bool has_defect = scenario->with & WITH_DEFECT;
	__u32 nsources = scenario->sources;
	struct bpf_map *rodata;
	double empty, full;

	if (!object || !bring)
		err(1, "open");
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "guard_sources"), 1u << 18);
	rodata = bpf_object__find_map_by_name(bring, ".rodata");
	if (bpf_map__set_initial_value(rodata, &nsources, sizeof(nsources)) ||
	    bpf_object__load(object) || bpf_object__load(bring))
		errx(1, "load");
	prepare(object, scenario);
	empty = run(bring, program_of(bring, "nothing"), has_defect);
	full = run(bring, program_of(object, "tc_ingress"), has_defect) - empty;
	if (scenario->mode == GUARD_OFF)
		*ret_off = full;
	printf("{\"path\": \"%s\", \"ns\": %.0f, \"beyond_off_ns\": %.0f}\n", scenario->what, full,
	       full - *ret_off);
	fflush(stdout);
	bpf_object__close(bring);
	bpf_object__close(object);
}

int main(int argc, char **argv)
{
	double off = 0;

	if (argc < 3)
		errx(2, "guard PROGRAM.o BRING.o");
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		measure(argv[1], argv[2], &scenarios[i], &off);
	return 0;
}
