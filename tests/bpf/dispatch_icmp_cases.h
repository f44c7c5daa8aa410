// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BPF_DISPATCH_ICMP_CASES_H
#define TESTS_BPF_DISPATCH_ICMP_CASES_H

/* ICMP to a service's address, and to the address that NAT speaks from. */
#include "dispatch_cases.h"

/* @message: has its first eight bytes, but for the checksum, and all that follows. */
static struct frame icmp_frame(enum leg leg, uint8_t ttl, const uint8_t *message, size_t len)
{
	const struct shape shape = {.is_ipv6 = fixture.is_ipv6};
	uint8_t protocol = fixture.is_ipv6 ? 58 : 1;
	struct frame frame = {};
	uint8_t *ip = frame.bytes + put_ethernet(frame.bytes, &shape);
	uint8_t *icmp = ip + ip_len(shape.is_ipv6);
	uint32_t sum = put_ip(ip, shape.is_ipv6, leg, protocol, 0, ttl, len);

	memcpy(icmp, message, len);
	put16(icmp + 2, 0);
	put16(icmp + 2, checksum_of(sum_bytes(shape.is_ipv6 ? sum : 0, icmp, len)));
	frame.len = (size_t)(icmp + len - frame.bytes);
	return frame;
}

static struct frame echo_frame(enum leg leg, bool is_reply, uint8_t ttl, size_t payload)
{
	uint8_t message[200] = {0, 0, 0, 0, 0x12, 0x34, 0, 7};

	message[0] = fixture.is_ipv6 ? (is_reply ? 129 : 128) : (is_reply ? 0 : 8);
	for (size_t i = 0; i < payload; i++)
		message[8 + i] = (uint8_t)(i * 3 + 1);
	return icmp_frame(leg, ttl, message, 8 + payload);
}

/* "Packet too big" of an MTU of 1400 about a packet of the leg @quoted, and @extra bytes of it. */
static struct frame error_frame(enum leg leg, enum leg quoted, uint8_t protocol, size_t extra)
{
	uint8_t message[200] = {
		fixture.is_ipv6 ? 2 : 3, fixture.is_ipv6 ? 0 : 4, 0, 0, 0, 0, 5, 120};
	uint8_t *ip = message + 8, *l4 = ip + ip_len(fixture.is_ipv6);

	put_ip(ip, fixture.is_ipv6, quoted, protocol, 0, 60, 1000);
	put16(l4, leg_ends[quoted].source_port);
	put16(l4 + 2, leg_ends[quoted].destination_port);
	put32(l4 + 4, 0x12345678);
	memset(l4 + 8, 0x5a, extra);
	return icmp_frame(leg, leg >= UP_OUT ? 63 : 64, message,
			  (size_t)(l4 + 8 + extra - message));
}

static void set_way_back(struct frame *frame)
{
	set_macs(frame, "\x02\x00\x00\x00\x00\x02", "\x02\x00\x00\x00\x00\x01");
}

static void begin_flow(uint8_t protocol)
{
	const struct datagram datagram = {.leg = UP_IN, .payload = 33};

	assert_action("a flow begins",
		      protocol == IPPROTO_TCP ? tcp_frame(UP_IN, SYN, 0) : udp_frame(&datagram),
		      fixture.hook->redirect);
}

static void echo_to_a_service_is_answered(void **state)
{
	static const struct {
		uint8_t ttl;
		size_t payload;
	} cases[] = {{64, 56}, {1, 0}, {255, 151}};
	struct frame out, other;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset(DISPATCH_NAT, IPPROTO_TCP, is_ipv6);
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			out = echo_frame(DOWN_OUT, true, 64, cases[i].payload);
			set_way_back(&out);
			assert_becomes("a request",
				       echo_frame(UP_IN, false, cases[i].ttl, cases[i].payload),
				       fixture.hook->reply, &out);
		}
		other = echo_frame(UP_IN, true, 64, 8);
		assert_becomes("an answer", other, fixture.hook->pass, &other);
		other = echo_frame(DOWN_IN, false, 64, 8);
		assert_becomes("to an address of ours", other, fixture.hook->pass, &other);
		other = echo_frame(UP_IN, false, 64, 8);
		other.len -= 9;
		assert_action("cut off", other, fixture.hook->pass);
	}
}

static void echo_of_nobody_is_dropped(void **state)
{
	struct frame in;

	(void)state;
	reset(DISPATCH_NAT, IPPROTO_TCP, false);
	in = echo_frame(UP_IN, false, 64, 8);
	memcpy(in.bytes + 14 + 12, in.bytes + 14 + 16, 4);
	assert_dropped("the service's own address", in, DISPATCH_DROP_MALFORMED);
	memset(in.bytes + 14 + 12, 255, 4);
	assert_dropped("broadcast", in, DISPATCH_DROP_MALFORMED);
}

static void errors_about_answers_reach_the_endpoint(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct frame out;

	(void)state;
	for (int i = 0; i < 4; i++) {
		uint8_t protocol = protocols[i / 2];

		reset(DISPATCH_NAT, protocol, i & 1);
		begin_flow(protocol);
		out = error_frame(UP_OUT, DOWN_IN, protocol, 12);
		set_way_up(&out);
		assert_becomes("an error", error_frame(UP_IN, DOWN_OUT, protocol, 12),
			       fixture.hook->redirect, &out);
	}
}

static void error_that_its_way_just_takes_reaches_the_endpoint(void **state)
{
	struct frame in, out;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset(DISPATCH_NAT, IPPROTO_UDP, is_ipv6);
		begin_flow(IPPROTO_UDP);
		in = error_frame(UP_IN, DOWN_OUT, IPPROTO_UDP, 40);
		fixture.nexthop.mtu = (uint32_t)in.len - ETH_HLEN;
		put_nexthop();
		out = error_frame(UP_OUT, DOWN_IN, IPPROTO_UDP, 40);
		set_way_up(&out);
		assert_becomes("an error", in, fixture.hook->redirect, &out);
	}
}

static void errors_about_what_was_sent_reach_the_client(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct frame out;

	(void)state;
	for (int i = 0; i < 4; i++) {
		uint8_t protocol = protocols[i / 2];

		reset(DISPATCH_NAT, protocol, i & 1);
		begin_flow(protocol);
		out = error_frame(DOWN_OUT, UP_IN, protocol, 0);
		set_way_back(&out);
		assert_becomes("an error", error_frame(DOWN_IN, UP_OUT, protocol, 0),
			       fixture.hook->reply, &out);
	}
}

static void errors_come_to_endpoints_that_answer_themselves(void **state)
{
	struct frame in, out;

	(void)state;
	for (int i = 0; i < 4; i++) {
		bool is_ipv6 = i & 1, is_known = i & 2;

		reset(DISPATCH_L2, IPPROTO_UDP, is_ipv6);
		if (is_known)
			begin_flow(IPPROTO_UDP);
		in = out = error_frame(UP_IN, DOWN_OUT, IPPROTO_UDP, 4);
		set_way_up(&out);
		assert_becomes("by layer two", in, fixture.hook->redirect, &out);
		assert_int_equal(count_entries(), is_known);
		reset_tunnel(DISPATCH_IPIP, IPPROTO_TCP, is_ipv6, false);
		in = error_frame(UP_IN, DOWN_OUT, IPPROTO_TCP, 4);
		assert_is_wrapped("in a tunnel", &in, false);
		reset_tunnel(DISPATCH_GUE, IPPROTO_TCP, is_ipv6, true);
		in = error_frame(UP_IN, DOWN_OUT, IPPROTO_TCP, 4);
		assert_is_wrapped("in UDP", &in, true);
	}
}

static void errors_about_others_packets_are_passed_untouched(void **state)
{
	struct frame in;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		size_t quote = 14 + ip_len(is_ipv6) + 8, ports = quote + ip_len(is_ipv6);

		reset(DISPATCH_NAT, IPPROTO_TCP, is_ipv6);
		in = error_frame(UP_IN, DOWN_OUT, IPPROTO_TCP, 0);
		assert_dropped("no flow", in, DISPATCH_DROP_NO_FLOW);
		begin_flow(IPPROTO_TCP);
		in.bytes[ports + 1] = 81;
		assert_becomes("another port", in, fixture.hook->pass, &in);
		in = error_frame(UP_IN, DOWN_OUT, 132, 0);
		assert_becomes("another protocol", in, fixture.hook->pass, &in);
		in = error_frame(UP_IN, DOWN_IN, IPPROTO_TCP, 0);
		assert_becomes("another sender", in, fixture.hook->pass, &in);
		in = error_frame(DOWN_IN, DOWN_OUT, IPPROTO_TCP, 0);
		assert_becomes("to another address", in, fixture.hook->pass, &in);
		in = error_frame(UP_IN, DOWN_OUT, IPPROTO_TCP, 0);
		in.bytes[quote] = 0x10;
		assert_becomes("no IP in it", in, fixture.hook->pass, &in);
		in = error_frame(UP_IN, DOWN_OUT, IPPROTO_TCP, 0);
		in.len--;
		assert_action("cut off", in, fixture.hook->pass);
	}
}

#define DISPATCH_ICMP_TESTS                                                           \
	cmocka_unit_test(echo_to_a_service_is_answered),                              \
		cmocka_unit_test(echo_of_nobody_is_dropped),                          \
		cmocka_unit_test(errors_about_answers_reach_the_endpoint),            \
		cmocka_unit_test(error_that_its_way_just_takes_reaches_the_endpoint), \
		cmocka_unit_test(errors_about_what_was_sent_reach_the_client),        \
		cmocka_unit_test(errors_come_to_endpoints_that_answer_themselves),    \
		cmocka_unit_test(errors_about_others_packets_are_passed_untouched)

#endif
