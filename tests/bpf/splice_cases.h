// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BPF_SPLICE_CASES_H
#define TESTS_BPF_SPLICE_CASES_H

/* What holds at both ingress hooks. A test program defines `fixture`, and takes SPLICE_TESTS. */
#include "core/compiler.h"
#include "event_use.h"
#include "splice_fixture.h"

static struct fixture fixture;

/* Return: the program's action; @ret_out: the frame as it left it. @skb: NULL, or what TC is told.
 */
static uint32_t run_frame(const struct fixture *f, const struct frame *in, struct frame *ret_out,
			  struct __sk_buff *skb)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = in->bytes,
		    .data_size_in = (uint32_t)in->len, .data_out = ret_out->bytes,
		    .data_size_out = sizeof(ret_out->bytes), .ctx_in = skb,
		    .ctx_size_in = skb ? sizeof(*skb) : 0, .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(f->program_fd, &options), 0);
	ret_out->len = options.data_size_out;
	return options.retval;
}

/* Exactly one packet was counted since reset_pair(), as @verdict. */
static void assert_verdict(const char *what, const struct fixture *f, enum flow_verdict verdict)
{
	for (int i = 0; i < FLOW_VERDICT_COUNT; i++) {
		uint64_t count = count_of(f, (enum flow_verdict)i) - f->counted[i];

		if (count != (i == (int)verdict))
			fail_msg("%s: %llu of verdict %d, wanted one of %d", what,
				 (unsigned long long)count, i, verdict);
	}
}

/* Runs @in; where it is forwarded, @expected must come out, otherwise @in itself. */
static void assert_frame(const char *what, const struct fixture *f, const struct frame *in,
			 const struct frame *expected, enum flow_verdict verdict,
			 struct __sk_buff *skb)
{
	bool is_dropped = verdict == FLOW_VERDICT_TTL_EXPIRED ||
			  verdict == FLOW_VERDICT_NO_HEADROOM ||
			  verdict == FLOW_VERDICT_NEXTHOP_GONE || verdict == FLOW_VERDICT_TOO_BIG;
	bool is_forwarded = verdict == FLOW_VERDICT_SPLICED || verdict == FLOW_VERDICT_ICMP_SPLICED;
	struct frame wanted = is_forwarded ? *expected : *in;
	struct frame out = {};
	uint32_t action = run_frame(f, in, &out, skb);

	assert_verdict(what, f, verdict);
	if (action != (is_forwarded ? f->hook->redirect
		       : is_dropped ? f->hook->drop
				    : f->hook->pass))
		fail_msg("%s: action %u", what, action);
	if (is_forwarded && f->hook->is_xdp)
		memcpy(wanted.bytes, "\x02\x00\x00\x00\x00\xdd\x02\x00\x00\x00\x00\xee", 12);
	assert_frames_equal(what, &out, &wanted);
}

#define BE(x)              (uint8_t)((x) >> 24), (uint8_t)((x) >> 16), (uint8_t)((x) >> 8), (uint8_t)(x)
#define TIMESTAMPS(tv, te) 8, 10, BE(tv), BE(te)
#define NOP                1
#define TRACED(tv, te)     .options_len = 12, .options = {NOP, NOP, TIMESTAMPS(tv, te)}

/* A packet from the client of SEQ, ACK_, and what becomes of these. */
#define SEQ     0x30000000u
#define ACK_    0x50000000u
#define SEQ_OUT (SEQ + SEQ_UP)
#define ACK_OUT (ACK_ - SEQ_DOWN)
/* Deltas of TSval and TSecr upward. */
#define TV(x) ((x) + TS_UP)
#define TE(x) ((x)-TS_DOWN)
/* A SACK edge, as it arrives and as it leaves. */
#define EDGE(i)     BE(ACK_ + 1000u * (i))
#define EDGE_OUT(i) BE(ACK_OUT + 1000u * (i))

#define UP_SEGMENT     .leg = UP_IN, .flags = ACK, .seq = SEQ, .ack = ACK_, .window = 500
#define UP_SEGMENT_OUT .leg = UP_OUT, .flags = ACK, .seq = SEQ_OUT, .ack = ACK_OUT, .window = 500

struct translation_case {
	const char *what;
	uint8_t flags, scale_in, scale_out;
	struct segment in, out;
};

static const struct translation_case translations[] = {
	{.what = "no options",
	 .in = {UP_SEGMENT, .payload = 11},
	 .out = {UP_SEGMENT_OUT, .payload = 11}},
	{.what = "no payload", .in = {UP_SEGMENT}, .out = {UP_SEGMENT_OUT}},
	{.what = "downward",
	 .in = {.leg = DOWN_IN, .flags = ACK | PSH, .seq = 7, .ack = 9, .payload = 1400},
	 .out = {.leg = DOWN_OUT,
		 .flags = ACK | PSH,
		 .seq = 7 + SEQ_DOWN,
		 .ack = 9 - SEQ_UP,
		 .payload = 1400}},
	{.what = "RST without ACK keeps its zero ack",
	 .in = {.leg = UP_IN, .flags = RST, .seq = 1},
	 .out = {.leg = UP_OUT, .flags = RST, .seq = 1 + SEQ_UP}},
	{.what = "timestamps",
	 .flags = FLOW_HAS_TIMESTAMPS,
	 .in = {UP_SEGMENT, TRACED(100, 200), .payload = 5},
	 .out = {UP_SEGMENT_OUT, TRACED(TV(100), TE(200)), .payload = 5}},
	{.what = "timestamps that wrap",
	 .flags = FLOW_HAS_TIMESTAMPS,
	 .in = {UP_SEGMENT, TRACED(0xffffffffu, 1)},
	 .out = {UP_SEGMENT_OUT, TRACED(TV(0xffffffffu), TE(1))}},
	{.what = "TSecr 0 stays",
	 .flags = FLOW_HAS_TIMESTAMPS,
	 .in = {UP_SEGMENT, TRACED(100, 0)},
	 .out = {UP_SEGMENT_OUT, TRACED(TV(100), 0)}},
	{.what = "timestamps that were not agreed on",
	 .in = {UP_SEGMENT, TRACED(100, 200)},
	 .out = {UP_SEGMENT_OUT, TRACED(100, 200)}},
	{.what = "timestamps at an odd offset",
	 .flags = FLOW_HAS_TIMESTAMPS,
	 .in = {UP_SEGMENT, .options_len = 12, .options = {NOP, TIMESTAMPS(100, 200), NOP}},
	 .out = {UP_SEGMENT_OUT, .options_len = 12,
		 .options = {NOP, TIMESTAMPS(TV(100), TE(200)), NOP}}},
	{.what = "timestamps last",
	 .flags = FLOW_HAS_TIMESTAMPS,
	 .in = {UP_SEGMENT, .options_len = 40, .options = {254, 30, [30] = TIMESTAMPS(100, 200)}},
	 .out = {UP_SEGMENT_OUT, .options_len = 40,
		 .options = {254, 30, [30] = TIMESTAMPS(TV(100), TE(200))}}},
	{.what = "padded by END",
	 .flags = FLOW_HAS_TIMESTAMPS,
	 .in = {UP_SEGMENT, .options_len = 12, .options = {TIMESTAMPS(1, 2), 0, 77}},
	 .out = {UP_SEGMENT_OUT, .options_len = 12, .options = {TIMESTAMPS(TV(1), TE(2)), 0, 77}}},
	{.what = "nothing but NOPs",
	 .in = {UP_SEGMENT, .options_len = 40, .options = {[0 ... 39] = NOP}},
	 .out = {UP_SEGMENT_OUT, .options_len = 40, .options = {[0 ... 39] = NOP}}},
	{.what = "unknown options and wrong sizes",
	 .in = {UP_SEGMENT, .options_len = 16,
		.options = {8, 6, 1, 2, 3, 4, 5, 6, 9, 9, 9, 9, 253, 3, 8}},
	 .out = {UP_SEGMENT_OUT, .options_len = 16,
		 .options = {8, 6, 1, 2, 3, 4, 5, 6, 9, 9, 9, 9, 253, 3, 8}}},
	{.what = "one SACK block",
	 .in = {UP_SEGMENT, .options_len = 12, .options = {NOP, NOP, 5, 10, EDGE(1), EDGE(2)}},
	 .out = {UP_SEGMENT_OUT, .options_len = 12,
		 .options = {NOP, NOP, 5, 10, EDGE_OUT(1), EDGE_OUT(2)}}},
	{.what = "four SACK blocks",
	 .in = {UP_SEGMENT, .options_len = 36,
		.options = {5, 34, EDGE(1), EDGE(2), EDGE(3), EDGE(4), EDGE(5), EDGE(6), EDGE(7),
			    EDGE(8)}},
	 .out = {UP_SEGMENT_OUT, .options_len = 36,
		 .options = {5, 34, EDGE_OUT(1), EDGE_OUT(2), EDGE_OUT(3), EDGE_OUT(4), EDGE_OUT(5),
			     EDGE_OUT(6), EDGE_OUT(7), EDGE_OUT(8)}}},
	{.what = "timestamps and two SACK blocks",
	 .flags = FLOW_HAS_TIMESTAMPS,
	 .in = {UP_SEGMENT, .options_len = 32,
		.options = {NOP, NOP, TIMESTAMPS(3, 4), NOP, NOP, 5, 18, EDGE(1), EDGE(2), EDGE(3),
			    EDGE(4)}},
	 .out = {UP_SEGMENT_OUT, .options_len = 32,
		 .options = {NOP, NOP, TIMESTAMPS(TV(3), TE(4)), NOP, NOP, 5, 18, EDGE_OUT(1),
			     EDGE_OUT(2), EDGE_OUT(3), EDGE_OUT(4)}}},
	{.what = "timestamps and three SACK blocks at an odd offset",
	 .flags = FLOW_HAS_TIMESTAMPS,
	 .in = {UP_SEGMENT, .options_len = 40,
		.options = {TIMESTAMPS(3, 4), NOP, 5, 26, EDGE(1), EDGE(2), EDGE(3), EDGE(4),
			    EDGE(5), EDGE(6)}},
	 .out = {UP_SEGMENT_OUT, .options_len = 40,
		 .options = {TIMESTAMPS(TV(3), TE(4)), NOP, 5, 26, EDGE_OUT(1), EDGE_OUT(2),
			     EDGE_OUT(3), EDGE_OUT(4), EDGE_OUT(5), EDGE_OUT(6)}}},
	{.what = "numbers that wrap",
	 .in = {.leg = UP_IN,
		.flags = ACK,
		.seq = 0u - SEQ_UP - 1,
		.ack = SEQ_DOWN - 1,
		.payload = 3},
	 .out = {.leg = UP_OUT,
		 .flags = ACK,
		 .seq = 0xffffffffu,
		 .ack = 0xffffffffu,
		 .payload = 3}},
	{.what = "window that grows",
	 .scale_in = 3,
	 .in = {.leg = UP_IN, .flags = RST, .window = 100},
	 .out = {.leg = UP_OUT, .flags = RST, .seq = SEQ_UP, .window = 800}},
	{.what = "window that shrinks",
	 .scale_in = 1,
	 .scale_out = 4,
	 .in = {.leg = UP_IN, .flags = RST, .window = 1007},
	 .out = {.leg = UP_OUT, .flags = RST, .seq = SEQ_UP, .window = 125}},
	{.what = "window too large for its field",
	 .scale_in = 14,
	 .in = {.leg = UP_IN, .flags = RST, .window = 0xffff},
	 .out = {.leg = UP_OUT, .flags = RST, .seq = SEQ_UP, .window = 0xffff}},
	{.what = "open window never closes",
	 .scale_out = 14,
	 .in = {.leg = UP_IN, .flags = RST, .window = 1},
	 .out = {.leg = UP_OUT, .flags = RST, .seq = SEQ_UP, .window = 1}},
	{.what = "closed window stays closed",
	 .scale_in = 7,
	 .in = {.leg = UP_IN, .flags = RST},
	 .out = {.leg = UP_OUT, .flags = RST, .seq = SEQ_UP}},
	{.what = "ECN that was not agreed on",
	 .in = {.leg = UP_IN, .flags = RST | ECE | CWR, .tos = 0xbb},
	 .out = {.leg = UP_OUT, .flags = RST, .seq = SEQ_UP, .tos = 0xb8}},
	{.what = "ECN",
	 .flags = FLOW_HAS_ECN,
	 .in = {.leg = UP_IN, .flags = RST | ECE | CWR, .tos = 0xbb},
	 .out = {.leg = UP_OUT, .flags = RST | ECE | CWR, .seq = SEQ_UP, .tos = 0xbb}},
	{.what = "last hop but one",
	 .in = {.leg = UP_IN, .flags = RST, .ttl = 2},
	 .out = {.leg = UP_OUT, .flags = RST, .seq = SEQ_UP, .ttl = 1}},
};

static void assert_translation(const struct translation_case *c, bool is_ipv6, bool is_tagged)
{
	struct shape arriving = {.is_ipv6 = is_ipv6, .is_tagged = is_tagged};
	struct shape leaving = {.is_ipv6 = is_ipv6};
	struct frame in = build_frame(&c->in, &arriving), out = build_frame(&c->out, &leaving);

	reset_pair(&fixture, is_ipv6);
	for (int i = 0; i < FLOW_DIRECTIONS; i++) {
		pair_of(&fixture)->out[i].flags = c->flags;
		pair_of(&fixture)->out[i].scale_in = c->scale_in;
		pair_of(&fixture)->out[i].scale_out = c->scale_out;
	}
	assert_frame(c->what, &fixture, &in, &out, FLOW_VERDICT_SPLICED, NULL);
}

static void packets_of_a_joined_flow_are_translated(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(translations); i++)
		for (int shape = 0; shape < 4; shape++)
			assert_translation(&translations[i], shape & 1, shape & 2);
}

static const struct segment plain = {UP_SEGMENT, TRACED(100, 200), .payload = 10};

/* A packet that passes: untouched and counted. */
static void assert_passes(const char *what, const struct frame *frame, enum flow_verdict verdict)
{
	for (int i = 0; i < FLOW_VERDICT_COUNT; i++)
		fixture.counted[i] = count_of(&fixture, (enum flow_verdict)i);
	assert_frame(what, &fixture, frame, NULL, verdict, NULL);
}

/* Every shorter frame that can be tested. */
static void assert_cut_passes(struct frame frame)
{
	size_t shortest = 14 + (fixture.hook->is_xdp ? 0 : ip_len(fixture.is_ipv6));

	while (--frame.len >= shortest)
		assert_passes("cut", &frame, FLOW_VERDICT_MALFORMED);
}

static struct frame plain_frame(bool is_ipv6)
{
	struct shape shape = {.is_ipv6 = is_ipv6};

	reset_pair(&fixture, is_ipv6);
	return build_frame(&plain, &shape);
}

static void wrong_checksum_stays_wrong(void **state)
{
	struct segment segment = {UP_SEGMENT_OUT, TRACED(TV(100), TE(200)), .payload = 10};

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct frame in = plain_frame(is_ipv6);
		struct shape shape = {.is_ipv6 = is_ipv6};
		struct frame out = build_frame(&segment, &shape);

		in.bytes[in.len - 1] ^= 1;
		out.bytes[out.len - 1] ^= 1;
		assert_frame("wrong checksum", &fixture, &in, &out, FLOW_VERDICT_SPLICED, NULL);
	}
}

static void frame_cut_at_any_length_passes(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++)
		assert_cut_passes(plain_frame(is_ipv6));
}

static void header_length_that_lies_passes(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct frame frame = plain_frame(is_ipv6);
		uint8_t *doff = frame.bytes + 14 + ip_len(is_ipv6) + 12;

		for (uint8_t words = 0; words < 16; words++) {
			*doff = (uint8_t)(words << 4);
			if (words < 5 || words * 4u > 42)
				assert_passes("doff", &frame, FLOW_VERDICT_MALFORMED);
		}
	}
}

static void options_that_run_over_pass(void **state)
{
	static const uint8_t options[][4] = {{254, 5, 0, 0}, {254, 0, 0, 0}, {254, 1, 0, 0},
					     {1, 1, 1, 254}, {8, 10, 0, 0},  {5, 255, 0, 0}};
	struct segment segment = {UP_SEGMENT, .options_len = 4, .payload = 20};
	struct shape shape = {};
	struct frame frame;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		memcpy(segment.options, options[i], 4);
		frame = build_frame(&segment, &shape);
		reset_pair(&fixture, false);
		assert_passes("options", &frame, FLOW_VERDICT_MALFORMED);
		pair_of(&fixture)->gate = gate_word(GATE_OBSERVE, 0);
		assert_passes("options, observed", &frame, FLOW_VERDICT_OBSERVED);
		assert_int_equal(pair_of(&fixture)->gate, gate_word(GATE_OBSERVE, 1));
	}
}

static void what_is_not_tcp_passes(void **state)
{
	struct frame frame;

	(void)state;
	frame = plain_frame(false);
	frame.bytes[14] = 0x46; /* IP options */
	assert_passes("ihl 6", &frame, FLOW_VERDICT_NOT_TCP);
	frame.bytes[14] = 0x44;
	assert_passes("ihl 4", &frame, FLOW_VERDICT_MALFORMED);
	frame.bytes[14] = 0x65;
	assert_passes("version", &frame, FLOW_VERDICT_MALFORMED);
	frame = plain_frame(false);
	frame.bytes[21] = 1;
	assert_passes("last fragment", &frame, FLOW_VERDICT_NOT_TCP);
	frame = plain_frame(false);
	frame.bytes[23] = 17;
	assert_passes("UDP", &frame, FLOW_VERDICT_NOT_TCP);
	frame.bytes[12] = 0x06; /* ARP: 0x0800 would be 8 */
	assert_passes("another EtherType", &frame, FLOW_VERDICT_NOT_TCP);
	frame = plain_frame(true);
	frame.bytes[20] = 44;
	assert_passes("extension header", &frame, FLOW_VERDICT_NOT_TCP);
}

static void insert(struct frame *frame, size_t at, const uint8_t *bytes, size_t len)
{
	memmove(frame->bytes + at + len, frame->bytes + at, frame->len - at);
	memcpy(frame->bytes + at, bytes, len);
	frame->len += len;
}

/* Dropped of a flow that is joined, and passed of any other. */
static void assert_refused_if_joined(const char *what, struct frame *frame)
{
	pair_of(&fixture)->gate = gate_word(GATE_SPLICED, 0);
	assert_passes(what, frame, FLOW_VERDICT_NO_HEADROOM);
	pair_of(&fixture)->gate = gate_word(GATE_TAIL, 0);
	assert_passes(what, frame, FLOW_VERDICT_NO_HEADROOM);
	pair_of(&fixture)->gate = gate_word(GATE_OBSERVE, 0);
	assert_passes(what, frame, FLOW_VERDICT_NOT_TCP);
}

static void what_cannot_be_translated_is_lost_on_the_way(void **state)
{
	static const uint8_t options[4] = {1, 1, 1, 0}, first[8] = {6, 0, 0, 1, 0, 0, 0, 7};
	struct frame frame = plain_frame(false);

	(void)state;
	frame.bytes[20] = 0x20; /* more fragments */
	assert_refused_if_joined("first fragment", &frame);
	frame = plain_frame(false);
	insert(&frame, 34, options, sizeof(options));
	frame.bytes[14] = 0x46;
	frame.bytes[17] += sizeof(options);
	assert_refused_if_joined("options", &frame);
	frame = plain_frame(true);
	insert(&frame, 54, first, sizeof(first));
	frame.bytes[19] += sizeof(first);
	frame.bytes[20] = 44;
	assert_refused_if_joined("first fragment of IPv6", &frame);
	frame.bytes[57] |= 8; /* the second */
	assert_passes("later fragment of IPv6", &frame, FLOW_VERDICT_NOT_TCP);
}

static void padding_behind_a_packet_is_no_payload(void **state)
{
	struct segment in = {UP_SEGMENT}, out = {UP_SEGMENT_OUT};
	struct shape shape = {};
	struct frame frame = build_frame(&in, &shape), expected = build_frame(&out, &shape);

	(void)state;
	frame.len += 6;
	expected.len += 6;
	reset_pair(&fixture, false);
	assert_frame("padding", &fixture, &frame, &expected, FLOW_VERDICT_SPLICED, NULL);
	assert_int_equal(pair_of(&fixture)->seen[FLOW_UP].bytes, 0);
	assert_int_equal(pair_of(&fixture)->seen[FLOW_UP].packets, 1);
}

static void foreign_packet_passes(void **state)
{
	struct frame frame = plain_frame(false);

	(void)state;
	frame.bytes[35] ^= 1;
	assert_passes("foreign", &frame, FLOW_VERDICT_NO_FLOW);
}

static void gate_decides(void **state)
{
	static const struct {
		const char *what;
		enum gate_state state;
		uint64_t counted;
		enum flow_verdict verdict;
	} gates[] = {
		{"free", GATE_FREE, 0, FLOW_VERDICT_NO_FLOW},
		{"pass", GATE_PASS, 0, FLOW_VERDICT_NO_FLOW},
		{"observe", GATE_OBSERVE, 1, FLOW_VERDICT_OBSERVED},
	};
	struct frame frame = plain_frame(true);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(gates); i++) {
		pair_of(&fixture)->gate = gate_word(gates[i].state, 4);
		assert_passes(gates[i].what, &frame, gates[i].verdict);
		assert_int_equal(pair_of(&fixture)->gate,
				 gate_word(gates[i].state, 4 + gates[i].counted));
	}
}

static void observe(uint32_t seq, uint32_t ack, uint8_t flags, size_t payload)
{
	struct segment segment = {.leg = UP_IN,
				  .flags = flags,
				  .seq = seq,
				  .ack = ack,
				  .window = (uint16_t)payload,
				  .payload = payload,
				  TRACED(seq + 1, 0)};
	struct shape shape = {};
	struct frame frame = build_frame(&segment, &shape);

	assert_passes("observed", &frame, FLOW_VERDICT_OBSERVED);
}

static void observed_packets_are_recorded(void **state)
{
	const struct flow_record *record = &pair_of(&fixture)->seen[FLOW_UP];

	(void)state;
	reset_pair(&fixture, false);
	pair_of(&fixture)->gate = gate_word(GATE_OBSERVE, 0);
	observe(0xfffffff0u, 0x80000000u, ACK, 8);
	assert_int_equal(record->seq_end, 0xfffffff8u);
	assert_int_equal(record->ack, 0x80000000u);
	observe(0xfffffff8u, 0x80000010u, ACK, 16); /* beyond the wrap */
	observe(0xfffffff0u, 0x80000000u, ACK, 2);  /* an old one */
	assert_int_equal(record->seq_end, 8);
	assert_int_equal(record->ack, 0x80000010u);
	assert_int_equal(record->tsval, 0xfffffff1u);
	assert_int_equal(record->window, 2);
	observe(8, 0x80000010u, ACK | FIN, 1);
	assert_int_equal(record->seq_end, 10);
	assert_int_equal(record->flags, FLOW_SEEN_ANY);
	assert_int_equal(record->bytes, 0);
	assert_true(record->last_seen_ns > 0);
	observe(20, 0x80000010u, SYN, 0);
	assert_int_equal(record->seq_end, 21);
	assert_int_equal(pair_of(&fixture)->gate, gate_word(GATE_OBSERVE, 5));
}

/* Runs a segment through the spliced pair without a look at the bytes. */
static void forward(struct segment segment)
{
	struct shape shape = {.is_ipv6 = fixture.is_ipv6};
	struct frame frame = build_frame(&segment, &shape), out = {};

	assert_int_equal(run_frame(&fixture, &frame, &out, NULL), fixture.hook->redirect);
}

static void end_of_a_flow_is_noticed(void **state)
{
	struct flow_record *up = &pair_of(&fixture)->seen[FLOW_UP];
	struct flow_record *down = &pair_of(&fixture)->seen[FLOW_DOWN];
	const uint32_t seq = 0xfffffff0u, down_seq = 5000;

	(void)state;
	reset_pair(&fixture, false);
	forward((struct segment){
		.leg = DOWN_IN, .flags = ACK, .seq = down_seq, .ack = seq + SEQ_UP, .window = 99});
	forward((struct segment){.leg = UP_IN,
				 .flags = ACK | FIN,
				 .seq = seq,
				 .ack = down_seq + SEQ_DOWN,
				 .payload = 20});
	assert_int_equal(up->flags, FLOW_SEEN_ANY | FLOW_SEEN_FIN);
	assert_int_equal(up->fin_seq, 5);
	assert_int_equal(up->bytes, 20);
	forward((struct segment){.leg = DOWN_IN, .flags = ACK, .seq = down_seq, .ack = 4 + SEQ_UP});
	assert_int_equal(up->flags & FLOW_SEEN_FIN_ACKED, 0);
	forward((struct segment){.leg = DOWN_IN, .flags = ACK, .seq = down_seq, .ack = 5 + SEQ_UP});
	assert_int_equal(up->flags, FLOW_SEEN_ANY | FLOW_SEEN_FIN | FLOW_SEEN_FIN_ACKED);
	assert_int_equal(down->flags, FLOW_SEEN_ANY);
	assert_int_equal(down->packets, 3);
}

static int on_old_event(void *context, void *record, size_t size)
{
	(void)context, (void)record, (void)size;
	return 0;
}

/* What earlier cases have left. */
static void discard_events(void)
{
	struct ring_buffer *ring = ring_buffer__new(map_fd(&fixture, "events"), on_old_event, NULL,
						    NULL);

	assert_non_null(ring);
	assert_true(ring_buffer__consume(ring) >= 0);
	ring_buffer__free(ring);
}

/* Counts the records for the pair since the last call. */
static int on_event(void *context, void *record, size_t size)
{
	const struct flow_event *event = record;
	int *count = context;

	assert_true(size >= sizeof(*event));
	assert_int_equal(event->kind, FLOW_EVENT_OVER);
	assert_int_equal(event->pair, PAIR);
	assert_int_equal(event->id, 77);
	(*count)++;
	return 0;
}

static int take_events(void)
{
	int count = 0;
	struct ring_buffer *ring = ring_buffer__new(map_fd(&fixture, "events"), on_event, &count,
						    NULL);

	assert_non_null(ring);
	assert_true(ring_buffer__consume(ring) >= 0);
	ring_buffer__free(ring);
	return count;
}

static void begin_pair_with_events(void)
{
	reset_pair(&fixture, false);
	discard_events();
	pair_of(&fixture)->id = 77;
	forward((struct segment){
		.leg = DOWN_IN, .flags = ACK, .seq = 5000, .ack = 100 + SEQ_UP, .window = 99});
}

static void end_is_told_once_both_sides_have_heard_of_it(void **state)
{
	(void)state;
	begin_pair_with_events();
	forward((struct segment){
		.leg = UP_IN, .flags = ACK | FIN, .seq = 100, .ack = 5000 + SEQ_DOWN});
	forward((struct segment){
		.leg = DOWN_IN, .flags = ACK | FIN, .seq = 5000, .ack = 101 + SEQ_UP});
	assert_int_equal(take_events(), 0);
	forward((struct segment){.leg = UP_IN, .flags = ACK, .seq = 101, .ack = 5001 + SEQ_DOWN});
	forward((struct segment){.leg = UP_IN, .flags = ACK, .seq = 101, .ack = 5001 + SEQ_DOWN});
	assert_int_equal(take_events(), 1);
}

static void reset_is_told_once(void **state)
{
	(void)state;
	begin_pair_with_events();
	forward((struct segment){.leg = DOWN_IN, .flags = RST, .seq = 4000});
	assert_int_equal(take_events(), 0);
	forward((struct segment){.leg = DOWN_IN, .flags = RST, .seq = 5000});
	forward((struct segment){.leg = DOWN_IN, .flags = RST, .seq = 5000});
	assert_int_equal(take_events(), 1);
}

/* As many as there are: none is held back while the ring has room. */
static void ends_are_told_of_until_the_ring_is_full(void **state)
{
	uint32_t size = bpf_map__max_entries(
		bpf_object__find_map_by_name(fixture.object, "events"));
	uint32_t ended = 2 * size / sizeof(struct flow_event);
	uint64_t untold = count_untold(map_fd(&fixture, "event_uses"), FLOW_EVENT_OVER);
	uint64_t told;

	(void)state;
	begin_pair_with_events();
	for (uint32_t i = 0; i < ended; i++) {
		pair_of(&fixture)->seen[FLOW_DOWN].flags &= (uint8_t)~FLOW_SEEN_RST;
		forward((struct segment){.leg = DOWN_IN, .flags = RST, .seq = 5000});
	}
	told = (uint64_t)take_events();
	untold = count_untold(map_fd(&fixture, "event_uses"), FLOW_EVENT_OVER) - untold;
	assert_int_equal(told + untold, ended);
	assert_in_range(told, ended / 4, ended / 2);
}

static void reset_counts_only_with_a_number_that_fits(void **state)
{
	struct flow_record *up = &pair_of(&fixture)->seen[FLOW_UP];

	(void)state;
	reset_pair(&fixture, false);
	forward((struct segment){
		.leg = DOWN_IN, .flags = ACK, .seq = 1, .ack = 1000 + SEQ_UP, .window = 99});
	forward((struct segment){
		.leg = UP_IN, .flags = ACK, .seq = 1000, .ack = 1 + SEQ_DOWN, .payload = 50});
	forward((struct segment){.leg = UP_IN, .flags = RST, .seq = 1049});
	assert_int_equal(up->flags, FLOW_SEEN_ANY);
	forward((struct segment){.leg = UP_IN, .flags = RST, .seq = 1050});
	assert_int_equal(up->flags, FLOW_SEEN_ANY | FLOW_SEEN_RST);
}

static void impossible_numbers_are_not_believed(void **state)
{
	struct flow_record *up = &pair_of(&fixture)->seen[FLOW_UP];

	(void)state;
	reset_pair(&fixture, false);
	forward((struct segment){
		.leg = DOWN_IN, .flags = ACK, .seq = 1, .ack = 1000 + SEQ_UP, .window = 99});
	forward((struct segment){
		.leg = UP_IN, .flags = ACK, .seq = 1000, .ack = 1 + SEQ_DOWN, .payload = 50});
	forward((struct segment){
		.leg = UP_IN, .flags = ACK | FIN, .seq = 1000000, .ack = 2 + SEQ_DOWN});
	assert_int_equal(up->flags, FLOW_SEEN_ANY);
	assert_int_equal(up->seq_end, 1050);
	assert_int_equal(flow_ack(pair_of(&fixture), FLOW_UP), 1 + SEQ_DOWN);
}

/* What the flow has seen of each direction, and whether a SYN then begins a new connection. */
static void syn_ends_a_flow_that_is_over(void **state)
{
	static const struct {
		const char *what;
		uint8_t up, down;
		bool gives_way;
	} cases[] = {
		{"reset by the client", FLOW_SEEN_RST, 0, true},
		{"reset by the backend", 0, FLOW_SEEN_RST, true},
		{"closed by both", FLOW_SEEN_FIN | FLOW_SEEN_FIN_ACKED,
		 FLOW_SEEN_FIN | FLOW_SEEN_FIN_ACKED, true},
		{"one FIN on its way", FLOW_SEEN_FIN | FLOW_SEEN_FIN_ACKED, FLOW_SEEN_FIN, false},
		{"half closed", FLOW_SEEN_FIN | FLOW_SEEN_FIN_ACKED, 0, false},
		{"alive", FLOW_SEEN_ANY, FLOW_SEEN_ANY, false},
	};
	struct segment syn = {.leg = UP_IN, .flags = SYN, .seq = SEQ};
	struct segment syn_out = {.leg = UP_OUT, .flags = SYN, .seq = SEQ_OUT};
	struct shape shape = {};
	struct frame in = build_frame(&syn, &shape), out = build_frame(&syn_out, &shape);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct flow_pair *pair = pair_of(&fixture);

		reset_pair(&fixture, false);
		pair->seen[FLOW_UP].flags = cases[i].up;
		pair->seen[FLOW_DOWN].flags = cases[i].down;
		assert_frame(cases[i].what, &fixture, &in, &out,
			     cases[i].gives_way ? FLOW_VERDICT_NEW_SYN : FLOW_VERDICT_SPLICED,
			     NULL);
		assert_int_equal(gate_state_of(pair->gate),
				 cases[i].gives_way ? GATE_PASS : GATE_SPLICED);
		assert_int_equal(pair->seen[FLOW_UP].seq_end, 0);
	}
}

static void what_follows_the_new_syn_passes(void **state)
{
	struct segment syn = {.leg = UP_IN, .flags = SYN, .seq = SEQ};
	struct segment ack = {.leg = UP_IN, .flags = ACK, .seq = SEQ + 1};
	struct shape shape = {};
	struct frame first = build_frame(&syn, &shape), second = build_frame(&ack, &shape);

	(void)state;
	reset_pair(&fixture, false);
	pair_of(&fixture)->gate = gate_word(GATE_PASS, 0);
	assert_passes("SYN", &first, FLOW_VERDICT_NEW_SYN);
	assert_passes("ACK", &second, FLOW_VERDICT_NO_FLOW);
}

static void expired_packet_is_dropped(void **state)
{
	struct segment segment = {UP_SEGMENT, .ttl = 1};

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct shape shape = {.is_ipv6 = is_ipv6};
		struct frame frame = build_frame(&segment, &shape);

		reset_pair(&fixture, is_ipv6);
		assert_passes("ttl 1", &frame, FLOW_VERDICT_TTL_EXPIRED);
	}
}

static void packet_without_next_hop_is_dropped(void **state)
{
	struct frame frame = plain_frame(false);

	(void)state;
	put_nexthop(&fixture, 0, NEXTHOP_MAC_VALID);
	assert_passes("next hop", &frame, FLOW_VERDICT_NEXTHOP_GONE);
	pair_of(&fixture)->out[FLOW_UP].nexthop = 0xffffffffu;
	assert_passes("no such next hop", &frame, FLOW_VERDICT_NEXTHOP_GONE);
}

/* An ICMP error from @leg's sender that says "too big" and quotes a packet of leg @quoted with @seq
 * and 4 bytes more than an error has to. */
static struct frame build_too_big(enum leg leg, enum leg quoted, uint32_t seq, uint8_t ttl,
				  bool is_ipv6)
{
	size_t quote_len = ip_len(is_ipv6) + 12, len = 8 + quote_len;
	struct shape shape = {.is_ipv6 = is_ipv6};
	struct segment segment = {.leg = quoted, .seq = seq, .ack = 0x01020304};
	struct frame frame = {};
	uint8_t *ip = frame.bytes + put_ethernet(frame.bytes, &shape);
	uint8_t *icmp = ip + ip_len(is_ipv6);
	uint8_t tcp[60];
	uint32_t sum = put_ip(ip, is_ipv6, leg, is_ipv6 ? 58 : 1, 0, ttl, len);

	icmp[0] = is_ipv6 ? 2 : 3;
	icmp[1] = is_ipv6 ? 0 : 4;
	put32(icmp + 4, 1280);
	put_ip(icmp + 8, is_ipv6, quoted, 6, 0, 62, 1400);
	put_tcp(tcp, &segment);
	memcpy(icmp + 8 + ip_len(is_ipv6), tcp, 12);
	put16(icmp + 2, checksum_of(sum_bytes(is_ipv6 ? sum : 0, icmp, len)));
	frame.len = (size_t)(icmp + len - frame.bytes);
	return frame;
}

static void icmp_error_goes_to_who_sent_the_quoted_packet(void **state)
{
	struct frame in, out;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset_pair(&fixture, is_ipv6);
		in = build_too_big(DOWN_IN, UP_OUT, SEQ_OUT, 64, is_ipv6);
		out = build_too_big(DOWN_OUT, UP_IN, SEQ, 63, is_ipv6);
		assert_frame("from behind the backend", &fixture, &in, &out,
			     FLOW_VERDICT_ICMP_SPLICED, NULL);
		reset_pair(&fixture, is_ipv6);
		in = build_too_big(UP_IN, DOWN_OUT, 77 + SEQ_DOWN, 64, is_ipv6);
		out = build_too_big(UP_OUT, DOWN_IN, 77, 63, is_ipv6);
		assert_frame("from behind the client", &fixture, &in, &out,
			     FLOW_VERDICT_ICMP_SPLICED, NULL);
	}
}

static void icmp_that_is_not_ours_passes(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct frame frame = build_too_big(DOWN_IN, UP_OUT, SEQ_OUT, 64, is_ipv6);
		size_t icmp = 14 + ip_len(is_ipv6);
		struct frame echo = frame, udp = frame;

		reset_pair(&fixture, is_ipv6);
		echo.bytes[icmp] = is_ipv6 ? 128 : 8;
		assert_passes("echo", &echo, FLOW_VERDICT_NOT_TCP);
		udp.bytes[icmp + 8 + (is_ipv6 ? 6 : 9)] = 17;
		assert_passes("quotes UDP", &udp, FLOW_VERDICT_NOT_TCP);
		assert_cut_passes(frame);
		pair_of(&fixture)->gate = gate_word(GATE_OBSERVE, 3);
		assert_passes("not joined", &frame, FLOW_VERDICT_NO_FLOW);
		assert_int_equal(pair_of(&fixture)->gate, gate_word(GATE_OBSERVE, 3));
	}
}

#define SPLICE_TESTS                                                                     \
	cmocka_unit_test(packets_of_a_joined_flow_are_translated),                       \
		cmocka_unit_test(wrong_checksum_stays_wrong),                            \
		cmocka_unit_test(frame_cut_at_any_length_passes),                        \
		cmocka_unit_test(header_length_that_lies_passes),                        \
		cmocka_unit_test(options_that_run_over_pass),                            \
		cmocka_unit_test(what_is_not_tcp_passes),                                \
		cmocka_unit_test(what_cannot_be_translated_is_lost_on_the_way),          \
		cmocka_unit_test(padding_behind_a_packet_is_no_payload),                 \
		cmocka_unit_test(foreign_packet_passes), cmocka_unit_test(gate_decides), \
		cmocka_unit_test(observed_packets_are_recorded),                         \
		cmocka_unit_test(end_of_a_flow_is_noticed),                              \
		cmocka_unit_test(end_is_told_once_both_sides_have_heard_of_it),          \
		cmocka_unit_test(reset_is_told_once),                                    \
		cmocka_unit_test(ends_are_told_of_until_the_ring_is_full),               \
		cmocka_unit_test(reset_counts_only_with_a_number_that_fits),             \
		cmocka_unit_test(impossible_numbers_are_not_believed),                   \
		cmocka_unit_test(syn_ends_a_flow_that_is_over),                          \
		cmocka_unit_test(what_follows_the_new_syn_passes),                       \
		cmocka_unit_test(expired_packet_is_dropped),                             \
		cmocka_unit_test(packet_without_next_hop_is_dropped),                    \
		cmocka_unit_test(icmp_error_goes_to_who_sent_the_quoted_packet),         \
		cmocka_unit_test(icmp_that_is_not_ours_passes)

#endif
