// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BPF_DISPATCH_PLACE_CASES_H
#define TESTS_BPF_DISPATCH_PLACE_CASES_H

/* Choice by place: the client, leg 2, is in an area whose ring is another one than the first. */
#include "dispatch_cookie_cases.h"
#include "dispatch_icmp_cases.h"

#define NEAR   2u /* the endpoint that the client's area has */
#define NAREAS 3u
#define MINE   1u /* the client's area */

static uint64_t client_position(void)
{
	uint8_t address[16];
	uint64_t high = 0, low = 0;

	address_of(2, fixture.is_ipv6, address);
	for (size_t i = 0; i < 8; i++) {
		high = high << 8 | address[i];
		low = low << 8 | address[8 + i];
	}
	return dispatch_position(high, low);
}

/* A map that becomes an element of the array of maps @outer. */
static void put_inner(const char *outer, const void *elements, size_t size, uint32_t count)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "inner", 4, (uint32_t)size, count, &options);

	assert_true(fd >= 0);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(
			bpf_map_update_elem(fd, &i, (const char *)elements + i * size, BPF_ANY), 0);
	put(outer, 0, &fd);
	close(fd);
}

/* Of addresses from @first to @last alone the area is MINE. */
static void put_areas(uint64_t first, uint64_t last)
{
	struct dispatch_node nodes[2];

	for (size_t i = 0; i < DISPATCH_NODE_CHANGES; i++) {
		nodes[0].first[i] = i ? DISPATCH_NOWHERE : 0;
		nodes[1].first[i] = DISPATCH_NOWHERE;
		nodes[0].area[i] = nodes[1].area[i] = 0;
	}
	nodes[1].first[0] = 0;
	nodes[1].first[1] = first;
	nodes[1].first[2] = last + 1;
	nodes[1].area[1] = MINE;
	nodes[1].area[2] = 2;
	put_inner("dispatch_areas", nodes, sizeof(nodes[0]), 2);
}

/* Areas 0 and 2 have the first ring, which leads to REAL; the second one leads to NEAR. */
static void put_rings(uint16_t mine)
{
	struct dispatch_ring_line line = {{0, mine, 0}};

	for (size_t i = 0; i < RING; i++) {
		line.real[NAREAS + i] = REAL;
		line.real[NAREAS + RING + i] = NEAR;
	}
	put_inner("dispatch_rings", &line, sizeof(line), 1);
}

static void reset_by_place(enum dispatch_form form, uint8_t protocol, bool is_ipv6)
{
	const struct dispatch_cookie_use none = {};
	struct dispatch_real near;

	reset(form, protocol, is_ipv6);
	put("dispatch_cookies", SERVICE, &none);
	near = fixture.real;
	put("dispatch_reals", NEAR, &near);
	fixture.service.goes_by_place = 1;
	fixture.service.ring_first = NAREAS;
	put_service();
	fixture.settings.halves[0].nareas = NAREAS;
	put("dispatch_settings", 0, &fixture.settings);
	put_areas(client_position(), client_position());
	put_rings(1);
}

/* Of an endpoint. */
static uint64_t flows_at(uint32_t real)
{
	uint64_t counts[5];

	sum_counts("dispatch_real_counts", real, counts, 5);
	return counts[2];
}

/* A new flow of the client, whichever it is now. */
static void assert_goes_to(const char *what, uint32_t real, const struct frame *frame)
{
	uint64_t before = flows_at(real);

	forget_flows();
	assert_action(what, *frame, fixture.hook->redirect);
	if (flows_at(real) != before + 1)
		fail_msg("%s: not at endpoint %u", what, real);
}

/* A service of UDP with NAT has a run of its protocol. */
static struct frame first_packet(uint8_t protocol)
{
	const struct datagram datagram = {.leg = UP_IN, .payload = 10};

	return protocol == IPPROTO_TCP ? tcp_frame(UP_IN, SYN, 0) : udp_frame(&datagram);
}

static void new_flows_go_by_their_clients_area(void **state)
{
	static const enum dispatch_form forms[] = {DISPATCH_NAT, DISPATCH_DNAT, DISPATCH_IPIP,
						   DISPATCH_GUE, DISPATCH_L2};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++)
			for (int is_udp = 0; is_udp < 2; is_udp++) {
				uint8_t protocol = is_udp ? IPPROTO_UDP : IPPROTO_TCP;
				struct frame frame;

				reset_by_place(forms[i], protocol, is_ipv6);
				frame = first_packet(protocol);
				assert_goes_to("its area's", NEAR, &frame);
				put_areas(client_position() + 1, client_position() + 9);
				assert_goes_to("before another area", REAL, &frame);
				put_areas(client_position() - 9, client_position() - 1);
				assert_goes_to("behind it", REAL, &frame);
			}
}

static void known_flows_stay_where_they_are(void **state)
{
	struct frame frame;
	uint64_t before;

	(void)state;
	reset_by_place(DISPATCH_L2, IPPROTO_TCP, false);
	frame = tcp_frame(UP_IN, SYN, 0);
	assert_goes_to("new", NEAR, &frame);
	put_areas(1, 1);
	before = flows_at(REAL);
	frame = tcp_frame(UP_IN, ACK, 5);
	assert_action("known", frame, fixture.hook->redirect);
	assert_int_equal(flows_at(REAL), before);
}

static void an_area_without_a_ring_is_dropped(void **state)
{
	(void)state;
	reset_by_place(DISPATCH_L2, IPPROTO_TCP, false);
	put_rings(DISPATCH_NO_RING);
	assert_dropped("nobody", tcp_frame(UP_IN, SYN, 0), DISPATCH_DROP_NO_ENDPOINT);
	put_areas(1, 1);
	assert_action("elsewhere", tcp_frame(UP_IN, SYN, 0), fixture.hook->redirect);
}

/* As between the removal of a plan's last service by place and its packets. */
static void without_areas_all_is_unknown(void **state)
{
	struct frame frame = {};
	uint32_t zero = 0;

	(void)state;
	reset_by_place(DISPATCH_L2, IPPROTO_UDP, true);
	frame = first_packet(IPPROTO_UDP);
	assert_int_equal(bpf_map_delete_elem(map_fd("dispatch_areas"), &zero), 0);
	assert_goes_to("unknown", REAL, &frame);
}

/* Each packet of theirs has to find the same again. */
static void flows_without_an_entry_go_by_their_clients_area(void **state)
{
	struct frame frame;

	(void)state;
	reset_by_place(DISPATCH_L2, IPPROTO_TCP, true);
	fixture.settings.new_flows = (struct guard_rate){.cost = 1u << 30, .burst = 1u << 29};
	put("dispatch_settings", 0, &fixture.settings);
	frame = tcp_frame(UP_IN, ACK, 5);
	assert_goes_to("unlisted", NEAR, &frame);
	assert_goes_to("unlisted once more", NEAR, &frame);
}

/* The endpoint is chosen when the ACK comes: of the SYN nothing is kept. */
static void flows_that_begin_with_a_cookie_go_by_their_clients_area(void **state)
{
	struct frame ack;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset_by_place(DISPATCH_NAT, IPPROTO_TCP, is_ipv6);
		want_cookies();
		note_sent();
		ack = ack_frame(cookie_of(epoch_now(), FULL_CODE), 1001, 0);
		if (fixture.hook->is_xdp) {
			assert_becomes("left to TC", ack, fixture.hook->pass, &ack);
			continue;
		}
		assert_goes_to("its area's", NEAR, &ack);
		put_areas(client_position() + 1, client_position() + 9);
		assert_goes_to("of another area", REAL, &ack);
	}
}

static uint64_t packets_at(uint32_t real)
{
	uint64_t counts[5];

	sum_counts("dispatch_real_counts", real, counts, 5);
	return counts[0];
}

/* The last byte of the sender's address, and the checksums that it is in. */
static void set_source(struct frame *frame, uint8_t last)
{
	uint8_t *ip = frame->bytes + 14, *sum = ip + 10;
	uint8_t *byte = ip + (fixture.is_ipv6 ? 8 + 15 : 12 + 3);
	uint8_t before = *byte;
	uint32_t folded;

	if (fixture.is_ipv6)
		sum = ip + 40 + 2;
	*byte = last;
	folded = (uint32_t)(0xffff & ~(sum[0] << 8 | sum[1])) + (0xffffu - before) + last;
	folded = (folded & 0xffff) + (folded >> 16);
	put16(sum, 0xffff & ~folded);
}

/* No flow of it is known: the endpoint is found as for the client that the quoted packet went to,
 * wherever the router is that complains. */
static void errors_about_unlisted_flows_go_by_their_clients_area(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct frame error;
		uint64_t near, real;

		reset_by_place(DISPATCH_L2, IPPROTO_UDP, is_ipv6);
		near = packets_at(NEAR);
		real = packets_at(REAL);
		error = error_frame(UP_IN, DOWN_OUT, IPPROTO_UDP, 4);
		set_source(&error, 0x77);
		assert_action("an error", error, fixture.hook->redirect);
		assert_int_equal(packets_at(NEAR), near + 1);
		assert_int_equal(packets_at(REAL), real);
		put_areas(1, 1);
		assert_action("of another area", error, fixture.hook->redirect);
		assert_int_equal(packets_at(REAL), real + 1);
	}
}

static void one_ring_may_go_by_load(void **state)
{
	const struct dispatch_load_of_real fuller = {.flows = 1000, .weight = 1};
	struct frame frame;

	(void)state;
	reset_by_place(DISPATCH_L2, IPPROTO_TCP, false);
	fixture.service.algorithm = DISPATCH_LEAST_LOADED;
	put_service();
	put("dispatch_loads", NEAR, &fuller);
	frame = tcp_frame(UP_IN, SYN, 0);
	assert_goes_to("the area's, however full", NEAR, &frame);
}

#define DISPATCH_PLACE_TESTS                                                               \
	cmocka_unit_test(new_flows_go_by_their_clients_area),                              \
		cmocka_unit_test(known_flows_stay_where_they_are),                         \
		cmocka_unit_test(an_area_without_a_ring_is_dropped),                       \
		cmocka_unit_test(without_areas_all_is_unknown),                            \
		cmocka_unit_test(flows_without_an_entry_go_by_their_clients_area),         \
		cmocka_unit_test(flows_that_begin_with_a_cookie_go_by_their_clients_area), \
		cmocka_unit_test(errors_about_unlisted_flows_go_by_their_clients_area),    \
		cmocka_unit_test(one_ring_may_go_by_load)

#endif
