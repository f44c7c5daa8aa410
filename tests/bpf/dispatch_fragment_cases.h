// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BPF_DISPATCH_FRAGMENT_CASES_H
#define TESTS_BPF_DISPATCH_FRAGMENT_CASES_H

/* Datagrams in pieces. */
#include "dispatch_cases.h"

#define PAYLOAD 1200u
#define CUT     400u /* bytes of a piece behind the network header, a multiple of eight */

/* @id: of the datagram. @offset: of the piece, behind the network header. */
static struct frame piece(const struct frame *whole, uint32_t id, size_t offset)
{
	size_t head = 14 + ip_len(fixture.is_ipv6), left = whole->len - head - offset;
	size_t len = left < CUT ? left : CUT, fragment_len = fixture.is_ipv6 ? 8 : 0;
	bool has_more = left > len;
	struct frame frame = {.len = head + fragment_len + len};
	uint8_t *ip = frame.bytes + 14;

	memcpy(frame.bytes, whole->bytes, head);
	memcpy(frame.bytes + head + fragment_len, whole->bytes + head + offset, len);
	if (fixture.is_ipv6) {
		put16(ip + 4, (unsigned)(len + 8));
		frame.bytes[head] = ip[6];
		ip[6] = 44;
		put16(frame.bytes + head + 2, (unsigned)offset | has_more);
		put32(frame.bytes + head + 4, id);
		return frame;
	}
	put16(ip + 2, (unsigned)(20 + len));
	put16(ip + 4, id);
	put16(ip + 6, (unsigned)(offset / 8) | (has_more ? 0x2000u : 0));
	put16(ip + 10, 0);
	put16(ip + 10, checksum_of(sum_bytes(0, ip, 20)));
	return frame;
}

static void clear_notes(void)
{
	struct dispatch_fragment_key key;

	while (bpf_map_get_next_key(map_fd("dispatch_fragments"), NULL, &key) == 0)
		assert_int_equal(bpf_map_delete_elem(map_fd("dispatch_fragments"), &key), 0);
}

static struct frame datagram_of(enum leg leg)
{
	const struct datagram datagram = {.leg = leg, .payload = PAYLOAD};

	return udp_frame(&datagram);
}

static void assert_pieces_become(const char *what, enum leg in_leg, enum leg out_leg, uint32_t id)
{
	struct frame whole_in = datagram_of(in_leg), whole_out = datagram_of(out_leg), out;
	uint32_t action = out_leg == UP_OUT ? fixture.hook->redirect : fixture.hook->reply;

	for (size_t offset = 0; offset < PAYLOAD; offset += CUT) {
		out = piece(&whole_out, id, offset);
		if (out_leg == UP_OUT)
			set_way_up(&out);
		else
			set_macs(&out, "\x02\x00\x00\x00\x00\x02", "\x02\x00\x00\x00\x00\x01");
		assert_becomes(what, piece(&whole_in, id, offset), action, &out);
	}
}

static void pieces_are_translated_as_the_first_one(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset(DISPATCH_NAT, IPPROTO_UDP, is_ipv6);
		assert_pieces_become("up", UP_IN, UP_OUT, 5);
		assert_pieces_become("down", DOWN_IN, DOWN_OUT, 5);
		assert_pieces_become("another one", UP_IN, UP_OUT, 6);
	}
}

static void pieces_reach_the_endpoint_of_the_first_one(void **state)
{
	struct frame whole, in, out;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset(DISPATCH_L2, IPPROTO_UDP, is_ipv6);
		whole = datagram_of(UP_IN);
		for (size_t offset = 0; offset < PAYLOAD; offset += CUT) {
			in = out = piece(&whole, 7, offset);
			set_way_up(&out);
			assert_becomes("by layer two", in, fixture.hook->redirect, &out);
			put_ring(0); /* nobody takes new flows */
		}
		reset_tunnel(DISPATCH_IPIP, IPPROTO_UDP, is_ipv6, true);
		for (size_t offset = 0; offset < PAYLOAD; offset += CUT) {
			in = piece(&whole, 8, offset);
			assert_is_wrapped("in a tunnel", &in, false);
		}
	}
}

/* Clocks of two CPUs differ by a tick. */
static void piece_follows_a_first_one_of_the_next_second(void **state)
{
	struct dispatch_fragment_key key;
	struct dispatch_fragment note;
	struct frame whole, in;

	(void)state;
	reset(DISPATCH_NAT, IPPROTO_UDP, false);
	clear_notes();
	whole = datagram_of(UP_IN);
	in = piece(&whole, 14, 0);
	assert_action("the first", in, fixture.hook->redirect);
	assert_int_equal(bpf_map_get_next_key(map_fd("dispatch_fragments"), NULL, &key), 0);
	assert_int_equal(bpf_map_lookup_elem(map_fd("dispatch_fragments"), &key, &note), 0);
	note.seen_s += 2; /* one may have passed until the next piece */
	assert_int_equal(bpf_map_update_elem(map_fd("dispatch_fragments"), &key, &note, BPF_ANY),
			 0);
	in = piece(&whole, 14, CUT);
	assert_action("what follows it", in, fixture.hook->redirect);
}

static void pieces_of_what_is_not_ours_are_passed_untouched(void **state)
{
	struct frame whole, in;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset(DISPATCH_NAT, IPPROTO_UDP, is_ipv6);
		whole = datagram_of(UP_IN);
		in = piece(&whole, 9, CUT);
		assert_becomes("without a first", in, fixture.hook->pass, &in);
		whole.bytes[14 + ip_len(is_ipv6) + 3] = 81;
		in = piece(&whole, 10, 0);
		assert_becomes("another port", in, fixture.hook->pass, &in);
		in = piece(&whole, 10, CUT);
		assert_becomes("what follows it", in, fixture.hook->pass, &in);
		whole = datagram_of(DOWN_IN);
		in = piece(&whole, 11, 0);
		assert_becomes("an answer to nobody", in, fixture.hook->pass, &in);
	}
}

static void pieces_of_tcp_and_of_flows_that_are_over_are_dropped(void **state)
{
	struct frame whole, in;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset(DISPATCH_NAT, IPPROTO_TCP, is_ipv6);
		whole = tcp_frame(UP_IN, ACK, 1000);
		assert_dropped("of TCP", piece(&whole, 12, 0), DISPATCH_DROP_FRAGMENT);
		reset(DISPATCH_NAT, IPPROTO_UDP, is_ipv6);
		whole = datagram_of(UP_IN);
		in = piece(&whole, 13, 0);
		assert_action("the first", in, fixture.hook->redirect);
		forget_flows();
		assert_dropped("the next", piece(&whole, 13, CUT), DISPATCH_DROP_FRAGMENT);
	}
}

#define DISPATCH_FRAGMENT_TESTS                                                    \
	cmocka_unit_test(pieces_are_translated_as_the_first_one),                  \
		cmocka_unit_test(pieces_reach_the_endpoint_of_the_first_one),      \
		cmocka_unit_test(piece_follows_a_first_one_of_the_next_second),    \
		cmocka_unit_test(pieces_of_what_is_not_ours_are_passed_untouched), \
		cmocka_unit_test(pieces_of_tcp_and_of_flows_that_are_over_are_dropped)

#endif
