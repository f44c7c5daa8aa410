/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BPF_DISPATCH_FRONT_CASES_H
#define TESTS_BPF_DISPATCH_FRONT_CASES_H

/* What stands in front of the table of flows, at either hook: a flow that still goes on when the
 * table and the elements are empty goes by it. */
#include "dispatch_cases.h"

/* --- The one flow's entry --------------------------------------------------------------------- */

/* Return: whether there is one, with where it is. */
static bool find_front(struct dispatch_front *ret, uint32_t *ret_line, int *ret_place)
{
	struct dispatch_front_line line;
	bool is_found = false;

	for (uint32_t i = 0; i < LINES; i++) {
		assert_int_equal(bpf_map_lookup_elem(map_fd("dispatch_fronts"), &i, &line), 0);
		for (int place = 0; place < DISPATCH_FRONT_PLACES; place++) {
			if (!line.place[place].way)
				continue;
			assert_false(is_found);
			is_found = true;
			*ret = line.place[place];
			*ret_line = i;
			*ret_place = place;
		}
	}
	return is_found;
}

static bool is_in_front(void)
{
	struct dispatch_front front;
	uint32_t line;
	int place;

	return find_front(&front, &line, &place);
}

static struct dispatch_front front_of_flow(void)
{
	struct dispatch_front front;
	uint32_t line;
	int place;

	assert_true(find_front(&front, &line, &place));
	return front;
}

/* In the first place of its line, with nothing beside it. */
static void replace_front(struct dispatch_front front)
{
	struct dispatch_front_line line = {.place[0] = front};
	struct dispatch_front before;
	uint32_t index;
	int place;

	assert_true(find_front(&before, &index, &place));
	put("dispatch_fronts", index, &line);
}

static void forget_all_but_fronts(void)
{
	clear("dispatch_lines", sizeof(struct dispatch_line), LINES);
	clear("dispatch_nats", sizeof(struct dispatch_nat), NATS);
}

static void open_tcp(void)
{
	reset(DISPATCH_NAT, IPPROTO_TCP, false);
	assert_tcp_goes_up("SYN", SYN, 0);
	assert_tcp_comes_down("SYN, ACK", SYN | ACK, 0);
	assert_false(is_in_front());
	assert_tcp_goes_up("ACK", ACK, 0);
	assert_true(is_in_front());
}

/* The flow goes on, by the front alone. */
static void assert_goes_by_front(const char *what)
{
	forget_all_but_fronts();
	assert_tcp_goes_up(what, ACK, 7);
}

static void assert_goes_the_whole_way(const char *what)
{
	forget_all_but_fronts();
	assert_dropped(what, tcp_frame(UP_IN, ACK, 7), DISPATCH_DROP_NO_FLOW);
}

/* --- What goes by it -------------------------------------------------------------------------- */

static void segments_of_an_open_flow_go_by_the_front(void **state)
{
	struct dispatch_real_count before, after;
	uint64_t served;

	(void)state;
	open_tcp();
	before = real_count();
	served = service_count().traffic.packets;
	assert_goes_by_front("data");
	assert_tcp_goes_up("more", PSH | ACK, 501);
	after = real_count();
	assert_int_equal(after.packets - before.packets, 2);
	assert_int_equal(after.bytes - before.bytes, 2 * 58 + 7 + 501);
	assert_int_equal(after.flows, before.flows);
	assert_int_equal(service_count().traffic.packets - served, 2);
}

static void assert_udp_goes(enum leg in_leg, enum leg out_leg)
{
	const struct datagram in = {.leg = in_leg, .payload = 33};
	const struct datagram out = {.leg = out_leg, .payload = 33};
	struct frame expected = udp_frame(&out);

	if (in_leg == UP_IN)
		set_way_up(&expected);
	else
		set_macs(&expected, "\x02\x00\x00\x00\x00\x02", "\x02\x00\x00\x00\x00\x01");
	assert_becomes("datagram", udp_frame(&in),
		       in_leg == UP_IN ? fixture.hook->redirect : fixture.hook->reply, &expected);
}

static void datagrams_go_by_the_front_once_they_are_answered(void **state)
{
	(void)state;
	reset(DISPATCH_NAT, IPPROTO_UDP, false);
	assert_udp_goes(UP_IN, UP_OUT);
	assert_udp_goes(UP_IN, UP_OUT);
	assert_false(is_in_front());
	assert_udp_goes(DOWN_IN, DOWN_OUT);
	assert_udp_goes(UP_IN, UP_OUT);
	assert_true(is_in_front());
	forget_all_but_fronts();
	assert_udp_goes(UP_IN, UP_OUT);
}

static void flows_of_ipv6_are_not_in_front(void **state)
{
	(void)state;
	reset(DISPATCH_NAT, IPPROTO_TCP, true);
	assert_tcp_goes_up("SYN", SYN, 0);
	assert_tcp_comes_down("SYN, ACK", SYN | ACK, 0);
	assert_tcp_goes_up("ACK", ACK, 0);
	assert_tcp_goes_up("data", ACK, 9);
	assert_false(is_in_front());
}

/* Of the endpoint's source addresses the flow's may be any, and none of today's. */
static void source_address_is_the_flows(void **state)
{
	uint16_t run, other;

	(void)state;
	open_tcp();
	clear("dispatch_fronts", sizeof(struct dispatch_front_line), LINES);
	run = fixture.real.run[0];
	other = (run + 1) % RUNS;
	for (size_t i = 0; i < DISPATCH_SOURCES_MAX; i++)
		fixture.real.run[i] = other;
	put("dispatch_reals", REAL, &fixture.real);
	assert_tcp_goes_up("of none", ACK, 0);
	assert_false(is_in_front());
	fixture.real.run[5] = run;
	put("dispatch_reals", REAL, &fixture.real);
	assert_tcp_goes_up("of the sixth", ACK, 0);
	assert_int_equal(dispatch_front_run(front_of_flow().way), 5);
	assert_goes_by_front("data");
}

static void flow_to_an_earlier_port_of_its_endpoint_is_not_in_front(void **state)
{
	(void)state;
	open_tcp();
	clear("dispatch_fronts", sizeof(struct dispatch_front_line), LINES);
	fixture.real.port = htons(8081);
	put("dispatch_reals", REAL, &fixture.real);
	assert_tcp_goes_up("ACK", ACK, 0);
	assert_false(is_in_front());
}

/* --- What is not good ------------------------------------------------------------------------- */

static void front_is_good_for_an_epoch(void **state)
{
	struct dispatch_front front;

	(void)state;
	open_tcp();
	front = front_of_flow();
	front.way -= 1ULL << DISPATCH_FRONT_STAMP_AT;
	replace_front(front);
	assert_tcp_goes_up("the whole way, and there anew", ACK, 0);
	assert_int_equal(front_of_flow().way >> DISPATCH_FRONT_STAMP_AT,
			 (front.way >> DISPATCH_FRONT_STAMP_AT) + 1);
	replace_front(front);
	assert_goes_the_whole_way("an epoch later");
}

static void plan_outdates_what_is_in_front(void **state)
{
	(void)state;
	open_tcp();
	fixture.settings.front_turn = 1;
	put("dispatch_settings", 0, &fixture.settings);
	clear("dispatch_fronts", sizeof(struct dispatch_front_line), LINES);
	assert_tcp_goes_up("while one is put in force", ACK, 0);
	assert_false(is_in_front());
	open_tcp();
	fixture.settings.front_turn = 1;
	put("dispatch_settings", 0, &fixture.settings);
	assert_goes_the_whole_way("while one is put in force");
	open_tcp();
	fixture.settings.front_turn = 2;
	put("dispatch_settings", 0, &fixture.settings);
	assert_goes_the_whole_way("behind it");
}

/* Key and way are written one after the other: the way is good for nobody in between. */
static void flow_goes_by_no_other_flows_way(void **state)
{
	struct dispatch_front front, torn;

	(void)state;
	for (int i = 0; i < 4; i++) {
		open_tcp();
		torn = front = front_of_flow();
		torn.key ^= i == 0 ? 1ULL << 32 : i == 1 ? 1 : i == 2 ? 1ULL << 16 : 0;
		if (i == 3)
			torn.way = 1ULL << DISPATCH_FRONT_RUN_AT;
		replace_front(torn);
		assert_goes_the_whole_way("another's, or none yet");
	}
	replace_front(front);
	assert_goes_by_front("its own");
}

static void who_finds_a_place_busy_leaves_it(void **state)
{
	struct dispatch_front front;

	(void)state;
	open_tcp();
	front = front_of_flow();
	front.way = 1ULL << DISPATCH_FRONT_RUN_AT;
	replace_front(front);
	assert_tcp_goes_up("ACK", ACK, 0);
	assert_int_equal(front_of_flow().way, front.way);
	assert_tcp_goes_up("RST", RST, 0);
	assert_int_equal(front_of_flow().way, front.way);
}

static void full_line_takes_no_more(void **state)
{
	struct dispatch_front_line line, after;
	struct dispatch_front front;
	uint32_t index;
	int place;

	(void)state;
	open_tcp();
	assert_true(find_front(&front, &index, &place));
	for (int i = 0; i < DISPATCH_FRONT_PLACES; i++) {
		line.place[i] = front;
		line.place[i].key += 1ULL + (unsigned)i;
	}
	put("dispatch_fronts", index, &line);
	assert_tcp_goes_up("the whole way", ACK, 0);
	assert_int_equal(bpf_map_lookup_elem(map_fd("dispatch_fronts"), &index, &after), 0);
	assert_memory_equal(&line, &after, sizeof(line));
	line.place[2].way -= 1ULL << DISPATCH_FRONT_STAMP_AT;
	put("dispatch_fronts", index, &line);
	assert_tcp_goes_up("in the old one's place", ACK, 0);
	assert_int_equal(bpf_map_lookup_elem(map_fd("dispatch_fronts"), &index, &after), 0);
	assert_memory_equal(&front, &after.place[2], sizeof(front));
}

/* --- Whose packets change something ----------------------------------------------------------- */

static void flow_that_begins_anew_or_is_reset_is_in_front_when_it_goes_on(void **state)
{
	(void)state;
	open_tcp();
	assert_tcp_goes_up("FIN", FIN | ACK, 0);
	assert_true(nat_of_flow().claim.flags & DISPATCH_NAT_FIN_UP);
	assert_tcp_goes_up("RST", RST, 0);
	assert_true(nat_of_flow().claim.flags & DISPATCH_NAT_RST_UP);
	assert_false(is_in_front());
	assert_tcp_goes_up("it was not the client's", ACK, 0);
	assert_true(is_in_front());
	assert_tcp_comes_down("FIN", FIN | ACK, 0);
	assert_tcp_goes_up("SYN", SYN, 0);
	assert_false(is_in_front());
	assert_tcp_goes_up("ACK", ACK, 0);
	assert_false(is_in_front());
}

static void ended_flow_is_not_put_in_front(void **state)
{
	(void)state;
	open_tcp();
	assert_tcp_goes_up("FIN", FIN | ACK, 0);
	assert_tcp_comes_down("FIN", FIN | ACK, 0);
	clear("dispatch_fronts", sizeof(struct dispatch_front_line), LINES);
	assert_tcp_goes_up("the last ACK", ACK, 0);
	assert_false(is_in_front());
}

static void endpoint_that_is_gone_is_in_front_of_nothing(void **state)
{
	(void)state;
	open_tcp();
	fixture.real.state = DISPATCH_REAL_DRAINING;
	put("dispatch_reals", REAL, &fixture.real);
	assert_tcp_goes_up("draining", ACK, 0);
	fixture.real.state = DISPATCH_REAL_GONE;
	put("dispatch_reals", REAL, &fixture.real);
	assert_dropped("gone", tcp_frame(UP_IN, ACK, 0), DISPATCH_DROP_NO_FLOW);
	assert_false(is_in_front());
	open_tcp();
	fixture.real.service = SERVICE + 1;
	put("dispatch_reals", REAL, &fixture.real);
	assert_goes_the_whole_way("another service's");
}

static void nothing_goes_where_there_is_no_way(void **state)
{
	(void)state;
	open_tcp();
	fixture.nexthop.ifindex = 0;
	put_nexthop();
	assert_dropped("gone", tcp_frame(UP_IN, ACK, 0), DISPATCH_DROP_NEXTHOP_GONE);
}

/* A port of a flow whose last packets went by the front is its own for an epoch longer. */
static void port_of_an_open_flow_is_kept_for_an_epoch_more(void **state)
{
	uint32_t index, timeout_s;
	struct dispatch_nat nat;
	struct frame other;

	(void)state;
	open_tcp();
	index = fixture.run.base;
	timeout_s = fixture.service.timeout_s;
	other = tcp_frame(UP_IN, SYN, 0);
	put16(other.bytes + 14 + 20, 1234);
	nat = nat_of_flow();
	nat.claim.seen_s -= timeout_s + DISPATCH_FRONT_S - 2;
	put("dispatch_nats", index, &nat);
	assert_dropped("another's", other, DISPATCH_DROP_NO_PORT);
	nat.claim.seen_s -= 3;
	put("dispatch_nats", index, &nat);
	assert_action("another's", other, fixture.hook->redirect);
}

/* Answers go to where the last packet came from, though the one before has left an entry. */
static void flow_that_comes_another_way_is_answered_that_way(void **state)
{
	struct frame in, out;

	(void)state;
	open_tcp();
	in = tcp_frame(UP_IN, ACK, 7);
	set_macs(&in, "\x02\x00\x00\x00\x00\x01", "\x02\x00\x00\x00\x00\x77");
	assert_action("from another router", in, fixture.hook->redirect);
	out = tcp_frame(DOWN_OUT, ACK, 9);
	set_macs(&out, "\x02\x00\x00\x00\x00\x77", "\x02\x00\x00\x00\x00\x01");
	assert_becomes("to that", tcp_frame(DOWN_IN, ACK, 9), fixture.hook->reply, &out);
	assert_tcp_goes_up("and back", ACK, 7);
	assert_tcp_comes_down("to the first", ACK, 9);
	forget_all_but_fronts();
	assert_dropped("the front is the first's", in, DISPATCH_DROP_NO_FLOW);
}

/* Packets that go by the front are not noted in the table: a flow of NAT there has not been quiet
 * for as long as it seems. */
static void flow_of_nat_keeps_its_place_for_an_epoch_more(void **state)
{
	struct dispatch_line line;
	uint32_t now_s, at;

	(void)state;
	reset(DISPATCH_L2, IPPROTO_TCP, false);
	assert_action("SYN", tcp_frame(UP_IN, SYN, 0), fixture.hook->redirect);
	at = find_first_flow(&line);
	now_s = dispatch_entry_seconds(line.entry[0]);
	for (uint32_t place = 0; place < DISPATCH_LINE_PLACES; place++)
		line.entry[place] = dispatch_entry_nat((place + 1ULL) << 48, 3,
						       now_s - DISPATCH_FRONT_S);
	line.entry[5] = dispatch_entry_real(9ULL << 32, 3, now_s - 2);
	put("dispatch_lines", at, &line);
	assert_action("another SYN", tcp_frame(UP_IN, SYN, 0), fixture.hook->redirect);
	assert_int_equal(bpf_map_lookup_elem(map_fd("dispatch_lines"), &at, &line), 0);
	assert_int_equal((uint32_t)line.entry[5] >> 17, REAL);
}

#define DISPATCH_FRONT_TESTS                                                                     \
	cmocka_unit_test(segments_of_an_open_flow_go_by_the_front),                              \
		cmocka_unit_test(datagrams_go_by_the_front_once_they_are_answered),              \
		cmocka_unit_test(flows_of_ipv6_are_not_in_front),                                \
		cmocka_unit_test(source_address_is_the_flows),                                   \
		cmocka_unit_test(flow_to_an_earlier_port_of_its_endpoint_is_not_in_front),       \
		cmocka_unit_test(front_is_good_for_an_epoch),                                    \
		cmocka_unit_test(plan_outdates_what_is_in_front),                                \
		cmocka_unit_test(flow_goes_by_no_other_flows_way),                               \
		cmocka_unit_test(who_finds_a_place_busy_leaves_it),                              \
		cmocka_unit_test(full_line_takes_no_more),                                       \
		cmocka_unit_test(flow_that_begins_anew_or_is_reset_is_in_front_when_it_goes_on), \
		cmocka_unit_test(ended_flow_is_not_put_in_front),                                \
		cmocka_unit_test(endpoint_that_is_gone_is_in_front_of_nothing),                  \
		cmocka_unit_test(nothing_goes_where_there_is_no_way),                            \
		cmocka_unit_test(port_of_an_open_flow_is_kept_for_an_epoch_more),                \
		cmocka_unit_test(flow_that_comes_another_way_is_answered_that_way),              \
		cmocka_unit_test(flow_of_nat_keeps_its_place_for_an_epoch_more)

#endif
