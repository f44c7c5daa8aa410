// SPDX-License-Identifier: Apache-2.0
#include "unit/io/relay_fixture.h"

#include <linux/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>

static void relay_transfer(struct fixture *fixture, size_t total, bool is_small)
{
	size_t sent_left = 0, sent_right = 0;
	struct relay relay;
	struct rng rng;

	rng_seed(&rng, total);
	relay_open(&relay, fixture, is_small);
	io_stream_recv_start(&relay.left.stream);
	io_stream_recv_start(&relay.right.stream);
	run_until(fixture, (send_pattern(&relay.left, &sent_left, total, &rng),
			    send_pattern(&relay.right, &sent_right, total, &rng),
			    relay.left.ends && relay.right.ends));
	assert_int_equal(relay.left.len, total);
	assert_int_equal(relay.right.len, total);
	assert_pattern(relay.left.bytes, 0, total);
	assert_pattern(relay.right.bytes, 0, total);
	assert_int_equal(relay.forth_ends, 1);
	assert_int_equal(relay.back_ends, 1);
	assert_int_equal(relay.forth_end, IO_PUMP_EOF);
	assert_int_equal(relay.forth.bytes, total);
	assert_int_equal(relay.back.bytes, total);
	assert_true(relay.forth.first_byte_us > 0);
	relay_close(&relay);
}

static void pump_moves_every_byte_both_ways(void **state)
{
	static const size_t sizes[] = {1, 100, 16384, 300000, 6 * MEGABYTE};
	struct fixture *fixture = fixture_of(state);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		relay_transfer(fixture, sizes[i], false);
		relay_transfer(fixture, sizes[i] < MEGABYTE ? sizes[i] : MEGABYTE, true);
	}
}

static void long_transfer_changes_to_large_buffers_and_back(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char *bytes = calloc(1, 16 * MEGABYTE);
	bool was_large = false;
	struct relay relay;

	assert_non_null(bytes);
	relay_open(&relay, fixture, false);
	io_stream_recv_start(&relay.right.stream);
	recorder_send(&relay.left, bytes, 16 * MEGABYTE);
	run_until(fixture, (was_large |= (relay.a.flags & STREAM_LARGE) != 0,
			    relay.right.len == 16 * MEGABYTE));
	assert_true(was_large);
	for (size_t i = 1; relay.a.flags & STREAM_LARGE; i++) {
		assert_true(i < 1000);
		recorder_send(&relay.left, "x", 1);
		run_until(fixture, relay.right.len == 16 * MEGABYTE + i);
	}
	relay_close(&relay);
	free(bytes);
}

static void pump_works_with_two_small_buffers(void **state)
{
	relay_transfer(fixture_of(state), 100000, true);
}

static void half_close_passes_on_while_the_other_way_goes_on(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;

	relay_open(&relay, fixture, false);
	io_stream_recv_start(&relay.left.stream);
	io_stream_recv_start(&relay.right.stream);
	recorder_send(&relay.left, "request", 7);
	io_stream_shutdown(&relay.left.stream);
	run_until(fixture, relay.right.ends);
	assert_int_equal(relay.right.len, 7);
	assert_int_equal(relay.back_ends, 0);
	recorder_send(&relay.right, "response", 8);
	run_until(fixture, relay.left.len == 8);
	io_stream_shutdown(&relay.right.stream);
	run_until(fixture, relay.left.ends && relay.back_ends);
	assert_int_equal(relay.back_end, IO_PUMP_EOF);
	relay_close(&relay);
}

/* What a reader that does not read costs: the limit, one burst of reads, and the heap's rounding.
 */
static void slow_reader_bounds_what_waits(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char *bytes = calloc(1, 3 * MEGABYTE);
	uint64_t arrived;
	struct relay relay;

	assert_non_null(bytes);
	relay_open(&relay, fixture, true);
	recorder_send(&relay.left, bytes, 3 * MEGABYTE);
	run_for(fixture, 100);
	assert_true(relay.b.queued > 0);
	assert_true(relay.b.queued <= LIMIT + MEGABYTE);
	arrived = relay.a.bytes_in;
	run_for(fixture, 50);
	assert_int_equal(relay.a.bytes_in, arrived);
	io_stream_recv_start(&relay.right.stream);
	run_until(fixture, relay.right.len == 3 * MEGABYTE);
	relay_close(&relay);
	free(bytes);
}

static void reset_of_the_source_is_a_receive_error(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;

	relay_open(&relay, fixture, false);
	run_for(fixture, 2);
	io_stream_close(&relay.left.stream, IO_CLOSE_RESET);
	run_until(fixture, relay.forth_ends);
	assert_int_equal(relay.forth_end, IO_PUMP_RECV_ERROR);
	assert_int_equal(relay.forth_error, -ECONNRESET);
	assert_int_equal(relay.back_ends, 0);
	relay_close(&relay);
}

/* The sink resets while bytes for it wait: receiving from it and sending to it both fail. */
static void reset_of_a_full_sink_ends_both_pumps(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char *bytes = calloc(1, 32 * MEGABYTE);
	struct relay relay;

	assert_non_null(bytes);
	relay_open(&relay, fixture, false);
	recorder_send(&relay.left, bytes, 32 * MEGABYTE);
	run_for(fixture, 100);
	assert_true(relay.b.queued > 0 || (relay.forth.pipe && relay.forth.pipe->held));
	io_stream_close(&relay.right.stream, IO_CLOSE_RESET);
	run_until(fixture, relay.forth_ends && relay.back_ends);
	assert_int_equal(relay.forth_end, IO_PUMP_SEND_ERROR);
	assert_int_equal(relay.back_end, IO_PUMP_RECV_ERROR);
	assert_int_equal(relay.b.queued, 0);
	relay_close(&relay);
	free(bytes);
}

static void pump_onto_a_failed_sink_ends_with_its_error(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;

	relay_open(&relay, fixture, false);
	io_pump_cancel(&relay.forth);
	relay.b.send_error = -EPIPE;
	io_pump_start(&relay.forth);
	assert_int_equal(relay.forth_ends, 0);
	run_until(fixture, relay.forth_ends);
	assert_int_equal(relay.forth_end, IO_PUMP_SEND_ERROR);
	assert_int_equal(relay.forth_error, -EPIPE);
	relay_close(&relay);
}

static void pump_does_not_count_what_its_owner_queued_before(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;
	struct io_buf *header;

	relay_open(&relay, fixture, false);
	io_pump_cancel(&relay.forth);
	header = io_buf_new(fixture->loop, 6);
	assert_non_null(header);
	memcpy(header->base, "PROXY ", header->end = 6);
	io_stream_send(&relay.b, header);
	relay.forth.flags = 0;
	io_pump_start(&relay.forth);
	io_stream_recv_start(&relay.right.stream);
	recorder_send(&relay.left, "hello", 5);
	run_until(fixture, relay.right.len == 11);
	assert_memory_equal(relay.right.bytes, "PROXY hello", 11);
	run_until(fixture, relay.forth.bytes == 5);
	relay_close(&relay);
}

static void pump_started_after_the_end_ends(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;

	relay_open(&relay, fixture, false);
	io_pump_cancel(&relay.forth);
	io_stream_shutdown(&relay.left.stream);
	/* The end is seen while nobody pumps: a receive that was under way, or one without a pump.
	 */
	run_for(fixture, 5);
	io_pump_start(&relay.forth);
	run_until(fixture, relay.forth_ends);
	assert_int_equal(relay.forth_end, IO_PUMP_EOF);
	io_pump_cancel(&relay.forth);
	relay_close(&relay);
}

static unsigned rests;

static void on_rest(struct io_pump *pump)
{
	rests++;
	io_loop_stop(pump->from->loop);
}

static void rest_both(struct relay *relay)
{
	rests = 0;
	relay->forth.on_rest = relay->back.on_rest = on_rest;
	io_pump_rest(&relay->forth);
	io_pump_rest(&relay->back);
	assert_int_equal(rests, 0);
	/* The end may still come, and is the last that is heard of a pump. */
	run_until(relay->fixture, rests + (unsigned)relay->forth_ends >= 2);
}

static void resume_both(struct relay *relay)
{
	io_pump_resume(&relay->forth);
	io_pump_resume(&relay->back);
}

static void pump_at_rest_leaves_bytes_in_the_socket(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;
	int unread = 0;

	relay_open(&relay, fixture, false);
	io_stream_recv_start(&relay.right.stream);
	recorder_send(&relay.left, "before", 6);
	run_until(fixture, relay.right.len == 6);
	rest_both(&relay);
	assert_true(io_pump_is_empty(&relay.forth));
	assert_true(io_pump_is_empty(&relay.back));
	recorder_send(&relay.left, "after", 5);
	run_for(fixture, 20);
	assert_int_equal(ioctl(relay.a.fd, FIONREAD, &unread), 0);
	assert_int_equal(unread, 5);
	assert_int_equal(relay.right.len, 6);
	resume_both(&relay);
	run_until(fixture, relay.right.len == 11);
	assert_memory_equal(relay.right.bytes, "beforeafter", 11);
	relay_close(&relay);
}

static void rests_in_a_transfer_lose_no_byte(void **state)
{
	struct fixture *fixture = fixture_of(state);
	const size_t total = 1 << 20;
	size_t sent = 0;
	struct relay relay;
	struct rng rng;

	rng_seed(&rng, total);
	relay_open(&relay, fixture, false);
	io_stream_recv_start(&relay.right.stream);
	while (!relay.right.ends) {
		send_pattern(&relay.left, &sent, total, &rng);
		rest_both(&relay);
		resume_both(&relay);
		run_for(fixture, 1);
	}
	assert_int_equal(relay.right.len, total);
	assert_pattern(relay.right.bytes, 0, total);
	relay_close(&relay);
}

static void end_comes_while_a_pump_rests(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;

	relay_open(&relay, fixture, false);
	io_stream_recv_start(&relay.right.stream);
	rest_both(&relay);
	recorder_send(&relay.left, "x", 1);
	io_stream_shutdown(&relay.left.stream);
	run_for(fixture, 20);
	resume_both(&relay);
	run_until(fixture, relay.forth_ends == 1);
	assert_int_equal(relay.forth_end, IO_PUMP_EOF);
	resume_both(&relay);
	run_for(fixture, 20);
	assert_int_equal(relay.forth_ends, 1);
	assert_int_equal(relay.right.len, 1);
	relay_close(&relay);
}

/* Seen by the far end's kernel: the bytes and the FIN that came behind them are one segment. */
static uint32_t segments_received(const struct recorder *recorder)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	assert_int_equal(getsockopt(recorder->stream.fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_segs_in;
}

/* io_uring alone: epoll sends as it reads. */
static void fin_rides_on_the_last_bytes_if_it_came_with_them(void **state)
{
	struct fixture *fixture = fixture_of(state);
	uint32_t segments;
	struct relay relay;

	relay_open(&relay, fixture, false);
	io_stream_recv_start(&relay.right.stream);
	run_for(fixture, 5);
	segments = segments_received(&relay.right);
	assert_int_equal(write(relay.left.stream.fd, "last", 4), 4);
	assert_int_equal(shutdown(relay.left.stream.fd, SHUT_WR), 0);
	run_until(fixture, relay.right.ends);
	assert_int_equal(relay.right.len, 4);
	assert_int_equal(segments_received(&relay.right) - segments, 1);
	relay_close(&relay);
}

static unsigned firsts;

static void on_first(struct io_pump *pump)
{
	(void)pump;
	firsts++;
}

static void first_bytes_are_told_once(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;

	firsts = 0;
	relay_open(&relay, fixture, false);
	relay.forth.on_first = on_first;
	io_stream_recv_start(&relay.right.stream);
	recorder_send(&relay.left, "one", 3);
	run_until(fixture, relay.right.len == 3);
	assert_int_equal(firsts, 1);
	recorder_send(&relay.left, "two", 3);
	run_until(fixture, relay.right.len == 6);
	assert_int_equal(firsts, 1);
	relay_close(&relay);
}

static void first_bytes_with_the_end_are_not_told(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;

	firsts = 0;
	relay_open(&relay, fixture, false);
	relay.forth.on_first = on_first;
	io_stream_recv_start(&relay.right.stream);
	run_for(fixture, 5);
	assert_int_equal(write(relay.left.stream.fd, "last", 4), 4);
	assert_int_equal(shutdown(relay.left.stream.fd, SHUT_WR), 0);
	run_until(fixture, relay.right.ends);
	assert_int_equal(firsts, 0);
	relay_close(&relay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(pump_moves_every_byte_both_ways),
		ON_BOTH(long_transfer_changes_to_large_buffers_and_back),
		ON_BOTH_FEW_BUFFERS(pump_works_with_two_small_buffers),
		ON_BOTH(half_close_passes_on_while_the_other_way_goes_on),
		ON_BOTH(slow_reader_bounds_what_waits),
		ON_BOTH(reset_of_the_source_is_a_receive_error),
		ON_BOTH(reset_of_a_full_sink_ends_both_pumps),
		ON_BOTH(pump_onto_a_failed_sink_ends_with_its_error),
		ON_BOTH(pump_does_not_count_what_its_owner_queued_before),
		ON_BOTH(pump_started_after_the_end_ends),
		ON_BOTH(pump_at_rest_leaves_bytes_in_the_socket),
		ON_BOTH(rests_in_a_transfer_lose_no_byte),
		ON_BOTH(end_comes_while_a_pump_rests),
		ON(uring, fin_rides_on_the_last_bytes_if_it_came_with_them, fixture_setup),
		ON_BOTH(first_bytes_are_told_once),
		ON_BOTH(first_bytes_with_the_end_are_not_told),
	};

	/* As sluiced does: splice(2) has no flag against it. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
