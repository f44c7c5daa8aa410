// SPDX-License-Identifier: Apache-2.0
#include "unit/io/relay_fixture.h"

#include <signal.h>

/*
 * What plays the outside is plain sockets with a checksum of their own: recorders would keep all
 * bytes. One step feeds and drinks as much as the sockets take at once.
 */
struct outside {
	size_t sent, received;
	uint64_t wrong;
};

static void feed(int fd, struct outside *outside, size_t total, size_t chunk)
{
	static unsigned char bytes[1 << 18];

	while (outside->sent < total) {
		size_t len = total - outside->sent < chunk ? total - outside->sent : chunk;
		ssize_t sent;

		for (size_t i = 0; i < len; i++)
			bytes[i] = pattern_at(outside->sent + i);
		sent = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		outside->sent += (size_t)sent;
	}
}

static void drink(int fd, struct outside *outside, size_t most)
{
	static unsigned char bytes[1 << 18];
	ssize_t len;

	while (most && (len = recv(fd, bytes, most < sizeof(bytes) ? most : sizeof(bytes),
				   MSG_DONTWAIT)) > 0) {
		for (ssize_t i = 0; i < len; i++)
			outside->wrong += bytes[i] != pattern_at(outside->received + (size_t)i);
		outside->received += (size_t)len;
		most -= (size_t)len;
	}
}

static bool is_at_end(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

static int left_of(const struct relay *relay)
{
	return relay->left.stream.fd;
}

static int right_of(const struct relay *relay)
{
	return relay->right.stream.fd;
}

/* Feeds the left and drinks on the right until the direction splices. */
static void bulk_until_spliced(struct relay *relay, struct outside *outside)
{
	for (int i = 0; !relay->forth.pipe; i++) {
		assert_true(i < 5000);
		feed(left_of(relay), outside, SIZE_MAX, 1 << 18);
		run_for(relay->fixture, 1);
		if (!relay->forth.pipe)
			drink(right_of(relay), outside, SIZE_MAX);
	}
}

/* ... and until the sink is full and bytes wait in the pipe. */
static void fill_pipe(struct relay *relay, struct outside *outside)
{
	bulk_until_spliced(relay, outside);
	for (int i = 0; !relay->forth.pipe->held; i++) {
		assert_true(i < 5000);
		feed(left_of(relay), outside, SIZE_MAX, 1 << 18);
		run_for(relay->fixture, 1);
		/* What was received before goes out first. */
		if (relay->b.queued)
			drink(right_of(relay), outside, SIZE_MAX);
	}
}

static void pattern_transfer(struct fixture *fixture, bool is_small, size_t total, size_t slow)
{
	struct outside outside = {};
	bool was_spliced = false;
	struct relay relay;
	struct rng rng;

	rng_seed(&rng, total);
	relay_open(&relay, fixture, is_small);
	for (int i = 0; outside.received < total; i++) {
		assert_true(i < 20000);
		feed(left_of(&relay), &outside, total, 1 + rng_below(&rng, 1 << 18));
		run_for(fixture, 1);
		was_spliced |= relay.forth.pipe != NULL;
		drink(right_of(&relay), &outside, slow ? slow : SIZE_MAX);
	}
	assert_int_equal(was_spliced, !is_small);
	assert_int_equal(outside.wrong, 0);
	shutdown(left_of(&relay), SHUT_WR);
	run_until(fixture, relay.forth_ends);
	assert_int_equal(relay.forth_end, IO_PUMP_EOF);
	assert_int_equal(relay.forth.bytes, total);
	assert_int_equal(relay.a.bytes_in, total);
	assert_int_equal(relay.b.bytes_out, total);
	assert_null(relay.forth.pipe);
	relay_close(&relay);
}

static void long_transfer_is_spliced_byte_for_byte(void **state)
{
	pattern_transfer(fixture_of(state), false, 48 * MEGABYTE, 0);
}

static void slow_reader_gets_every_spliced_byte(void **state)
{
	pattern_transfer(fixture_of(state), false, 24 * MEGABYTE, 100000);
}

static void transfer_in_small_reads_is_not_spliced(void **state)
{
	pattern_transfer(fixture_of(state), true, 6 * MEGABYTE, 0);
}

static void both_directions_are_spliced_at_once(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside forth = {}, back = {};
	bool were_spliced = false;
	struct relay relay;

	relay_open(&relay, fixture, false);
	for (int i = 0; forth.received < 32 * MEGABYTE || back.received < 32 * MEGABYTE; i++) {
		assert_true(i < 20000);
		feed(left_of(&relay), &forth, 32 * MEGABYTE, 1 << 18);
		feed(right_of(&relay), &back, 32 * MEGABYTE, 1 << 18);
		run_for(fixture, 1);
		were_spliced |= relay.forth.pipe && relay.back.pipe;
		drink(right_of(&relay), &forth, SIZE_MAX);
		drink(left_of(&relay), &back, SIZE_MAX);
	}
	assert_true(were_spliced);
	assert_int_equal(forth.wrong + back.wrong, 0);
	assert_int_equal(relay.forth.bytes, forth.received);
	assert_int_equal(relay.back.bytes, back.received);
	relay_close(&relay);
}

static void full_sink_stops_a_spliced_source(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside outside = {};
	struct relay relay;
	uint64_t arrived = 0;

	relay_open(&relay, fixture, false);
	fill_pipe(&relay, &outside);
	/* The kernel's buffers may still grow for a while. */
	for (int i = 0; relay.a.bytes_in != arrived; i++) {
		assert_true(i < 100);
		arrived = relay.a.bytes_in;
		feed(left_of(&relay), &outside, SIZE_MAX, 1 << 18);
		run_for(fixture, 20);
	}
	assert_int_equal(relay.a.bytes_in - relay.b.bytes_out, relay.forth.pipe->held);
	assert_true(relay.forth.pipe->held <= relay.forth.pipe->size);
	relay_close(&relay);
}

static void end_of_a_spliced_source_comes_after_what_the_pipe_holds(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside outside = {};
	struct relay relay;

	relay_open(&relay, fixture, false);
	fill_pipe(&relay, &outside);
	shutdown(left_of(&relay), SHUT_WR);
	run_for(fixture, 5);
	assert_int_equal(relay.forth_ends, 0);
	for (int i = 0; !is_at_end(right_of(&relay)); i++) {
		assert_true(i < 5000);
		drink(right_of(&relay), &outside, SIZE_MAX);
		run_for(fixture, 1);
	}
	assert_int_equal(relay.forth_end, IO_PUMP_EOF);
	assert_int_equal(outside.received, outside.sent);
	assert_int_equal(outside.wrong, 0);
	assert_int_equal(relay.forth.bytes, outside.sent);
	relay_close(&relay);
}

static void reset_of_a_spliced_source_is_a_receive_error(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside outside = {};
	struct relay relay;

	relay_open(&relay, fixture, false);
	bulk_until_spliced(&relay, &outside);
	for (int i = 0; outside.received < outside.sent; i++) {
		assert_true(i < 5000);
		run_for(fixture, 1);
		drink(right_of(&relay), &outside, SIZE_MAX);
	}
	io_stream_close(&relay.left.stream, IO_CLOSE_RESET);
	run_until(fixture, relay.forth_ends);
	assert_int_equal(relay.forth_end, IO_PUMP_RECV_ERROR);
	assert_int_equal(relay.forth_error, -ECONNRESET);
	assert_int_equal(relay.back_ends, 0);
	relay_close(&relay);
}

static void reset_of_a_spliced_sink_ends_both_pumps(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside outside = {};
	struct relay relay;

	relay_open(&relay, fixture, false);
	fill_pipe(&relay, &outside);
	io_stream_close(&relay.right.stream, IO_CLOSE_RESET);
	run_until(fixture, relay.forth_ends && relay.back_ends);
	assert_int_equal(relay.forth_end, IO_PUMP_SEND_ERROR);
	assert_int_equal(relay.back_end, IO_PUMP_RECV_ERROR);
	assert_null(relay.forth.pipe);
	relay_close(&relay);
}

static void cancelled_pump_gives_its_streams_back_to_receiving(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside outside = {};
	struct relay relay;
	uint64_t taken;

	relay_open(&relay, fixture, false);
	fill_pipe(&relay, &outside);
	io_pump_cancel(&relay.forth);
	assert_null(relay.forth.pipe);
	assert_int_equal(fixture->loop->pipes.count, 0);
	relay.forth.flags = 0;
	io_pump_start(&relay.forth);
	taken = relay.b.bytes_out;
	for (int i = 0; relay.b.bytes_out == taken; i++) {
		assert_true(i < 5000);
		feed(left_of(&relay), &outside, SIZE_MAX, 1 << 18);
		drink(right_of(&relay), &outside, SIZE_MAX);
		run_for(fixture, 1);
	}
	relay_close(&relay);
}

static void closing_either_stream_lets_the_pipe_go(void **state)
{
	struct fixture *fixture = fixture_of(state);

	for (int is_sink = 0; is_sink < 2; is_sink++) {
		struct outside outside = {};
		struct relay relay;

		relay_open(&relay, fixture, false);
		fill_pipe(&relay, &outside);
		io_stream_close(is_sink ? &relay.b : &relay.a, IO_CLOSE_RESET);
		assert_null(relay.forth.pipe);
		run_for(fixture, 2);
		assert_int_equal(relay.forth_ends, 0);
		closed_streams = 0;
		io_stream_close(is_sink ? &relay.a : &relay.b, IO_CLOSE_FIN);
		run_for(fixture, 2);
		recorder_done(&relay.left, fixture);
		recorder_done(&relay.right, fixture);
	}
	assert_int_equal(fixture->loop->pipes.count, 0);
}

static void small_traffic_ends_splicing(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside outside = {};
	struct relay relay;

	relay_open(&relay, fixture, false);
	bulk_until_spliced(&relay, &outside);
	for (int i = 0; relay.forth.pipe; i++) {
		assert_true(i < 5000);
		run_for(fixture, 1);
		drink(right_of(&relay), &outside, SIZE_MAX);
		if (outside.received == outside.sent)
			feed(left_of(&relay), &outside, outside.sent + 1, 1);
	}
	assert_false(relay.a.flags & STREAM_LARGE);
	assert_false(list_is_empty(&fixture->loop->pipes.spare));
	feed(left_of(&relay), &outside, outside.sent + 1000, 1000);
	for (int i = 0; outside.received < outside.sent; i++) {
		assert_true(i < 5000);
		run_for(fixture, 1);
		drink(right_of(&relay), &outside, SIZE_MAX);
	}
	assert_int_equal(relay.forth.bytes, outside.sent);
	assert_int_equal(outside.wrong, 0);
	relay_close(&relay);
}

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void pipes_are_bounded_and_used_again(void **state)
{
	struct fixture *fixture = fixture_of(state);
	int before = open_descriptors();
	struct io_stream stream = {.loop = fixture->loop};
	struct io_pump pump = {.from = &stream};
	struct io_pipe *pipes[64];
	unsigned count = 0;

	while (count < ARRAY_SIZE(pipes) && (pipes[count] = io_pipe_take(&pump)))
		count++;
	assert_in_range(count, 1, 32);
	io_pipe_release(fixture->loop, pipes[0]);
	assert_ptr_equal(io_pipe_take(&pump), pipes[0]);
	pipes[0]->held = 1;
	for (unsigned i = 0; i < count; i++)
		io_pipe_release(fixture->loop, pipes[i]);
	assert_int_equal(fixture->loop->pipes.count, count - 1);
	fixture->loop->pipes.timer.on_expire(&fixture->loop->pipes.timer);
	assert_int_equal(open_descriptors(), before);
}

static void idle_pump_gives_its_pipe_back(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct io_pipe_pool *pool = &fixture->loop->pipes;
	struct outside outside = {};
	struct relay relay;

	relay_open(&relay, fixture, false);
	bulk_until_spliced(&relay, &outside);
	for (int i = 0; outside.received < outside.sent; i++) {
		assert_true(i < 5000);
		run_for(fixture, 1);
		drink(right_of(&relay), &outside, SIZE_MAX);
	}
	pool->timer.on_expire(&pool->timer);
	assert_non_null(relay.forth.pipe);
	relay.forth.last_activity_ms = 0;
	pool->timer.on_expire(&pool->timer);
	assert_null(relay.forth.pipe);
	assert_int_equal(pool->count, 1);
	pool->timer.on_expire(&pool->timer);
	assert_int_equal(pool->count, 0);
	relay_close(&relay);
}

static void without_a_pipe_the_pump_goes_on_copying(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside outside = {};
	struct relay relay;

	relay_open(&relay, fixture, false);
	fixture->loop->pipes.count = 1000;
	for (int i = 0; outside.received < 24 * MEGABYTE; i++) {
		assert_true(i < 5000);
		feed(left_of(&relay), &outside, 24 * MEGABYTE, 1 << 18);
		run_for(fixture, 1);
		assert_null(relay.forth.pipe);
		drink(right_of(&relay), &outside, SIZE_MAX);
	}
	assert_int_equal(outside.wrong, 0);
	relay_close(&relay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(long_transfer_is_spliced_byte_for_byte),
		ON_BOTH(slow_reader_gets_every_spliced_byte),
		ON_BOTH(transfer_in_small_reads_is_not_spliced),
		ON_BOTH(both_directions_are_spliced_at_once),
		ON_BOTH(full_sink_stops_a_spliced_source),
		ON_BOTH(end_of_a_spliced_source_comes_after_what_the_pipe_holds),
		ON_BOTH(reset_of_a_spliced_source_is_a_receive_error),
		ON_BOTH(reset_of_a_spliced_sink_ends_both_pumps),
		ON_BOTH(cancelled_pump_gives_its_streams_back_to_receiving),
		ON_BOTH(closing_either_stream_lets_the_pipe_go),
		ON_BOTH(small_traffic_ends_splicing),
		ON_BOTH(pipes_are_bounded_and_used_again),
		ON_BOTH(idle_pump_gives_its_pipe_back),
		ON_BOTH(without_a_pipe_the_pump_goes_on_copying),
	};

	/* As sluiced does: splice(2) has no flag against it. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
