// SPDX-License-Identifier: Apache-2.0
// The packet splice at TC, packet by packet, and the SYNs that lose options on their way out.
#include "splice_cases.h"
#include "tc_egress.skel.h"
#include "tc_ingress.skel.h"

#include <linux/pkt_cls.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static const struct hook tc = {
	.pass = (uint32_t)TC_ACT_UNSPEC, .drop = TC_ACT_SHOT, .redirect = TC_ACT_REDIRECT};

static struct tc_ingress_bpf *ingress;
static struct tc_egress_bpf *egress;

static int load(void **state)
{
	(void)state;
	ingress = tc_ingress_bpf__open_and_load();
	egress = tc_egress_bpf__open_and_load();
	if (!ingress || !egress)
		return -1;
	fixture_init(&fixture, &tc, ingress->obj, ingress->progs.tc_ingress);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	fixture_done(&fixture);
	tc_ingress_bpf__destroy(ingress);
	tc_egress_bpf__destroy(egress);
	return 0;
}

static void large_packet_stays_whole(void **state)
{
	struct segment in = {UP_SEGMENT, TRACED(100, 200), .payload = 3000};
	struct segment out = {UP_SEGMENT_OUT, TRACED(TV(100), TE(200)), .payload = 3000};
	struct __sk_buff skb = {.gso_size = 1000, .gso_segs = 3};

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct shape shape = {.is_ipv6 = is_ipv6};
		struct frame frame = build_frame(&in, &shape), expected = build_frame(&out, &shape);

		reset_pair(&fixture, is_ipv6);
		assert_frame("GSO", &fixture, &frame, &expected, FLOW_VERDICT_SPLICED, &skb);
		assert_int_equal(pair_of(&fixture)->seen[FLOW_UP].bytes, 3000);
		assert_int_equal(pair_of(&fixture)->seen[FLOW_UP].packets, 3);
	}
}

static int on_too_big(void *context, void *record, size_t size)
{
	assert_true(size >= sizeof(struct flow_event));
	*(struct flow_event *)context = *(const struct flow_event *)record;
	return 0;
}

/* A segment of MTU bytes fits, one of a byte more does not, alone or in a large packet. */
static void packet_too_big_for_its_way_is_dropped_and_told(void **state)
{
	const uint32_t mtu = 1500;
	struct flow_event event = {};
	struct ring_buffer *ring = ring_buffer__new(map_fd(&fixture, "events"), on_too_big, &event,
						    NULL);

	(void)state;
	assert_non_null(ring);
	for (int i = 0; i < 8; i++) {
		bool is_ipv6 = i & 1, is_gso = i & 2, is_over = i & 4;
		uint32_t fits = mtu - (is_ipv6 ? 40 : 20) - 20;
		struct shape shape = {.is_ipv6 = is_ipv6};
		uint32_t payload = is_gso ? 3000 : fits + is_over;
		struct segment in = {UP_SEGMENT, .payload = payload};
		struct segment out = {UP_SEGMENT_OUT, .payload = payload};
		struct __sk_buff skb = {.gso_size = is_gso ? fits + is_over : 0,
					.gso_segs = is_gso ? 3 : 0};
		struct frame frame = build_frame(&in, &shape), expected = build_frame(&out, &shape);

		reset_pair(&fixture, is_ipv6);
		pair_of(&fixture)->id = 77;
		assert_true(ring_buffer__consume(ring) >= 0);
		event = (struct flow_event){};
		assert_frame("size", &fixture, &frame, &expected,
			     is_over ? FLOW_VERDICT_TOO_BIG : FLOW_VERDICT_SPLICED, &skb);
		assert_int_equal(ring_buffer__consume(ring), is_over);
		if (!is_over)
			continue;
		assert_int_equal(event.kind, FLOW_EVENT_TOO_BIG);
		assert_int_equal(event.id, 77);
		assert_int_equal(event.pair, PAIR);
		assert_int_equal(event.direction, FLOW_UP);
		assert_int_equal(event.mtu, mtu);
		assert_int_equal(event.seq, SEQ);
		assert_int_equal(pair_of(&fixture)->seen[FLOW_UP].packets, 0);
	}
	ring_buffer__free(ring);
}

static void length_field_of_a_too_large_packet_may_be_zero(void **state)
{
	struct __sk_buff skb = {.gso_size = 5, .gso_segs = 2};
	struct frame frame = plain_frame(true), out = {};

	(void)state;
	put16(frame.bytes + 18, 0);
	assert_passes("no length", &frame, FLOW_VERDICT_MALFORMED);
	assert_int_equal(run_frame(&fixture, &frame, &out, &skb), TC_ACT_REDIRECT);
	assert_int_equal(pair_of(&fixture)->seen[FLOW_UP].bytes, 10);
}

#define SYN_OPTIONS(sack0, sack1, ...) \
	.options_len = 20, .options = {2, 4, 5, 0xb4, sack0, sack1, __VA_ARGS__, 1, 3, 3, 7}
#define BLANK NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP

static void marked_syn_loses_its_options(void **state)
{
	static const struct {
		const char *what;
		uint32_t mark;
		struct segment in, out;
	} cases[] = {
		{"no mark",
		 0x1,
		 {.flags = SYN, SYN_OPTIONS(4, 2, TIMESTAMPS(7, 0))},
		 {.flags = SYN, SYN_OPTIONS(4, 2, TIMESTAMPS(7, 0))}},
		{"timestamps",
		 FLOW_MARK_NO_TIMESTAMPS,
		 {.flags = SYN, SYN_OPTIONS(4, 2, TIMESTAMPS(7, 0))},
		 {.flags = SYN, SYN_OPTIONS(4, 2, BLANK)}},
		{"SACK",
		 FLOW_MARK_NO_SACK,
		 {.flags = SYN, SYN_OPTIONS(4, 2, TIMESTAMPS(7, 0))},
		 {.flags = SYN, SYN_OPTIONS(NOP, NOP, TIMESTAMPS(7, 0))}},
		{"both",
		 FLOW_MARK_NO_TIMESTAMPS | FLOW_MARK_NO_SACK,
		 {.flags = SYN, SYN_OPTIONS(4, 2, TIMESTAMPS(7, 0))},
		 {.flags = SYN, SYN_OPTIONS(NOP, NOP, BLANK)}},
		{"no SYN",
		 FLOW_MARK_NO_TIMESTAMPS,
		 {.flags = ACK, TRACED(1, 2)},
		 {.flags = ACK, TRACED(1, 2)}},
	};
	struct fixture f = fixture;

	(void)state;
	f.program_fd = bpf_program__fd(egress->progs.tc_egress);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct shape shape = {.is_ipv6 = i % 2};
		struct __sk_buff skb = {.mark = cases[i / 2].mark};
		struct frame in = build_frame(&cases[i / 2].in, &shape), out = {};
		struct frame expected = build_frame(&cases[i / 2].out, &shape);

		assert_int_equal(run_frame(&f, &in, &out, &skb), (uint32_t)TC_ACT_UNSPEC);
		assert_frames_equal(cases[i / 2].what, &out, &expected);
	}
}

#define ROUNDS 10000

/* Who has come to the round's start. */
static _Atomic unsigned arrived;

static void start_round(unsigned round)
{
	atomic_fetch_add(&arrived, 1);
	while (atomic_load(&arrived) < 2 * (round + 1))
		sched_yield();
}

static struct frame frame_of_round(unsigned round, uint32_t offset)
{
	struct segment segment = {UP_SEGMENT, .payload = 1};
	struct shape shape = {};

	segment.seq = 10 * round + offset;
	return build_frame(&segment, &shape);
}

static void *take_every_second(void *argument)
{
	(void)argument;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct frame frame = frame_of_round(i, 2), out;

		start_round(2 * i);
		run_frame(&fixture, &frame, &out, NULL);
		start_round(2 * i + 1);
	}
	return NULL;
}

/* What one of them overwrote would be a packet that the daemon never hears of. */
static void packets_on_two_cpus_are_both_recorded(void **state)
{
	unsigned nmissing = 0;
	pthread_t other;

	(void)state;
	reset_pair(&fixture, false);
	pair_of(&fixture)->gate = gate_word(GATE_OBSERVE, 0);
	arrived = 0;
	assert_int_equal(pthread_create(&other, NULL, take_every_second, NULL), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct frame frame = frame_of_round(i, 1), out;

		start_round(2 * i);
		run_frame(&fixture, &frame, &out, NULL);
		start_round(2 * i + 1);
		nmissing += pair_of(&fixture)->seen[FLOW_UP].seq_end != 10 * i + 2 + 1;
	}
	pthread_join(other, NULL);
	assert_int_equal(nmissing, 0);
	assert_int_equal(pair_of(&fixture)->gate, gate_word(GATE_OBSERVE, 2 * ROUNDS));
}

/* The sockets have what lies before LINE and KNOWN, as acks and numbers from the client say it. */
#define LINE  (ACK_ + 1000)
#define KNOWN (SEQ - 7)

static void give_tail(void)
{
	reset_pair(&fixture, false);
	pair_of(&fixture)->gate = gate_word(GATE_TAIL, 0);
	pair_of(&fixture)->joined_seq[FLOW_UP] = KNOWN;
	pair_of(&fixture)->joined_seq[FLOW_DOWN] = LINE - SEQ_DOWN;
	pair_of(&fixture)->seen[FLOW_UP].told = ACK_ - 1;
}

static void ack_of_what_a_socket_sent_is_the_sockets_alone(void **state)
{
	struct segment segment = {UP_SEGMENT, TRACED(100, 200)};
	struct segment for_socket = {.leg = UP_IN,
				     .flags = ACK,
				     .seq = KNOWN,
				     .ack = ACK_,
				     .window = 500,
				     TRACED(100, 200),
				     .ttl = 64};
	struct shape shape = {};
	struct frame in = build_frame(&segment, &shape), out = {};
	struct frame expected = build_frame(&for_socket, &shape);

	(void)state;
	give_tail();
	assert_int_equal(run_frame(&fixture, &in, &out, NULL), (uint32_t)TC_ACT_UNSPEC);
	assert_verdict("bare ack", &fixture, FLOW_VERDICT_TAIL);
	assert_frames_equal("bare ack", &out, &expected);
	assert_int_equal(pair_of(&fixture)->seen[FLOW_UP].ack, ACK_);
}

static void bytes_go_on_with_what_the_other_end_was_told(void **state)
{
	static const struct {
		const char *what;
		uint32_t ack, ack_out, told;
	} cases[] = {
		{"below the line", ACK_, ACK_OUT + 1000, ACK_},
		{"at the line", LINE, ACK_OUT + 1000, LINE},
		{"above the line", LINE + 50, ACK_OUT + 1050, LINE},
	};
	struct shape shape = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct segment in = {UP_SEGMENT, TRACED(100, 200), .payload = 30};
		struct segment out = {UP_SEGMENT_OUT, TRACED(TV(100), TE(200)), .payload = 30};
		struct frame frame, expected;

		in.ack = cases[i].ack;
		out.ack = cases[i].ack_out;
		frame = build_frame(&in, &shape);
		expected = build_frame(&out, &shape);
		give_tail();
		assert_frame(cases[i].what, &fixture, &frame, &expected, FLOW_VERDICT_SPLICED,
			     NULL);
		assert_int_equal(pair_of(&fixture)->seen[FLOW_UP].told, cases[i].told);
		assert_int_equal(pair_of(&fixture)->seen[FLOW_UP].ack, cases[i].ack);
	}
}

static void what_was_made_for_a_socket_is_not_looked_at_again(void **state)
{
	struct __sk_buff skb = {.mark = FLOW_MARK_COPY};
	struct frame frame = plain_frame(false), out = {};

	(void)state;
	give_tail();
	assert_int_equal(run_frame(&fixture, &frame, &out, &skb), (uint32_t)TC_ACT_UNSPEC);
	assert_frames_equal("copy", &out, &frame);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPLICE_TESTS,
		cmocka_unit_test(large_packet_stays_whole),
		cmocka_unit_test(packet_too_big_for_its_way_is_dropped_and_told),
		cmocka_unit_test(length_field_of_a_too_large_packet_may_be_zero),
		cmocka_unit_test(marked_syn_loses_its_options),
		cmocka_unit_test(ack_of_what_a_socket_sent_is_the_sockets_alone),
		cmocka_unit_test(bytes_go_on_with_what_the_other_end_was_told),
		cmocka_unit_test(what_was_made_for_a_socket_is_not_looked_at_again),
		cmocka_unit_test(packets_on_two_cpus_are_both_recorded),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
