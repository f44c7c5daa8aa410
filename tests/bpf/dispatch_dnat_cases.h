// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BPF_DISPATCH_DNAT_CASES_H
#define TESTS_BPF_DISPATCH_DNAT_CASES_H

/* Form DNAT: the client's address is kept, and answers come by us, who route them. */
#include "dispatch_cases.h"
#include "dispatch_fragment_cases.h"
#include "dispatch_icmp_cases.h"

/* --- Routes ----------------------------------------------------------------------------------- */

/* To the client by the neighbour whose address set_way_up() writes. */
static void add_routes(void)
{
	assert_int_equal(
		system("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 && "
		       "ip link set d0 address 02:00:00:00:00:ee && ip link set d1 up && "
		       "ip address add 10.200.0.1/24 dev d0 && "
		       "ip address add fdee::1/64 dev d0 nodad && "
		       "ip neighbour add 10.200.0.2 lladdr 02:00:00:00:00:dd dev d0 && "
		       "ip neighbour add fdee::2 lladdr 02:00:00:00:00:dd dev d0 && "
		       "ip route add 10.2.0.0/16 via 10.200.0.2 && "
		       "ip route add fd00:0:0:92::/64 via fdee::2"),
		0);
}

/* Those to the client. */
static void change_routes(const char *ipv4, const char *ipv6)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "ip route flush 10.2.0.0/16 && ip route add %s && "
		 "ip -6 route flush fd00:0:0:92::/64 && ip -6 route add %s",
		 ipv4, ipv6);
	assert_int_equal(system(command), 0);
}

static void restore_routes(void)
{
	change_routes("10.2.0.0/16 via 10.200.0.2", "fd00:0:0:92::/64 via fdee::2");
}

/* --- Tables and frames ------------------------------------------------------------------------ */

static void put_answers(uint16_t first, uint16_t last, uint16_t service_port)
{
	struct dispatch_answerer answerer = {
		.answer = {{.first = 1, .last = 65535, .real = 3, .protocol = 132},
			   {.first = first,
			    .last = last,
			    .service_port = htons(service_port),
			    .real = REAL,
			    .protocol = fixture.service.protocol}}};
	struct dispatch_answerer_bits bits = {};
	_Alignas(uint32_t) struct dispatch_address key; /* it is hashed */

	address_of(4, fixture.is_ipv6, key.bytes);
	assert_int_equal(
		bpf_map_update_elem(map_fd("dispatch_answerers"), &key, &answerer, BPF_ANY), 0);
	dispatch_add_answerer(&bits, dispatch_hash_address(key.bytes, &fixture.settings.secret));
	put("dispatch_answerer_bits", 0, &bits);
}

static void reset_dnat(uint8_t protocol, bool is_ipv6)
{
	reset(DISPATCH_DNAT, protocol, is_ipv6);
	fixture.settings.halves[0].flags = DISPATCH_HALF_RETURNS;
	put("dispatch_settings", 0, &fixture.settings);
	put_answers(8080, 8080, 80);
}

static void assert_kept_goes_up(const char *what, uint8_t flags, size_t payload)
{
	struct frame out = tcp_frame(UP_KEPT_OUT, flags, payload);

	set_way_up(&out);
	assert_becomes(what, tcp_frame(UP_IN, flags, payload), fixture.hook->redirect, &out);
}

/* XDP leaves answers to TC. */
static void assert_comes_down(const char *what, struct frame in, const struct frame *out)
{
	if (fixture.hook->is_xdp)
		assert_becomes(what, in, fixture.hook->pass, &in);
	else
		assert_becomes(what, in, fixture.hook->redirect, out);
}

static void assert_kept_comes_down(const char *what, uint8_t flags, size_t payload)
{
	struct frame out = tcp_frame(DOWN_OUT, flags, payload);

	assert_comes_down(what, tcp_frame(DOWN_KEPT_IN, flags, payload), &out);
}

/* Of IPv4's header: those of fragmentation. */
static void set_flags(struct frame *frame, unsigned flags)
{
	uint8_t *ip = frame->bytes + 14;

	put16(ip + 6, flags);
	put16(ip + 10, 0);
	put16(ip + 10, checksum_of(sum_bytes(0, ip, 20)));
}

static void assert_untouched(const char *what, struct frame frame)
{
	assert_becomes(what, frame, fixture.hook->pass, &frame);
}

/* --- Facts ------------------------------------------------------------------------------------ */

static void dnat_keeps_the_clients_end_of_tcp(void **state)
{
	struct dispatch_real_count before = real_count(), after;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset_dnat(IPPROTO_TCP, is_ipv6);
		assert_kept_goes_up("SYN", SYN, 0);
		assert_kept_comes_down("SYN, ACK", SYN | ACK, 0);
		assert_kept_goes_up("data", PSH | ACK, 501);
		assert_kept_comes_down("answer", PSH | ACK, 1000);
	}
	after = real_count();
	assert_int_equal(after.flows - before.flows, 2);
	assert_int_equal(after.packets - before.packets, 4);
	if (fixture.hook->is_xdp)
		return;
	assert_int_equal(after.returned_packets - before.returned_packets, 4);
	assert_int_equal(after.returned_bytes - before.returned_bytes, 2 * (58 + 1058 + 20));
}

static void dnat_keeps_the_clients_end_of_udp(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct datagram datagram = {
			.leg = UP_IN, .payload = 33 + (i == 2), .lacks_checksum = i == 3};
		struct frame in, out;

		reset_dnat(IPPROTO_UDP, i == 1);
		in = udp_frame(&datagram);
		datagram.leg = UP_KEPT_OUT;
		out = udp_frame(&datagram);
		set_way_up(&out);
		assert_becomes("up", in, fixture.hook->redirect, &out);
		datagram.leg = DOWN_KEPT_IN;
		in = udp_frame(&datagram);
		datagram.leg = DOWN_OUT;
		out = udp_frame(&datagram);
		assert_comes_down("down", in, &out);
	}
}

/* As another node or an earlier daemon may have forwarded it. */
static void answers_need_no_flow(void **state)
{
	(void)state;
	reset_dnat(IPPROTO_TCP, false);
	assert_kept_comes_down("an answer", ACK, 10);
	assert_int_equal(count_entries(), 0);
}

static void range_keeps_its_ports_both_ways(void **state)
{
	struct dispatch_range range = {
		.protocol = IPPROTO_TCP, .first = 80, .last = 99, .service = SERVICE};
	struct frame in, out;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset_dnat(IPPROTO_TCP, is_ipv6);
		put("dispatch_ranges", 0, &range);
		fixture.real.port = 0;
		put("dispatch_reals", REAL, &fixture.real);
		put_answers(80, 99, 0);
		in = tcp_frame(UP_IN, SYN, 0);
		assert_int_equal(run(&in), fixture.hook->redirect);
		out = tcp_frame(UP_KEPT_OUT, SYN, 0);
		assert_memory_equal(in.bytes + 14 + (is_ipv6 ? 8 : 12),
				    out.bytes + 14 + (is_ipv6 ? 8 : 12), is_ipv6 ? 32 : 8);
		assert_int_equal(in.bytes[14 + ip_len(is_ipv6) + 3], 80);
		in = tcp_frame(DOWN_KEPT_IN, ACK, 0);
		assert_untouched("beyond the range", in);
		put_answers(8080, 8099, 0);
		if (fixture.hook->is_xdp)
			continue;
		assert_int_equal(run(&in), fixture.hook->redirect);
		assert_int_equal(in.bytes[14 + ip_len(is_ipv6)] << 8 |
					 in.bytes[14 + ip_len(is_ipv6) + 1],
				 8080);
	}
}

static void what_is_no_answer_is_passed_untouched(void **state)
{
	struct frame in;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		size_t source = 14 + (is_ipv6 ? 8 + 15 : 12 + 3), l4 = 14 + ip_len(is_ipv6);

		reset_dnat(IPPROTO_TCP, is_ipv6);
		in = tcp_frame(DOWN_KEPT_IN, ACK, 100);
		in.bytes[l4 + 1]++;
		assert_untouched("another port", in);
		in = tcp_frame(DOWN_KEPT_IN, ACK, 100);
		in.bytes[source]++;
		assert_untouched("another sender", in);
		in = echo_frame(DOWN_KEPT_IN, false, 64, 8);
		assert_untouched("a ping of the endpoint's", in);
		in = tcp_frame(DOWN_KEPT_IN, ACK, 100);
		in.bytes[l4 + 12] = 4 << 4;
		assert_untouched("a header of 16", in);
		fixture.real.state = DISPATCH_REAL_GONE;
		put("dispatch_reals", REAL, &fixture.real);
		assert_untouched("of one that is gone", tcp_frame(DOWN_KEPT_IN, ACK, 100));
		fixture.settings.halves[0].flags = 0;
		put("dispatch_settings", 0, &fixture.settings);
		fixture.real.state = DISPATCH_REAL_UP;
		put("dispatch_reals", REAL, &fixture.real);
		assert_untouched("without such a service", tcp_frame(DOWN_KEPT_IN, ACK, 100));
	}
}

/* One that another half has in the table, or whose plan is over. */
static void answer_of_no_endpoint_of_the_half_is_passed(void **state)
{
	const struct dispatch_answerer_bits none = {};

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset_dnat(IPPROTO_TCP, is_ipv6);
		put("dispatch_answerer_bits", 0, &none);
		assert_untouched("an answer", tcp_frame(DOWN_KEPT_IN, ACK, 100));
	}
}

/* With and without a way to the client: what is for us is left alone in either case. */
static void answers_to_this_machine_are_left_alone(void **state)
{
	static const uint8_t ours[2][16] = {{10, 200, 0, 1}, {0xfd, 0xee, [15] = 1}};

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct frame in;

		reset_dnat(IPPROTO_TCP, is_ipv6);
		in = tcp_frame(DOWN_KEPT_IN, SYN | ACK, 0);
		memcpy(in.bytes + 14 + (is_ipv6 ? 24 : 16), ours[is_ipv6], is_ipv6 ? 16 : 4);
		assert_untouched("an answer to a check", in);
		change_routes("unreachable 10.2.0.0/16", "unreachable fd00:0:0:92::/64");
		assert_untouched("to nowhere", tcp_frame(DOWN_KEPT_IN, ACK, 0));
		restore_routes();
	}
}

/* The kernel does. */
static void answer_asks_for_its_neighbour(void **state)
{
	struct frame out;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset_dnat(IPPROTO_TCP, is_ipv6);
		change_routes("10.2.0.0/16 via 10.200.0.3", "fd00:0:0:92::/64 via fdee::3");
		out = tcp_frame(DOWN_OUT, ACK, 10);
		assert_comes_down("an answer", tcp_frame(DOWN_KEPT_IN, ACK, 10), &out);
		restore_routes();
	}
}

/* The stack tells the endpoint, who has to see what it has sent. */
static void answer_too_big_for_its_way_is_the_stacks(void **state)
{
	const size_t fits = 1280 - 20 - 24;
	struct frame in, out;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		size_t most = fits - (is_ipv6 ? 20 : 0);

		reset_dnat(IPPROTO_TCP, is_ipv6);
		change_routes("10.2.0.0/16 via 10.200.0.2 mtu lock 1280",
			      "fd00:0:0:92::/64 via fdee::2 mtu lock 1280");
		assert_kept_comes_down("fits", ACK, most);
		assert_untouched("a byte more", tcp_frame(DOWN_KEPT_IN, ACK, most + 1));
		restore_routes();
	}
	/* IPv4 that may be cut: as it is to be, to the stack. */
	reset_dnat(IPPROTO_TCP, false);
	change_routes("10.2.0.0/16 via 10.200.0.2 mtu lock 1280", "fd00:0:0:92::/64 via fdee::2");
	in = tcp_frame(DOWN_KEPT_IN, ACK, 1400);
	out = tcp_frame(DOWN_OUT, ACK, 1400);
	set_flags(&in, 0);
	set_flags(&out, 0);
	if (fixture.hook->is_xdp)
		assert_untouched("at XDP", in);
	else
		assert_becomes("at TC", in, fixture.hook->pass, &out);
	restore_routes();
}

static void what_dnat_cannot_send_is_dropped_by_its_reason(void **state)
{
	const struct datagram last_hop = {.leg = DOWN_KEPT_IN, .payload = 5, .ttl = 1};
	struct frame in;

	(void)state;
	reset_dnat(IPPROTO_TCP, false);
	in = tcp_frame(UP_IN, SYN, 0);
	in.bytes[14 + 20 + 12] = 4 << 4;
	assert_dropped("a header of 16", in, DISPATCH_DROP_MALFORMED);
	assert_int_equal(count_entries(), 0);
	put_ring(0);
	assert_dropped("no endpoint", tcp_frame(UP_IN, SYN, 0), DISPATCH_DROP_NO_ENDPOINT);
	put_ring(REAL);
	fixture.nexthop.ifindex = 0;
	put_nexthop();
	assert_dropped("no way", tcp_frame(UP_IN, SYN, 0), DISPATCH_DROP_NEXTHOP_GONE);
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct datagram up = last_hop;

		up.leg = UP_IN;
		reset_dnat(IPPROTO_UDP, is_ipv6);
		assert_dropped("up", udp_frame(&up), DISPATCH_DROP_TTL_EXPIRED);
		if (!fixture.hook->is_xdp)
			assert_dropped("down", udp_frame(&last_hop), DISPATCH_DROP_TTL_EXPIRED);
	}
}

static void dnat_flow_stays_while_its_endpoint_drains(void **state)
{
	(void)state;
	reset_dnat(IPPROTO_TCP, false);
	assert_kept_goes_up("SYN", SYN, 0);
	put_ring(0);
	fixture.real.state = DISPATCH_REAL_DRAINING;
	put("dispatch_reals", REAL, &fixture.real);
	assert_kept_goes_up("ACK", ACK, 0);
	assert_kept_comes_down("ACK", ACK, 0);
	fixture.real.state = DISPATCH_REAL_GONE;
	put("dispatch_reals", REAL, &fixture.real);
	assert_dropped("ACK", tcp_frame(UP_IN, ACK, 0), DISPATCH_DROP_NO_ENDPOINT);
}

/* --- Errors ----------------------------------------------------------------------------------- */

/* Writes @last as the address that an error comes from, with what depends on it. */
static void set_sender(struct frame *frame, uint8_t last)
{
	bool is_ipv6 = fixture.is_ipv6;
	uint8_t address[16], *ip = frame->bytes + 14, *icmp = ip + ip_len(is_ipv6);
	size_t len = frame->len - 14 - ip_len(is_ipv6);

	address_of(last, is_ipv6, address);
	memcpy(ip + (is_ipv6 ? 8 : 12), address + (is_ipv6 ? 0 : 12), is_ipv6 ? 16 : 4);
	if (!is_ipv6) {
		put16(ip + 10, 0);
		put16(ip + 10, checksum_of(sum_bytes(0, ip, 20)));
		return;
	}
	put16(icmp + 2, 0);
	put16(icmp + 2,
	      checksum_of(sum_bytes(sum_bytes((uint32_t)(58 + len), ip + 8, 32), icmp, len)));
}

static void errors_about_kept_answers_reach_the_endpoint(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct frame in, out;

	(void)state;
	for (int i = 0; i < 8; i++) {
		uint8_t protocol = protocols[i / 2 % 2];

		reset_dnat(protocol, i & 1);
		if (i >= 4)
			begin_flow(protocol);
		in = error_frame(UP_IN, DOWN_OUT, protocol, 12);
		out = error_frame(UP_KEPT_OUT, DOWN_KEPT_IN, protocol, 12);
		set_sender(&in, 7); /* a router on the way to the client */
		set_sender(&out, 7);
		set_way_up(&out);
		assert_becomes("an error", in, fixture.hook->redirect, &out);
		assert_int_equal(count_entries(), i >= 4);
	}
}

static void errors_about_what_endpoints_got_reach_the_client(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct frame in, out;

	(void)state;
	for (int i = 0; i < 8; i++) {
		uint8_t protocol = protocols[i / 2 % 2];
		size_t port;

		reset_dnat(protocol, i & 1);
		in = error_frame(DOWN_KEPT_IN, UP_KEPT_OUT, protocol, 0);
		out = error_frame(DOWN_OUT, UP_IN, protocol, 0);
		if (i >= 4)
			set_sender(&in, 8); /* a router on the way to the endpoint */
		assert_comes_down("an error", in, &out);
		port = 14 + ip_len(fixture.is_ipv6) + 8 + ip_len(fixture.is_ipv6) + 3;
		in.bytes[port]++;
		assert_untouched("about another port", in);
		in = error_frame(DOWN_KEPT_IN, UP_OUT, protocol, 0);
		assert_untouched("to another than the quoted sender", in);
		in = error_frame(DOWN_KEPT_IN, UP_KEPT_OUT, protocol, 0);
		in.len--;
		assert_action("cut off", in, fixture.hook->pass);
	}
}

/* --- Pieces ----------------------------------------------------------------------------------- */

static void assert_kept_pieces_become(const char *what, enum leg in_leg, enum leg out_leg,
				      uint32_t id)
{
	struct frame whole_in = datagram_of(in_leg), whole_out = datagram_of(out_leg), out;

	for (size_t offset = 0; offset < PAYLOAD; offset += CUT) {
		out = piece(&whole_out, id, offset);
		if (out_leg == UP_KEPT_OUT) {
			set_way_up(&out);
			assert_becomes(what, piece(&whole_in, id, offset), fixture.hook->redirect,
				       &out);
			continue;
		}
		assert_comes_down(what, piece(&whole_in, id, offset), &out);
	}
}

static void kept_pieces_are_translated_as_the_first_one(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset_dnat(IPPROTO_UDP, is_ipv6);
		assert_kept_pieces_become("up", UP_IN, UP_KEPT_OUT, 25);
		assert_kept_pieces_become("down", DOWN_KEPT_IN, DOWN_OUT, 25);
		put_ring(0);
		assert_kept_pieces_become("of the same flow", UP_IN, UP_KEPT_OUT, 26);
	}
}

static void kept_pieces_without_a_first_are_passed_untouched(void **state)
{
	struct frame whole, in;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset_dnat(IPPROTO_UDP, is_ipv6);
		whole = datagram_of(DOWN_KEPT_IN);
		assert_untouched("an answer", piece(&whole, 27, CUT));
		whole.bytes[14 + ip_len(is_ipv6) + 1]++;
		assert_untouched("of another port", piece(&whole, 28, 0));
		assert_untouched("what follows it", piece(&whole, 28, CUT));
		whole = datagram_of(DOWN_KEPT_IN);
		in = piece(&whole, 29, 0);
		assert_action("the first", in,
			      fixture.hook->is_xdp ? fixture.hook->pass : fixture.hook->redirect);
		fixture.real.state = DISPATCH_REAL_GONE;
		put("dispatch_reals", REAL, &fixture.real);
		assert_untouched("of one that is gone", piece(&whole, 29, CUT));
		reset_dnat(IPPROTO_TCP, is_ipv6);
		whole = tcp_frame(DOWN_KEPT_IN, ACK, 1000);
		assert_dropped("of TCP", piece(&whole, 30, 0), DISPATCH_DROP_FRAGMENT);
		whole = tcp_frame(UP_IN, ACK, 1000);
		assert_dropped("of TCP", piece(&whole, 31, 0), DISPATCH_DROP_FRAGMENT);
	}
}

#define DISPATCH_DNAT_TESTS                                                         \
	cmocka_unit_test(dnat_keeps_the_clients_end_of_tcp),                        \
		cmocka_unit_test(dnat_keeps_the_clients_end_of_udp),                \
		cmocka_unit_test(answers_need_no_flow),                             \
		cmocka_unit_test(range_keeps_its_ports_both_ways),                  \
		cmocka_unit_test(what_is_no_answer_is_passed_untouched),            \
		cmocka_unit_test(answer_of_no_endpoint_of_the_half_is_passed),      \
		cmocka_unit_test(answers_to_this_machine_are_left_alone),           \
		cmocka_unit_test(answer_asks_for_its_neighbour),                    \
		cmocka_unit_test(answer_too_big_for_its_way_is_the_stacks),         \
		cmocka_unit_test(what_dnat_cannot_send_is_dropped_by_its_reason),   \
		cmocka_unit_test(dnat_flow_stays_while_its_endpoint_drains),        \
		cmocka_unit_test(errors_about_kept_answers_reach_the_endpoint),     \
		cmocka_unit_test(errors_about_what_endpoints_got_reach_the_client), \
		cmocka_unit_test(kept_pieces_are_translated_as_the_first_one),      \
		cmocka_unit_test(kept_pieces_without_a_first_are_passed_untouched)

#endif
