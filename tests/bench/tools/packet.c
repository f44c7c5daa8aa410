// SPDX-License-Identifier: Apache-2.0
/*
 * What a packet of a spliced connection costs in the program at TC, by the number of flows that
 * packets are of at random, and by packet size: BPF_PROG_TEST_RUN, net of the program that brings
 * the packets. Prints JSON. packet PROGRAM.o BRING.o
 */
#include "packet.h"
#include "abi/flow.h"
#include "fastpath/flow_table.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define REPEAT    400000
#define ROUNDS    5
#define FRAME_MAX 1514
#define PROXY     0x0aff0001u
#define BACKEND   0x0aff0002u
#define SEQ       1000u

static void build_frame(unsigned char *frame, unsigned size)
{
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = 6};
	struct tcphdr tcp = {.dest = htons(80), .doff = 8, .ack = 1, .psh = 1};
	static const unsigned char options[12] = {1, 1, 8, 10, 0, 0, 1, 0, 0, 0, 2, 0};

	memset(frame, 0, size);
	frame[5] = 1;
	frame[11] = 2;
	frame[12] = ETH_P_IP >> 8;
	ip.tot_len = htons((unsigned short)(size - 14));
	ip.saddr = htonl(packet_client(0));
	ip.daddr = htonl(PROXY);
	tcp.source = htons(packet_port(0));
	tcp.seq = htonl(SEQ);
	tcp.ack_seq = htonl(2000);
	tcp.window = htons(500);
	memcpy(frame + 14, &ip, sizeof(ip));
	memcpy(frame + 34, &tcp, sizeof(tcp));
	memcpy(frame + 54, options, sizeof(options));
}

static void map_address(__u8 to[16], __u32 address)
{
	__be32 be = htonl(address);

	memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	memcpy(to + 12, &be, 4);
}

static int map_of(struct bpf_object *object, const char *name)
{
	return bpf_object__find_map_fd_by_name(object, name);
}

static void *map_array(struct bpf_object *object, const char *name, size_t size)
{
	void *elements = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, map_of(object, name),
			      0);

	if (elements == MAP_FAILED)
		err(1, "%s", name);
	return elements;
}

static void put_flow(struct flow_pair *pair, __u32 flow)
{
	struct flow_translation *out = &pair->out[FLOW_UP];
	struct flow_key *key = &pair->in[FLOW_UP].key;

	*pair = (struct flow_pair){.gate = gate_word(GATE_SPLICED, 0)};
	pair->in[FLOW_UP].is_spliced = 1;
	key->source_port = htons(packet_port(flow));
	key->destination_port = htons(80);
	map_address(key->source, packet_client(flow));
	map_address(key->destination, PROXY);
	out->source_port = htons(50000);
	out->destination_port = htons(8080);
	out->seq_delta = 12345;
	out->ack_delta = 54321;
	out->flags = FLOW_HAS_TIMESTAMPS;
	map_address(out->source, PROXY);
	map_address(out->destination, BACKEND);
	/* Before it is joined, a connection has been seen to speak both ways. */
	pair->seen[FLOW_DOWN] = (struct flow_record){
		.flags = FLOW_SEEN_ANY, .ack = SEQ + out->seq_delta, .window = 500};
}

static void fill(struct bpf_object *object, __u32 nflows, __u32 nbuckets)
{
	size_t pairs_size = nflows * sizeof(struct flow_pair);
	size_t buckets_size = nbuckets * sizeof(struct flow_bucket);
	struct flow_pair *pairs = map_array(object, "pairs", pairs_size);
	struct flow_bucket *buckets = map_array(object, "buckets", buckets_size);
	struct flow_nexthop nexthop = {.ifindex = 1, .mtu = 1500};
	__u32 zero = 0;

	for (__u32 i = 0; i < nflows; i++) {
		put_flow(&pairs[i], i);
		if (flow_table_put(buckets, nbuckets, pairs, i, FLOW_UP))
			errx(1, "a flow finds no room");
	}
	munmap(pairs, pairs_size);
	munmap(buckets, buckets_size);
	if (bpf_map_update_elem(map_of(object, "nexthops"), &zero, &nexthop, BPF_ANY))
		err(1, "nexthops");
}

static double run(int fd, unsigned size)
{
	static unsigned char frame[FRAME_MAX];
	double best = 1e9;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = size,
		    .repeat = REPEAT);

	build_frame(frame, size);
	for (int i = 0; i < ROUNDS; i++) {
		if (bpf_prog_test_run_opts(fd, &opts))
			err(1, "test run");
		if (opts.duration < best)
			best = opts.duration;
	}
	return best;
}

static void aim(struct bpf_object *bring, int fd)
{
	__u32 zero = 0;

	if (bpf_map_update_elem(map_of(bring, "measured"), &zero, &fd, BPF_ANY))
		err(1, "tail call");
}

static struct bpf_object *open_object(const char *path)
{
	struct bpf_object *object = bpf_object__open(path);

	if (!object)
		err(1, "%s", path);
	return object;
}

static int program_of(struct bpf_object *object, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

struct rodata {
	__u32 nflows;
	unsigned char frame[PACKET_HEADERS];
};

static void measure(const char *program, const char *bringer, __u32 nflows, unsigned size)
{
	struct bpf_object *splice = open_object(program), *bring = open_object(bringer);
	struct bpf_map *rodata;
	struct rodata init = {.nflows = nflows};
	size_t len;
	static unsigned char frame[FRAME_MAX];
	__u32 nbuckets = flow_table_size(2 * nflows);
	double empty, full;

	bpf_map__set_max_entries(bpf_object__find_map_by_name(splice, "buckets"), nbuckets);
	*(__u32 *)bpf_map__initial_value(bpf_object__find_map_by_name(splice, ".rodata"),
					 &len) = nbuckets - 1;
	bpf_map__set_max_entries(bpf_object__find_map_by_name(splice, "pairs"), nflows);
	rodata = bpf_object__find_map_by_name(bring, ".rodata");
	build_frame(frame, size);
	memcpy(init.frame, frame, PACKET_HEADERS);
	if (bpf_map__set_initial_value(rodata, &init, bpf_map__value_size(rodata)))
		err(1, ".rodata");
	if (bpf_object__load(splice) || bpf_object__load(bring))
		errx(1, "load");
	fill(splice, nflows, nbuckets);
	aim(bring, program_of(bring, "nothing"));
	empty = run(program_of(bring, "bring"), size);
	aim(bring, program_of(splice, "tc_ingress"));
	full = run(program_of(bring, "bring"), size);
	printf("{\"flows\": %u, \"size\": %u, \"ns\": %.0f, \"bring_ns\": %.0f}\n", nflows, size,
	       full - empty, empty);
	fflush(stdout);
	bpf_object__close(bring);
	bpf_object__close(splice);
}

int main(int argc, char **argv)
{
	static const __u32 counts[] = {1, 1000, 20000, 200000};

	if (argc < 3)
		errx(2, "packet PROGRAM.o BRING.o");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		measure(argv[1], argv[2], counts[i], 66);
	measure(argv[1], argv[2], 1, 1514);
	return 0;
}
