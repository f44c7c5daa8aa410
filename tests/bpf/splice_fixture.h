// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BPF_SPLICE_FIXTURE_H
#define TESTS_BPF_SPLICE_FIXTURE_H

/* One joined pair in the maps of a program, as a case begins with it. */
#include "abi/flow.h"
#include "fastpath/flow_table.h"
#include "splice_frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* How the legs' numbers differ. Odd ones, so that bytes get mixed up if they can. */
#define SEQ_UP   0xc1d2e3f5u
#define SEQ_DOWN 0x7a6b5c4du
#define TS_UP    0x8badf00du
#define TS_DOWN  0x600dcafeu

#define PAIR    5u
#define NEXTHOP 3u

/* A hook's half of the fixture. */
struct hook {
	bool is_xdp; /* a test-run at TC refuses frames whose network header is cut */
	uint32_t pass, drop, redirect;
};

struct fixture {
	const struct hook *hook;
	struct bpf_object *object; /* borrowed from the skeleton */
	int program_fd;
	bool is_ipv6;
	struct flow_pair *pairs; /* the mapped arrays */
	struct flow_bucket *buckets;
	uint32_t nbuckets;
	uint64_t counted[FLOW_VERDICT_COUNT];
};

static int map_fd(const struct fixture *f, const char *name)
{
	return bpf_object__find_map_fd_by_name(f->object, name);
}

static struct flow_pair *pair_of(const struct fixture *f)
{
	return &f->pairs[PAIR];
}

static uint64_t count_of(const struct fixture *f, enum flow_verdict verdict)
{
	uint64_t *counts = calloc((size_t)libbpf_num_possible_cpus(), sizeof(*counts));
	uint32_t key = verdict;
	uint64_t sum = 0;

	assert_non_null(counts);
	assert_int_equal(bpf_map_lookup_elem(map_fd(f, "verdicts"), &key, counts), 0);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++)
		sum += counts[i];
	free(counts);
	return sum;
}

static void put_flow(const struct fixture *f, enum leg leg, enum flow_direction direction)
{
	struct flow_key *key = &pair_of(f)->in[direction].key;

	key->source_port = htons(leg_ends[leg].source_port);
	key->destination_port = htons(leg_ends[leg].destination_port);
	address_of(leg_ends[leg].source, f->is_ipv6, key->source);
	address_of(leg_ends[leg].destination, f->is_ipv6, key->destination);
	assert_int_equal(flow_table_put(f->buckets, f->nbuckets, f->pairs, PAIR, direction), 0);
}

static void put_translation(const struct fixture *f, enum leg leg, enum flow_direction direction)
{
	bool is_up = direction == FLOW_UP;
	struct flow_translation *out = &pair_of(f)->out[direction];

	*out = (struct flow_translation){
		.source_port = htons(leg_ends[leg].source_port),
		.destination_port = htons(leg_ends[leg].destination_port),
		.seq_delta = is_up ? SEQ_UP : SEQ_DOWN,
		.ack_delta = is_up ? -SEQ_DOWN : -SEQ_UP,
		.tsval_delta = is_up ? TS_UP : TS_DOWN,
		.tsecr_delta = is_up ? -TS_DOWN : -TS_UP,
		.flags = FLOW_HAS_TIMESTAMPS,
		.nexthop = NEXTHOP,
	};
	address_of(leg_ends[leg].source, f->is_ipv6, out->source);
	address_of(leg_ends[leg].destination, f->is_ipv6, out->destination);
}

static void put_nexthop(const struct fixture *f, uint32_t ifindex, uint16_t flags)
{
	struct flow_nexthop nexthop = {.ifindex = ifindex, .mtu = 1500, .flags = flags};
	uint32_t key = NEXTHOP;

	memcpy(nexthop.destination_mac, "\x02\x00\x00\x00\x00\xdd", 6);
	memcpy(nexthop.source_mac, "\x02\x00\x00\x00\x00\xee", 6);
	address_of(9, f->is_ipv6, nexthop.gateway);
	assert_int_equal(bpf_map_update_elem(map_fd(f, "nexthops"), &key, &nexthop, BPF_ANY), 0);
}

/* The state that a case begins with: one spliced pair, nothing seen. */
static void reset_pair(struct fixture *f, bool is_ipv6)
{
	f->is_ipv6 = is_ipv6;
	memset(f->buckets, 0, f->nbuckets * sizeof(*f->buckets));
	*pair_of(f) = (struct flow_pair){.gate = gate_word(GATE_SPLICED, 0)};
	put_flow(f, UP_IN, FLOW_UP);
	put_flow(f, DOWN_IN, FLOW_DOWN);
	put_translation(f, UP_OUT, FLOW_UP);
	put_translation(f, DOWN_OUT, FLOW_DOWN);
	put_nexthop(f, 1, NEXTHOP_MAC_VALID);
	for (int i = 0; i < FLOW_VERDICT_COUNT; i++)
		f->counted[i] = count_of(f, (enum flow_verdict)i);
}

static void *map_array(const struct fixture *f, const char *name, size_t size)
{
	void *elements = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd(f, name), 0);

	assert_ptr_not_equal(elements, MAP_FAILED);
	return elements;
}

static void fixture_init(struct fixture *f, const struct hook *hook, struct bpf_object *object,
			 const struct bpf_program *program)
{
	*f = (struct fixture){.hook = hook, .object = object};
	f->program_fd = bpf_program__fd(program);
	f->nbuckets = bpf_map__max_entries(bpf_object__find_map_by_name(object, "buckets"));
	f->pairs = map_array(f, "pairs", (PAIR + 1) * sizeof(*f->pairs));
	f->buckets = map_array(f, "buckets", f->nbuckets * sizeof(*f->buckets));
}

static void fixture_done(struct fixture *f)
{
	munmap(f->pairs, (PAIR + 1) * sizeof(*f->pairs));
	munmap(f->buckets, f->nbuckets * sizeof(*f->buckets));
}

#endif
