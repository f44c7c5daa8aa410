// SPDX-License-Identifier: Apache-2.0
/*
 * What the guard costs a packet at TC or XDP, path by path, with sources drawn at random. Prints
 * JSON. guard PROGRAM.o BRING.o [WHAT]: with WHAT, only the paths that are so called, and the
 * first.
 */
#include "abi/guard.h"
#include "guard/limiter.h"
#include "guard/list6.h"
#include "guard/table.h"
#include "testrun.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <err.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROUNDS   7
#define SIZE     66
#define SIZE6    86
#define NETWORK6 0x20010db8u
#define SERVICE  0x0aff0001u
#define NBUCKETS (1u << 18)

enum with {
	WITH_NOTHING = 0,
	WITH_LIST = 1 << 0,      /* of the sources that packets come from */
	WITH_STRANGERS = 1 << 1, /* of others */
	WITH_RATES = 1 << 2,     /* that nobody goes beyond */
	WITH_DEFECT = 1 << 3,    /* flags that nobody sends */
	WITH_CHECKS = 1 << 4,    /* of defects */
	WITH_TALKERS = 1 << 5,
	WITH_IPV6 = 1 << 6,
	WITH_LENGTHS = 1 << 7, /* four of IPv6, in place of one */
	WITH_COOKIES = 1 << 8, /* of the kernel, for every SYN */
	WITH_MANY_LENGTHS = 1 << 9,
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
	{"IPv6: pass, no list", GUARD_ENFORCE, WITH_IPV6 | WITH_CHECKS | WITH_TALKERS, 1},
	{"IPv6: pass, 500000 others listed", GUARD_ENFORCE,
	 WITH_IPV6 | WITH_CHECKS | WITH_TALKERS | WITH_STRANGERS, 500000},
	{"IPv6: drop by list, 1 entry", GUARD_ENFORCE, WITH_IPV6 | WITH_LIST, 1},
	{"IPv6: drop by list, 10000 entries", GUARD_ENFORCE, WITH_IPV6 | WITH_LIST, 10000},
	{"IPv6: drop by list, 500000 entries", GUARD_ENFORCE, WITH_IPV6 | WITH_LIST, 500000},
	{"IPv6: pass, 500000 others of 4 lengths listed", GUARD_ENFORCE,
	 WITH_IPV6 | WITH_CHECKS | WITH_TALKERS | WITH_STRANGERS | WITH_LENGTHS, 500000},
	{"IPv6: drop by list, 500000 entries of 4 lengths", GUARD_ENFORCE,
	 WITH_IPV6 | WITH_LIST | WITH_LENGTHS, 500000},
	{"IPv6: pass, 500000 others of 12 lengths listed", GUARD_ENFORCE,
	 WITH_IPV6 | WITH_CHECKS | WITH_TALKERS | WITH_STRANGERS | WITH_MANY_LENGTHS, 500000},
	{"IPv6: drop by list, 500000 entries of 12 lengths", GUARD_ENFORCE,
	 WITH_IPV6 | WITH_LIST | WITH_MANY_LENGTHS, 500000},
	{"source rate, 1 source", GUARD_ENFORCE, WITH_RATES, 1},
	{"source rate, 10000 sources", GUARD_ENFORCE, WITH_RATES, 10000},
	{"source rate, 500000 sources", GUARD_ENFORCE, WITH_RATES, 500000},
	{"source rate, 1000000 sources", GUARD_ENFORCE, WITH_RATES, 1000000},
	{"SYN answered with a cookie, 1 source", GUARD_ENFORCE, WITH_COOKIES, 1},
	{"SYN answered with a cookie, 1000000 sources", GUARD_ENFORCE, WITH_COOKIES, 1000000},
};

static __u32 device; /* of the process's network; not lo */

/* Strewn over half of the addresses, so that each has a /24 of its own, or of IPv6 a /48. */
static const struct bring_clients clients = {.first = 0x20000000u, .stride = 4099};

static void build_frame(struct testrun *run, unsigned with)
{
	static const __u8 options[] = {2, 4, 5, 0xb4, 1, 3, 3, 7, 1, 1, 4, 2};
	bool is_syn = with & WITH_COOKIES;
	struct tcphdr tcp = {.dest = htons(80),
			     .doff = 8,
			     .syn = is_syn,
			     .ack = !is_syn && !(with & WITH_DEFECT)};

	if (with & WITH_IPV6)
		testrun_start_frame6(run, SIZE6, IPPROTO_TCP, NETWORK6);
	else
		testrun_start_frame(run, SIZE, IPPROTO_TCP, SERVICE);
	memcpy(testrun_l4(run), &tcp, sizeof(tcp));
	if (is_syn)
		memcpy((char *)testrun_l4(run) + sizeof(tcp), options, sizeof(options));
}

/* An address, or of IPv6 a network of @bits. */
static void add(struct guard_list *list, __u32 number, bool is_ipv6, __u8 bits)
{
	struct guard_entry entry = {.why = GUARD_WHY_BLOCK,
				    .prefix = {.family = AF_INET, .bits = 32}};
	__be32 network = htonl(NETWORK6), be = htonl(number);

	if (is_ipv6) {
		entry.prefix.family = AF_INET6;
		entry.prefix.bits = bits;
		memcpy(entry.prefix.ip, &network, sizeof(network));
	}
	memcpy(entry.prefix.ip + (is_ipv6 ? 2 : 0), &be, sizeof(be));
	guard_list_add(list, &entry);
}

static void *new_mapped(size_t size, size_t nelements, int *ret_fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	void *elements;

	*ret_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "list", 4, (__u32)size, (__u32)nelements,
				 &options);
	elements = mmap(NULL, size * nelements, PROT_READ | PROT_WRITE, MAP_SHARED, *ret_fd, 0);
	if (*ret_fd < 0 || elements == MAP_FAILED)
		err(1, "list");
	return elements;
}

static void load4(const struct testrun *run, const struct guard_table *table)
{
	size_t nlines = guard_table_lines(table);
	int fd;
	void *lines = new_mapped(sizeof(struct guard_line), nlines, &fd);

	guard_table_fill(table, lines);
	munmap(lines, nlines * sizeof(struct guard_line));
	testrun_put(run, "guard_list4", 0, &fd);
	close(fd);
}

static void load6(const struct testrun *run, const struct guard_table *table)
{
	struct guard_list6 list;
	void *pages;
	int fd;

	if (guard_list6_new(table, 7, &list))
		errx(1, "out of memory");
	pages = new_mapped(sizeof(*list.pages), list.npages, &fd);
	memcpy(pages, list.pages, list.npages * sizeof(*list.pages));
	munmap(pages, list.npages * sizeof(*list.pages));
	testrun_put(run, "guard_list6", 0, &fd);
	guard_list6_done(&list);
	close(fd);
}

static __u8 length_of(unsigned with, __u32 i)
{
	static const __u8 few[] = {48, 56, 64, 128},
			  many[] = {48, 50, 52, 54, 56, 58, 60, 62, 64, 96, 112, 128};

	if (with & WITH_MANY_LENGTHS)
		return many[i % 12];
	return with & WITH_LENGTHS ? few[i % 4] : 64;
}

/* Strangers are strewn over all networks. */
static void load_list(const struct testrun *run, const struct scenario *scenario)
{
	bool is_ipv6 = scenario->with & WITH_IPV6;
	__u32 beside = scenario->with & WITH_LIST ? 0 : 2000;
	struct guard_list list = {};
	struct guard_table *table;

	for (__u32 i = 0; i < scenario->sources; i++)
		add(&list, bring_client(&clients, i) + beside, is_ipv6,
		    length_of(scenario->with, i));
	if (guard_table_new(&list, 0, &table))
		errx(1, "out of memory");
	if (is_ipv6)
		load6(run, table);
	else
		load4(run, table);
	guard_table_free(table);
	guard_list_done(&list);
}

static int new_sources(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "buckets", 4, sizeof(struct guard_bucket),
				NBUCKETS, NULL);

	if (fd < 0)
		err(1, "sources");
	return fd;
}

static void load_service(const struct testrun *run, bool wants_cookies)
{
	struct guard_service service = {};
	struct guard_place place = {.flags = GUARD_PLACE_ANY4};
	struct guard_port port = {.tcp_place = 1};

	if (wants_cookies)
		service.cookies = (struct guard_rate){.cost = 2, .burst = 1};
	testrun_put(run, "guard_services", 0, &service);
	testrun_put(run, "guard_places", 1, &place);
	testrun_put(run, "guard_ports", 80, &port);
}

static void prepare(const struct testrun *run, const struct scenario *scenario)
{
	struct guard_settings settings = {.mode = scenario->mode, .seed = 7};

	if (scenario->with & (WITH_LIST | WITH_STRANGERS)) {
		settings.flags |= scenario->with & WITH_IPV6 ? GUARD_HAS_LIST6 : GUARD_HAS_LIST4;
		load_list(run, scenario);
	}
	if (scenario->with & (WITH_RATES | WITH_COOKIES)) {
		settings.flags |= GUARD_HAS_SERVICES;
		load_service(run, scenario->with & WITH_COOKIES);
	}
	if (scenario->with & WITH_RATES) {
		settings.flags |= GUARD_HAS_RATES;
		settings.source[GUARD_PACKETS] = guard_rate_of(100000000, 1000);
		settings.bucket_mask = NBUCKETS - 1;
	}
	if (scenario->with & WITH_CHECKS)
		settings.flags |= GUARD_HAS_MALFORMED;
	if (scenario->with & WITH_TALKERS)
		settings.flags |= GUARD_HAS_TALKERS;
	testrun_put(run, "guard_settings", 0, &settings);
}

static void measure(const char *program, const char *bringer, const struct scenario *scenario,
		    double *ret_off)
{
	int sources = new_sources();
	struct testrun_ns ns;
	struct testrun run;

	testrun_open(&run, program, bringer);
	if (scenario->with & WITH_COOKIES)
		run.ifindex = device; /* cookies are not for what lo brings */
	bpf_map__set_inner_map_fd(bpf_object__find_map_by_name(run.measured, "guard_sources"),
				  sources);
	build_frame(&run, scenario->with);
	testrun_load(&run, &clients, scenario->sources);
	testrun_put(&run, "guard_sources", 0, &sources);
	close(sources);
	prepare(&run, scenario);
	ns = testrun_measure(&run, ROUNDS);
	if (scenario->mode == GUARD_OFF)
		*ret_off = ns.program;
	printf("{\"hook\": \"%s\", \"path\": \"%s\", \"ns\": %.0f, \"beyond_off_ns\": %.0f, "
	       "\"action\": \"%s\"}\n",
	       testrun_hook_name(&run), scenario->what, ns.program, ns.program - *ret_off,
	       ns.action);
	fflush(stdout);
	testrun_close(&run);
}

/* The kernel makes cookies for a socket that listens. */
static void listen_for_cookies(void)
{
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(80)};
	int fd;

	device = testrun_enter_network();
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (system("echo 2 >/proc/sys/net/ipv4/tcp_syncookies") || fd < 0 ||
	    bind(fd, (const struct sockaddr *)&any, sizeof(any)) || listen(fd, 16))
		err(1, "cookies");
}

int main(int argc, char **argv)
{
	double off = 0;

	if (argc < 3)
		errx(2, "guard PROGRAM.o BRING.o [WHAT]");
	listen_for_cookies();
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (i == 0 || argc < 4 || strstr(scenarios[i].what, argv[3]))
			measure(argv[1], argv[2], &scenarios[i], &off);
	return 0;
}
