// SPDX-License-Identifier: Apache-2.0
/* What a hand-off decides and computes: by numbers, without sockets. */
#include "fastpath/fastpath_internal.h"

#include <linux/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MTU 1500

static void set_ip(__u8 ip[16], const char *last_bytes)
{
	memset(ip, 0, 16);
	ip[10] = ip[11] = 0xff;
	memcpy(ip + 12, last_bytes, 4);
}

static struct leg client_leg(void)
{
	struct leg leg = {
		.key = {.source_port = 0x1111, .destination_port = 0x2222},
		.is_established = true,
		.options = TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE | TCPI_OPT_ECN,
		.snd_wscale = 7,
		.rcv_wscale = 9,
		.peer_mss = 1460,
		.our_mss = 1460,
		.snd_end = 1000,
		.rcv_nxt = 0xfffffff0,
		.clock = 500,
	};

	set_ip(leg.key.source, "\x0a\1\0\2");
	set_ip(leg.key.destination, "\x0a\1\0\1");
	return leg;
}

static struct leg backend_leg(void)
{
	struct leg leg = client_leg();

	leg.key.source_port = 0x3333;
	leg.key.destination_port = 0x4444;
	leg.snd_wscale = 2;
	leg.rcv_wscale = 4;
	leg.snd_end = 16;
	leg.rcv_nxt = 70000;
	leg.clock = 90000;
	set_ip(leg.key.source, "\x0a\2\0\2");
	set_ip(leg.key.destination, "\x0a\2\0\1");
	return leg;
}

static struct flow_record record_of(const struct leg *leg, uint32_t tsval)
{
	return (struct flow_record){
		.seq_end = leg->rcv_nxt,
		.ack = leg->snd_end,
		.tsval = tsval,
		.flags = FLOW_SEEN_ANY,
	};
}

static void legs_that_agree_can_be_joined(void **state)
{
	struct leg client = client_leg(), backend = backend_leg();

	(void)state;
	assert_int_equal(legs_compare(&client, &backend, MTU), SPLICE_REASON_NONE);
}

static void window_scale_and_ecn_may_differ(void **state)
{
	struct leg client = client_leg(), backend = backend_leg();

	(void)state;
	client.options &= (uint8_t) ~(TCPI_OPT_WSCALE | TCPI_OPT_ECN);
	assert_int_equal(legs_compare(&client, &backend, MTU), SPLICE_REASON_NONE);
}

static void timestamps_and_sack_may_not_differ(void **state)
{
	const uint8_t options[] = {TCPI_OPT_TIMESTAMPS, TCPI_OPT_SACK};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct leg client = client_leg(), backend = backend_leg();

		client.options &= (uint8_t)~options[i];
		assert_int_equal(legs_compare(&client, &backend, MTU), SPLICE_REASON_OPTIONS);
		backend.options &= (uint8_t)~options[i];
		assert_int_equal(legs_compare(&client, &backend, MTU), SPLICE_REASON_NONE);
	}
}

static void ipv4_and_ipv6_are_not_joined(void **state)
{
	struct leg client = client_leg(), backend = backend_leg();

	(void)state;
	backend.key.source[0] = 0x20;
	assert_int_equal(legs_compare(&client, &backend, MTU), SPLICE_REASON_FAMILY);
}

static void backend_may_not_send_more_than_the_client_takes(void **state)
{
	struct leg client = client_leg(), backend = backend_leg();

	(void)state;
	client.peer_mss = 536;
	assert_int_equal(legs_compare(&client, &backend, MTU), SPLICE_REASON_MSS);
	backend.our_mss = 536;
	assert_int_equal(legs_compare(&client, &backend, MTU), SPLICE_REASON_NONE);
}

static void client_may_not_send_more_than_the_backend_takes(void **state)
{
	struct leg client = client_leg(), backend = backend_leg();

	(void)state;
	backend.peer_mss = 1459;
	assert_int_equal(legs_compare(&client, &backend, MTU), SPLICE_REASON_MSS);
}

/* The backend's leg was cut down to the client's size: it cannot tell what the backend takes. */
static void way_to_the_backend_limits_the_client_otherwise(void **state)
{
	struct leg client = client_leg(), backend = backend_leg();

	(void)state;
	client.peer_mss = backend.peer_mss = backend.our_mss = 536;
	assert_int_equal(legs_compare(&client, &backend, 1500), SPLICE_REASON_NONE);
	assert_int_equal(legs_compare(&client, &backend, 1499), SPLICE_REASON_MSS);
}

static void leg_is_caught_up_when_record_and_socket_agree(void **state)
{
	struct leg leg = client_leg();
	struct flow_record seen = record_of(&leg, 1);

	(void)state;
	assert_true(leg_is_caught_up(&leg, &seen));
}

static void what_is_not_acknowledged_is_no_hindrance(void **state)
{
	struct leg leg = client_leg();
	struct flow_record seen = record_of(&leg, 1);

	(void)state;
	leg.snd_una -= 5000;
	leg.unread = 3000;
	seen.ack -= 5000;
	assert_true(leg_is_caught_up(&leg, &seen));
}

/* Whichever way a byte takes, it has the same number: behind all that was there before. */
static void what_sockets_still_hold_comes_before_what_is_spliced(void **state)
{
	struct leg client = client_leg(), backend = backend_leg();
	struct flow_record seen[] = {record_of(&client, 1), record_of(&backend, 1)};
	struct flow_translation out[FLOW_DIRECTIONS];

	(void)state;
	client.unread = 100;
	backend.unread = 7;
	legs_translate(&client, &backend, seen, out);
	assert_int_equal(client.rcv_nxt + out[FLOW_UP].seq_delta, backend.snd_end + 100);
	assert_int_equal(backend.rcv_nxt + out[FLOW_DOWN].seq_delta, client.snd_end + 7);
	assert_int_equal(backend.snd_end + 100 + out[FLOW_DOWN].ack_delta, client.rcv_nxt);
	assert_int_equal(client.snd_end + 7 + out[FLOW_UP].ack_delta, backend.rcv_nxt);
}

static void tail_is_what_is_unread_and_unacknowledged_on_the_longer_way(void **state)
{
	struct leg client = client_leg(), backend = backend_leg();

	(void)state;
	client.snd_una = client.snd_end;
	backend.snd_una = backend.snd_end;
	assert_int_equal(legs_tail(&client, &backend), 0);
	client.unread = 10;
	backend.snd_una -= 20; /* beyond the wrap */
	client.snd_una -= 29;
	assert_int_equal(legs_tail(&client, &backend), 30);
	backend.unread = 2;
	assert_int_equal(legs_tail(&client, &backend), 31);
}

static void leg_is_not_caught_up_while_anything_is_under_way(void **state)
{
	struct leg leg = client_leg();
	struct flow_record good = record_of(&leg, 1), seen;

	(void)state;
	seen = good;
	seen.seq_end++;
	assert_false(leg_is_caught_up(&leg, &seen));
	seen = good;
	seen.tsval = 0;
	assert_false(leg_is_caught_up(&leg, &seen));
	seen = good;
	seen.flags = 0;
	assert_false(leg_is_caught_up(&leg, &seen));
	seen = good;
	seen.flags |= FLOW_SEEN_RST;
	assert_false(leg_is_caught_up(&leg, &seen));
	leg.has_gap = true;
	assert_false(leg_is_caught_up(&leg, &good));
	leg = client_leg();
	leg.is_established = false;
	assert_false(leg_is_caught_up(&leg, &good));
}

static void what_one_end_sends_next_is_what_the_other_expects(void **state)
{
	struct leg client = client_leg(), backend = backend_leg();
	struct flow_record seen[] = {record_of(&client, 7), record_of(&backend, 11)};
	struct flow_translation out[FLOW_DIRECTIONS];

	(void)state;
	legs_translate(&client, &backend, seen, out);
	assert_int_equal(client.rcv_nxt + out[FLOW_UP].seq_delta, backend.snd_end);
	assert_int_equal(client.snd_end + out[FLOW_UP].ack_delta, backend.rcv_nxt);
	assert_int_equal(backend.rcv_nxt + out[FLOW_DOWN].seq_delta, client.snd_end);
	assert_int_equal(backend.snd_end + out[FLOW_DOWN].ack_delta, client.rcv_nxt);
}

static void clocks_go_on_from_ours_and_echoes_go_back(void **state)
{
	struct leg client = client_leg(), backend = backend_leg();
	struct flow_record seen[] = {record_of(&client, 7), record_of(&backend, 11)};
	struct flow_translation out[FLOW_DIRECTIONS];

	(void)state;
	legs_translate(&client, &backend, seen, out);
	assert_true(out[FLOW_UP].flags & FLOW_HAS_TIMESTAMPS);
	assert_int_equal(7 + out[FLOW_UP].tsval_delta, backend.clock + CLOCK_LEAD);
	assert_int_equal(11 + out[FLOW_DOWN].tsval_delta, client.clock + CLOCK_LEAD);
	/* What the backend gets as 90,000 it echoes, and the client gets its own 7 back. */
	assert_int_equal((uint32_t)(backend.clock + CLOCK_LEAD + out[FLOW_DOWN].tsecr_delta), 7);
	assert_int_equal((uint32_t)(client.clock + CLOCK_LEAD + out[FLOW_UP].tsecr_delta), 11);
}

static void packets_leave_between_our_end_and_the_far_one(void **state)
{
	struct leg client = client_leg(), backend = backend_leg();
	struct flow_record seen[] = {record_of(&client, 7), record_of(&backend, 11)};
	struct flow_translation out[FLOW_DIRECTIONS];

	(void)state;
	legs_translate(&client, &backend, seen, out);
	assert_memory_equal(out[FLOW_UP].source, backend.key.destination, 16);
	assert_memory_equal(out[FLOW_UP].destination, backend.key.source, 16);
	assert_int_equal(out[FLOW_UP].source_port, 0x4444);
	assert_int_equal(out[FLOW_UP].destination_port, 0x3333);
	assert_memory_equal(out[FLOW_DOWN].destination, client.key.source, 16);
	assert_int_equal(out[FLOW_DOWN].destination_port, 0x1111);
}

static void windows_change_from_the_senders_scale_to_what_we_announced(void **state)
{
	struct leg client = client_leg(), backend = backend_leg();
	struct flow_record seen[] = {record_of(&client, 7), record_of(&backend, 11)};
	struct flow_translation out[FLOW_DIRECTIONS];

	(void)state;
	legs_translate(&client, &backend, seen, out);
	assert_int_equal(out[FLOW_UP].scale_in, 7);
	assert_int_equal(out[FLOW_UP].scale_out, 4);
	assert_int_equal(out[FLOW_DOWN].scale_in, 2);
	assert_int_equal(out[FLOW_DOWN].scale_out, 9);
}

static void options_of_one_leg_alone_are_not_kept(void **state)
{
	struct leg client = client_leg(), backend = backend_leg();
	struct flow_record seen[] = {record_of(&client, 0), record_of(&backend, 0)};
	struct flow_translation out[FLOW_DIRECTIONS];

	(void)state;
	client.options = TCPI_OPT_SACK;
	legs_translate(&client, &backend, seen, out);
	assert_int_equal(out[FLOW_UP].flags | out[FLOW_DOWN].flags, 0);
	assert_int_equal(out[FLOW_UP].tsval_delta | out[FLOW_DOWN].tsecr_delta, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(legs_that_agree_can_be_joined),
		cmocka_unit_test(window_scale_and_ecn_may_differ),
		cmocka_unit_test(timestamps_and_sack_may_not_differ),
		cmocka_unit_test(ipv4_and_ipv6_are_not_joined),
		cmocka_unit_test(backend_may_not_send_more_than_the_client_takes),
		cmocka_unit_test(client_may_not_send_more_than_the_backend_takes),
		cmocka_unit_test(way_to_the_backend_limits_the_client_otherwise),
		cmocka_unit_test(leg_is_caught_up_when_record_and_socket_agree),
		cmocka_unit_test(what_is_not_acknowledged_is_no_hindrance),
		cmocka_unit_test(what_sockets_still_hold_comes_before_what_is_spliced),
		cmocka_unit_test(tail_is_what_is_unread_and_unacknowledged_on_the_longer_way),
		cmocka_unit_test(leg_is_not_caught_up_while_anything_is_under_way),
		cmocka_unit_test(what_one_end_sends_next_is_what_the_other_expects),
		cmocka_unit_test(clocks_go_on_from_ours_and_echoes_go_back),
		cmocka_unit_test(packets_leave_between_our_end_and_the_far_one),
		cmocka_unit_test(windows_change_from_the_senders_scale_to_what_we_announced),
		cmocka_unit_test(options_of_one_leg_alone_are_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
