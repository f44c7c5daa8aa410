// SPDX-License-Identifier: Apache-2.0
/*
 * What a packet of a spliced connection costs in the program at TC or XDP, by the number of flows
 * that packets are of at random, and by packet size. Prints JSON. packet PROGRAM.o BRING.o
 */
#include "abi/flow.h"
#include "fastpath/flow_table.h"
#include "testrun.h"

#include <arpa/inet.h>
#include <err.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define ROUNDS  5
#define PROXY   0x0aff0001u
#define BACKEND 0x0aff0002u
#define SEQ     1000u

/* Of many addresses, each with some connections. */
static const struct bring_clients clients = {.first = 0x0a000000u, .stride = 1, .port_bits = 4};

static void build_frame(struct testrun *run, unsigned size)
{
	struct tcphdr tcp = {.dest = htons(80), .doff = 8, .ack = 1, .psh = 1};
	static const unsigned char options[12] = {1, 1, 8, 10, 0, 0, 1, 0, 0, 0, 2, 0};
	unsigned char *l4;

	testrun_start_frame(run, size, IPPROTO_TCP, PROXY);
	tcp.seq = htonl(SEQ);
	tcp.ack_seq = htonl(2000);
	tcp.window = htons(500);
	l4 = testrun_l4(run);
	memcpy(l4, &tcp, sizeof(tcp));
	memcpy(l4 + sizeof(tcp), options, sizeof(options));
}

static void put_flow(struct flow_pair *pair, __u32 flow)
{
	struct flow_translation *out = &pair->out[FLOW_UP];
	struct flow_key *key = &pair->in[FLOW_UP].key;

	*pair = (struct flow_pair){.gate = gate_word(GATE_SPLICED, 0)};
	pair->in[FLOW_UP].is_spliced = 1;
	key->source_port = htons(bring_port(&clients, flow));
	key->destination_port = htons(80);
	testrun_map_address(key->source, bring_client(&clients, flow));
	testrun_map_address(key->destination, PROXY);
	out->source_port = htons(50000);
	out->destination_port = htons(8080);
	out->seq_delta = 12345;
	out->ack_delta = 54321;
	out->flags = FLOW_HAS_TIMESTAMPS;
	testrun_map_address(out->source, PROXY);
	testrun_map_address(out->destination, BACKEND);
	/* Before it is joined, a connection has been seen to speak both ways. */
	pair->seen[FLOW_DOWN] = (struct flow_record){
		.flags = FLOW_SEEN_ANY, .ack = SEQ + out->seq_delta, .window = 500};
}

static void fill(const struct testrun *run, __u32 nflows, __u32 nbuckets)
{
	size_t pairs_size = nflows * sizeof(struct flow_pair);
	size_t buckets_size = nbuckets * sizeof(struct flow_bucket);
	struct flow_pair *pairs = testrun_mmap(run, "pairs", pairs_size);
	struct flow_bucket *buckets = testrun_mmap(run, "buckets", buckets_size);
	struct flow_nexthop nexthop = {.ifindex = 1, .mtu = 1500, .flags = NEXTHOP_MAC_VALID};

	for (__u32 i = 0; i < nflows; i++) {
		put_flow(&pairs[i], i);
		if (flow_table_put(buckets, nbuckets, pairs, i, FLOW_UP))
			errx(1, "a flow finds no room");
	}
	munmap(pairs, pairs_size);
	munmap(buckets, buckets_size);
	testrun_put(run, "nexthops", 0, &nexthop);
}

static void set_sizes(struct testrun *run, __u32 nflows, __u32 nbuckets)
{
	struct bpf_map *rodata = bpf_object__find_map_by_name(run->measured, ".rodata");
	size_t len;

	testrun_size_map(run, "buckets", nbuckets);
	testrun_size_map(run, "pairs", nflows);
	*(__u32 *)bpf_map__initial_value(rodata, &len) = nbuckets - 1;
}

static void measure(const char *program, const char *bringer, __u32 nflows, unsigned size)
{
	__u32 nbuckets = flow_table_size(2 * nflows);
	struct testrun_ns ns;
	struct testrun run;

	testrun_open(&run, program, bringer);
	set_sizes(&run, nflows, nbuckets);
	build_frame(&run, size);
	testrun_load(&run, &clients, nflows);
	fill(&run, nflows, nbuckets);
	ns = testrun_measure(&run, ROUNDS);
	printf("{\"hook\": \"%s\", \"flows\": %u, \"size\": %u, \"ns\": %.0f, \"bring_ns\": %.0f, "
	       "\"action\": \"%s\"}\n",
	       testrun_hook_name(&run), nflows, size, ns.program, ns.bring, ns.action);
	fflush(stdout);
	testrun_close(&run);
}

int main(int argc, char **argv)
{
	static const __u32 counts[] = {1, 10000, 200000, 1000000};

	if (argc < 3)
		errx(2, "packet PROGRAM.o BRING.o");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		measure(argv[1], argv[2], counts[i], 66);
	measure(argv[1], argv[2], 1, 1514);
	return 0;
}
