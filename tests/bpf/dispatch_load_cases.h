// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BPF_DISPATCH_LOAD_CASES_H
#define TESTS_BPF_DISPATCH_LOAD_CASES_H

/* Choice by load, between two endpoints. */
#include "dispatch_cookie_cases.h"

#define OTHER 2u

static void put_load(uint32_t real, uint32_t flows, uint32_t weight)
{
	const struct dispatch_load_of_real load = {.flows = flows, .weight = weight};

	put("dispatch_loads", real, &load);
}

static uint32_t flows_of(uint32_t real)
{
	struct dispatch_load_of_real load;

	assert_int_equal(bpf_map_lookup_elem(map_fd("dispatch_loads"), &real, &load), 0);
	return load.flows;
}

/* A ring whose slots lead to one and the other by turns. */
static void put_two(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	struct dispatch_ring_line line;
	uint32_t zero = 0;
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ring", 4, sizeof(line), 1, &options);

	assert_true(fd >= 0);
	for (size_t i = 0; i < DISPATCH_RING_SLOTS; i++)
		line.real[i] = i % 2 ? OTHER : REAL;
	assert_int_equal(bpf_map_update_elem(fd, &zero, &line, BPF_ANY), 0);
	put("dispatch_rings", 0, &fd);
	close(fd);
}

static void choose_by_load(void)
{
	fixture.service.algorithm = DISPATCH_LEAST_LOADED;
	fixture.service.ring_size = DISPATCH_RING_SLOTS;
	put_service();
	put("dispatch_reals", OTHER, &fixture.real);
	put_two();
}

static void reset_by_load(enum dispatch_form form)
{
	reset(form, IPPROTO_TCP, false);
	choose_by_load();
}

/* Return: how many of @count new flows the other one gets. */
static uint64_t begin_flows(unsigned first_port, unsigned count)
{
	uint64_t before[5], after[5];

	sum_counts("dispatch_real_counts", OTHER, before, 5);
	for (unsigned i = 0; i < count; i++) {
		struct frame in = tcp_frame(UP_IN, SYN, 0);

		put16(in.bytes + 14 + 20, first_port + i);
		assert_action("SYN", in, fixture.hook->redirect);
	}
	sum_counts("dispatch_real_counts", OTHER, after, 5);
	return after[2] - before[2];
}

static void new_flows_go_where_fewer_are(void **state)
{
	(void)state;
	reset_by_load(DISPATCH_L2);
	put_load(REAL, 1000, 1);
	put_load(OTHER, 0, 1);
	/* Those of which both slots lead to the fuller one stay there: a quarter. */
	assert_in_range(begin_flows(1000, 200), 120, 180);
	assert_int_equal(flows_of(REAL) + flows_of(OTHER), 1200);
	put_load(REAL, 0, 1);
	put_load(OTHER, 1000, 1);
	assert_in_range(begin_flows(2000, 200), 20, 80);
}

static void flows_are_counted_by_weight(void **state)
{
	uint64_t others;

	(void)state;
	reset_by_load(DISPATCH_L2);
	put_load(REAL, 0, 2);
	put_load(OTHER, 0, 3);
	others = begin_flows(1000, 500);
	assert_in_range(others, 280, 320);
	assert_int_equal(flows_of(OTHER), others);
	assert_int_equal(flows_of(REAL), 500 - others);
}

/* Their next packet has to find the same again. */
static void flows_without_an_entry_go_by_the_ring(void **state)
{
	(void)state;
	reset_by_load(DISPATCH_L2);
	put_load(REAL, 1000, 1);
	put_load(OTHER, 0, 1);
	fixture.settings.new_flows = (struct guard_rate){.cost = 1u << 30, .burst = 1u << 29};
	put("dispatch_settings", 0, &fixture.settings);
	assert_in_range(begin_flows(1000, 200), 60, 140);
	assert_int_equal(begin_flows(1000, 200), begin_flows(1000, 200));
	assert_int_equal(flows_of(REAL) + flows_of(OTHER), 1000);
}

/* Return: how many of @count flows that cookies begin the other one gets. At XDP they are TC's. */
static uint64_t begin_flows_by_cookies(unsigned count)
{
	uint64_t before[5], after[5];

	forget_flows();
	sum_counts("dispatch_real_counts", OTHER, before, 5);
	for (unsigned port = 1000; port < 1000 + count; port++) {
		struct frame in = ack_frame(cookie_of_port(epoch_now(), FULL_CODE, port), 1001, 0);

		put16(in.bytes + 14 + 20, port);
		assert_action("ACK", in,
			      fixture.hook->is_xdp ? fixture.hook->pass : fixture.hook->redirect);
	}
	sum_counts("dispatch_real_counts", OTHER, after, 5);
	return after[2] - before[2];
}

static void flows_of_cookies_go_where_fewer_are(void **state)
{
	uint64_t where_fewer_are, where_more_are;

	(void)state;
	reset_cookies(false);
	choose_by_load();
	fixture.run.nports = 40;
	put_run();
	put("dispatch_reals", OTHER, &fixture.real);
	note_sent();
	put_load(REAL, 1000, 1);
	put_load(OTHER, 0, 1);
	where_fewer_are = begin_flows_by_cookies(32);
	assert_int_equal(flows_of(REAL) + flows_of(OTHER), fixture.hook->is_xdp ? 1000 : 1032);
	put_load(REAL, 0, 1);
	put_load(OTHER, 1000, 1);
	where_more_are = begin_flows_by_cookies(32);
	if (!fixture.hook->is_xdp) /* by the ring the two are equal */
		assert_true(where_fewer_are >= where_more_are + 8);
}

#define DISPATCH_LOAD_TESTS                                              \
	cmocka_unit_test(new_flows_go_where_fewer_are),                  \
		cmocka_unit_test(flows_are_counted_by_weight),           \
		cmocka_unit_test(flows_without_an_entry_go_by_the_ring), \
		COOKIE_TEST(flows_of_cookies_go_where_fewer_are)

#endif
